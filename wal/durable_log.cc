// The durable medium: group commit from registered buffers.
//
// A record goes into the open group. A group is closed, and padded to a page, when it is full, when
// the segment is left, or when a leader takes it: somebody who waits for durability (or for room)
// when one more group may be in flight (CanLead). Groups are written in the order of the log and
// complete in any order; a group counts as in flight until all before it are durable too.
//
// Those who wait are tasks, parked one by one and resumed on their executors, or threads, which
// sleep group by group and are woken together. Threads write by themselves, tasks on the writer's.
//
// No page is ever written twice in one life of a segment: a failed or torn write can harm nothing
// that was acknowledged. The price is a page for each group, however small.
#include <absl/container/inlined_vector.h>

#include <algorithm>
#include <array>
#include <deque>
#include <optional>

#include "io/doorbell.h"
#include "wal/log_base.h"

namespace varve::wal {
namespace {

class DurableLog final : public LogBase {
 public:
  DurableLog(io::Io& io, LogOptions options) : LogBase(io, std::move(options)) {
    const size_t buffers = options_.groups_in_flight_max + 2;
    region_ = io_.AllocateBuffers(buffers * options_.group_bytes_max);
    if (io_.has_threads()) writer_ = io_.StartWorker({.name = "varve-log"});
    for (size_t i = buffers; i > 0; --i) {
      free_buffers_.push_back(region_->data() + (i - 1) * options_.group_bytes_max);
    }
  }

  AppendResult Append(SequenceNumber sequence, std::span<const std::string_view> payload) override;
  AppendResult Roll() override;
  io::Task<Status> Room(size_t payload_bytes) override;
  io::Task<Status> WaitDurable(Lsn lsn) override;
  Status WaitDurableNow(Lsn lsn) override;

 protected:
  io::Task<void> Drain() override;
  void BeginSegment() override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WakeAll() override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

 private:
  struct Group {
    uint64_t number = 0;
    std::shared_ptr<Segment> segment;
    char* data = nullptr;
    size_t capacity = 0;
    std::unique_ptr<io::BufferRegion> own;  // of a record larger than a buffer
    Lsn start = 0;
    size_t used = 0;
    uint64_t records = 0;
    uint32_t threads = 0;  // that have gone to sleep until it is durable
    bool done = false;
    Status status;

    Lsn end() const { return start + used; }
  };

  static constexpr uint64_t kFewWriters = 6;

  // Why somebody is parked.
  enum class Purpose : uint8_t { kDurable, kRoom, kDrain };
  struct Parked {
    Purpose purpose;
    Lsn lsn;  // kDurable: waits for this; kRoom: record bytes, or kRoll
    io::Waiter waiter;
  };

  // Unparked under the lock and woken after it: they want it at once, and a wake-up takes longer
  // than everything else that is done under it.
  class Woken {
   public:
    Woken() = default;
    Woken(const Woken&) = delete;
    Woken& operator=(const Woken&) = delete;
    ~Woken() { Wake(); }
    void Add(const io::Waiter& waiter) { waiters_.push_back(waiter); }
    void AddAllOf(io::Doorbell& bell) { bells_.push_back(&bell); }
    void AddOneOf(io::Doorbell& bell) { leader_ = &bell; }
    void Wake() {
      if (leader_ != nullptr) std::exchange(leader_, nullptr)->RingOne();
      io::WakeAll(waiters_);
      for (io::Doorbell* const bell : bells_) bell->RingAll();
      waiters_.clear();
      bells_.clear();
    }

   private:
    io::Doorbell* leader_ = nullptr;
    absl::InlinedVector<io::Waiter, 16> waiters_;
    absl::InlinedVector<io::Doorbell*, 4> bells_;
  };

  // What somebody who waits does next.
  enum class Step : uint8_t { kDone, kFailed, kLead, kPrepare, kPark };

  // How the next record would be placed.
  struct Placement {
    Lack lack;
    bool new_group = false;
    bool roll = false;
    bool end_in_open_group = false;  // the end mark goes into the open group
    bool end_in_own_group = false;
  };

