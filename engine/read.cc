// Point reads and snapshots.
#include <algorithm>
#include <array>

#include "engine/db_impl.h"
#include "engine/epoch.h"
#include "engine/point_read.h"

namespace varve::engine {
namespace {

// So many lookups are advanced in turn: enough to keep the memory busy all the time.
constexpr size_t kLookupsMax = 32;
using Lookups = std::array<std::optional<PointRead>, kLookupsMax>;
using LookupStates = std::array<PointRead::State, kLookupsMax>;

// Advances the first `count` of `reads` in turn until all have come as far as memory goes.
void AdvanceInTurn(Lookups& reads, size_t count, LookupStates* states) {
  std::array<uint8_t, kLookupsMax> open;
  for (size_t i = 0; i < count; ++i) open[i] = static_cast<uint8_t>(i);
  for (size_t left = count; left > 0;) {
    size_t still = 0;
    for (size_t k = 0; k < left; ++k) {
      const uint8_t i = open[k];
      (*states)[i] = reads[i]->Advance();
      if ((*states)[i] == PointRead::State::kMore) open[still++] = i;
    }
    left = still;
  }
}

}  // namespace

std::optional<StatusOr<bool>> DbImpl::TryGet(std::string_view key, PinnedValue* value,
                                             const ReadOptions& options) {
  if (Status readable = CheckReadable(); !readable.ok()) return readable;
  EpochGuard guard;
  // First the view, then the sequence number: whatever a flush or a compaction that made this view
  // has dropped, was not visible at it any more.
  const ReadView* view = directory_.load(std::memory_order_acquire)->Find(key)->view();
  PointRead read(*view, key, ReadSequence(options));
  switch (read.Step()) {
    case PointRead::State::kFound:
      read.TakeValue(value);
      return true;
    case PointRead::State::kAbsent:
      return false;
    case PointRead::State::kFailed:
      return read.status();
    default:
      return std::nullopt;
  }
}

void DbImpl::TryGet(std::span<Db::Lookup> lookups) {
  if (const Status readable = CheckReadable(); !readable.ok()) {
    for (Db::Lookup& lookup : lookups) lookup.found = readable;
    return;
  }
  EpochGuard guard;
  while (!lookups.empty()) {
    const std::span<Db::Lookup> some = lookups.first(std::min(lookups.size(), kLookupsMax));
    lookups = lookups.subspan(some.size());
    // The views first, then the sequence number, as above.
    std::array<const ReadView*, kLookupsMax> views;
    const Directory* const directory = directory_.load(std::memory_order_acquire);
    for (size_t i = 0; i < some.size(); ++i) views[i] = directory->Find(some[i].key)->view();
    const SequenceNumber sequence = visible();
    Lookups reads;
    LookupStates states;
    for (size_t i = 0; i < some.size(); ++i) reads[i].emplace(*views[i], some[i].key, sequence);
    AdvanceInTurn(reads, some.size(), &states);
    for (size_t i = 0; i < some.size(); ++i) {
      switch (states[i]) {
        case PointRead::State::kFound:
          reads[i]->TakeValue(some[i].value);
          some[i].found = true;
          break;
        case PointRead::State::kAbsent:
          some[i].found = false;
          break;
        case PointRead::State::kFailed:
          some[i].found = reads[i]->status();
          break;
        default:
          some[i].found.reset();
      }
    }
  }
}

PointRead::State DbImpl::Step(PointRead& read) {
  EpochGuard guard;
  return read.Step();
}

io::Task<StatusOr<bool>> DbImpl::Get(std::string_view key, PinnedValue* value,
                                     ReadOptions options) {
  VARVE_CO_RETURN_IF_ERROR(CheckReadable());
  if (auto done = TryGet(key, value, options)) co_return *std::move(done);
  counters_.reads_waited.fetch_add(1, std::memory_order_relaxed);
  const ViewReference view = ViewOf(key).second;
  PointRead read(*view, key, ReadSequence(options));
  for (;;) {
    const PointRead::State state = Step(read);
    if (state == PointRead::State::kAbsent) co_return false;
    if (state == PointRead::State::kFailed) co_return read.status();
    if (state == PointRead::State::kFound) break;
    co_await read.fetch().Run();
    NoticeLoads();
  }
  read.TakeValue(value);
  co_return true;
}

StatusOr<bool> DbImpl::GetNow(std::string_view key, PinnedValue* value,
                              const ReadOptions& options) {
  VARVE_RETURN_IF_ERROR(CheckReadable());
  if (auto done = TryGet(key, value, options)) return *std::move(done);
  counters_.reads_waited.fetch_add(1, std::memory_order_relaxed);
  const ViewReference view = ViewOf(key).second;
  PointRead read(*view, key, ReadSequence(options));
  for (;;) {
    const PointRead::State state = Step(read);
    if (state == PointRead::State::kAbsent) return false;
    if (state == PointRead::State::kFailed) return read.status();
    if (state == PointRead::State::kFound) break;
    read.fetch().RunNow();
    NoticeLoads();
  }
  read.TakeValue(value);
  return true;
}

struct DbImpl::WaitingRead {
  ViewReference view;
  PointRead read;
  size_t index;  // of its key
  WaitingRead(ViewReference view, std::string_view key, SequenceNumber sequence, size_t index)
      : view(std::move(view)), read(*this->view, key, sequence), index(index) {}
};

SequenceNumber DbImpl::ViewsOfOneMoment(std::span<const std::string_view> keys,
                                        const ReadOptions& options,
                                        std::vector<const ReadView*>* views) const {
  views->resize(keys.size());
  for (;;) {
    const Directory* const directory = directory_.load(std::memory_order_acquire);
    const Partition* partition = nullptr;
    const ReadView* view = nullptr;
    for (size_t i = 0; i < keys.size(); ++i) {
      const Partition* const found = directory->Find(keys[i]).get();
      if (found != partition) {
        partition = found;
        view = partition->view();
      }
      (*views)[i] = view;
    }
    const SequenceNumber sequence = ReadSequence(options);
    // As for a Get, no view lacks what was visible when it was loaded. Here it must be so of what
    // is visible now, too: views that are still the newest hold all of that.
    bool newest = directory == directory_.load(std::memory_order_acquire);
    partition = nullptr;
    for (size_t i = 0; newest && options.snapshot == nullptr && i < keys.size(); ++i) {
      const Partition* const found = directory->Find(keys[i]).get();
      if (found == partition) continue;
      partition = found;
      newest = partition->view() == (*views)[i];
    }
    if (newest) return sequence;
  }
}

Status DbImpl::TryMultiGet(std::span<const std::string_view> keys,
                           std::vector<std::optional<PinnedValue>>* values,
                           const ReadOptions& options,
                           std::vector<std::unique_ptr<WaitingRead>>* waiting) {
  thread_local std::vector<const ReadView*> views;
  values->resize(keys.size());
  EpochGuard guard;
  const SequenceNumber sequence = ViewsOfOneMoment(keys, options, &views);
  for (size_t first = 0; first < keys.size(); first += kLookupsMax) {
    const size_t count = std::min(keys.size() - first, kLookupsMax);
    Lookups reads;
    LookupStates states;
    for (size_t i = 0; i < count; ++i) {
      reads[i].emplace(*views[first + i], keys[first + i], sequence);
    }
    AdvanceInTurn(reads, count, &states);
    for (size_t i = 0; i < count; ++i) {
      std::optional<PinnedValue>& value = (*values)[first + i];
      switch (states[i]) {
        case PointRead::State::kFound:
          if (!value) value.emplace();
          reads[i]->TakeValue(&*value);
          break;
        case PointRead::State::kFailed:
          return reads[i]->status();
        case PointRead::State::kWaiting:
          value.reset();
          waiting->push_back(std::make_unique<WaitingRead>(views[first + i]->shared_from_this(),
                                                           keys[first + i], sequence, first + i));
          break;
        default:
          value.reset();
      }
    }
  }
  return absl::OkStatus();
}

io::Task<Status> DbImpl::FinishMultiGet(const std::vector<std::unique_ptr<WaitingRead>>& reads,
                                        std::vector<std::optional<PinnedValue>>* values) {
  std::vector<WaitingRead*> open;
  for (const auto& read : reads) open.push_back(read.get());
  while (!open.empty()) {
    std::vector<WaitingRead*> waiting;
    for (WaitingRead* waiter : open) {
      const PointRead::State state = Step(waiter->read);
      if (state == PointRead::State::kFailed) co_return waiter->read.status();
      if (state == PointRead::State::kFound) {
        waiter->read.TakeValue(&(*values)[waiter->index].emplace());
      }
      if (state == PointRead::State::kWaiting) waiting.push_back(waiter);
    }
    // Who waits for the same block as another finds it in the cache afterwards.
    absl::flat_hash_set<std::pair<const void*, uint64_t>> wanted;
    io::TaskGroup fetches;
    for (WaitingRead* waiter : waiting) {
      if (wanted.insert(waiter->read.wanted()).second) fetches.Add(waiter->read.fetch().Run());
    }
    co_await fetches.Wait();
    counters_.reads_waited.fetch_add(wanted.size(), std::memory_order_relaxed);
    open = std::move(waiting);
  }
  NoticeLoads();
  co_return absl::OkStatus();
}

io::Task<Status> DbImpl::MultiGet(std::span<const std::string_view> keys,
                                  std::vector<std::optional<PinnedValue>>* values,
                                  ReadOptions options) {
  VARVE_CO_RETURN_IF_ERROR(CheckReadable());
  std::vector<std::unique_ptr<WaitingRead>> waiting;
  VARVE_CO_RETURN_IF_ERROR(TryMultiGet(keys, values, options, &waiting));
  if (!waiting.empty()) VARVE_CO_RETURN_IF_ERROR(co_await FinishMultiGet(waiting, values));
  co_return absl::OkStatus();
}

Status DbImpl::MultiGetNow(std::span<const std::string_view> keys,
                           std::vector<std::optional<PinnedValue>>* values,
                           const ReadOptions& options) {
  VARVE_RETURN_IF_ERROR(CheckReadable());
  std::vector<std::unique_ptr<WaitingRead>> waiting;
  VARVE_RETURN_IF_ERROR(TryMultiGet(keys, values, options, &waiting));
  if (waiting.empty()) return absl::OkStatus();
  return io::BlockOn(io_, FinishMultiGet(waiting, values));
}

Status DbImpl::CheckReadable() const {
  if (open_) return absl::OkStatus();
  return FailedPrecondition("{}: is closed", directory_path_);
}

SequenceNumber DbImpl::ReadSequence(const ReadOptions& options) const {
  return options.snapshot != nullptr ? options.snapshot->sequence() : visible();
}

void DbImpl::NoticeLoads() {
  // Maintenance starts counting anew.
  if (loads_.fetch_add(1, std::memory_order_relaxed) + 1 == kLoadsPerTrim) Wake();
}

std::unique_ptr<Snapshot> DbImpl::NewSnapshot() {
  return std::unique_ptr<Snapshot>(new Snapshot(this, AddSnapshot()));
}

SequenceNumber DbImpl::AddSnapshot() {
  absl::MutexLock lock(&snapshot_mutex_);
  const SequenceNumber sequence = visible();
  // What is visible only grows: the last place is the right one.
  snapshots_.push_back(sequence);
  return sequence;
}

void DbImpl::RemoveSnapshot(SequenceNumber sequence) {
  {
    absl::MutexLock lock(&snapshot_mutex_);
    const auto removed = std::lower_bound(snapshots_.begin(), snapshots_.end(), sequence);
    const bool oldest = removed == snapshots_.begin();
    snapshots_.erase(removed);
    if (!oldest || !held_by_snapshots_.load(std::memory_order_relaxed)) return;
  }
  CompactWhatSnapshotsHeld();
}

std::vector<SequenceNumber> DbImpl::Boundaries() const {
  absl::MutexLock lock(&snapshot_mutex_);
  std::vector<SequenceNumber> boundaries(snapshots_.begin(), snapshots_.end());
  boundaries.push_back(visible());
  boundaries.erase(std::unique(boundaries.begin(), boundaries.end()), boundaries.end());
  return boundaries;
}

}  // namespace varve::engine
