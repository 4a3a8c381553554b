#include "tools/print_segment.h"

#include "engine/write_batch.h"
#include "tools/json_writer.h"
#include "tools/text.h"
#include "wal/dump.h"

namespace varve::tools {
namespace {

using wal::DumpedRecord;

struct Totals {
  uint64_t batches = 0;
  uint64_t payload_bytes = 0;
  uint64_t entries = 0;
  uint64_t damaged = 0;
  SequenceNumber first_sequence = 0;
  SequenceNumber last_sequence = 0;
};

std::string_view StateName(DumpedRecord::State state) {
  switch (state) {
    case DumpedRecord::State::kValid:
      return "valid";
    case DumpedRecord::State::kDamaged:
      return "damaged";
    case DumpedRecord::State::kLeftover:
      return "no record";  // never written, or by an earlier life of the segment
  }
  return "unknown";
}

std::string_view TypeName(wal::RecordType type) {
  switch (type) {
    case wal::RecordType::kBatch:
      return "batch";
    case wal::RecordType::kPad:
      return "pad";
    case wal::RecordType::kSegmentEnd:
      return "segment end";
  }
  return "unknown";
}

std::string_view MediumName(wal::Medium medium) {
  return medium == wal::Medium::kDurable ? "durable" : "relaxed";
}

// Where records go; text or JSON.
class SegmentPrinter {
 public:
  SegmentPrinter(std::string path, const PrintOptions& options, std::ostream& out)
      : path_(std::move(path)), options_(options), out_(out), json_(out) {}

  void OnHeader(const wal::SegmentHeader& header) {
    if (options_.json) {
      json_.BeginObject();
      json_.Field("file", Escape(path_));
      json_.Field("segment", header.number);
      json_.Field("medium", MediumName(header.medium));
      json_.Field("database_id", fmt::format("{:016x}", header.database_id));
      json_.Field("start_lsn", header.start_lsn);
      json_.Field("bytes", header.bytes);
      if (!options_.summary) json_.BeginArray("records");
      begun_ = true;
      return;
    }
    out_ << fmt::format("segment {}, {}, {}, from position {}, database {:016x}\n", header.number,
                        MediumName(header.medium), FormatBytes(header.bytes), header.start_lsn,
                        header.database_id);
  }

  void OnRecord(const DumpedRecord& record) {
    Count(record);
    if (options_.summary) return;
    if (options_.json) {
      JsonRecord(record);
    } else {
      TextRecord(record);
    }
  }

  Status Finish(Status status) {
    if (status.ok()) status = fault_;
    if (!options_.json) {
      out_ << fmt::format("{} batches, {}, {} entries", FormatCount(totals_.batches),
                          FormatBytes(totals_.payload_bytes), FormatCount(totals_.entries));
      if (totals_.batches > 0) {
        out_ << fmt::format(", sequences {} to {}", totals_.first_sequence, totals_.last_sequence);
      }
      out_ << '\n';
      return status;
    }
    if (!begun_) json_.BeginObject();
    if (begun_ && !options_.summary) json_.EndArray();
    json_.Field("batches", totals_.batches);
    json_.Field("payload_bytes", totals_.payload_bytes);
    json_.Field("entries", totals_.entries);
    json_.Field("damaged_records", totals_.damaged);
    json_.Field("first_sequence", totals_.first_sequence);
    json_.Field("last_sequence", totals_.last_sequence);
    if (status.ok()) {
      json_.Null("fault");
    } else {
      json_.Field("fault", Escape(Message(status)));
    }
    json_.EndObject();
    out_ << '\n';
    return status;
  }

 private:
  static bool IsBatch(const DumpedRecord& record) {
    return record.state == DumpedRecord::State::kValid && record.type == wal::RecordType::kBatch;
  }

  void Count(const DumpedRecord& record) {
    if (record.state == DumpedRecord::State::kDamaged) ++totals_.damaged;
    if (!IsBatch(record)) return;
    if (totals_.batches == 0) totals_.first_sequence = record.sequence;
    totals_.last_sequence = record.sequence;
    ++totals_.batches;
    totals_.payload_bytes += record.payload.size();
    engine::BatchReader reader(record.payload);
    Entry entry;
    while (reader.Next(&entry)) ++totals_.entries;
    if (!reader.ok() && fault_.ok()) {
      fault_ = Corruption("{}:{}: the record holds no batch", path_, record.file_offset);
    }
  }

  void TextRecord(const DumpedRecord& record) {
    out_ << fmt::format("{:>10}  ", record.file_offset);
    if (record.state != DumpedRecord::State::kValid) {
      out_ << fmt::format("{}, {} bytes\n", StateName(record.state), record.bytes);
      return;
    }
    out_ << fmt::format("{}, {} bytes, position {}, sequence {}, durable up to {}{}\n",
                        TypeName(record.type), record.bytes, record.lsn, record.sequence,
                        record.durable_lsn, record.behind_gap ? ", behind a gap" : "");
    if (!IsBatch(record)) return;
    engine::BatchReader reader(record.payload);
    Entry entry;
    while (reader.Next(&entry)) {
      out_ << fmt::format("{:>12}{} \"{}\"", "", KindName(entry.kind), Escape(entry.key));
      if (entry.kind != EntryKind::kDelete) {
        out_ << fmt::format(" \"{}\"", EscapeShort(entry.value, options_.value_bytes_max));
      }
      out_ << '\n';
    }
    if (!reader.ok()) out_ << fmt::format("{:>12}FAULT no batch\n", "");
  }

  void JsonRecord(const DumpedRecord& record) {
    json_.BeginObject();
    json_.Field("offset", record.file_offset);
    json_.Field("bytes", record.bytes);
    json_.Field("state", StateName(record.state));
    if (record.state == DumpedRecord::State::kValid) {
      json_.Field("type", TypeName(record.type));
      json_.Field("lsn", record.lsn);
      json_.Field("sequence", record.sequence);
      json_.Field("durable_lsn", record.durable_lsn);
      json_.Field("behind_gap", record.behind_gap);
    }
    if (IsBatch(record)) {
      json_.BeginArray("entries");
      engine::BatchReader reader(record.payload);
      Entry entry;
      while (reader.Next(&entry)) {
        json_.BeginObject();
        json_.Field("kind", KindName(entry.kind));
        json_.Field("key", Escape(entry.key));
        if (entry.kind != EntryKind::kDelete) json_.Field("value", Escape(entry.value));
        json_.EndObject();
      }
      json_.EndArray();
    }
    json_.EndObject();
  }

  const std::string path_;
  const PrintOptions options_;
  std::ostream& out_;
  JsonWriter json_;
  bool begun_ = false;
  Totals totals_;
  Status fault_;
};

}  // namespace

io::Task<Status> PrintSegment(io::Io& io, std::string path, PrintOptions options,
                              std::ostream& out) {
  SegmentPrinter printer(path, options, out);
  const auto on_header = [&printer](const wal::SegmentHeader& header) { printer.OnHeader(header); };
  const auto on_record = [&printer](const DumpedRecord& record) { printer.OnRecord(record); };
  Status status = co_await wal::DumpSegment(io, path, on_header, on_record);
  co_return printer.Finish(std::move(status));
}

}  // namespace varve::tools