  Placement Place(size_t record_bytes, bool force_roll) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Placement PlaceOrRoll(size_t record_bytes) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return record_bytes == kRoll ? Place(0, true) : Place(record_bytes, false);
  }
  void CloseOpenGroup(RecordType last) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OpenGroup(size_t bytes_min) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Leave(const Placement& placement) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SkipToHeader() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  bool Pending() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
    return !closed_.empty() || open_ != nullptr;
  }
  // Records whose writers are here: of the group delivered last, whose writers are about to come
  // again, in flight, and gathered.
  uint64_t Writers() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
    uint64_t records = last_records_ + (open_ != nullptr ? open_->records : 0);
    for (const auto& group : flying_) records += group->records;
    return records;
  }
  // Where many write, an open group gathers while another is under way: one write after the other
  // that carries many records is faster than several with few. A few writers have a second in
  // flight. What is full gains nothing by waiting.
  bool CanLead() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
    if (!failed_.ok() || !Pending()) return false;
    const bool gathers = closed_.empty() && Writers() > kFewWriters;
    const size_t in_flight_max = gathers ? 1 : closed_.empty() ? 2 : options_.groups_in_flight_max;
    return flying_.size() < std::min<size_t>(in_flight_max, options_.groups_in_flight_max);
  }
  // No group before the failed one can become durable any more.
  bool FailureReached() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
    return !failed_.ok() &&
           (flying_.empty() || (flying_.front()->done && !flying_.front()->status.ok()));
  }
  bool Drained() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return writing_ == 0 && !delivering_; }
  Lsn FirstPendingLsn() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
    return closed_.empty() ? open_->start : closed_.front()->start;
  }

  Group* TakeGroup() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Tasks that lead do so on the writer's executor, and these two end there.
  io::Task<Status> WaitDurableAnywhere(Lsn lsn);
  io::Task<Status> RoomAnywhere(size_t payload_bytes);
  io::Task<void> WriteGroup(Group* group);
  void WriteGroupNow(Group* group);
  void Complete(Group* group, Status status);
  void Deliver(Woken& woken) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void CallLeader(Woken& woken) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Resumes them where they were parked, or on `executor`.
  template <typename Predicate>
  void Unpark(Predicate predicate, Woken& woken, io::Executor* executor = nullptr)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Step DurableStep(Lsn lsn) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  Step RoomStep(size_t record_bytes) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Step StepOf(Purpose purpose, Lsn lsn) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // Decides under the lock and takes a group if the step is kLead.
  struct Decision {
    Step step;
    Group* group = nullptr;
    uint64_t segment_bytes = 0;
    Status status;
    // kPark, for a thread: what to sleep on.
    io::Doorbell* bell = nullptr;
    uint32_t seen = 0;
  };
  Decision Decide(Purpose purpose, Lsn lsn, bool thread = false);

  // Whether a task that is about to lead should first let others on its executor run: where several
  // write, those whom the last group has released are about to come again, and find room in this
  // group instead of waiting for it. `waited`: for another's group, just now. (A thread does not
  // yield: beside threads that compute it would get its core back milliseconds later.)
  bool HasCompany(Lsn lsn, bool waited) const ABSL_LOCKS_EXCLUDED(mutex_);

  // Threads sleep by group.
  io::Doorbell& BellOf(uint64_t group) { return bells_[group % kBells]; }
  // Counts a thread that is going to sleep until `lsn` is durable.
  io::Doorbell& BellFor(Lsn lsn) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // Suspends until the step may have become another than kPark.
  struct Park {
    DurableLog& log;
    Purpose purpose;
    Lsn lsn;
    bool await_ready() { return false; }
    bool await_suspend(std::coroutine_handle<> self) {
      absl::MutexLock lock(&log.mutex_);
      if (log.StepOf(purpose, lsn) != Step::kPark) return false;
      log.parked_.push_back({purpose, lsn, {self, io::Executor::Current()}});
      return true;
    }
    void await_resume() {}
  };

  std::unique_ptr<io::BufferRegion> region_;
  std::vector<char*> free_buffers_ ABSL_GUARDED_BY(mutex_);
  bool large_group_ ABSL_GUARDED_BY(mutex_) = false;  // one with memory of its own exists
  Lsn next_lsn_ ABSL_GUARDED_BY(mutex_) = 0;          // of the next byte
  std::unique_ptr<Group> open_ ABSL_GUARDED_BY(mutex_);
  std::deque<std::unique_ptr<Group>> closed_ ABSL_GUARDED_BY(mutex_);  // not yet written
  std::deque<std::unique_ptr<Group>> flying_ ABSL_GUARDED_BY(mutex_);  // not yet acknowledged
  uint32_t writing_ ABSL_GUARDED_BY(mutex_) = 0;
  bool delivering_ ABSL_GUARDED_BY(mutex_) = false;
  Lsn acknowledged_lsn_ ABSL_GUARDED_BY(mutex_) = 0;  // on_durable has been told
  std::vector<Parked> parked_ ABSL_GUARDED_BY(mutex_);
  uint64_t last_records_ ABSL_GUARDED_BY(mutex_) = 0;  // of the group delivered last
  uint64_t groups_made_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t last_delivered_ ABSL_GUARDED_BY(mutex_) = 0;  // its number
  // More than there are groups at any time, so that none is woken for another.
  static constexpr uint64_t kBells = 64;
  std::array<io::Doorbell, kBells> bells_;
  // Where tasks write, if there are threads: its thread blocks in the system call, so that the
  // device wakes it, and executors go on. Destroyed first: it may be ringing a bell.
  std::unique_ptr<io::Worker> writer_;
};

