#include "sstable/inspect.h"

#include <algorithm>
#include <map>
#include <vector>

#include "base/checksum.h"
#include "base/coding.h"
#include "sstable/block.h"
#include "sstable/loaded_table.h"
#include "sstable/value_file.h"

namespace varve::sstable {

namespace {

// Blocks are read in steps of about this size.
constexpr uint64_t kStepBytes = 1 << 20;

// Goes over a table whose tail has been parsed, block after block.
class Inspector {
 public:
  Inspector(const LoadedTable& table, const TableInfo& info, TableVisitor* visitor)
      : table_(table), info_(info), visitor_(visitor) {
    seen_.smallest_sequence = kSequenceMax;
  }

  const Status& first_fault() const { return first_fault_; }

  void Fault(Status fault) {
    if (visitor_ != nullptr) visitor_->OnFault(fault);
    if (first_fault_.ok()) first_fault_ = std::move(fault);
  }

  // Checks block `i`, which lies in `pages` of the file from `pages_offset` on.
  void CheckBlock(uint32_t i, std::string_view pages, uint64_t pages_offset) {
    const BlockPlace place = table_.index.place(i);
    const std::string_view stored = pages.substr(place.offset - pages_offset, place.stored_bytes);
    const StatusOr<StoredBlock> opened =
        OpenStoredBlock(stored, table_.file_number, place.offset, table_.path());
    if (!opened.ok()) return Skip(opened.status());
    StatusOr<BlockBuffer> raw = DecodeBlock(table_, place, pages, pages_offset);
    if (!raw.ok()) return Skip(raw.status());

    const PageSpan span = PagesOf(place.offset, place.stored_bytes);
    if (span.bytes > io::kPageBytes && span.offset != place.offset) {
      Fault(Corruption("{}:{}: block crosses a page without starting one", table_.path(),
                       place.offset));
    }
    BlockSummary summary;
    summary.number = i;
    summary.offset = place.offset;
    summary.stored_bytes = place.stored_bytes;
    summary.raw_bytes = opened->raw_bytes;
    summary.compressed = opened->type == BlockType::kZstd;
    summary.lower_bound = table_.index.bound_key(i);
    BlockCursor cursor;
    bool sound = cursor.Reset(raw->bytes());
    if (sound) {
      for (cursor.SeekToFirst(); cursor.valid(); cursor.Next()) ++summary.entries;
      sound = !cursor.malformed();
    }
    if (!sound) {
      return Skip(Corruption("{}:{}: malformed block", table_.path(), place.offset));
    }
    if (visitor_ != nullptr) visitor_->OnBlock(summary);
    for (cursor.SeekToFirst(); cursor.valid(); cursor.Next()) {
      CheckEntry(i, place.offset, cursor.entry());
    }
  }

  void CheckPadding(std::string_view bytes, uint64_t offset) {
    const size_t stain = bytes.find_first_not_of('\0');
    if (stain != std::string_view::npos) {
      Fault(Corruption("{}:{}: padding is not zero", table_.path(), offset + stain));
    }
  }

  // Compares what was seen with what the properties say.
  void CheckTotals() {
    if (skipped_ > 0) return;  // nothing can be said
    seen_.largest_key = last_key_;
    seen_.file_number = info_.file_number;
    seen_.file_bytes = info_.file_bytes;
    seen_.data_bytes = info_.data_bytes;
    seen_.samples = info_.samples;
    for (const auto& [number, use] : uses_) seen_.value_files.push_back(use);
    if (seen_ != info_) {
      Fault(Corruption(
          "{}:{}: properties do not match the entries ({} entries, {} tombstones, {} + {} bytes; "
          "seen {}, {}, {} + {})",
          table_.path(), table_.footer.properties.offset, info_.entries, info_.tombstones,
          info_.key_bytes, info_.value_bytes, seen_.entries, seen_.tombstones, seen_.key_bytes,
          seen_.value_bytes));
    }
  }

 private:
  void Skip(Status fault) {
    ++skipped_;
    Fault(std::move(fault));
  }

  void CheckEntry(uint32_t block, uint64_t offset, const Entry& entry) {
    if (visitor_ != nullptr) visitor_->OnEntry(entry);
    const std::string& path = table_.path();
    if (seen_.entries > 0 &&
        CompareEntries(last_key_, last_sequence_, entry.key, entry.sequence) >= 0) {
      Fault(Corruption("{}:{}: entries are out of order", path, offset));
    }
    if (table_.index.Find(entry.key, entry.sequence) != block) {
      Fault(Corruption("{}:{}: the index does not lead to an entry of this block", path, offset));
    }
    if ((seen_.entries == 0 || entry.key != last_key_) &&
        !table_.filter.MayContain(Hash(entry.key))) {
      Fault(Corruption("{}:{}: the filter denies a key of the block at {}", path,
                       table_.footer.filter.offset, offset));
    }
    if (seen_.entries == 0) seen_.smallest_key = entry.key;
    ++seen_.entries;
    seen_.key_bytes += entry.key.size();
    seen_.value_bytes += entry.value.size();
    seen_.smallest_sequence = std::min(seen_.smallest_sequence, entry.sequence);
    seen_.largest_sequence = std::max(seen_.largest_sequence, entry.sequence);
    if (entry.kind == EntryKind::kDelete) ++seen_.tombstones;
    if (entry.kind == EntryKind::kPutReference) {
      ValueReference reference;
      if (ValueReference::Parse(entry.value, &reference)) {
        ValueFileUse& use = uses_[reference.file_number];
        use.file_number = reference.file_number;
        ++use.values;
        use.stored_bytes += reference.RecordBytes();
      } else {
        Fault(Corruption("{}:{}: malformed value reference in the block", path, offset));
      }
    }
    last_key_.assign(entry.key);
    last_sequence_ = entry.sequence;
  }

