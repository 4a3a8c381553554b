#include "tools/print_table.h"

#include "sstable/inspect.h"
#include "sstable/value_file.h"
#include "tools/json_writer.h"
#include "tools/text.h"

namespace varve::tools {
namespace {

using sstable::TableInfo;
using sstable::TableLayout;

class TextTable final : public sstable::TableVisitor {
 public:
  TextTable(const PrintOptions& options, std::ostream& out) : options_(options), out_(out) {}

  void OnTable(const TableInfo& info, const TableLayout& layout) override {
    const auto line = [this](std::string_view name, const std::string& value) {
      out_ << fmt::format("{:<12} {}\n", name, value);
    };
    line("table", fmt::format("{}, format version {}, {}", info.file_number, layout.version,
                              FormatBytes(info.file_bytes)));
    line("keys",
         fmt::format("\"{}\" to \"{}\"", Escape(info.smallest_key), Escape(info.largest_key)));
    line("sequences", fmt::format("{} to {}", info.smallest_sequence, info.largest_sequence));
    line("times", fmt::format("{} to {}", FormatSequence(info.smallest_sequence),
                              FormatSequence(info.largest_sequence)));
    line("entries", fmt::format("{}, of which {} tombstones", FormatCount(info.entries),
                                FormatCount(info.tombstones)));
    line("raw", fmt::format("{} of keys, {} of values", FormatBytes(info.key_bytes),
                            FormatBytes(info.value_bytes)));
    line("blocks", fmt::format("{}, {}", FormatCount(layout.blocks), FormatBytes(info.data_bytes)));
    line("filter", layout.filter.bytes == 0
                       ? std::string("none")
                       : fmt::format("{} at {}, {} probes", FormatBytes(layout.filter.bytes),
                                     layout.filter.offset, layout.filter_probes));
    line("index", fmt::format("{} at {}", FormatBytes(layout.index.bytes), layout.index.offset));
    line("properties",
         fmt::format("{} at {}", FormatBytes(layout.properties.bytes), layout.properties.offset));
    for (const sstable::ValueFileUse& use : info.value_files) {
      line("value file", fmt::format("{}: {} values, {}", use.file_number, FormatCount(use.values),
                                     FormatBytes(use.stored_bytes)));
    }
  }

  void OnBlock(const sstable::BlockSummary& block) override {
    if (options_.summary) return;
    out_ << fmt::format("block {} at {}: {} entries, {} bytes{}\n", block.number, block.offset,
                        block.entries, block.stored_bytes,
                        block.compressed ? fmt::format(" of {}", block.raw_bytes) : "");
  }

  void OnEntry(const Entry& entry) override {
    if (options_.summary) return;
    out_ << fmt::format("  \"{}\" @{} {}", Escape(entry.key), entry.sequence, KindName(entry.kind));
    sstable::ValueReference reference;
    if (entry.kind == EntryKind::kPut) {
      out_ << fmt::format(" \"{}\"", EscapeShort(entry.value, options_.value_bytes_max));
    } else if (entry.kind == EntryKind::kPutReference &&
               sstable::ValueReference::Parse(entry.value, &reference)) {
      out_ << fmt::format(" value file {} at {}, {} bytes", reference.file_number, reference.offset,
                          reference.raw_bytes);
    }
    out_ << '\n';
  }

  void OnFault(const Status& fault) override { out_ << "FAULT " << Message(fault) << '\n'; }

 private:
  const PrintOptions options_;
  std::ostream& out_;
};

class JsonTable final : public sstable::TableVisitor {
 public:
  JsonTable(const PrintOptions& options, std::ostream& out) : options_(options), json_(out) {}

  void Begin(const std::string& path) {
    json_.BeginObject();
    json_.Field("file", Escape(path));
  }