void DurableLog::BeginSegment() {
  // After a failure: nothing is under way, and what was not written is lost.
  const auto release = [&](Group& group) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (group.own == nullptr) free_buffers_.push_back(group.data);
  };
  if (open_ != nullptr) release(*open_);
  open_.reset();
  for (const auto& group : closed_) release(*group);
  closed_.clear();
  for (const auto& group : flying_) {
    if (!group->done) release(*group);
  }
  flying_.clear();
  large_group_ = false;
  next_lsn_ = segment_->header.first_record_lsn();
  acknowledged_lsn_ = next_lsn_;
  WakeAll();
}

void DurableLog::WakeAll() {
  Woken woken;
  for (io::Doorbell& bell : bells_) woken.AddAllOf(bell);
  Unpark([](const Parked&) { return true; }, woken);
}

// ---- Appending

DurableLog::Placement DurableLog::Place(size_t record_bytes, bool force_roll) const {
  Placement placement;
  const Lsn segment_end = segment_->header.batch_end_lsn();
  const Lsn at = next_lsn_ + SkipBytes(next_lsn_);
  if (!force_roll && open_ != nullptr && at + record_bytes <= open_->start + open_->capacity &&
      at + record_bytes <= segment_end) {
    return placement;
  }
  placement.new_group = true;
  const bool large = record_bytes > options_.group_bytes_max;
  size_t buffers = large ? 0 : 1;
  if (force_roll || io::PageCeiling(next_lsn_) + record_bytes > segment_end) {
    placement.roll = true;
    const uint64_t bytes_min = SegmentBytesFor(record_bytes);
    if (!HasPrepared(bytes_min)) placement.lack.segment_bytes = bytes_min;
    const Lsn page_end = io::PageCeiling(next_lsn_);
    if (open_ != nullptr && page_end - next_lsn_ >= kRecordHeaderBytes) {
      placement.end_in_open_group = true;
    } else {
      placement.end_in_own_group = true;
      ++buffers;
    }
    if (force_roll) --buffers;
  }
  if (free_buffers_.size() < buffers || (large && large_group_)) placement.lack.buffer = true;
  placement.lack.nothing = !placement.lack.buffer && placement.lack.segment_bytes == 0;
  return placement;
}

void DurableLog::CloseOpenGroup(RecordType last) {
  Group& group = *open_;
  FillPage(group.data + group.used, group.segment->context, last, group.end(), durable_lsn());
  group.used = static_cast<size_t>(io::PageCeiling(group.end()) - group.start);
  next_lsn_ = group.end();
  closed_.push_back(std::move(open_));
}

void DurableLog::OpenGroup(size_t bytes_min) {
  open_ = std::make_unique<Group>();
  open_->number = ++groups_made_;
  open_->segment = segment_;
  open_->start = next_lsn_;
  if (bytes_min > options_.group_bytes_max) {
    open_->capacity = io::PageCeiling(bytes_min);
    open_->own = io_.AllocateBuffers(open_->capacity);
    open_->data = open_->own->data();
    large_group_ = true;
  } else {
    open_->capacity = options_.group_bytes_max;
    open_->data = free_buffers_.back();
    free_buffers_.pop_back();
  }
}

