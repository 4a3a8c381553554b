#include "sstable/value_file.h"

#include <algorithm>
#include <cassert>

#include "base/checksum.h"
#include "base/coding.h"
#include "base/entry.h"
#include "sstable/compression.h"
#include "sstable/file_writer.h"
#include "sstable/format.h"
#include "sstable/loaded_table.h"

namespace varve::sstable {

namespace {

// File header, record header and footer, as docs/sstable.md has them.
constexpr size_t kHeaderBytes = 64;
constexpr size_t kRecordHeaderBytes = 16;
constexpr uint64_t kValueFooterMagic = 0x444e455645565241;  // "ARVEVEND"

// The sizes are part of what is guarded.
uint64_t RecordChecksum(uint64_t file_number, const ValueReference& reference,
                        std::string_view stored) {
  const uint64_t sizes = uint64_t{reference.stored_bytes} << 32 | reference.raw_bytes;
  return Checksum(stored, PlaceSeed(file_number, reference.offset) + sizes * 0xd6e8feb86659fd93);
}

std::string EncodeHeader(uint64_t file_number) {
  std::string bytes;
  AppendU64(bytes, kValueFileMagic);
  AppendU32(bytes, kValueFileVersion);
  AppendU32(bytes, 0);
  AppendU64(bytes, file_number);
  bytes.resize(kHeaderBytes - 8);
  AppendU64(bytes, Checksum(bytes));
  return bytes;
}

std::string EncodeFooter(const ValueFileInfo& info) {
  std::string bytes;
  AppendU64(bytes, kValueFooterMagic);
  for (const uint64_t number :
       {info.file_number, info.file_bytes, info.values, info.raw_bytes, info.record_bytes}) {
    AppendU64(bytes, number);
  }
  bytes.resize(kHeaderBytes - 8);
  AppendU64(bytes, Checksum(bytes, PlaceSeed(info.file_number, info.file_bytes)));
  return bytes;
}

// Checks the record in `bytes`, which begins at reference.offset, against the reference, and
// returns the value's stored bytes.
StatusOr<std::string_view> OpenRecord(std::string_view bytes, uint64_t file_number,
                                      const ValueReference& reference, const std::string& path) {
  const auto mismatch = [&](std::string_view what) {
    return Corruption("{}:{}: value record {} mismatch", path, reference.offset, what);
  };
  if (LoadU32(bytes.data()) != reference.stored_bytes ||
      LoadU32(bytes.data() + 4) != reference.raw_bytes) {
    return mismatch("size");
  }
  const std::string_view stored = bytes.substr(kRecordHeaderBytes, reference.stored_bytes);
  if (LoadU64(bytes.data() + 8) != reference.checksum ||
      RecordChecksum(file_number, reference, stored) != reference.checksum) {
    return mismatch("checksum");
  }
  return stored;
}

// Writes the value to `to`, which has room for reference.raw_bytes.
Status UnpackValue(std::string_view stored, const ValueReference& reference, char* to,
                   const std::string& path) {
  if (stored.size() == reference.raw_bytes) {
    std::memcpy(to, stored.data(), stored.size());
  } else if (!Decompress(stored, to, reference.raw_bytes)) {
    return Corruption("{}:{}: value does not decompress to its {} bytes", path, reference.offset,
                      reference.raw_bytes);
  }
  return absl::OkStatus();
}

}  // namespace

// ---- ValueReference

uint64_t ValueReference::RecordBytes() const { return kRecordHeaderBytes + stored_bytes; }

void ValueReference::AppendTo(std::string& to) const {
  AppendVarint(to, file_number);
  AppendVarint(to, offset);
  AppendVarint(to, stored_bytes);
  AppendVarint(to, raw_bytes);
  AppendU64(to, checksum);
}

bool ValueReference::Parse(std::string_view bytes, ValueReference* reference) {
  uint64_t stored_bytes, raw_bytes;
  if (!TakeVarint(bytes, &reference->file_number) || !TakeVarint(bytes, &reference->offset) ||
      !TakeVarint(bytes, &stored_bytes) || !TakeVarint(bytes, &raw_bytes) ||
      !TakeFixed(bytes, &reference->checksum) || !bytes.empty() || stored_bytes > raw_bytes ||
      raw_bytes > kValueBytesMax || reference->offset > uint64_t{1} << 62) {
    return false;
  }
  reference->stored_bytes = static_cast<uint32_t>(stored_bytes);
  reference->raw_bytes = static_cast<uint32_t>(raw_bytes);
  return true;
}

// ---- ValueFileWriter

class ValueFileWriter::Impl {
 public:
  Impl(std::shared_ptr<io::File> file, uint64_t file_number, const TableOptions& options)
      : writer_(std::move(file), options.write_bytes, options.writes_in_flight_max),
        compressor_(options.compression_level) {
    info_.file_number = file_number;
    writer_.Append(EncodeHeader(file_number));
  }