  void OnTable(const TableInfo& info, const TableLayout& layout) override {
    json_.Field("version", layout.version);
    json_.BeginObject("properties");
    json_.Field("file_number", info.file_number);
    json_.Field("file_bytes", info.file_bytes);
    json_.Field("smallest_key", Escape(info.smallest_key));
    json_.Field("largest_key", Escape(info.largest_key));
    json_.Field("smallest_sequence", info.smallest_sequence);
    json_.Field("largest_sequence", info.largest_sequence);
    json_.Field("entries", info.entries);
    json_.Field("tombstones", info.tombstones);
    json_.Field("key_bytes", info.key_bytes);
    json_.Field("value_bytes", info.value_bytes);
    json_.Field("data_bytes", info.data_bytes);
    json_.BeginArray("value_files");
    for (const sstable::ValueFileUse& use : info.value_files) {
      json_.BeginObject();
      json_.Field("file_number", use.file_number);
      json_.Field("values", use.values);
      json_.Field("stored_bytes", use.stored_bytes);
      json_.EndObject();
    }
    json_.EndArray();
    json_.EndObject();
    json_.BeginObject("layout");
    json_.Field("blocks", layout.blocks);
    json_.Field("filter_probes", layout.filter_probes);
    Section("filter", layout.filter);
    Section("index", layout.index);
    Section("properties", layout.properties);
    json_.EndObject();
    if (!options_.summary) {
      json_.BeginArray("blocks");
      in_blocks_ = true;
    }
  }

  void OnBlock(const sstable::BlockSummary& block) override {
    if (options_.summary) return;
    EndBlock();
    json_.BeginObject();
    json_.Field("number", block.number);
    json_.Field("offset", block.offset);
    json_.Field("stored_bytes", block.stored_bytes);
    json_.Field("raw_bytes", block.raw_bytes);
    json_.Field("compressed", block.compressed);
    json_.Field("lower_bound", Escape(block.lower_bound));
    json_.BeginArray("entries");
    in_block_ = true;
  }

  void OnEntry(const Entry& entry) override {
    if (options_.summary) return;
    json_.BeginObject();
    json_.Field("key", Escape(entry.key));
    json_.Field("sequence", entry.sequence);
    json_.Field("kind", KindName(entry.kind));
    sstable::ValueReference reference;
    if (entry.kind == EntryKind::kPut) {
      json_.Field("value", Escape(entry.value));
    } else if (entry.kind == EntryKind::kPutReference &&
               sstable::ValueReference::Parse(entry.value, &reference)) {
      json_.Field("value_file", reference.file_number);
      json_.Field("value_offset", reference.offset);
      json_.Field("value_stored_bytes", reference.stored_bytes);
      json_.Field("value_bytes", reference.raw_bytes);
    }
    json_.EndObject();
  }

  void End(const Status& status) {
    EndBlock();
    if (in_blocks_) json_.EndArray();
    if (status.ok()) {
      json_.Null("fault");
    } else {
      json_.Field("fault", Escape(Message(status)));
    }
    json_.EndObject();
  }

 private:
  void Section(std::string_view name, const sstable::SectionPlace& place) {
    json_.BeginObject(name);
    json_.Field("offset", place.offset);
    json_.Field("bytes", place.bytes);
    json_.EndObject();
  }

  void EndBlock() {
    if (!in_block_) return;
    json_.EndArray();
    json_.EndObject();
    in_block_ = false;
  }

  const PrintOptions options_;
  JsonWriter json_;
  bool in_blocks_ = false;
  bool in_block_ = false;
};

}  // namespace

io::Task<Status> PrintTable(io::Io& io, std::string path, PrintOptions options, std::ostream& out) {
  if (!options.json) {
    TextTable visitor(options, out);
    co_return co_await sstable::InspectTable(io, path, &visitor);
  }
  JsonTable visitor(options, out);
  visitor.Begin(path);
  Status status = co_await sstable::InspectTable(io, path, &visitor);
  visitor.End(status);
  out << '\n';
  co_return status;
}

}  // namespace varve::tools
