// Partitions: the views that readers see, and how partitions are cut and dropped.
#include <algorithm>
#include <map>

#include "engine/db_impl.h"
#include "engine/epoch.h"

namespace varve::engine {
namespace {

using compaction::ClippedInterval;
using compaction::KeyInterval;

// The part of `reference` that lies in [begin, end); nullopt if the table has no key there.
std::optional<TableReference> Clip(const TableReference& reference, const sstable::TableInfo& info,
                                   const std::string& begin, const std::string& end) {
  const KeyInterval keys = ClippedInterval(info.smallest_key, info.largest_key,
                                           reference.clip_begin, reference.clip_end);
  const KeyInterval left = compaction::Intersection(keys, {begin, end, false});
  if (left.empty()) return std::nullopt;
  TableReference clipped = reference;
  clipped.clip_begin = std::max(reference.clip_begin, begin);
  if (!end.empty() && (reference.clip_end.empty() || end < reference.clip_end)) {
    clipped.clip_end = end;
  }
  if (!(left == keys)) {
    clipped.live_bytes =
        std::min(reference.live_bytes, info.EstimateBytes(clipped.clip_begin, clipped.clip_end));
  }
  return clipped;
}

bool Precedes(const std::string& a_end, const std::string& b_end) {  // as ends: empty is the last
  if (a_end.empty()) return false;
  return b_end.empty() || a_end < b_end;
}

}  // namespace

// ---- Views

std::shared_ptr<const Levels> DbImpl::BuildLevels(uint64_t partition) const {
  const ManifestState& state = manifest_->state();
  const PartitionState& source = state.partitions().at(partition);
  auto levels = std::make_shared<Levels>();
  for (int level = 0; level < kLevels; ++level) {
    std::vector<LevelTable>& tables = (*levels)[level];
    tables.reserve(source.levels[level].size());
    for (const TableReference& reference : source.levels[level]) {
      const TableState& table = state.tables().at(reference.table);
      LevelTable& to = tables.emplace_back();
      to.handle = const_cast<TableSet&>(tables_).Table(table.info);
      to.reference = reference;
      to.referenced_bytes = std::min(table.referenced_bytes, table.info.file_bytes);
    }
    // Views of strings, once those stand where they stay.
    for (LevelTable& table : tables) {
      const sstable::TableInfo& info = table.handle->info();
      const TableReference& reference = table.reference;
      table.keys = ClippedInterval(info.smallest_key, info.largest_key, reference.clip_begin,
                                   reference.clip_end);
      table.clipped = info.smallest_key < reference.clip_begin ||
                      (!reference.clip_end.empty() && info.largest_key >= reference.clip_end);
    }
  }
  levels->Fence();
  return levels;
}

void DbImpl::RetireLater(std::shared_ptr<const void> what) {
  retired_.fetch_add(1);
  Retire([this, what = std::move(what)]() mutable {
    what.reset();
    retired_.fetch_sub(1);
  });
}

void DbImpl::PublishView(Partition& partition, std::shared_ptr<PartitionMemtable> active,
                         std::vector<std::shared_ptr<PartitionMemtable>> frozen,
                         std::shared_ptr<const Levels> levels) {
  RetireLater(partition.Publish(
      std::make_shared<ReadView>(std::move(active), std::move(frozen), std::move(levels))));
}

void DbImpl::PublishDirectory(std::vector<std::shared_ptr<Partition>> partitions) {
  std::shared_ptr<const Directory> old = std::move(directory_owner_);
  directory_owner_ = std::make_shared<const Directory>(std::move(partitions));
  // Release: who finds the directory finds what is in it.
  directory_.store(directory_owner_.get(), std::memory_order_release);
  if (old != nullptr) RetireLater(std::move(old));
}

std::shared_ptr<const Directory> DbImpl::CurrentDirectory() const {
  absl::MutexLock lock(&apply_mutex_);
  return directory_owner_;
}

std::pair<std::shared_ptr<Partition>, ViewReference> DbImpl::ViewOf(std::string_view key) const {
  EpochGuard guard;
  const auto& partition = directory_.load(std::memory_order_acquire)->Find(key);
  return {partition, partition->view()->shared_from_this()};
}

std::pair<std::shared_ptr<Partition>, ViewReference> DbImpl::ViewBefore(
    std::string_view key) const {
  EpochGuard guard;
  const Directory& directory = *directory_.load(std::memory_order_acquire);
  size_t index = key.empty() ? directory.partitions().size() - 1 : directory.IndexOf(key);
  if (index > 0 && !key.empty() && directory.partitions()[index]->begin == key) --index;
  const auto& partition = directory.partitions()[index];
  return {partition, partition->view()->shared_from_this()};
}

PartitionMemtable& DbImpl::ActiveMemtable(Partition& partition, wal::Lsn lsn) {
  const std::shared_ptr<ReadView>& view = partition.owned_view();
  if (view->active != nullptr) return *view->active;
  auto memtable = std::make_shared<PartitionMemtable>(memtable_bytes_, chunk_pool_);
  memtable->first_lsn = lsn;
  PartitionMemtable& result = *memtable;
  PublishView(partition, std::move(memtable), view->frozen, view->levels);
  return result;
}

void DbImpl::Freeze(Partition& partition) {
  const std::shared_ptr<ReadView> view = partition.owned_view();
  if (view->active == nullptr) return;
  view->active->frozen_at = last_applied_;
  view->active->frozen_lsn = last_applied_end_;
  std::vector<std::shared_ptr<PartitionMemtable>> frozen;
  frozen.reserve(view->frozen.size() + 1);
  frozen.push_back(view->active);
  frozen.insert(frozen.end(), view->frozen.begin(), view->frozen.end());
  PublishView(partition, nullptr, std::move(frozen), view->levels);
  anything_frozen_.store(true);
  Wake();
}

void DbImpl::FreezeAll() {
  absl::MutexLock lock(&apply_mutex_);
  for (const auto& partition : directory_owner_->partitions()) Freeze(*partition);
}

void DbImpl::UpdateLevel0Max() {
  uint64_t level0_max = 0;
  for (const auto& partition : directory_owner_->partitions()) {
    const uint64_t runs = compaction::CountRuns((*partition->owned_view()->levels)[0],
                                                [](const LevelTable& table) { return table.keys; });
    level0_max = std::max(level0_max, runs);
  }
  level0_max_.store(level0_max, std::memory_order_relaxed);
}

// ---- Edits

io::Task<Status> DbImpl::CommitEdit(Edit edit) {
  edit.next_file_number = next_file_number_.load();
  const bool forget_first = options_.skipped_rule == Rule::kForgetBeforeDelete;
  ManifestState::Unreferenced unreferenced;
  if (forget_first) DeletePrematurely(edit);
  VARVE_CO_RETURN_IF_ERROR(co_await manifest_->Commit(std::move(edit), &unreferenced));
  tables_.Forget(unreferenced.tables, unreferenced.value_files);
  UpdateValueUsage();
  for (std::string& path : std::exchange(uncertain_files_, {})) {
    const Status removed = io_.Remove(path);
    (void)removed;  // opening the database removes what is left over
  }
  co_return absl::OkStatus();
}

void DbImpl::DeletePrematurely(const Edit& edit) {
  for (const Edit::RemovedReference& removed : edit.removed_references) {
    const auto& tables = manifest_->state().tables();
    const auto table = tables.find(removed.table);
    if (table == tables.end() || table->second.references > 1) continue;
    const bool added_again =
        std::any_of(edit.added_references.begin(), edit.added_references.end(),
                    [&](const auto& added) { return added.reference.table == removed.table; });
    if (added_again) continue;
    const Status status = io_.Remove(TablePath(directory_path_, removed.table));
    (void)status;
  }
}

void DbImpl::Discard(std::vector<std::string> paths) {
  // An edit that failed may still name them.
  if (manifest_->uncertain()) {
    for (std::string& path : paths) uncertain_files_.push_back(std::move(path));
    return;
  }
  for (const std::string& path : paths) {
    const Status removed = io_.Remove(path);
    (void)removed;  // opening the database removes what is left over
  }
}

void DbImpl::AddPiece(const PartitionState& source, std::string begin, std::string end,
                      Edit& edit) {
  PartitionRecord record = source.record;
  record.id = next_partition_id_.fetch_add(1);
  record.begin = std::move(begin);
  record.end = std::move(end);
  for (int level = 0; level < kLevels; ++level) {
    for (const TableReference& reference : source.levels[level]) {
      const sstable::TableInfo& info = manifest_->state().tables().at(reference.table).info;
      auto clipped = Clip(reference, info, record.begin, record.end);
      if (clipped) edit.added_references.push_back({record.id, level, *std::move(clipped)});
    }
  }
  edit.added_partitions.push_back(std::move(record));
}

void DbImpl::AddCuts(const std::set<std::string>& cuts, Edit& edit) {
  for (const auto& [id, source] : manifest_->state().partitions()) {
    const PartitionRecord& record = source.record;
    auto cut = cuts.upper_bound(record.begin);
    std::string begin = record.begin;
    bool any = false;
    for (; cut != cuts.end() && Precedes(*cut, record.end); ++cut) {
      AddPiece(source, begin, *cut, edit);
      begin = *cut;
      any = true;
    }
    if (!any) continue;
    AddPiece(source, begin, record.end, edit);
    edit.removed_partitions.push_back(id);
  }
}

void DbImpl::FollowManifest() {
  absl::MutexLock lock(&apply_mutex_);
  const std::shared_ptr<const Directory> old = directory_owner_;
  std::map<uint64_t, std::shared_ptr<Partition>> known;
  for (const auto& partition : old->partitions()) known.emplace(partition->id, partition);

  std::map<std::string_view, std::shared_ptr<Partition>> partitions;
  for (const auto& [id, source] : manifest_->state().partitions()) {
    const auto it = known.find(id);
    std::shared_ptr<Partition> partition;
    if (it != known.end()) {
      partition = it->second;
    } else {
      // A piece of an older partition shares its memtables; what took a dropped range's place has
      // none.
      Partition& parent = *old->Find(source.record.begin);
      std::vector<std::shared_ptr<PartitionMemtable>> frozen;
      if (parent.live_from == source.record.live_from) {
        Freeze(parent);
        frozen = parent.owned_view()->frozen;
        for (const auto& memtable : frozen) memtable->shared = true;
      }
      partition = std::make_shared<Partition>(
          source.record, std::make_shared<ReadView>(nullptr, std::move(frozen), BuildLevels(id)));
    }
    partitions.emplace(partition->begin, std::move(partition));
  }
  std::vector<std::shared_ptr<Partition>> ordered;
  ordered.reserve(partitions.size());
  for (auto& [begin, partition] : partitions) ordered.push_back(std::move(partition));
  PublishDirectory(std::move(ordered));
  UpdateLevel0Max();
  double debt = 0;
  for (const auto& partition : directory_owner_->partitions()) debt += partition->debt_bytes.load();
  debt_bytes_.store(debt);
}

io::Task<Status> DbImpl::Split(std::vector<std::string> keys) {
  VARVE_CO_RETURN_IF_ERROR(CheckWritable());
  std::set<std::string> cuts(std::make_move_iterator(keys.begin()),
                             std::make_move_iterator(keys.end()));
  cuts.erase("");
  for (const std::string& key : cuts) {
    if (key.size() > kKeyBytesMax) co_return InvalidArgument("key of {} bytes", key.size());
  }
  auto manifest_lock = co_await manifest_mutex_.Lock();
  Edit edit;
  AddCuts(cuts, edit);
  if (edit.added_partitions.empty()) co_return absl::OkStatus();
  std::vector<uint64_t> pieces;
  for (const PartitionRecord& record : edit.added_partitions) pieces.push_back(record.id);
  VARVE_CO_RETURN_IF_ERROR(co_await CommitEdit(std::move(edit)));
  FollowManifest();
  AddCandidates(pieces);
  co_return absl::OkStatus();
}

// ---- Dropping

bool DbImpl::IsVacant(const Partition& partition) const {
  const ReadView& view = *partition.owned_view();
  return view.active == nullptr && view.frozen.empty() &&
         std::all_of(view.levels->begin(), view.levels->end(),
                     [](const auto& level) { return level.empty(); });
}

SequenceNumber DbImpl::BlockRange(std::string& begin, std::string& end) {
  absl::MutexLock apply(&apply_mutex_);
  absl::MutexLock lock(&commit_mutex_);
  // A neighbour without data becomes part of the partition that takes the range's place, so that
  // empty partitions do not pile up. With commits on their way nobody knows whether it has data.
  if (queue_.empty()) {
    const Directory& directory = *directory_owner_;
    const size_t first = directory.IndexOf(begin);
    if (first > 0 && directory.partitions()[first]->begin == begin &&
        IsVacant(*directory.partitions()[first - 1])) {
      begin = directory.partitions()[first - 1]->begin;
    }
    if (!end.empty()) {
      const Partition& after = *directory.Find(end);
      if (after.begin == end && IsVacant(after)) end = after.end;
    }
  }
  dropping_.emplace_back(begin, end);
  return clock_->Next();
}

io::Task<StatusOr<SequenceNumber>> DbImpl::DropRange(std::string begin, std::string end) {
  VARVE_CO_RETURN_IF_ERROR(CheckReadable());
  if (!end.empty() && begin >= end) co_return visible();
  auto manifest_lock = co_await manifest_mutex_.Lock();
  const SequenceNumber sequence = BlockRange(begin, end);
  const Status dropped = co_await DropBlockedRange(begin, end, sequence);
  {
    absl::MutexLock lock(&commit_mutex_);
    std::erase(dropping_, std::make_pair(begin, end));
  }
  progress_.Beat();
  Wake();
  if (!dropped.ok()) co_return dropped;
  co_return sequence;
}

io::Task<Status> DbImpl::DropBlockedRange(std::string begin, std::string end,
                                          SequenceNumber sequence) {
  Edit edit;
  const ManifestState& state = manifest_->state();
  for (const auto& [id, source] : state.partitions()) {
    const PartitionRecord& record = source.record;
    const KeyInterval keys{record.begin, record.end, false};
    if (!keys.Overlaps({begin, end, false})) continue;
    if (record.begin < begin) AddPiece(source, record.begin, begin, edit);
    if (Precedes(end, record.end)) AddPiece(source, end, record.end, edit);
    edit.removed_partitions.push_back(id);
  }
  edit.added_partitions.push_back({.id = next_partition_id_.fetch_add(1),
                                   .begin = begin,
                                   .end = end,
                                   .live_from = sequence,
                                   .flushed_to = sequence});
  VARVE_CO_RETURN_IF_ERROR(co_await CommitEdit(std::move(edit)));
  drops_.fetch_add(1);
  FollowManifest();
  co_return absl::OkStatus();
}

// ---- What there is

std::vector<PartitionInfo> DbImpl::Partitions() const {
  const auto directory = CurrentDirectory();
  std::vector<PartitionInfo> infos;
  infos.reserve(directory->partitions().size());
  absl::MutexLock lock(&apply_mutex_);
  for (const auto& partition : directory->partitions()) {
    PartitionInfo& info = infos.emplace_back();
    info.id = partition->id;
    info.begin = partition->begin;
    info.end = partition->end;
    const ReadView& view = *partition->owned_view();
    if (view.active != nullptr) info.memtable_bytes += view.active->table.bytes();
    for (const auto& memtable : view.frozen) info.memtable_bytes += memtable->table.bytes();
    for (const auto& level : *view.levels) {
      info.tables_per_level.push_back(level.size());
      for (const LevelTable& table : level) info.table_bytes += table.reference.live_bytes;
    }
  }
  return infos;
}

uint64_t DbImpl::ApproximateBytes(std::string_view begin, std::string_view end) const {
  const auto directory = CurrentDirectory();
  uint64_t bytes = 0;
  absl::MutexLock lock(&apply_mutex_);
  for (size_t i = directory->IndexOf(begin); i < directory->partitions().size(); ++i) {
    const Partition& partition = *directory->partitions()[i];
    if (!end.empty() && partition.begin >= end) break;
    const ReadView& view = *partition.owned_view();
    if (view.active != nullptr) bytes += view.active->table.data_bytes();
    for (const auto& memtable : view.frozen) bytes += memtable->table.data_bytes();
    for (const auto& level : *view.levels) {
      for (const LevelTable& table : level) {
        const std::string_view from = std::max<std::string_view>(begin, table.reference.clip_begin);
        const std::string_view to = table.reference.clip_end.empty() ? end
                                    : end.empty()
                                        ? std::string_view(table.reference.clip_end)
                                        : std::min<std::string_view>(end, table.reference.clip_end);
        if (to.empty() || from < to) bytes += table.handle->table().ApproximateBytes(from, to);
      }
    }
  }
  return bytes;
}

}  // namespace varve::engine
