#include "engine/job_host.h"

#include "engine/manifest.h"

namespace varve::engine {

void JobHost::AddValueFiles(const std::vector<std::shared_ptr<ValueFileHandle>>& files) {
  value_files_.insert(value_files_.end(), files.begin(), files.end());
}

StatusOr<compaction::JobFile> JobHost::NewFile(std::string (*path_of)(const std::string&,
                                                                      uint64_t)) {
  const uint64_t number = next_number_();
  const std::string path = path_of(directory_, number);
  VARVE_ASSIGN_OR_RETURN(std::shared_ptr<io::File> file,
                         io_.Open(path, {.mode = io::OpenOptions::Mode::kCreate, .direct = true}));
  paths_.push_back(path);
  return compaction::JobFile{.number = number, .file = std::move(file)};
}

StatusOr<compaction::JobFile> JobHost::NewTableFile() { return NewFile(&TablePath); }
StatusOr<compaction::JobFile> JobHost::NewValueFile() { return NewFile(&ValueFilePath); }

io::Task<StatusOr<std::string>> JobHost::ReadValue(sstable::ValueReference reference) {
  for (const auto& file : value_files_) {
    if (file->number() == reference.file_number) co_return co_await file->file().Read(reference);
  }
  co_return Corruption("no input of the compaction names value file {}", reference.file_number);
}

io::Task<Status> JobHost::Pace(const compaction::JobProgress& progress) {
  co_await io::Yield();
  co_return pace_();
}

}  // namespace varve::engine
