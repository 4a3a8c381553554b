// LoadedTable: what a table needs in memory to be read. Immutable; shared by the table, its
// iterators and the reads under way.
#pragma once

#include <memory>
#include <string>

#include "base/status.h"
#include "io/file.h"
#include "io/io.h"
#include "io/task.h"
#include "sstable/block_cache.h"
#include "sstable/filter.h"
#include "sstable/format.h"
#include "sstable/index.h"
#include "sstable/page_buffer.h"
#include "sstable/table_info.h"

namespace varve::sstable {

struct LoadedTable {
  LoadedTable() = default;
  LoadedTable(const LoadedTable&) = delete;
  LoadedTable& operator=(const LoadedTable&) = delete;
  ~LoadedTable() {
    if (cache != nullptr) cache->Charge(-charged_bytes);
  }

  std::shared_ptr<io::File> file;
  uint64_t file_number = 0;
  Footer footer;
  Filter filter;
  TableIndex index;

  BlockCache* cache = nullptr;  // that charged_bytes are charged to
  int64_t charged_bytes = 0;

  const std::string& path() const { return file->path(); }
};

// Opens the table file at `path` and loads its filter and index, with one read. `info` tells where
// they are and is checked against what the file says.
io::Task<StatusOr<std::shared_ptr<const LoadedTable>>> LoadTable(io::Io& io, std::string path,
                                                                 const TableInfo& info,
                                                                 BlockCache& cache);
StatusOr<std::shared_ptr<const LoadedTable>> LoadTableNow(io::Io& io, const std::string& path,
                                                          const TableInfo& info, BlockCache& cache);

// Parts of the above, for tools.
struct TableTail {
  Footer footer;
  TableInfo info;
};
// Checks footer and properties. `tail` is the end of the file from `tail_offset` on, and may begin
// behind the properties: then `tail_offset_wanted` is set to where it must begin, and the rest is
// void.
StatusOr<TableTail> ParseTail(std::string_view tail, uint64_t tail_offset, const std::string& path,
                              uint64_t* tail_offset_wanted);
Status ParseFilterAndIndex(std::string_view tail, uint64_t tail_offset, LoadedTable& table);

// The pages that a block lies on.
struct PageSpan {
  uint64_t offset;
  size_t bytes;
};
inline PageSpan PagesOf(uint64_t offset, uint64_t bytes) {
  const uint64_t begin = io::PageFloor(offset);
  return {begin, io::PageCeiling(offset + bytes) - begin};
}

// Reads all of `buffer`, or fails: an end of the file before that is corruption.
io::Task<Status> ReadFully(io::File& file, uint64_t offset, std::span<char> buffer);
Status ReadFullyNow(io::File& file, uint64_t offset, std::span<char> buffer);

// Decodes the block at `place` from `pages`, which begin at file offset `pages_offset`.
StatusOr<BlockBuffer> DecodeBlock(const LoadedTable& table, BlockPlace place,
                                  std::string_view pages, uint64_t pages_offset);

}  // namespace varve::sstable
