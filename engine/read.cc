// Point reads and snapshots.
#include <algorithm>
#include <deque>

#include "engine/db_impl.h"
#include "engine/epoch.h"
#include "engine/point_read.h"

namespace varve::engine {

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

io::Task<Status> DbImpl::MultiGet(std::span<const std::string_view> keys,
                                  std::vector<std::optional<PinnedValue>>* values,
                                  ReadOptions options) {
  VARVE_CO_RETURN_IF_ERROR(CheckReadable());
  values->clear();
  values->resize(keys.size());
  // One moment for all keys, kept by a snapshot while this waits.
  std::unique_ptr<Snapshot> moment;
  if (options.snapshot == nullptr) {
    moment = NewSnapshot();
    options.snapshot = moment.get();
  }
  struct Lookup {
    ViewReference view;
    PointRead read;
    size_t index;
    Lookup(ViewReference view, std::string_view key, SequenceNumber sequence, size_t index)
        : view(std::move(view)), read(*this->view, key, sequence), index(index) {}
  };
  std::deque<Lookup> lookups;
  std::vector<Lookup*> open;
  for (size_t i = 0; i < keys.size(); ++i) {
    PinnedValue value;
    const auto done = TryGet(keys[i], &value, options);
    if (!done) {
      lookups.emplace_back(ViewOf(keys[i]).second, keys[i], options.snapshot->sequence(), i);
      open.push_back(&lookups.back());
    } else if (!done->ok()) {
      co_return done->status();
    } else if (**done) {
      (*values)[i] = std::move(value);
    }
  }
  while (!open.empty()) {
    std::vector<Lookup*> waiting;
    for (Lookup* lookup : open) {
      const PointRead::State state = Step(lookup->read);
      if (state == PointRead::State::kFailed) co_return lookup->read.status();
      if (state == PointRead::State::kFound) {
        lookup->read.TakeValue(&(*values)[lookup->index].emplace());
      }
      if (state == PointRead::State::kWaiting) waiting.push_back(lookup);
    }
    io::TaskGroup fetches;
    for (Lookup* lookup : waiting) fetches.Add(lookup->read.fetch().Run());
    co_await fetches.Wait();
    counters_.reads_waited.fetch_add(waiting.size(), std::memory_order_relaxed);
    open = std::move(waiting);
  }
  NoticeLoads();
  co_return absl::OkStatus();
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
