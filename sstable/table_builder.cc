#include "sstable/table_builder.h"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "base/checksum.h"
#include "base/coding.h"
#include "sstable/block_builder.h"
#include "sstable/compression.h"
#include "sstable/file_writer.h"
#include "sstable/filter.h"
#include "sstable/format.h"
#include "sstable/index.h"
#include "sstable/value_file.h"

namespace varve::sstable {

namespace {

// A rest of a page smaller than this is not worth a block of its own when blocks are compressed.
constexpr size_t kRoomBytesMin = io::kPageBytes / 8;

// Sample keys longer than this are left out: the info shall stay small.
constexpr size_t kSampleKeyBytesMax = 256;

}  // namespace

class TableBuilder::Impl {
 public:
  Impl(std::shared_ptr<io::File> file, uint64_t file_number, const TableOptions& options,
       BlockCache* cache)
      : options_(options),
        cache_(cache),
        writer_(std::move(file), options.write_bytes, options.writes_in_flight_max),
        compressor_(options.compression_level),
        pending_(std::max<uint32_t>(options.restart_interval, 1)),
        ratio_(options.compression_level == 0 ? 1 : 0.5) {
    info_.file_number = file_number;
    info_.smallest_sequence = kSequenceMax;
    raw_bytes_max_ =
        std::clamp<size_t>(options.block_raw_bytes_max, io::kPageBytes, kBlockRawBytesMax);
  }

  void Add(const Entry& entry) {
    if (!status_.ok()) return;
    // One comparison with the entry before says all: order, whether the key is new, what it shares.
    const std::string_view last_key = this->last_key();
    const size_t shared = SharedBytes(last_key, entry.key);
    const bool same_key = shared == entry.key.size() && shared == last_key.size();
    if (!(status_ = Check(entry, last_key, shared, same_key)).ok()) return;
    Count(entry, same_key);
    pending_.Add(entry, shared, MakeRoom(entry, shared));
    last_sequence_ = entry.sequence;
  }

  bool TryAdd(const Entry& entry, uint64_t bytes_max) {
    // Compressed, what is pending takes less.
    const bool small = complete_bytes_ + pending_.EncodedBytes() + io::kPageBytes <= bytes_max;
    if (wants_flush() || (!small && EstimatedBytes() >= bytes_max)) return false;
    Add(entry);
    return true;
  }

  void KeepCached() { keep_cached_ = true; }

  bool wants_flush() const { return writer_.wants_flush() || !status_.ok(); }

  io::Task<Status> Flush() {
    Status written = co_await writer_.Flush();
    if (!status_.ok()) co_return status_;
    co_return written;
  }

  io::Task<StatusOr<TableInfo>> Finish() {
    if (status_.ok() && info_.entries == 0) {
      status_ = FailedPrecondition("{}: a table needs an entry", writer_.path());
    }
    VARVE_CO_RETURN_IF_ERROR(status_);
    while (!pending_.empty()) Cut();
    WriteTail();
    VARVE_CO_RETURN_IF_ERROR(co_await writer_.Finish());
    co_return std::move(info_);
  }

  uint64_t EstimatedBytes() const {
    const double pending_bytes = static_cast<double>(pending_.EncodedBytes()) * ratio_;
    return io::PageCeiling(complete_bytes_ + static_cast<uint64_t>(pending_bytes));
  }
  uint64_t entries() const { return info_.entries; }
  std::string_view last_key() const {
    return pending_.empty() ? std::string_view(block_last_key_) : pending_.last().key;
  }

 private:
  Status Check(const Entry& entry, std::string_view last_key, size_t shared, bool same_key) const {
    if (entry.key.size() > kKeyBytesMax || entry.value.size() > kValueBytesMax) {
      return InvalidArgument("{}: entry with a key of {} bytes and a value of {} is too large",
                             writer_.path(), entry.key.size(), entry.value.size());
    }
    const bool after =
        same_key ? entry.sequence < last_sequence_
                 : shared == last_key.size() ||
                       (shared < entry.key.size() && static_cast<uint8_t>(last_key[shared]) <
                                                         static_cast<uint8_t>(entry.key[shared]));
    if (info_.entries > 0 && !after) {
      return InvalidArgument("{}: entry {} does not come after the one before it", writer_.path(),
                             info_.entries);
    }
    return absl::OkStatus();
  }

