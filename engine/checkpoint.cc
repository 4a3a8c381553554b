// Checkpoint: a second database made of links to the first one's files.
#include "engine/db_impl.h"

namespace varve::engine {

io::Task<Status> DbImpl::Checkpoint(std::string directory) {
  VARVE_CO_RETURN_IF_ERROR(CheckReadable());
  if (io_.Exists(directory)) co_return InvalidArgument("{}: exists already", directory);
  // The copy has no log to make partitions equal, so all tables must end at one moment.
  auto flush_lock = co_await flush_mutex_.Lock();
  for (;;) {
    const uint64_t drops = drops_.load();
    VARVE_CO_RETURN_IF_ERROR(co_await FlushToOneMoment());
    const auto linked = co_await LinkCheckpoint(directory, drops);
    if (!linked.ok()) co_return linked.status();
    if (*linked) co_return absl::OkStatus();
  }
}

io::Task<StatusOr<bool>> DbImpl::LinkCheckpoint(std::string directory, uint64_t drops) {
  // While the manifest stands still, so do the files that it names.
  auto manifest_lock = co_await manifest_mutex_.Lock();
  // A drop since then is in the manifest, but the batches before it may not be in the tables.
  if (drops_.load() != drops) co_return false;
  const ManifestState& state = manifest_->state();
  VARVE_CO_RETURN_IF_ERROR(io_.CreateDirectory(directory));
  for (const auto& [number, table] : state.tables()) {
    VARVE_CO_RETURN_IF_ERROR(
        io_.Link(TablePath(directory_path_, number), TablePath(directory, number)));
  }
  for (const auto& [number, file] : state.value_files()) {
    VARVE_CO_RETURN_IF_ERROR(
        io_.Link(ValueFilePath(directory_path_, number), ValueFilePath(directory, number)));
  }
  wal::LogOptions log_options = MakeLogOptions();
  log_options.directory = LogDirectory(directory);
  log_options.database_id = io_.RandomU64();
  log_options.on_durable = [](wal::Lsn) {};
  log_options.on_segment_needed = []() {};
  VARVE_CO_RETURN_IF_ERROR(io_.CreateDirectory(log_options.directory));
  auto log = co_await wal::Log::Open(io_, log_options, {});
  if (!log.ok()) co_return log.status();
  const auto closed = co_await (*log)->Close();
  if (!closed.ok()) co_return closed.status();

  Edit edit = state.Snapshot();
  edit.log_start = 1;
  edit.seals.clear();
  auto manifest =
      co_await Manifest::Create(io_, directory, log_options.database_id, std::move(edit));
  if (!manifest.ok()) co_return manifest.status();
  co_return true;
}

}  // namespace varve::engine
