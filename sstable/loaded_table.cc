#include "sstable/loaded_table.h"

#include "base/coding.h"

namespace varve::sstable {

namespace {

// An end of the file that begins with the page of the filter; capped so that a wild number in the
// info can't make a wild allocation.
constexpr uint64_t kTailBytesMax = uint64_t{1} << 30;

Status CheckTailSpan(const TableInfo& info, const std::string& path) {
  if (info.file_bytes < io::kPageBytes || info.file_bytes % io::kPageBytes != 0 ||
      info.data_bytes > info.file_bytes ||
      info.file_bytes - io::PageFloor(info.data_bytes) > kTailBytesMax) {
    return Corruption("{}:0: sizes do not fit a table ({} bytes, {} of data)", path,
                      info.file_bytes, info.data_bytes);
  }
  return absl::OkStatus();
}

StatusOr<std::shared_ptr<const LoadedTable>> ParseTable(std::shared_ptr<io::File> file,
                                                        const TableInfo& info, BlockCache& cache,
                                                        std::string_view tail,
                                                        uint64_t tail_offset) {
  const std::string& path = file->path();
  VARVE_ASSIGN_OR_RETURN(const uint64_t file_bytes, file->Size());
  if (file_bytes != info.file_bytes) {
    return Corruption("{}:{}: table file has {} bytes instead of {}", path,
                      std::min(file_bytes, info.file_bytes), file_bytes, info.file_bytes);
  }
  auto table = std::make_shared<LoadedTable>();
  VARVE_ASSIGN_OR_RETURN(table->footer,
                         Footer::Decode(tail.substr(tail.size() - kFooterBytes), file_bytes, path));
  const Footer& footer = table->footer;
  if (footer.file_number != info.file_number || footer.data_bytes != info.data_bytes) {
    return Corruption("{}:{}: this is table {} with {} bytes of data, not {} with {}", path,
                      file_bytes - kFooterBytes, footer.file_number, footer.data_bytes,
                      info.file_number, info.data_bytes);
  }
  table->file_number = info.file_number;
  table->file = std::move(file);
  VARVE_RETURN_IF_ERROR(ParseFilterAndIndex(tail, tail_offset, *table));
  table->charged_bytes = static_cast<int64_t>(sizeof(LoadedTable) + table->filter.memory_bytes() +
                                              table->index.memory_bytes());
  table->cache = &cache;
  cache.Charge(table->charged_bytes);
  return std::shared_ptr<const LoadedTable>(std::move(table));
}

}  // namespace

Status ParseFilterAndIndex(std::string_view tail, uint64_t tail_offset, LoadedTable& table) {
  const Footer& footer = table.footer;
  const std::string& path = table.path();
  if (footer.filter.bytes > 0) {
    VARVE_ASSIGN_OR_RETURN(
        const std::string_view filter,
        OpenSection(tail.substr(footer.filter.offset - tail_offset, footer.filter.bytes),
                    footer.file_number, footer.filter.offset, path, "filter"));
    if (filter.empty() || filter.size() % kFilterLineBytes != 0 || footer.filter_probes == 0 ||
        filter.size() / kFilterLineBytes > UINT32_MAX) {
      return Corruption("{}:{}: malformed filter of {} bytes", path, footer.filter.offset,
                        filter.size());
    }
    table.filter = Filter(filter, footer.filter_probes);
  }
  VARVE_ASSIGN_OR_RETURN(
      const std::string_view index,
      OpenSection(tail.substr(footer.index.offset - tail_offset, footer.index.bytes),
                  footer.file_number, footer.index.offset, path, "index"));
  VARVE_ASSIGN_OR_RETURN(table.index, TableIndex::Parse(index, footer, path));
  return absl::OkStatus();
}

StatusOr<TableTail> ParseTail(std::string_view tail, uint64_t tail_offset, const std::string& path,
                              uint64_t* tail_offset_wanted) {
  TableTail result;
  if (tail.size() < kFooterBytes) return Corruption("{}:0: too short for a table", path);
  VARVE_ASSIGN_OR_RETURN(result.footer, Footer::Decode(tail.substr(tail.size() - kFooterBytes),
                                                       tail_offset + tail.size(), path));
  const Footer& footer = result.footer;
  *tail_offset_wanted = io::PageFloor(footer.properties.offset);
  if (*tail_offset_wanted < tail_offset) return result;
  VARVE_ASSIGN_OR_RETURN(
      std::string_view properties,
      OpenSection(tail.substr(footer.properties.offset - tail_offset, footer.properties.bytes),
                  footer.file_number, footer.properties.offset, path, "properties"));
  StatusOr<TableInfo> info = TableInfo::TakeFrom(properties);
  if (!info.ok() || !properties.empty() || info->file_number != footer.file_number ||
      info->data_bytes != footer.data_bytes) {
    return Corruption("{}:{}: malformed properties", path, footer.properties.offset);
  }
  result.info = std::move(*info);
  result.info.file_bytes = footer.file_bytes;
  return result;
}

io::Task<StatusOr<std::shared_ptr<const LoadedTable>>> LoadTable(io::Io& io, std::string path,
                                                                 const TableInfo& info,
                                                                 BlockCache& cache) {
  VARVE_CO_RETURN_IF_ERROR(CheckTailSpan(info, path));
  io::OpenOptions options;
  options.direct = true;
  StatusOr<std::unique_ptr<io::File>> opened = io.Open(path, options);
  if (!opened.ok()) co_return opened.status();
  std::shared_ptr<io::File> file = std::move(*opened);
  const uint64_t offset =
      std::min(io::PageFloor(info.data_bytes), info.file_bytes - io::kPageBytes);
  PageBuffer tail(info.file_bytes - offset);
  VARVE_CO_RETURN_IF_ERROR(co_await ReadFully(*file, offset, tail.span()));
  co_return ParseTable(std::move(file), info, cache, {tail.data(), tail.size()}, offset);
}

StatusOr<std::shared_ptr<const LoadedTable>> LoadTableNow(io::Io& io, const std::string& path,
                                                          const TableInfo& info,
                                                          BlockCache& cache) {
  VARVE_RETURN_IF_ERROR(CheckTailSpan(info, path));
  io::OpenOptions options;
  options.direct = true;
  VARVE_ASSIGN_OR_RETURN(std::shared_ptr<io::File> file, io.Open(path, options));
  const uint64_t offset =
      std::min(io::PageFloor(info.data_bytes), info.file_bytes - io::kPageBytes);
  PageBuffer tail(info.file_bytes - offset);
  VARVE_RETURN_IF_ERROR(ReadFullyNow(*file, offset, tail.span()));
  return ParseTable(std::move(file), info, cache, {tail.data(), tail.size()}, offset);
}

namespace {

Status CheckRead(const io::File& file, uint64_t offset, size_t wanted,
                 const StatusOr<size_t>& got) {
  if (!got.ok()) return got.status();
  if (*got != wanted) {
    return Corruption("{}:{}: file ends before byte {}", file.path(), offset + *got,
                      offset + wanted);
  }
  return absl::OkStatus();
}

}  // namespace

io::Task<Status> ReadFully(io::File& file, uint64_t offset, std::span<char> buffer) {
  const StatusOr<size_t> got = co_await file.Read(offset, buffer);
  co_return CheckRead(file, offset, buffer.size(), got);
}

Status ReadFullyNow(io::File& file, uint64_t offset, std::span<char> buffer) {
  return CheckRead(file, offset, buffer.size(), file.ReadNow(offset, buffer));
}

StatusOr<BlockBuffer> DecodeBlock(const LoadedTable& table, BlockPlace place,
                                  std::string_view pages, uint64_t pages_offset) {
  VARVE_ASSIGN_OR_RETURN(
      const StoredBlock block,
      OpenStoredBlock(pages.substr(place.offset - pages_offset, place.stored_bytes),
                      table.file_number, place.offset, table.path()));
  BlockBuffer buffer(block.raw_bytes);
  VARVE_RETURN_IF_ERROR(UnpackBlock(block, buffer.data(), place.offset, table.path()));
  return buffer;
}

}  // namespace varve::sstable