  ValueReference Add(std::string_view value) {
    assert(value.size() <= kValueBytesMax);
    const bool compressed = !value.empty() && compressor_.Compress(value, packed_);
    const std::string_view stored = compressed ? std::string_view(packed_) : value;
    ValueReference reference;
    reference.file_number = info_.file_number;
    reference.offset = writer_.offset();
    reference.stored_bytes = static_cast<uint32_t>(stored.size());
    reference.raw_bytes = static_cast<uint32_t>(value.size());
    reference.checksum = RecordChecksum(info_.file_number, reference, stored);
    char header[kRecordHeaderBytes];
    StoreFixed<uint32_t>(header, reference.stored_bytes);
    StoreFixed<uint32_t>(header + 4, reference.raw_bytes);
    StoreFixed<uint64_t>(header + 8, reference.checksum);
    writer_.Append({header, sizeof header});
    writer_.Append(stored);
    ++info_.values;
    info_.raw_bytes += value.size();
    info_.record_bytes += reference.RecordBytes();
    return reference;
  }

  bool wants_flush() const { return writer_.wants_flush(); }
  io::Task<Status> Flush() { return writer_.Flush(); }

  io::Task<StatusOr<ValueFileInfo>> Finish() {
    if (info_.values == 0) {
      co_return FailedPrecondition("{}: a value file needs a value", writer_.path());
    }
    info_.file_bytes = io::PageCeiling(writer_.offset() + kHeaderBytes);
    writer_.Append(std::string(info_.file_bytes - kHeaderBytes - writer_.offset(), '\0'));
    writer_.Append(EncodeFooter(info_));
    VARVE_CO_RETURN_IF_ERROR(co_await writer_.Finish());
    co_return info_;
  }

  uint64_t EstimatedBytes() const { return io::PageCeiling(writer_.offset() + kHeaderBytes); }
  uint64_t values() const { return info_.values; }

 private:
  FileWriter writer_;
  Compressor compressor_;
  ValueFileInfo info_;
  std::string packed_;
};

ValueFileWriter::ValueFileWriter(std::shared_ptr<io::File> file, uint64_t file_number,
                                 const TableOptions& options)
    : impl_(std::make_unique<Impl>(std::move(file), file_number, options)) {}
ValueFileWriter::~ValueFileWriter() = default;

ValueReference ValueFileWriter::Add(std::string_view value) { return impl_->Add(value); }
bool ValueFileWriter::wants_flush() const { return impl_->wants_flush(); }
io::Task<Status> ValueFileWriter::Flush() { return impl_->Flush(); }
io::Task<StatusOr<ValueFileInfo>> ValueFileWriter::Finish() { return impl_->Finish(); }
uint64_t ValueFileWriter::EstimatedBytes() const { return impl_->EstimatedBytes(); }
uint64_t ValueFileWriter::values() const { return impl_->values(); }

// ---- ValueFile

ValueFile::ValueFile(io::Io& io, std::string path, uint64_t file_number, BlockCache* cache)
    : io_(io), path_(std::move(path)), file_number_(file_number), cache_(cache) {}
ValueFile::~ValueFile() = default;

StatusOr<std::shared_ptr<io::File>> ValueFile::Open() const {
  {
    absl::MutexLock lock(&mutex_);
    if (file_ != nullptr) return file_;
  }
  io::OpenOptions options;
  options.direct = true;
  VARVE_ASSIGN_OR_RETURN(std::shared_ptr<io::File> file, io_.Open(path_, options));
  absl::MutexLock lock(&mutex_);
  if (file_ == nullptr) file_ = std::move(file);
  return file_;
}

void ValueFile::Close() const {
  absl::MutexLock lock(&mutex_);
  file_ = nullptr;
}

namespace {

// The pages of a record, and the value in them.
struct RecordPages {
  explicit RecordPages(const ValueReference& reference)
      : span(PagesOf(reference.offset, reference.RecordBytes())), pages(span.bytes) {}

