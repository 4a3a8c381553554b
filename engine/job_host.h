// JobHost: gives a flush or a compaction its files, and holds it back where others come first.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "compaction/job.h"
#include "engine/table_set.h"
#include "io/io.h"

namespace varve::engine {

// One for each job. Thread-safe as far as the job needs it.
class JobHost final : public compaction::JobHost {
 public:
  // `next_number` gives out file numbers; `pace` is asked often whether the job may go on.
  JobHost(io::Io& io, std::string directory, std::function<uint64_t()> next_number,
          std::function<Status()> pace)
      : io_(io),
        directory_(std::move(directory)),
        next_number_(std::move(next_number)),
        pace_(std::move(pace)) {}

  // Where the values are that the job copies.
  void AddValueFiles(const std::vector<std::shared_ptr<ValueFileHandle>>& files);
  // Every file that was made.
  const std::vector<std::string>& paths() const { return paths_; }

  StatusOr<compaction::JobFile> NewTableFile() override;
  StatusOr<compaction::JobFile> NewValueFile() override;
  io::Task<StatusOr<std::string>> ReadValue(sstable::ValueReference reference) override;
  io::Task<Status> Pace(const compaction::JobProgress& progress) override;

 private:
  StatusOr<compaction::JobFile> NewFile(std::string (*path_of)(const std::string&, uint64_t));

  io::Io& io_;
  const std::string directory_;
  const std::function<uint64_t()> next_number_;
  const std::function<Status()> pace_;
  std::vector<std::shared_ptr<ValueFileHandle>> value_files_;
  std::vector<std::string> paths_;
};

}  // namespace varve::engine