  // Updates the info and the filter's hashes.
  void Count(const Entry& entry, bool same_key) {
    const bool first = info_.entries == 0;
    if (first) info_.smallest_key = entry.key;
    if (options_.filter_bits_per_key > 0 && (first || !same_key)) {
      hashes_.push_back(Hash(entry.key));
    }
    ++info_.entries;
    info_.smallest_sequence = std::min(info_.smallest_sequence, entry.sequence);
    info_.largest_sequence = std::max(info_.largest_sequence, entry.sequence);
    info_.key_bytes += entry.key.size();
    info_.value_bytes += entry.value.size();
    if (entry.kind == EntryKind::kDelete) ++info_.tombstones;
    if (entry.kind == EntryKind::kPutReference) {
      ValueReference reference;
      if (!ValueReference::Parse(entry.value, &reference)) {
        status_ = InvalidArgument("{}: entry {} has a malformed value reference", writer_.path(),
                                  info_.entries - 1);
        return;
      }
      ValueFileUse& use = uses_[reference.file_number];
      use.file_number = reference.file_number;
      ++use.values;
      use.stored_bytes += reference.RecordBytes();
    }
  }

  // What is left of the page that the next block starts on.
  size_t Room() const { return io::kPageBytes - writer_.offset() % io::kPageBytes; }

  // How large the pending block may grow, before compression, to fit the room as far as one can
  // know.
  size_t Limit() const {
    const size_t room = Room() > kBlockTrailerBytes ? Room() - kBlockTrailerBytes : 0;
    if (options_.compression_level == 0 || ratio_ > 0.95) return room;
    return std::min(raw_bytes_max_, static_cast<size_t>(static_cast<double>(room) * 0.96 / ratio_));
  }

  // Cuts blocks until `entry` fits into the pending one, or that is empty. Returns what it will
  // take there.
  BlockBuilder::Growth MakeRoom(const Entry& entry, size_t shared) {
    BlockBuilder::Growth growth = pending_.GrowthBy(entry, shared);
    while (!pending_.empty() && growth.encoded_bytes > Limit()) {
      Cut();
      growth = pending_.GrowthBy(entry, shared);
    }
    if (pending_.empty() && Room() < io::kPageBytes) {
      const bool crumb = options_.compression_level != 0 && Room() < kRoomBytesMin;
      if (crumb || growth.encoded_bytes > Limit()) writer_.Pad(io::kPageBytes);
    }
    return growth;
  }

  // Writes a block of as many pending entries as fit the room (at least one), or starts a new page.
  void Cut() {
    if (options_.compression_level != 0 && Room() < kRoomBytesMin) {
      return writer_.Pad(io::kPageBytes);
    }
    if (options_.compression_level == 0 && EmitInPlace()) return;
    size_t count = pending_.count();
    for (;;) {
      pending_.Encode(count, raw_);
      const bool compressed = compressor_.Compress(raw_, packed_);
      std::string& payload = compressed ? packed_ : raw_;
      const size_t stored_bytes = payload.size() + kBlockTrailerBytes;
      if (stored_bytes <= Room() || (count == 1 && Room() == io::kPageBytes)) {
        // Follow what the data compresses to, within about four blocks.
        ratio_ += 0.25 *
                  (static_cast<double>(payload.size()) / static_cast<double>(raw_.size()) - ratio_);
        return Emit(count, payload, compressed ? BlockType::kZstd : BlockType::kRaw);
      }
      if (count == 1) return writer_.Pad(io::kPageBytes);
      const size_t fitting = count * Room() / stored_bytes * 15 / 16;
      count = std::clamp<size_t>(fitting, 1, count - 1);
    }
  }