  // The value's stored bytes, once the pages are read.
  StatusOr<std::string_view> Open(uint64_t file_number, const ValueReference& reference,
                                  const std::string& path) const {
    return OpenRecord({pages.data() + (reference.offset - span.offset), reference.RecordBytes()},
                      file_number, reference, path);
  }

  const PageSpan span;
  const PageBuffer pages;
};

Status CheckFile(uint64_t file_number, const ValueReference& reference, const std::string& path) {
  if (reference.file_number == file_number) return absl::OkStatus();
  return Corruption("{}:{}: reference is to value file {}, not {}", path, reference.offset,
                    reference.file_number, file_number);
}

StatusOr<std::string> ToString(const RecordPages& record, uint64_t file_number,
                               const ValueReference& reference, const std::string& path) {
  VARVE_ASSIGN_OR_RETURN(const std::string_view stored, record.Open(file_number, reference, path));
  std::string value(reference.raw_bytes, '\0');
  VARVE_RETURN_IF_ERROR(UnpackValue(stored, reference, value.data(), path));
  return value;
}

StatusOr<BlockBuffer> ToBuffer(const RecordPages& record, uint64_t file_number,
                               const ValueReference& reference, const std::string& path) {
  VARVE_ASSIGN_OR_RETURN(const std::string_view stored, record.Open(file_number, reference, path));
  BlockBuffer value(reference.raw_bytes);
  VARVE_RETURN_IF_ERROR(UnpackValue(stored, reference, value.data(), path));
  return value;
}

}  // namespace

io::Task<StatusOr<std::string>> ValueFile::Read(ValueReference reference) const {
  VARVE_CO_RETURN_IF_ERROR(CheckFile(file_number_, reference, path_));
  StatusOr<std::shared_ptr<io::File>> opened = Open();
  if (!opened.ok()) co_return opened.status();
  const std::shared_ptr<io::File> file = *opened;
  RecordPages record(reference);
  VARVE_CO_RETURN_IF_ERROR(co_await ReadFully(*file, record.span.offset, record.pages.span()));
  co_return ToString(record, file_number_, reference, path_);
}

StatusOr<std::string> ValueFile::ReadNow(const ValueReference& reference) const {
  VARVE_RETURN_IF_ERROR(CheckFile(file_number_, reference, path_));
  VARVE_ASSIGN_OR_RETURN(const std::shared_ptr<io::File> file, Open());
  RecordPages record(reference);
  VARVE_RETURN_IF_ERROR(ReadFullyNow(*file, record.span.offset, record.pages.span()));
  return ToString(record, file_number_, reference, path_);
}

// ---- ValueGet

ValueGet::State ValueGet::Step() {
  if (state_ == State::kFailed || state_ == State::kFound) return state_;
  if (!pin_) {
    if (state_ == State::kStart) {
      if (Status status = CheckFile(file_->file_number_, reference_, file_->path_); !status.ok()) {
        status_ = std::move(status);
        return state_ = State::kFailed;
      }
      if (file_->cache_ != nullptr) {
        pin_ = file_->cache_->Lookup(file_->file_number_, reference_.offset);
      }
    }
    if (!pin_) return state_ = State::kWaiting;
  }
  value_ = pin_.bytes();
  return state_ = State::kFound;
}

io::Task<void> ValueGet::Run() {
  StatusOr<std::shared_ptr<io::File>> opened = file_->Open();
  Status status = opened.status();
  if (status.ok()) {
    const std::shared_ptr<io::File> file = *opened;
    RecordPages record(reference_);
    status = co_await ReadFully(*file, record.span.offset, record.pages.span());
    if (status.ok()) {
      StatusOr<BlockBuffer> value = ToBuffer(record, file_->file_number_, reference_, file_->path_);
      status = Keep(std::move(value));
    }
  }
  if (!status.ok()) {
    status_ = std::move(status);
    state_ = State::kFailed;
  }
}

void ValueGet::RunNow() {
  status_ = [&]() -> Status {
    VARVE_ASSIGN_OR_RETURN(const std::shared_ptr<io::File> file, file_->Open());
    RecordPages record(reference_);
    VARVE_RETURN_IF_ERROR(ReadFullyNow(*file, record.span.offset, record.pages.span()));
    return Keep(ToBuffer(record, file_->file_number_, reference_, file_->path_));
  }();
  if (!status_.ok()) state_ = State::kFailed;
}

Status ValueGet::Keep(StatusOr<BlockBuffer> value) {
  VARVE_RETURN_IF_ERROR(value.status());
  pin_ = file_->cache_ == nullptr
             ? BlockPin::Own(std::move(*value))
             : file_->cache_->Insert(file_->file_number_, reference_.offset, std::move(*value));
  return absl::OkStatus();
}

// ---- VerifyValueFile

namespace {

// Reads a file from its start to its end in large steps, and hands out any range of it, in order.
class SequentialReader {
 public:
  explicit SequentialReader(io::File& file, uint64_t file_bytes)
      : file_(file), file_bytes_(file_bytes) {}

