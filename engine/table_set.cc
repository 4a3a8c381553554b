#include "engine/table_set.h"

#include <algorithm>
#include <utility>

#include "engine/epoch.h"
#include "engine/manifest.h"

namespace varve::engine {

ValueFileHandle::ValueFileHandle(TableSet& set, uint64_t number, std::string path,
                                 sstable::BlockCache* cache)
    : set_(set), file_(set.io_, std::move(path), number, cache) {}

ValueFileHandle::~ValueFileHandle() {
  // Relaxed: the last reference was given up with acquire-release.
  if (obsolete_.load(std::memory_order_relaxed)) set_.Delete(file_.path());
}

TableHandle::TableHandle(TableSet& set, std::string path, sstable::TableInfo info,
                         sstable::BlockCache& cache,
                         std::vector<std::shared_ptr<ValueFileHandle>> value_files)
    : set_(set),
      table_(set.io_, std::move(path), std::move(info), cache),
      value_files_(std::move(value_files)) {}

TableHandle::~TableHandle() {
  if (!obsolete_.load(std::memory_order_relaxed)) return;
  table_.EvictBlocks();
  set_.Delete(table_.path());
}

const ValueFileHandle* TableHandle::FindValueFile(uint64_t number) const {
  for (const auto& file : value_files_) {
    if (file->number() == number) return file.get();
  }
  return nullptr;
}

TableSet::TableSet(io::Io& io, std::string directory, sstable::BlockCache& cache,
                   std::function<void()> on_obsolete)
    : io_(io),
      directory_(std::move(directory)),
      cache_(cache),
      on_obsolete_(std::move(on_obsolete)) {}

std::shared_ptr<ValueFileHandle> TableSet::ValueFile(uint64_t number) {
  auto& known = value_files_[number];
  auto handle = known.lock();
  if (handle == nullptr) {
    handle = std::make_shared<ValueFileHandle>(*this, number, ValueFilePath(directory_, number),
                                               &cache_);
    known = handle;
  }
  return handle;
}

std::shared_ptr<TableHandle> TableSet::Table(const sstable::TableInfo& info) {
  absl::MutexLock lock(&mutex_);
  auto& known = tables_[info.file_number];
  auto handle = known.lock();
  if (handle == nullptr) {
    std::vector<std::shared_ptr<ValueFileHandle>> value_files;
    for (const auto& use : info.value_files) value_files.push_back(ValueFile(use.file_number));
    handle = std::make_shared<TableHandle>(*this, TablePath(directory_, info.file_number), info,
                                           cache_, std::move(value_files));
    known = handle;
  }
  return handle;
}

void TableSet::Forget(const std::vector<uint64_t>& tables,
                      const std::vector<uint64_t>& value_files) {
  // Handles are let go outside the lock: their destructors take it.
  std::vector<std::shared_ptr<TableHandle>> doomed_tables;
  std::vector<std::shared_ptr<ValueFileHandle>> doomed_value_files;
  {
    absl::MutexLock lock(&mutex_);
    for (const uint64_t number : tables) {
      const auto it = tables_.find(number);
      auto handle = it == tables_.end() ? nullptr : it->second.lock();
      if (it != tables_.end()) tables_.erase(it);
      if (handle == nullptr) {
        obsolete_.push_back(TablePath(directory_, number));
      } else {
        handle->MarkObsolete();
        doomed_tables.push_back(std::move(handle));
      }
    }
    for (const uint64_t number : value_files) {
      const auto it = value_files_.find(number);
      auto handle = it == value_files_.end() ? nullptr : it->second.lock();
      if (it != value_files_.end()) value_files_.erase(it);
      if (handle == nullptr) {
        obsolete_.push_back(ValueFilePath(directory_, number));
      } else {
        handle->MarkObsolete();
        doomed_value_files.push_back(std::move(handle));
      }
    }
  }
  on_obsolete_();
}

void TableSet::Delete(std::string path) {
  {
    absl::MutexLock lock(&mutex_);
    obsolete_.push_back(std::move(path));
  }
  on_obsolete_();
}

std::vector<std::string> TableSet::TakeObsolete() {
  absl::MutexLock lock(&mutex_);
  return std::exchange(obsolete_, {});
}

std::vector<std::shared_ptr<TableHandle>> TableSet::Tables() const {
  std::vector<std::shared_ptr<TableHandle>> tables;
  {
    absl::MutexLock lock(&mutex_);
    for (const auto& [number, known] : tables_) {
      if (auto handle = known.lock()) tables.push_back(std::move(handle));
    }
  }
  // The map's order depends on addresses; what is done in this order must not.
  std::sort(tables.begin(), tables.end(),
            [](const auto& a, const auto& b) { return a->number() < b->number(); });
  return tables;
}

size_t TableSet::loaded_tables() const {
  const auto tables = Tables();
  return static_cast<size_t>(std::count_if(
      tables.begin(), tables.end(), [](const auto& handle) { return handle->table().loaded(); }));
}

void TableSet::Trim(size_t tables_max) {
  auto tables = Tables();
  std::erase_if(tables, [](const auto& handle) { return !handle->table().loaded(); });
  if (tables.size() <= tables_max) return;
  size_t excess = tables.size() - tables_max;
  // CLOCK: on from where the last call stopped; twice round clears every mark.
  auto start = std::find_if(tables.begin(), tables.end(),
                            [&](const auto& handle) { return handle->number() > trim_hand_; });
  std::rotate(tables.begin(), start, tables.end());
  for (size_t i = 0; i < 2 * tables.size() && excess > 0; ++i) {
    const TableHandle& handle = *tables[i % tables.size()];
    if (!handle.table().loaded() || handle.table().TestAndClearUsed()) continue;
    trim_hand_ = handle.number();
    Retire([loaded = handle.table().Unload()] {});
    --excess;
  }
}

}  // namespace varve::engine