  // Writes a block of all pending entries where it goes in the file, if it fits the room, or stands
  // alone, and lies in one piece.
  bool EmitInPlace() {
    const size_t raw_bytes = pending_.EncodedBytes();
    const bool alone = pending_.count() == 1 && Room() == io::kPageBytes;
    if (raw_bytes + kBlockTrailerBytes > Room() && !alone) return false;
    static_assert(BlockBuilder::kEncodeSlackBytes <= kBlockTrailerBytes);
    char* const to = writer_.Reserve(raw_bytes + kBlockTrailerBytes);
    if (to == nullptr) return false;
    const BlockPlace place = {writer_.offset(),
                              static_cast<uint32_t>(raw_bytes + kBlockTrailerBytes)};
    pending_.EncodeAll(to);
    WriteTrailer(to + raw_bytes, {to, raw_bytes}, BlockType::kRaw, raw_bytes, place.offset);
    NoteBlock(pending_.count(), place, {to, raw_bytes});
    writer_.Commit(place.stored_bytes);
    pending_.Drop(pending_.count());
    FinishBlock();
    return true;
  }

  // `payload` is raw_ or packed_; the trailer is put behind it for a moment, which saves a copy.
  void Emit(size_t count, std::string& payload, BlockType type) {
    const BlockPlace place = {writer_.offset(),
                              static_cast<uint32_t>(payload.size() + kBlockTrailerBytes)};
    const size_t payload_bytes = payload.size();
    const size_t raw_bytes = raw_.size();
    payload.resize(place.stored_bytes);
    WriteTrailer(payload.data() + payload_bytes, {payload.data(), payload_bytes}, type, raw_bytes,
                 place.offset);
    writer_.Append(payload);
    payload.resize(payload_bytes);
    NoteBlock(count, place, raw_);
    pending_.Drop(count);
    FinishBlock();
  }

  void WriteTrailer(char* to, std::string_view payload, BlockType type, size_t raw_bytes,
                    uint64_t offset) {
    StoreFixed(to, static_cast<uint8_t>(type));
    StoreFixed(to + 1, static_cast<uint32_t>(raw_bytes));
    const std::string_view covered(payload.data(), payload.size() + 5);
    StoreFixed(to + 5, Checksum(covered, PlaceSeed(info_.file_number, offset)));
  }

  // What index, samples and cache know of a block of the first `count` pending entries.
  void NoteBlock(size_t count, const BlockPlace& place, std::string_view raw) {
    const Entry previous = {block_last_key_, block_last_sequence_, EntryKind::kPut, {}};
    const std::string_view bound =
        index_.Add(place, index_.blocks() == 0 ? nullptr : &previous, pending_.entry(0));
    Sample(bound, place.offset);
    if (keep_cached_ && cache_ != nullptr) {
      BlockBuffer buffer(raw.size());
      std::memcpy(buffer.data(), raw.data(), raw.size());
      cache_->Insert(info_.file_number, place.offset, std::move(buffer));
    }
    const Entry last = pending_.entry(count - 1);
    block_last_key_.assign(last.key);
    block_last_sequence_ = last.sequence;
  }

  // After the block's entries were dropped.
  void FinishBlock() {
    if (pending_.empty()) keep_cached_ = false;
    const uint64_t filter_bytes = hashes_.size() * options_.filter_bits_per_key / 8;
    complete_bytes_ = writer_.offset() + filter_bytes + index_.EstimatedBytes() +
                      info_.smallest_key.size() + last_key().size() + 4 * kFooterBytes;
  }

  // Keeps every sample_stride_-th bound, and doubles the stride when that becomes too many.
  void Sample(std::string_view bound, uint64_t offset) {
    if (index_.blocks() % sample_stride_ != 0 || bound.empty() ||
        bound.size() > kSampleKeyBytesMax) {
      return;
    }
    // Versions of one key that span blocks: the first place stands for it.
    if (!info_.samples.empty() && info_.samples.back().key == bound) return;
    info_.samples.push_back({std::string(bound), offset});
    if (info_.samples.size() == kSizeSamplesMax) {
      for (size_t i = 0; i < kSizeSamplesMax / 2; ++i) {
        if (i > 0) info_.samples[i] = std::move(info_.samples[2 * i]);
      }
      info_.samples.resize(kSizeSamplesMax / 2);
      sample_stride_ *= 2;
    }
  }