  // The bytes [offset, offset + bytes), valid until the next call. `offset` must not go back.
  io::Task<StatusOr<std::string_view>> Take(uint64_t offset, uint64_t bytes) {
    const uint64_t end = offset + bytes;
    if (end > begin_ + filled_ || offset < begin_) {
      begin_ = io::PageFloor(offset);
      const uint64_t wanted =
          std::min(std::max<uint64_t>(io::PageCeiling(end) - begin_, kStepBytes),
                   io::PageCeiling(file_bytes_) - begin_);
      if (buffer_.size() < wanted) buffer_ = PageBuffer(wanted);
      filled_ = 0;
      Status status = co_await ReadFully(file_, begin_, buffer_.span().first(wanted));
      if (!status.ok()) co_return status;
      filled_ = wanted;
    }
    co_return std::string_view(buffer_.data() + (offset - begin_), bytes);
  }

 private:
  static constexpr uint64_t kStepBytes = 1 << 20;
  io::File& file_;
  const uint64_t file_bytes_;
  PageBuffer buffer_;
  uint64_t begin_ = 0;
  uint64_t filled_ = 0;
};

// Checks one record whose header is `header`, and visits it.
Status VisitRecord(std::string_view record, const ValueReference& reference,
                   const std::string& path, std::string& value,
                   const std::function<void(const ValueReference&, std::string_view)>& visit) {
  VARVE_ASSIGN_OR_RETURN(const std::string_view stored,
                         OpenRecord(record, reference.file_number, reference, path));
  value.resize(reference.raw_bytes);
  VARVE_RETURN_IF_ERROR(UnpackValue(stored, reference, value.data(), path));
  if (visit) visit(reference, value);
  return absl::OkStatus();
}

}  // namespace

io::Task<StatusOr<ValueFileInfo>> VerifyValueFile(
    io::Io& io, std::string path,
    std::function<void(const ValueReference&, std::string_view value)> visit) {
  io::OpenOptions options;
  options.direct = true;
  StatusOr<std::unique_ptr<io::File>> opened = io.Open(path, options);
  if (!opened.ok()) co_return opened.status();
  StatusOr<uint64_t> size = (*opened)->Size();
  if (!size.ok()) co_return size.status();
  const uint64_t file_bytes = *size;
  if (file_bytes < io::kPageBytes || file_bytes % io::kPageBytes != 0) {
    co_return Corruption("{}:0: {} bytes are no value file", path, file_bytes);
  }

  // The footer first: it says where the records end.
  const uint64_t footer_offset = file_bytes - kHeaderBytes;
  PageBuffer last(io::kPageBytes);
  VARVE_CO_RETURN_IF_ERROR(co_await ReadFully(**opened, file_bytes - io::kPageBytes, last.span()));
  const char* footer = last.data() + io::kPageBytes - kHeaderBytes;
  ValueFileInfo info;
  info.file_number = LoadU64(footer + 8);
  info.file_bytes = LoadU64(footer + 16);
  info.values = LoadU64(footer + 24);
  info.raw_bytes = LoadU64(footer + 32);
  info.record_bytes = LoadU64(footer + 40);
  if (EncodeFooter(info) != std::string_view(footer, kHeaderBytes) ||
      info.file_bytes != file_bytes || info.record_bytes > footer_offset - kHeaderBytes) {
    co_return Corruption("{}:{}: footer checksum mismatch", path, footer_offset);
  }

  SequentialReader reader(**opened, file_bytes);
  StatusOr<std::string_view> bytes = co_await reader.Take(0, kHeaderBytes);
  if (!bytes.ok()) co_return bytes.status();
  if (*bytes != EncodeHeader(info.file_number)) {
    co_return Corruption("{}:0: header checksum mismatch", path);
  }
  uint64_t offset = kHeaderBytes;
  const uint64_t end = kHeaderBytes + info.record_bytes;
  uint64_t values = 0, raw_bytes = 0;
  std::string value;
  while (offset < end) {
    ValueReference reference;
    reference.file_number = info.file_number;
    reference.offset = offset;
    if (end - offset < kRecordHeaderBytes) {
      co_return Corruption("{}:{}: value record is cut short", path, offset);
    }
    bytes = co_await reader.Take(offset, kRecordHeaderBytes);
    if (!bytes.ok()) co_return bytes.status();
    reference.stored_bytes = LoadU32(bytes->data());
    reference.raw_bytes = LoadU32(bytes->data() + 4);
    reference.checksum = LoadU64(bytes->data() + 8);
    if (reference.RecordBytes() > end - offset || reference.raw_bytes > kValueBytesMax ||
        reference.stored_bytes > reference.raw_bytes) {
      co_return Corruption("{}:{}: value record size mismatch", path, offset);
    }
    bytes = co_await reader.Take(offset, reference.RecordBytes());
    if (!bytes.ok()) co_return bytes.status();
    VARVE_CO_RETURN_IF_ERROR(VisitRecord(*bytes, reference, path, value, visit));
    offset += reference.RecordBytes();
    ++values;
    raw_bytes += reference.raw_bytes;
  }
  if (values != info.values || raw_bytes != info.raw_bytes) {
    co_return Corruption("{}:{}: footer counts {} values of {} bytes; there are {} of {}", path,
                         footer_offset, info.values, info.raw_bytes, values, raw_bytes);
  }
  bytes = co_await reader.Take(end, footer_offset - end);
  if (!bytes.ok()) co_return bytes.status();
  const size_t stain = bytes->find_first_not_of('\0');
  if (stain != std::string_view::npos) {
    co_return Corruption("{}:{}: padding is not zero", path, end + stain);
  }
  co_return info;
}

}  // namespace varve::sstable