// Ends what stands open and, if the placement says so, enters the next segment.
void DurableLog::Leave(const Placement& placement) {
  if (open_ != nullptr) {
    CloseOpenGroup(placement.end_in_open_group ? RecordType::kSegmentEnd : RecordType::kPad);
  }
  if (!placement.roll) return;
  if (placement.end_in_own_group) {
    OpenGroup(0);
    // A page of nothing but the mark: at a page boundary FillPage would write nothing.
    char* page = open_->data;
    std::memset(page, 0, io::kPageBytes);
    internal::SealRecord(page, segment_->context, RecordType::kSegmentEnd, open_->start, 0,
                         durable_lsn(), io::kPageBytes - kRecordHeaderBytes);
    open_->used = io::kPageBytes;
    next_lsn_ = open_->end();
    closed_.push_back(std::move(open_));
  }
  EnterPreparedSegment();
  next_lsn_ = segment_->header.first_record_lsn();
}

void DurableLog::SkipToHeader() {
  const size_t skip = SkipBytes(next_lsn_);
  if (skip == 0) return;
  std::memset(open_->data + open_->used, 0, skip);
  open_->used += skip;
  next_lsn_ += skip;
}

AppendResult DurableLog::Append(SequenceNumber sequence,
                                std::span<const std::string_view> payload) {
  size_t payload_bytes = 0;
  for (const std::string_view part : payload) payload_bytes += part.size();
  const size_t record_bytes = RecordBytes(payload_bytes);
  AppendResult result;
  {
    absl::MutexLock lock(&mutex_);
    if (!failed_.ok()) return {AppendResult::State::kFailed};
    const Placement placement = Place(record_bytes, false);
    if (!placement.lack.nothing) return {AppendResult::State::kWait};
    if (placement.new_group) {
      Leave(placement);
      OpenGroup(record_bytes);
    }
    SkipToHeader();
    WriteBatchRecord(open_->data + open_->used, open_->segment->context, next_lsn_, sequence,
                     durable_lsn(), payload, payload_bytes);
    result = {AppendResult::State::kAppended, next_lsn_, next_lsn_ + record_bytes};
    open_->used += record_bytes;
    ++open_->records;
    next_lsn_ += record_bytes;
    ++stats_.records;
    stats_.record_bytes += record_bytes;
    appended_lsn_.store(next_lsn_, std::memory_order_release);
  }
  NoteAppend();
  return result;
}

AppendResult DurableLog::Roll() {
  absl::MutexLock lock(&mutex_);
  if (!failed_.ok()) return {AppendResult::State::kFailed};
  const Placement placement = Place(0, true);
  if (!placement.lack.nothing) return {AppendResult::State::kWait};
  Leave(placement);
  if (!closed_.empty()) appended_lsn_.store(closed_.back()->end(), std::memory_order_release);
  return {AppendResult::State::kAppended, next_lsn_, appended_lsn()};
}

// ---- Writing

DurableLog::Group* DurableLog::TakeGroup() {
  if (closed_.empty()) CloseOpenGroup(RecordType::kPad);
  flying_.push_back(std::move(closed_.front()));
  closed_.pop_front();
  ++writing_;
  ++stats_.groups;
  stats_.written_bytes += flying_.back()->used;
  return flying_.back().get();
}

void DurableLog::WriteGroupNow(Group* group) {
  const uint64_t offset = OffsetOf(*group->segment, group->start);
  Complete(group, group->segment->file->WriteNow(offset, {group->data, group->used}));
}

io::Task<void> DurableLog::WriteGroup(Group* group) {
  if (writer_ != nullptr) {
    co_await io::SwitchTo(writer_->executor());
    WriteGroupNow(group);
    co_return;
  }
  const io::BufferRegion* region = group->own == nullptr ? region_.get() : nullptr;
  const uint64_t offset = OffsetOf(*group->segment, group->start);
  Status status = co_await group->segment->file->Write(offset, {group->data, group->used}, region);
  Complete(group, std::move(status));
}

void DurableLog::Complete(Group* group, Status status) {
  Woken woken;
  absl::MutexLock lock(&mutex_);
  --writing_;
  group->done = true;
  group->status = std::move(status);
  if (group->own == nullptr) {
    free_buffers_.push_back(group->data);
  } else {
    group->own.reset();
    large_group_ = false;
  }
  if (!group->status.ok()) {
    Fail(Unavailable("the log failed: {}", Message(group->status)));
  }
  Deliver(woken);
  if (!failed_.ok()) {
    for (io::Doorbell& bell : bells_) woken.AddAllOf(bell);
  }
  Unpark(
      [&](const Parked& parked) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
        const Step step = StepOf(parked.purpose, parked.lsn);
        return step != Step::kPark && (parked.purpose != Purpose::kDurable || step != Step::kLead);
      },
      woken);
  CallLeader(woken);
}

