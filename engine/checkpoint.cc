// Checkpoint: a second database made of links to the first one's files.
#include "engine/db_impl.h"

namespace varve::engine {

io::Task<Status> DbImpl::Checkpoint(std::string directory) {
  VARVE_CO_RETURN_IF_ERROR(CheckReadable());
  if (io_.Exists(directory)) co_return InvalidArgument("{}: exists already", directory);
  VARVE_CO_RETURN_IF_ERROR(co_await Flush());
  // While the manifest stands still, so do the files that it names.
  auto manifest_lock = co_await manifest_mutex_.Lock();
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
  co_return manifest.status();
}

}  // namespace varve::engine