  const LoadedTable& table_;
  const TableInfo& info_;
  TableVisitor* const visitor_;
  Status first_fault_;
  uint64_t skipped_ = 0;
  TableInfo seen_;
  std::map<uint64_t, ValueFileUse> uses_;
  std::string last_key_;
  SequenceNumber last_sequence_ = 0;
};

// Whether the manifest and the table agree, down to the samples.
Status CheckExpected(const TableInfo& info, const TableInfo* expected, const LoadedTable& table) {
  if (expected == nullptr || *expected == info) return absl::OkStatus();
  return Corruption("{}:{}: properties differ from what the manifest says of this table",
                    table.path(), table.footer.properties.offset);
}

}  // namespace

io::Task<Status> InspectTable(io::Io& io, std::string path, TableVisitor* visitor,
                              const TableInfo* expected) {
  LoadedTable table;
  TableVisitor silent;
  if (visitor == nullptr) visitor = &silent;
  const auto fatal = [visitor](Status fault) {
    visitor->OnFault(fault);
    return fault;
  };

  io::OpenOptions options;
  options.direct = true;
  StatusOr<std::unique_ptr<io::File>> opened = io.Open(path, options);
  if (!opened.ok()) co_return fatal(opened.status());
  table.file = std::move(*opened);
  StatusOr<uint64_t> size = table.file->Size();
  if (!size.ok()) co_return fatal(size.status());
  const uint64_t file_bytes = *size;
  if (file_bytes < io::kPageBytes || file_bytes % io::kPageBytes != 0) {
    co_return fatal(Corruption("{}:0: {} bytes are no table file", path, file_bytes));
  }

  // The tail: everything behind the data.
  TableTail parsed;
  uint64_t tail_offset = file_bytes - io::kPageBytes;
  PageBuffer tail;
  for (;;) {
    tail = PageBuffer(file_bytes - tail_offset);
    Status status = co_await ReadFully(*table.file, tail_offset, tail.span());
    if (!status.ok()) co_return fatal(std::move(status));
    uint64_t wanted;
    StatusOr<TableTail> result = ParseTail({tail.data(), tail.size()}, tail_offset, path, &wanted);
    if (!result.ok()) co_return fatal(result.status());
    wanted = std::min(wanted, io::PageFloor(result->footer.data_bytes));
    if (wanted >= tail_offset) {
      parsed = std::move(*result);
      break;
    }
    tail_offset = wanted;
  }
  const std::string_view tail_bytes(tail.data(), tail.size());
  table.footer = parsed.footer;
  table.file_number = parsed.footer.file_number;
  const Footer& footer = table.footer;
  Status status = ParseFilterAndIndex(tail_bytes, tail_offset, table);
  if (!status.ok()) co_return fatal(std::move(status));

  TableLayout layout;
  layout.version = footer.version;
  layout.filter = {footer.filter.offset, footer.filter.bytes};
  layout.index = {footer.index.offset, footer.index.bytes};
  layout.properties = {footer.properties.offset, footer.properties.bytes};
  layout.blocks = footer.blocks;
  layout.filter_probes = footer.filter_probes;
  visitor->OnTable(parsed.info, layout);

  Inspector inspector(table, parsed.info, visitor);
  status = CheckExpected(parsed.info, expected, table);
  if (!status.ok()) inspector.Fault(std::move(status));

  const TableIndex& index = table.index;
  PageBuffer pages;
  uint64_t past_previous = 0;
  for (uint32_t i = 0; i < index.blocks();) {
    // A step of whole blocks, from the page that the first begins on; the padding before it is
    // checked with it.
    const uint64_t begin = io::PageFloor(past_previous);
    uint32_t past = i + 1;
    uint64_t end = index.place(i).offset + index.place(i).stored_bytes;
    while (past < index.blocks()) {
      const BlockPlace place = index.place(past);
      if (place.offset + place.stored_bytes - begin > kStepBytes) break;
      end = place.offset + place.stored_bytes;
      ++past;
    }
    const size_t bytes = io::PageCeiling(end) - begin;
    if (pages.size() < bytes) pages = PageBuffer(bytes);
    status = co_await ReadFully(*table.file, begin, pages.span().first(bytes));
    if (!status.ok()) co_return fatal(std::move(status));
    const std::string_view read(pages.data(), bytes);
    for (; i < past; ++i) {
      const BlockPlace place = index.place(i);
      inspector.CheckPadding(read.substr(past_previous - begin, place.offset - past_previous),
                             past_previous);
      inspector.CheckBlock(i, read, begin);
      past_previous = place.offset + place.stored_bytes;
    }
  }
  if (past_previous != footer.data_bytes) {
    inspector.Fault(
        Corruption("{}:{}: data ends here, not at {}", path, past_previous, footer.data_bytes));
  }
  inspector.CheckTotals();

  // What lies between the sections.
  past_previous = footer.data_bytes;
  for (const Section& section :
       {footer.filter, footer.index, footer.properties, Section{file_bytes - kFooterBytes, 0}}) {
    inspector.CheckPadding(
        tail_bytes.substr(past_previous - tail_offset, section.offset - past_previous),
        past_previous);
    past_previous = section.offset + section.bytes;
  }
  co_return inspector.first_fault();
}

}  // namespace varve::sstable