// Acknowledges what has become durable, in order. One at a time: whoever completes a group
// meanwhile leaves it to the one who is at it.
void DurableLog::Deliver(Woken& woken) {
  if (delivering_) return;
  delivering_ = true;
  while (true) {
    Lsn durable = 0;
    absl::InlinedVector<io::Doorbell*, 4> bells;
    while (!flying_.empty() && flying_.front()->done && flying_.front()->status.ok()) {
      Group& group = *flying_.front();
      durable = group.end();
      last_delivered_ = group.number;
      last_records_ = group.records;
      bells.push_back(&BellOf(group.number));
      flying_.pop_front();
    }
    if (durable == 0) break;
    durable_lsn_.store(durable, std::memory_order_release);
    // The next group may start while this one is being applied.
    CallLeader(woken);
    mutex_.Unlock();
    woken.Wake();
    if (options_.on_durable) options_.on_durable(durable);
    mutex_.Lock();
    acknowledged_lsn_ = durable;
    for (io::Doorbell* const bell : bells) woken.AddAllOf(*bell);
    Unpark(
        [&](const Parked& parked) {
          return parked.purpose == Purpose::kDurable && parked.lsn <= durable;
        },
        woken);
  }
  delivering_ = false;
}

// There is room in flight and something to write: wakes one whose record is in it.
void DurableLog::CallLeader(Woken& woken) {
  if (!CanLead()) return;
  const Lsn from = FirstPendingLsn();
  const Group& first = closed_.empty() ? *open_ : *closed_.front();
  bool called = false;
  if (first.threads > 0) {
    woken.AddOneOf(BellOf(first.number));
    called = true;
  }
  Unpark(
      [&](const Parked& parked) {
        const bool chosen = !called && (parked.purpose == Purpose::kRoom ||
                                        (parked.purpose == Purpose::kDurable && parked.lsn > from));
        called |= chosen;
        return chosen;
      },
      woken, writer_ != nullptr ? &writer_->executor() : nullptr);
}

template <typename Predicate>
void DurableLog::Unpark(Predicate predicate, Woken& woken, io::Executor* executor) {
  size_t kept = 0;
  for (size_t i = 0; i < parked_.size(); ++i) {
    if (predicate(parked_[i])) {
      io::Waiter waiter = parked_[i].waiter;
      if (executor != nullptr) waiter.executor = executor;
      woken.Add(waiter);
    } else {
      parked_[kept++] = parked_[i];
    }
  }
  parked_.resize(kept);
}

// ---- Waiting

DurableLog::Step DurableLog::DurableStep(Lsn lsn) const {
  if (!LostStatus(lsn).ok()) return Step::kFailed;
  if (lsn <= acknowledged_lsn_) return Step::kDone;
  // A group already delivered, whose callback is still running, is no failure.
  if (FailureReached() && lsn > durable_lsn()) return Step::kFailed;
  if (CanLead() && lsn > FirstPendingLsn()) return Step::kLead;
  return Step::kPark;
}

DurableLog::Step DurableLog::RoomStep(size_t record_bytes) const {
  if (!failed_.ok()) return Step::kFailed;
  const Placement placement = PlaceOrRoll(record_bytes);
  if (placement.lack.nothing) return Step::kDone;
  if (placement.lack.segment_bytes != 0) return Step::kPrepare;
  return CanLead() ? Step::kLead : Step::kPark;
}

DurableLog::Step DurableLog::StepOf(Purpose purpose, Lsn lsn) const {
  switch (purpose) {
    case Purpose::kDurable:
      return DurableStep(lsn);
    case Purpose::kRoom:
      return RoomStep(lsn);
    case Purpose::kDrain:
      return Drained() ? Step::kDone : Step::kPark;
  }
  return Step::kDone;
}

