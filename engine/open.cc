// Opening, recovery and closing.
#include <spdlog/spdlog.h>

#include <algorithm>
#include <filesystem>
#include <thread>

#include "compaction/lazy_leveled.h"
#include "compaction/leveled.h"
#include "compaction/tiered.h"
#include "engine/db_impl.h"
#include "engine/epoch.h"
#include "wal/reader.h"

namespace varve::engine {
namespace {

// Closing flushes first when the next opening would have to replay more than this.
constexpr uint64_t kReplayBytesMax = uint64_t{16} << 20;
constexpr size_t kLogSegmentBytesMin = size_t{16} << 10;
constexpr uint64_t kLogSegmentBytesFirst = uint64_t{1} << 20;
// A mapped segment is touched as a whole, so that its memory is there and counts as changed: every
// sync writes what no record has reached yet, too. And a writer that comes to its end while the
// next is made waits the longer the larger that is.
constexpr uint64_t kRelaxedSegmentBytesMax = uint64_t{16} << 20;
// What the flush of some memtables gives back.
constexpr uint64_t kRelaxedSegmentsSpare = 16;

std::string ParentOf(const std::string& path) {
  const std::string parent = std::filesystem::path(path).lexically_normal().parent_path().string();
  return parent.empty() ? "." : parent;
}

// Makes `path` durable with all its parents, of which an earlier attempt may have made some. What
// may not be read was there before.
Status SyncParents(io::Io& io, const std::string& path) {
  std::string parent = ParentOf(path);
  for (std::string child; child != parent; parent = ParentOf(parent)) {
    const Status synced = io.SyncDirectory(parent);
    if (!synced.ok() && synced.code() != absl::StatusCode::kPermissionDenied) return synced;
    child = parent;
  }
  return absl::OkStatus();
}

std::shared_ptr<const compaction::Policy> MakePolicy(const Options& options) {
  if (options.layout != Layout::kLeveled) {
    compaction::RunOptions runs;
    runs.level0_tables_max = options.level0_tables_max;
    runs.table_bytes_target = options.table_bytes_target;
    runs.run_table_bytes = options.table_bytes_target / 8;
    runs.upper_bytes_min = options.level1_bytes / 4;
    runs.upper_idle_bytes_min = options.level1_bytes / 32;
    runs.flush_run_bytes_min = options.level1_bytes / 8;
    if (options.layout == Layout::kTiered) return std::make_shared<compaction::TieredPolicy>(runs);
    return std::make_shared<compaction::LazyLeveledPolicy>(runs);
  }
  compaction::LeveledOptions leveled;
  leveled.level0_tables_max = options.level0_tables_max;
  leveled.level_size_ratio = options.level_size_ratio;
  leveled.base_level_bytes = options.level1_bytes;
  leveled.table_bytes_target = options.table_bytes_target;
  return std::make_shared<compaction::LeveledPolicy>(leveled);
}

}  // namespace

namespace {

constexpr std::string_view kLayoutNames[kLayoutCount] = {"leveled", "lazy-leveled", "tiered"};

}  // namespace

std::string_view LayoutName(Layout layout) { return kLayoutNames[static_cast<int>(layout)]; }

std::optional<Layout> LayoutNamed(std::string_view name) {
  for (int i = 0; i < kLayoutCount; ++i) {
    if (kLayoutNames[i] == name) return static_cast<Layout>(i);
  }
  return std::nullopt;
}

DbImpl::DbImpl(io::Io& io, std::string directory, Options options)
    : io_(io),
      directory_path_(std::move(directory)),
      options_(std::move(options)),
      chunk_pool_(options_.memtable_budget_bytes / 2),
      cache_({.capacity_bytes = options_.block_cache_bytes}),
      tables_(io, directory_path_, cache_, [this]() { Wake(); }),
      policy_(options_.policy) {
  // The log is forgotten by whole segments, so its bound must hold a few.
  options_.log_segment_bytes = io::PageFloor(std::max(
      kLogSegmentBytesMin, std::min(options_.log_segment_bytes, options_.log_bytes_max / 4)));
  if (policy_ == nullptr) {
    policy_ = MakePolicy(options_);
  }
}

DbImpl::~DbImpl() {
  workers_.clear();
  {
    absl::MutexLock lock(&apply_mutex_);
    directory_.store(nullptr);
    directory_owner_.reset();
  }
  WaitForRetired();
  DeleteObsolete();
}

sstable::TableOptions DbImpl::MakeTableOptions() const {
  sstable::TableOptions options;
  options.compression_level = options_.compression_level;
  options.filter_bits_per_key = static_cast<uint32_t>(options_.filter_bits_per_key);
  return options;
}

wal::LogOptions DbImpl::MakeLogOptions() {
  wal::LogOptions options;
  options.medium =
      options_.durability == Durability::kDurable ? wal::Medium::kDurable : wal::Medium::kRelaxed;
  options.directory = LogDirectory(directory_path_);
  options.database_id = manifest_ != nullptr ? manifest_->database_id() : database_id_;
  options.segment_bytes_max = options_.log_segment_bytes;
  if (options.medium == wal::Medium::kRelaxed) {
    options.segment_bytes_max =
        std::min<uint64_t>(options.segment_bytes_max, kRelaxedSegmentBytesMax);
    options.spare_segments_max = kRelaxedSegmentsSpare;
  }
  options.segment_bytes_first =
      std::min<uint64_t>(kLogSegmentBytesFirst, options_.log_segment_bytes);
  options.on_durable = [this](wal::Lsn) { ApplyDue(); };
  options.on_segment_needed = [this]() { Wake(); };
  return options;
}

io::Task<Status> DbImpl::Open() {
  VARVE_CO_RETURN_IF_ERROR(io_.CreateDirectory(directory_path_));
  auto lock = io_.Lock(LockPath(directory_path_));
  if (!lock.ok()) co_return lock.status();
  lock_file_ = *std::move(lock);

  auto manifest = co_await Manifest::Recover(io_, directory_path_);
  if (manifest.ok()) {
    manifest_ = *std::move(manifest);
    manifest_->set_bytes_max(options_.manifest_bytes_max);
    VARVE_CO_RETURN_IF_ERROR(co_await manifest_->Renew());
    VARVE_CO_RETURN_IF_ERROR(RemoveLeftovers());
    VARVE_CO_RETURN_IF_ERROR(co_await Recover());
  } else if (manifest.status().code() == absl::StatusCode::kNotFound) {
    VARVE_CO_RETURN_IF_ERROR(co_await CreateNew());
  } else {
    co_return manifest.status();
  }
  open_ = true;
  UpdateValueUsage();
  std::vector<uint64_t> partitions;
  for (const auto& [id, partition] : manifest_->state().partitions()) partitions.push_back(id);
  AddCandidates(partitions);
  StartBackground();
  co_return absl::OkStatus();
}

// ---- A new database

io::Task<Status> DbImpl::CreateNew() {
  if (!options_.create_if_missing) {
    co_return NotFound("{}: holds no database", directory_path_);
  }
  auto names = io_.List(directory_path_);
  if (!names.ok()) co_return names.status();
  for (const std::string& name : *names) {
    if (NumberOf(name, "", ".sst") != 0 || NumberOf(name, "", ".val") != 0) {
      co_return Corruption("{}: has tables but no CURRENT", directory_path_);
    }
  }
  const std::string log_directory = LogDirectory(directory_path_);
  VARVE_CO_RETURN_IF_ERROR(io_.CreateDirectory(log_directory));
  // An attempt to create it may have been cut short: the log then never held anything.
  auto log_names = io_.List(log_directory);
  if (!log_names.ok()) co_return log_names.status();
  for (const std::string& name : *log_names) {
    VARVE_CO_RETURN_IF_ERROR(io_.Remove(log_directory + "/" + name));
  }
  // Before there is a CURRENT: who finds one relies on the directory's own entry.
  VARVE_CO_RETURN_IF_ERROR(SyncParents(io_, directory_path_));
  database_id_ = io_.RandomU64();
  auto log = co_await wal::Log::Open(io_, MakeLogOptions(), {});
  if (!log.ok()) co_return log.status();
  log_ = *std::move(log);

  Edit edit;
  edit.next_file_number = 1;
  edit.log_start = 1;
  {
    absl::MutexLock lock(&commit_mutex_);
    clock_.emplace(io_, 0);
    ceiling_ = clock_->Next() + kCeilingAhead;
    edit.sequence_ceiling = ceiling_;
  }
  edit.added_partitions.push_back({.id = 1});
  next_partition_id_.store(2);
  auto manifest = co_await Manifest::Create(io_, directory_path_, database_id_, edit);
  if (!manifest.ok()) co_return manifest.status();
  manifest_ = *std::move(manifest);
  manifest_->set_bytes_max(options_.manifest_bytes_max);
  BuildDirectory();
  co_return absl::OkStatus();
}

// ---- An existing one

Status DbImpl::RemoveLeftovers() {
  const ManifestState& state = manifest_->state();
  uint64_t number_max = 0;
  VARVE_ASSIGN_OR_RETURN(const std::vector<std::string> names, io_.List(directory_path_));
  for (const std::string& name : names) {
    const uint64_t table = NumberOf(name, "", ".sst");
    const uint64_t value_file = NumberOf(name, "", ".val");
    number_max = std::max({number_max, table, value_file});
    const bool leftover = (table != 0 && !state.tables().contains(table)) ||
                          (value_file != 0 && !state.value_files().contains(value_file)) ||
                          name == "CURRENT.new";
    if (leftover) VARVE_RETURN_IF_ERROR(io_.Remove(directory_path_ + "/" + name));
  }
  next_file_number_.store(std::max(state.next_file_number(), number_max + 1));
  return absl::OkStatus();
}

void DbImpl::BuildDirectory() {
  absl::MutexLock lock(&apply_mutex_);
  std::map<std::string_view, std::shared_ptr<Partition>> partitions;
  uint64_t id_max = 0;
  for (const auto& [id, source] : manifest_->state().partitions()) {
    auto view = std::make_shared<ReadView>(
        nullptr, std::vector<std::shared_ptr<PartitionMemtable>>{}, BuildLevels(id));
    auto partition = std::make_shared<Partition>(source.record, std::move(view));
    partitions.emplace(partition->begin, std::move(partition));
    id_max = std::max(id_max, id);
  }
  next_partition_id_.store(id_max + 1);
  std::vector<std::shared_ptr<Partition>> ordered;
  ordered.reserve(partitions.size());
  for (auto& [begin, partition] : partitions) ordered.push_back(std::move(partition));
  PublishDirectory(std::move(ordered));
  UpdateLevel0Max();
}

SequenceNumber DbImpl::FlushedTo(const Partition& partition) const {
  return manifest_->state().partitions().at(partition.id).record.flushed_to;
}

SequenceNumber DbImpl::ManifestFloor() const {
  const ManifestState& state = manifest_->state();
  SequenceNumber floor = state.sequence_ceiling();
  for (const auto& [id, partition] : state.partitions()) {
    floor = std::max({floor, partition.record.live_from, partition.record.flushed_to});
  }
  for (const auto& [number, table] : state.tables()) {
    floor = std::max(floor, table.info.largest_sequence);
  }
  return floor;
}

io::Task<Status> DbImpl::Recover() {
  BuildDirectory();
  wal::LogChain chain;
  chain.first_segment = manifest_->state().log_start();
  for (const auto& [segment, seal] : manifest_->state().seals()) chain.seals.push_back(seal);

  SequenceNumber floor = ManifestFloor();
  // Tables may be installed while the log is replayed: they hold records that are durable.
  wal::LogReader reader(io_, LogDirectory(directory_path_), manifest_->database_id(), chain,
                        wal::ReadMode::kRecover);
  for (bool more = true; more;) {
    auto fetched = co_await reader.Fetch();
    if (!fetched.ok()) co_return fetched.status();
    more = *fetched;
    const Status replayed = ReplayFetched(reader, &floor);
    VARVE_CO_RETURN_IF_ERROR(replayed);
    VARVE_CO_RETURN_IF_ERROR(co_await FlushReplayed());
  }
  const auto tail = reader.Finish();
  if (!tail.ok()) co_return tail.status();
  if (tail->torn) {
    spdlog::info("{}: the log ends in segment {} at {} with a write that was cut short",
                 directory_path_, tail->segment, tail->end);
  }
  auto log = co_await wal::Log::Open(io_, MakeLogOptions(), tail->start);
  if (!log.ok()) co_return log.status();
  log_ = *std::move(log);

  Edit edit;
  {
    absl::MutexLock lock(&commit_mutex_);
    clock_.emplace(io_, floor);
    ceiling_ = clock_->Next() + kCeilingAhead;
    if (options_.skipped_rule != Rule::kSequenceCeiling) edit.sequence_ceiling = ceiling_;
  }
  visible_.store(floor, std::memory_order_release);
  if (options_.skipped_rule != Rule::kSealLogEnd) {
    edit.seals.push_back({tail->segment, tail->end, tail->start.segment});
  }
  co_return co_await CommitEdit(std::move(edit));
}

Status DbImpl::ReplayFetched(wal::LogReader& reader, SequenceNumber* floor) {
  absl::MutexLock lock(&apply_mutex_);
  wal::LogRecord record;
  while (reader.Next(&record)) {
    *floor = std::max(*floor, record.sequence);
    const Status applied =
        ApplyPayload(record.payload, record.sequence, record.lsn, record.end, /*replay=*/true);
    if (!applied.ok()) {
      return Corruption("{}: log record at {}: {}", directory_path_, record.lsn, Message(applied));
    }
  }
  visible_.store(*floor, std::memory_order_release);
  return absl::OkStatus();
}

io::Task<Status> DbImpl::FlushReplayed() {
  FreezeForBudget();
  if (!anything_frozen_.load()) co_return absl::OkStatus();
  const auto flushed = co_await FlushOnce(std::nullopt);
  co_return flushed.status();
}

// ---- Closing

io::Task<Status> DbImpl::Close() {
  if (closed()) co_return absl::OkStatus();
  Status flushed;
  if (open_ && log_->LiveBytes() > kReplayBytesMax && log_->failure().ok() && !disk_full_.load()) {
    flushed = co_await Flush();
    if (!flushed.ok()) spdlog::warn("{}: not flushed: {}", directory_path_, Message(flushed));
    if (flushed.ok()) {
      const Status forgotten = co_await ForgetLog();
      if (!forgotten.ok()) spdlog::warn("{}: {}", directory_path_, Message(forgotten));
    }
  }
  stopping_.store(true, std::memory_order_release);
  for (uint64_t seen = progress_.count(); loops_.load() > 0; seen = progress_.count()) {
    Wake();
    co_await progress_.After(seen);
  }
  const bool was_open = open_.exchange(false);
  Status status;
  if (log_ != nullptr) {
    const auto end = co_await log_->Close();
    status = end.status();
    if (status.ok() && was_open) status = co_await RecordEnd(*end);
  }
  closed_.store(true, std::memory_order_release);
  co_return status;
}

io::Task<Status> DbImpl::RecordEnd(wal::LogSeal end) {
  auto manifest_lock = co_await manifest_mutex_.Lock();
  Edit edit;
  {
    absl::MutexLock lock(&commit_mutex_);
    if (options_.skipped_rule != Rule::kSequenceCeiling) edit.sequence_ceiling = clock_->last();
  }
  edit.seals.push_back(end);
  co_return co_await CommitEdit(std::move(edit));
}

void DbImpl::WaitForRetired() {
  while (retired_.load() > 0) {
    if (Reclaim() > 0) std::this_thread::yield();
  }
}

}  // namespace varve::engine