  Section WriteSection(std::string contents) {
    const uint64_t offset = writer_.offset();
    AppendU64(contents, Checksum(contents, PlaceSeed(info_.file_number, offset)));
    writer_.Append(contents);
    return {offset, contents.size()};
  }

  void WriteTail() {
    info_.largest_key = last_key();
    info_.key_sample.known = !hashes_.empty();
    for (const uint64_t hash : hashes_) {
      if (hash % KeySample::kOneIn == 0) info_.key_sample.hashes.push_back(hash);
    }
    info_.data_bytes = writer_.offset();
    for (auto& [number, use] : uses_) info_.value_files.push_back(use);

    Footer footer;
    footer.file_number = info_.file_number;
    footer.data_bytes = info_.data_bytes;
    footer.blocks = index_.blocks();
    footer.filter.offset = writer_.offset();
    if (!hashes_.empty()) {
      footer.filter_probes = FilterProbes(options_.filter_bits_per_key);
      footer.filter = WriteSection(BuildFilter(hashes_, options_.filter_bits_per_key));
    }
    footer.index = WriteSection(index_.Finish());
    std::string properties;
    info_.AppendTo(properties);  // with 0 for the size of the file, which is not known yet
    footer.properties = WriteSection(std::move(properties));
    while (Room() < kFooterBytes) writer_.Pad(io::kPageBytes);
    info_.file_bytes = io::PageCeiling(writer_.offset() + kFooterBytes);
    footer.file_bytes = info_.file_bytes;
    writer_.Append(std::string(info_.file_bytes - kFooterBytes - writer_.offset(), '\0'));
    writer_.Append(footer.Encode());
  }

  const TableOptions options_;
  BlockCache* const cache_;
  size_t raw_bytes_max_;
  FileWriter writer_;
  Compressor compressor_;
  BlockBuilder pending_;
  IndexBuilder index_;
  TableInfo info_;
  Status status_;

  // The file without the pending block, as of the last block.
  uint64_t complete_bytes_ = 4 * kFooterBytes;
  double ratio_;  // of stored to raw bytes, lately
  bool keep_cached_ = false;
  SequenceNumber last_sequence_ = 0;
  std::string block_last_key_;  // of the last block written
  SequenceNumber block_last_sequence_ = 0;
  std::vector<uint64_t> hashes_;
  std::map<uint64_t, ValueFileUse> uses_;
  uint64_t sample_stride_ = 1;
  std::string raw_, packed_;  // scratch
};

TableBuilder::TableBuilder(std::shared_ptr<io::File> file, uint64_t file_number,
                           const TableOptions& options, BlockCache* cache)
    : impl_(std::make_unique<Impl>(std::move(file), file_number, options, cache)) {}
TableBuilder::~TableBuilder() = default;

void TableBuilder::Add(const Entry& entry) { impl_->Add(entry); }
bool TableBuilder::TryAdd(const Entry& entry, uint64_t bytes_max) {
  return impl_->TryAdd(entry, bytes_max);
}
void TableBuilder::KeepCached() { impl_->KeepCached(); }
bool TableBuilder::wants_flush() const { return impl_->wants_flush(); }
io::Task<Status> TableBuilder::Flush() { return impl_->Flush(); }
io::Task<StatusOr<TableInfo>> TableBuilder::Finish() { return impl_->Finish(); }
uint64_t TableBuilder::EstimatedBytes() const { return impl_->EstimatedBytes(); }
uint64_t TableBuilder::entries() const { return impl_->entries(); }
std::string_view TableBuilder::last_key() const { return impl_->last_key(); }

}  // namespace varve::sstable