io::Doorbell& DurableLog::BellFor(Lsn lsn) {
  const auto holds = [lsn](const std::unique_ptr<Group>& group) {
    return group != nullptr && lsn > group->start && lsn <= group->end();
  };
  Group* found = holds(open_) ? open_.get() : nullptr;
  for (const auto* groups : {&closed_, &flying_}) {
    for (const auto& group : *groups) {
      if (holds(group)) found = group.get();
    }
  }
  // Else it is just being delivered.
  if (found == nullptr) return BellOf(last_delivered_);
  ++found->threads;
  return BellOf(found->number);
}

DurableLog::Decision DurableLog::Decide(Purpose purpose, Lsn lsn, bool thread) {
  Woken woken;
  absl::MutexLock lock(&mutex_);
  Decision decision;
  decision.step = StepOf(purpose, lsn);
  if (decision.step == Step::kLead) {
    decision.group = TakeGroup();
    // There may be more to write, and room for it in flight.
    CallLeader(woken);
  } else if (decision.step == Step::kPrepare) {
    decision.segment_bytes = PlaceOrRoll(lsn).lack.segment_bytes;
  } else if (decision.step == Step::kFailed) {
    decision.status = failed_.ok() ? LostStatus(lsn) : failed_;
  } else if (decision.step == Step::kPark && thread) {
    decision.bell = &BellFor(lsn);
    decision.seen = decision.bell->count();
  }
  return decision;
}

bool DurableLog::HasCompany(Lsn lsn, bool waited) const {
  absl::MutexLock lock(&mutex_);
  if (DurableStep(lsn) != Step::kLead || !closed_.empty() || !flying_.empty()) return false;
  return waited || last_records_ > 1 || open_->records > 1;
}

io::Task<Status> DurableLog::WaitDurable(Lsn lsn) {
  io::Executor& home = *io::Executor::Current();
  Status status = co_await WaitDurableAnywhere(lsn);
  co_await io::SwitchTo(home);
  co_return status;
}

io::Task<Status> DurableLog::WaitDurableAnywhere(Lsn lsn) {
  bool waited = false;
  while (true) {
    if (HasCompany(lsn, waited)) co_await io::Yield();
    const Decision decision = Decide(Purpose::kDurable, lsn);
    switch (decision.step) {
      case Step::kDone:
        co_return absl::OkStatus();
      case Step::kFailed:
        co_return decision.status;
      case Step::kLead:
        co_await WriteGroup(decision.group);
        break;
      case Step::kPrepare:
      case Step::kPark:
        co_await Park{*this, Purpose::kDurable, lsn};
        waited = true;
        break;
    }
  }
}

Status DurableLog::WaitDurableNow(Lsn lsn) {
  while (true) {
    const Decision decision = Decide(Purpose::kDurable, lsn, /*thread=*/true);
    switch (decision.step) {
      case Step::kDone:
        return absl::OkStatus();
      case Step::kFailed:
        return decision.status;
      case Step::kLead:
        WriteGroupNow(decision.group);
        break;
      case Step::kPrepare:
      case Step::kPark:
        decision.bell->Wait(decision.seen);
        break;
    }
  }
}

io::Task<Status> DurableLog::Room(size_t payload_bytes) {
  io::Executor& home = *io::Executor::Current();
  Status status = co_await RoomAnywhere(payload_bytes);
  co_await io::SwitchTo(home);
  co_return status;
}

io::Task<Status> DurableLog::RoomAnywhere(size_t payload_bytes) {
  const size_t record_bytes = payload_bytes == kRoll ? kRoll : RecordBytes(payload_bytes);
  while (true) {
    const Decision decision = Decide(Purpose::kRoom, record_bytes);
    switch (decision.step) {
      case Step::kDone:
        co_return absl::OkStatus();
      case Step::kFailed:
        co_return decision.status;
      case Step::kLead:
        co_await WriteGroup(decision.group);
        break;
      case Step::kPrepare: {
        Status status = co_await PrepareSegmentOf(decision.segment_bytes);
        if (!status.ok()) co_return status;
        break;
      }
      case Step::kPark:
        co_await Park{*this, Purpose::kRoom, record_bytes};
        break;
    }
  }
}

io::Task<void> DurableLog::Drain() {
  while (Decide(Purpose::kDrain, 0).step == Step::kPark) {
    co_await Park{*this, Purpose::kDrain, 0};
  }
}

}  // namespace

std::unique_ptr<LogBase> NewDurableLog(io::Io& io, LogOptions options) {
  return std::make_unique<DurableLog>(io, std::move(options));
}

}  // namespace varve::wal
