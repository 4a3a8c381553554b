// Compaction: the policy says what to merge, the job merges, and this carries both out.
#include <algorithm>

#include "engine/db_impl.h"
#include "engine/epoch.h"
#include "engine/job_host.h"

namespace varve::engine {

using compaction::JobTable;
using compaction::PartitionView;
using compaction::Plan;

// A compaction that somebody asked for by its range.
struct DbImpl::RangeRequest {
  std::string begin;
  std::string end;
  // What is known of each partition in the range; guarded by pick_mutex_.
  std::map<uint64_t, compaction::RangeProgress> progress;
  bool done = false;
};

struct DbImpl::CompactionWork {
  std::shared_ptr<Partition> partition;
  std::shared_ptr<const Levels> levels;  // keeps the inputs, and the keys that views speak of
  PartitionView view;
  Plan plan;
};

namespace {

// Writes of less than this over a while of naps make a database idle.
constexpr uint64_t kIdleBytes = uint64_t{64} << 10;
constexpr int kIdleNaps = 20;
constexpr uint64_t kIdleNapNs = 50'000'000;
// An epoch passes with each, unless somebody reads.
constexpr int kReclaimsMax = 4;

}  // namespace

PartitionView DbImpl::MakePartitionView(const Levels& levels,
                                        const std::set<uint64_t>& busy) const {
  PartitionView view;
  view.idle = Idle();
  {
    absl::MutexLock lock(&snapshot_mutex_);
    view.oldest_boundary = snapshots_.empty() ? visible() : *snapshots_.begin();
  }
  for (int level = 0; level < kLevels; ++level) {
    for (const LevelTable& table : levels[level]) {
      const sstable::TableInfo& info = table.handle->info();
      view.levels[level].push_back({.number = info.file_number,
                                    .bytes = info.file_bytes,
                                    .keys = table.keys,
                                    .live_bytes = table.reference.live_bytes,
                                    .referenced_bytes = table.referenced_bytes,
                                    .entries = info.entries,
                                    .tombstones = info.tombstones,
                                    .sequence_min = info.smallest_sequence,
                                    .sequence_max = info.largest_sequence,
                                    .value_files = info.value_files,
                                    .key_sample = &info.key_sample,
                                    .busy = busy.contains(info.file_number)});
    }
  }
  return view;
}

void DbImpl::AddValueFileViews(const Levels& levels, PartitionView& view) const {
  std::set<uint64_t> numbers;
  for (const auto& level : levels) {
    for (const LevelTable& table : level) {
      for (const auto& use : table.handle->info().value_files) numbers.insert(use.file_number);
    }
  }
  absl::MutexLock lock(&value_usage_mutex_);
  for (const uint64_t number : numbers) {
    const auto usage = value_usage_.find(number);
    if (usage == value_usage_.end()) continue;
    view.value_files.push_back({number, usage->second.bytes, usage->second.referenced_bytes});
  }
}

void DbImpl::UpdateValueUsage() {
  const ManifestState& state = manifest_->state();
  absl::MutexLock lock(&value_usage_mutex_);
  value_usage_.clear();
  for (const auto& [number, file] : state.value_files()) {
    value_usage_[number] = {file.bytes, state.ReferencedValueBytes(number)};
  }
}

void DbImpl::AddCandidates(const std::vector<uint64_t>& partitions) {
  {
    absl::MutexLock lock(&background_mutex_);
    for (const uint64_t id : partitions) ++candidates_[id];
  }
  split_check_.store(true);
  Wake();
}

void DbImpl::AddAllCandidates() {
  std::vector<uint64_t> partitions;
  for (const auto& partition : CurrentDirectory()->partitions())
    partitions.push_back(partition->id);
  AddCandidates(partitions);
}

void DbImpl::UpdateDebt(Partition& partition) const {
  std::shared_ptr<const Levels> levels;
  {
    absl::MutexLock lock(&apply_mutex_);
    levels = partition.owned_view()->levels;
  }
  PartitionView view = MakePartitionView(*levels, {});
  partition.space_pressure.store(policy_->SpacePressure(view));
  {
    absl::MutexLock lock(&apply_mutex_);
    double pressure = 0;
    for (const auto& each : directory_owner_->partitions()) {
      pressure = std::max(pressure, each->space_pressure.load(std::memory_order_relaxed));
    }
    space_pressure_.store(pressure, std::memory_order_relaxed);
  }
  const double debt = policy_->Debt(view);
  const double change = debt - partition.debt_bytes.exchange(debt);
  double sum = debt_bytes_.load();
  while (!debt_bytes_.compare_exchange_weak(sum, sum + change)) {
  }
}

uint64_t DbImpl::CompactionDebtBytes() const {
  return static_cast<uint64_t>(std::max(0.0, debt_bytes_.load(std::memory_order_relaxed)));
}

void DbImpl::NoteHeldBySnapshots(uint64_t partition, const PartitionView& view) {
  for (const auto& level : view.levels) {
    for (const compaction::TableView& table : level) {
      if (table.tombstones == 0 || table.sequence_max <= view.oldest_boundary) continue;
      absl::MutexLock lock(&background_mutex_);
      held_partitions_.insert(partition);
      held_by_snapshots_.store(true);
      return;
    }
  }
}

void DbImpl::CompactWhatSnapshotsHeld() {
  std::vector<uint64_t> partitions;
  {
    absl::MutexLock lock(&background_mutex_);
    partitions.assign(held_partitions_.begin(), held_partitions_.end());
    held_partitions_.clear();
    held_by_snapshots_.store(false);
  }
  if (!partitions.empty()) AddCandidates(partitions);
}

void DbImpl::TellOtherReferences(const CompactionWork& work) {
  std::set<uint64_t> shared;
  for (const auto& level : work.view.levels) {
    for (const compaction::TableView& table : level) {
      if (table.referenced_bytes > table.live_bytes) shared.insert(table.number);
    }
  }
  std::erase_if(shared, [&](uint64_t table) {
    return std::none_of(work.plan.inputs.begin(), work.plan.inputs.end(), [&](const auto& input) {
      return std::find(input.tables.begin(), input.tables.end(), table) != input.tables.end();
    });
  });
  if (shared.empty()) return;
  std::vector<uint64_t> others;
  for (const auto& partition : directory_owner_->partitions()) {
    if (partition->id == work.partition->id) continue;
    const std::shared_ptr<ReadView> view = partition->owned_view();
    bool refers = false;
    for (const auto& level : *view->levels) {
      refers = refers || std::any_of(level.begin(), level.end(), [&](const LevelTable& table) {
                 return shared.contains(table.reference.table);
               });
    }
    if (!refers) continue;
    PublishView(*partition, view->active, view->frozen, BuildLevels(partition->id));
    others.push_back(partition->id);
  }
  if (!others.empty()) AddCandidates(others);
}

std::optional<DbImpl::CompactionWork> DbImpl::WorkFor(std::shared_ptr<Partition> partition) const {
  CompactionWork work;
  // First what is busy, then the levels: a compaction that ends in between still counts as busy.
  std::set<uint64_t> busy;
  {
    absl::MutexLock lock(&background_mutex_);
    for (auto it = busy_.lower_bound({partition->id, 0});
         it != busy_.end() && it->first == partition->id; ++it) {
      busy.insert(it->second);
    }
  }
  {
    absl::MutexLock lock(&apply_mutex_);
    work.levels = partition->owned_view()->levels;
  }
  work.view = MakePartitionView(*work.levels, busy);
  AddValueFileViews(*work.levels, work.view);
  work.partition = std::move(partition);
  return work;
}

std::optional<DbImpl::CompactionWork> DbImpl::PickWork() {
  // Between a look at the levels and SetBusy nobody else may pick.
  absl::MutexLock lock(&pick_mutex_);
  std::optional<CompactionWork> work = PickRange();
  if (!work) work = PickCompaction();
  return work;
}

std::optional<DbImpl::CompactionWork> DbImpl::PickCompaction() {
  std::map<uint64_t, uint64_t> candidates;
  {
    absl::MutexLock lock(&background_mutex_);
    candidates = candidates_;
  }
  if (candidates.empty()) return std::nullopt;
  std::optional<CompactionWork> best;
  std::map<uint64_t, uint64_t> settled;
  const auto directory = CurrentDirectory();
  for (const auto& partition : directory->partitions()) {
    auto candidate = candidates.extract(partition->id);
    if (candidate.empty()) continue;
    auto work = WorkFor(partition);
    auto plan = policy_->Pick(work->view);
    if (!plan) {
      NoteHeldBySnapshots(partition->id, work->view);
      settled.insert(std::move(candidate));
      continue;
    }
    work->plan = *std::move(plan);
    // Stays a candidate.
    if (CollidesWithRunning(*work)) continue;
    if (!best || work->plan.score > best->plan.score) best = std::move(work);
  }
  {
    absl::MutexLock lock(&background_mutex_);
    // What is still busy comes back when its compaction is done; what is left no longer exists.
    settled.merge(candidates);
    // What has changed since is to be looked at once more.
    std::erase_if(candidates_, [&settled](const auto& candidate) {
      const auto looked = settled.find(candidate.first);
      return looked != settled.end() && looked->second == candidate.second;
    });
    if (best) SetBusy(*best, true);
  }
  // Only now: who waits until nothing is due looks at the candidates when it wakes.
  if (!settled.empty() && !best) progress_.Beat();
  return best;
}

std::optional<DbImpl::CompactionWork> DbImpl::PickRange() {
  std::shared_ptr<RangeRequest> request;
  {
    absl::MutexLock lock(&background_mutex_);
    if (ranges_.empty()) return std::nullopt;
    request = ranges_.front();
  }
  bool busy = false;
  const auto directory = CurrentDirectory();
  const compaction::KeyInterval range{request->begin, request->end, false};
  for (const auto& partition : directory->partitions()) {
    if (!partition->keys().Overlaps(range)) continue;
    auto work = WorkFor(partition);
    compaction::RangeProgress progress = request->progress[partition->id];
    auto step = policy_->PickRange(work->view, range, progress);
    if (step.outcome == compaction::RangeStep::Outcome::kPlan) {
      work->plan = std::move(step.plan);
      if (CollidesWithRunning(*work)) {
        busy = true;
        continue;
      }
      request->progress[partition->id] = progress;
      absl::MutexLock lock(&background_mutex_);
      SetBusy(*work, true);
      return work;
    }
    request->progress[partition->id] = progress;
    busy = busy || step.outcome == compaction::RangeStep::Outcome::kBusy;
  }
  if (!busy) {
    absl::MutexLock lock(&background_mutex_);
    request->done = true;
    std::erase(ranges_, request);
  }
  progress_.Beat();
  return std::nullopt;
}

// From the first key to the last of all that a compaction reads: where its output may lie, gaps
// included.
DbImpl::KeySpan DbImpl::SpanOf(const CompactionWork& work) const {
  std::optional<compaction::KeyInterval> hull;
  for (const Plan::Input& input : work.plan.inputs) {
    for (const LevelTable* table : Inputs(work, input)) {
      hull = hull ? compaction::Hull(*hull, table->keys) : table->keys;
    }
  }
  return {work.partition->id, work.plan.output_level, hull.value_or(compaction::KeyInterval())};
}

// Neither knows the other's output. What moves into a gap between the inputs of one that runs would
// come to lie under a table that spans the gap, and deeper levels must not overlap.
bool DbImpl::CollidesWithRunning(const CompactionWork& work) const {
  const KeySpan span = SpanOf(work);
  if (span.level == 0) return false;
  absl::MutexLock lock(&background_mutex_);
  return std::any_of(running_.begin(), running_.end(), [&](const KeySpan& running) {
    return running.partition == span.partition && running.level == span.level &&
           running.keys.Overlaps(span.keys);
  });
}

void DbImpl::SetBusy(const CompactionWork& work, bool busy) {
  compactions_running_ += busy ? 1 : -1;
  // Its keys are kept by the work's levels, which the running compaction holds.
  const KeySpan span = SpanOf(work);
  if (busy) {
    running_.push_back(span);
  } else {
    running_.erase(std::find(running_.begin(), running_.end(), span));
  }
  for (const Plan::Input& input : work.plan.inputs) {
    for (const uint64_t table : input.tables) {
      if (busy) {
        busy_.emplace(work.partition->id, table);
      } else {
        busy_.erase({work.partition->id, table});
      }
    }
  }
}

std::vector<const LevelTable*> DbImpl::Inputs(const CompactionWork& work,
                                              const Plan::Input& input) const {
  std::vector<const LevelTable*> tables;
  for (const LevelTable& table : (*work.levels)[input.level]) {
    const bool named = std::find(input.tables.begin(), input.tables.end(), table.reference.table) !=
                       input.tables.end();
    if (named) tables.push_back(&table);
  }
  return tables;
}

io::Task<Status> DbImpl::RunCompaction(CompactionWork& work) {
  VARVE_CO_RETURN_IF_ERROR(compaction::CheckPlan(work.view, work.plan));
  if (work.plan.trivial_move) {
    auto manifest_lock = co_await manifest_mutex_.Lock();
    co_return co_await InstallCompaction(work, nullptr);
  }
  JobHost host(
      io_, directory_path_, [this]() { return next_file_number_.fetch_add(1); },
      [this]() { return CheckGoingOn(); });
  std::vector<std::vector<JobTable>> runs;
  uint64_t bytes = 0;
  for (const Plan::Input& input : work.plan.inputs) {
    std::vector<JobTable> run;
    for (const LevelTable* table : Inputs(work, input)) {
      host.AddValueFiles(table->handle->value_files());
      bytes += table->reference.live_bytes;
      const JobTable job_table{&table->handle->table(), table->reference.clip_begin,
                               table->reference.clip_end};
      if (input.level == 0) {
        runs.push_back({job_table});
      } else {
        run.push_back(job_table);
      }
    }
    if (!run.empty()) runs.push_back(std::move(run));
  }
  VARVE_CO_RETURN_IF_ERROR(CheckSpaceFor(bytes));

  compaction::JobRequest request;
  request.input = compaction::NewTableInput(std::move(runs));
  request.boundaries = Boundaries();
  request.deeper = compaction::DeeperKeys(compaction::IntervalsBelow(work.view, work.plan));
  request.table_options = MakeTableOptions();
  request.table_bytes_target = work.plan.table_bytes_target;
  request.cuts = work.plan.cuts;
  request.cache = &cache_;
  request.value_separation_bytes = options_.value_separation_bytes;
  request.rewrite_value_files = work.plan.rewrite_value_files;
  auto result = co_await compaction::RunJob(host, std::move(request));
  Status status = result.status();
  if (status.ok()) status = SyncNewFiles(host.paths());
  auto manifest_lock = co_await manifest_mutex_.Lock();
  if (status.ok()) {
    counters_.compaction_bytes_read.fetch_add(bytes, std::memory_order_relaxed);
    status = co_await InstallCompaction(work, &*result);
  }
  if (!status.ok()) Discard(host.paths());
  co_return status;
}

io::Task<Status> DbImpl::InstallCompaction(const CompactionWork& work,
                                           const compaction::JobResult* result) {
  const Partition& partition = *work.partition;
  const Plan& plan = work.plan;
  if (!manifest_->state().partitions().contains(partition.id)) {
    co_return absl::AbortedError("the partition was cut or dropped meanwhile");
  }
  Edit edit;
  for (const Plan::Input& input : plan.inputs) {
    for (const LevelTable* table : Inputs(work, input)) {
      edit.removed_references.push_back({partition.id, input.level, table->reference.table});
      if (plan.trivial_move) {
        edit.added_references.push_back({partition.id, plan.output_level, table->reference});
      }
    }
  }
  if (result != nullptr) {
    uint64_t bytes = 0;
    for (const sstable::ValueFileInfo& file : result->value_files) {
      edit.added_value_files.push_back({file.file_number, file.file_bytes});
      bytes += file.file_bytes;
    }
    for (const sstable::TableInfo& table : result->tables) {
      AddTableReference(table, partition, plan.output_level, edit);
      bytes += table.file_bytes;
    }
    edit.added_tables = result->tables;
    counters_.compaction_bytes_written.fetch_add(bytes, std::memory_order_relaxed);
  }
  VARVE_CO_RETURN_IF_ERROR(co_await CommitEdit(std::move(edit)));
  {
    absl::MutexLock lock(&apply_mutex_);
    const std::shared_ptr<ReadView> view = partition.owned_view();
    PublishView(*work.partition, view->active, view->frozen, BuildLevels(partition.id));
    TellOtherReferences(work);
    UpdateLevel0Max();
  }
  UpdateDebt(*work.partition);
  counters_.compactions.fetch_add(1, std::memory_order_relaxed);
  co_return absl::OkStatus();
}

bool DbImpl::NothingToCompact() const {
  absl::MutexLock lock(&background_mutex_);
  return compactions_running_ == 0 && candidates_.empty() && ranges_.empty();
}

io::Task<void> DbImpl::CompactionLoop(int worker) {
  while (!stopping()) {
    const uint64_t seen = work_.count();
    std::optional<CompactionWork> work = PickWork();
    if (!work) {
      // What failed may not be due any more.
      if (NothingToCompact()) ClearError("compaction");
      bool split = false;
      if (worker == 0) split = co_await SplitOnce();
      if (!split) co_await work_.After(seen);
      continue;
    }
    const Status status = co_await RunCompaction(*work);
    const uint64_t partition = work->partition->id;
    {
      absl::MutexLock lock(&background_mutex_);
      // In one step: who waits until nothing is due must not see it in between.
      ++candidates_[partition];
      SetBusy(*work, false);
    }
    work.reset();
    AddCandidates({partition});
    if (!status.ok() && status.code() != absl::StatusCode::kAborted) {
      co_await RetryPause("compaction", status);
    } else {
      ClearError("compaction");
    }
    progress_.Beat();
  }
}

io::Task<void> DbImpl::IdleLoop() {
  while (!stopping()) {
    const uint64_t seen = work_.count();
    if (idle_.load()) {
      co_await work_.After(seen);
      continue;
    }
    const uint64_t before = counters_.user_bytes.load(std::memory_order_relaxed);
    for (int i = 0; i < kIdleNaps && !stopping(); ++i) co_await io::SleepFor(kIdleNapNs);
    if (counters_.user_bytes.load(std::memory_order_relaxed) - before > kIdleBytes) continue;
    idle_.store(true);
    AddAllCandidates();
  }
}

// ---- Splitting what has grown too big

std::string DbImpl::MiddleKey(const Partition& partition, const Levels& levels) const {
  uint64_t bytes = 0;
  for (const auto& level : levels) {
    for (const LevelTable& table : level) {
      if (table.clipped) return "";  // one of two halves that still share their old tables
      bytes += table.reference.live_bytes;
    }
  }
  if (bytes <= options_.partition_bytes_max) return "";
  // The level with the most tables says best where the data lies.
  const auto& largest =
      *std::max_element(levels.begin(), levels.end(),
                        [](const auto& a, const auto& b) { return a.size() < b.size(); });
  if (largest.size() > 1) {
    const std::string& key = largest[largest.size() / 2].handle->info().smallest_key;
    if (key > partition.begin) return key;
  }
  const auto& samples = largest.front().handle->info().samples;
  if (samples.empty()) return "";
  const std::string& key = samples[samples.size() / 2].key;
  return partition.keys().Contains(key) && key > partition.begin ? key : "";
}

io::Task<bool> DbImpl::SplitOnce() {
  if (!split_check_.exchange(false)) co_return false;
  std::string key;
  {
    absl::MutexLock lock(&apply_mutex_);
    for (const auto& partition : directory_owner_->partitions()) {
      key = MiddleKey(*partition, *partition->owned_view()->levels);
      if (!key.empty()) break;
    }
  }
  if (key.empty()) {
    // What failed may not be due any more.
    ClearError("split");
    co_return false;
  }
  std::vector<std::string> keys;
  keys.push_back(std::move(key));
  const Status split = co_await Split(std::move(keys));
  if (!split.ok()) {
    split_check_.store(true);
    co_await RetryPause("split", split);
  } else {
    ClearError("split");
  }
  co_return true;
}

// ---- On request

io::Task<Status> DbImpl::Compact(std::string begin, std::string end) {
  VARVE_CO_RETURN_IF_ERROR(co_await Flush());
  auto request = std::make_shared<RangeRequest>();
  request->begin = std::move(begin);
  request->end = std::move(end);
  {
    absl::MutexLock lock(&background_mutex_);
    ranges_.push_back(request);
  }
  for (;;) {
    const uint64_t seen = progress_.count();
    {
      absl::MutexLock lock(&background_mutex_);
      if (request->done) co_return absl::OkStatus();
    }
    Status status = BackgroundError();
    if (status.ok()) status = CheckGoingOn();
    if (!status.ok()) {
      absl::MutexLock lock(&background_mutex_);
      std::erase(ranges_, request);
      co_return status;
    }
    Wake();
    co_await progress_.After(seen);
  }
}

io::Task<Status> DbImpl::Settle() {
  VARVE_CO_RETURN_IF_ERROR(CheckReadable());
  struct Settling {
    explicit Settling(std::atomic<int>& count) : count(count) { count.fetch_add(1); }
    ~Settling() { count.fetch_sub(1); }
    std::atomic<int>& count;
  };
  const Settling settling(settling_);
  AddAllCandidates();
  bool looked = false;
  for (;;) {
    const uint64_t seen = progress_.count();
    // In this order: the end of a flush makes candidates.
    if (!anything_frozen_.load() && flushes_running_.load() == 0 && NothingToCompact()) {
      // What the last compactions replaced takes no space any more, either, unless somebody reads.
      for (int i = 0; i < kReclaimsMax && retired_.load() > 0; ++i) Reclaim();
      DeleteObsolete();
      co_return absl::OkStatus();
    }
    // What failed before may be over: the first look at the candidates will tell.
    if (looked) VARVE_CO_RETURN_IF_ERROR(BackgroundError());
    looked = true;
    VARVE_CO_RETURN_IF_ERROR(CheckGoingOn());
    Wake();
    co_await progress_.After(seen);
  }
}

}  // namespace varve::engine
