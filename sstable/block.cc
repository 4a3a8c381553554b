#include "sstable/block.h"

#include <algorithm>
#include <cstring>

#include "sstable/block_builder.h"

namespace varve::sstable {

using internal::DecodedEntry;
using internal::DecodeEntry;

bool BlockParts::Parse(std::string_view block) {
  if (block.size() < kBlockTailBytes) return false;
  const char* tail = block.data() + block.size() - kBlockTailBytes;
  base = LoadU64(tail);
  restart_count = LoadU16(tail + 8);
  const size_t restart_bytes = size_t{2} * restart_count;
  if (restart_count == 0 || restart_bytes > block.size() - kBlockTailBytes) return false;
  entries = block.data();
  restarts = tail - restart_bytes;
  entries_end = restarts;
  return entries < entries_end;
}

namespace {

// Reads the full key at restart `i`.
bool DecodeRestart(const BlockParts& parts, uint32_t i, DecodedEntry* entry) {
  const char* p = parts.restart(i);
  return p < parts.entries_end && DecodeEntry(p, parts.entries_end, parts.base, entry) != nullptr &&
         entry->shared == 0;
}

// The last restart whose entry is at or before (key, sequence), or 0. False if malformed.
bool FindRestart(const BlockParts& parts, std::string_view key, SequenceNumber sequence,
                 uint32_t* restart) {
  uint32_t low = 0;
  uint32_t high = parts.restart_count;
  while (high - low > 1) {
    const uint32_t middle = low + (high - low) / 2;
    DecodedEntry entry;
    if (!DecodeRestart(parts, middle, &entry)) return false;
    const std::string_view middle_key(entry.suffix, entry.unshared);
    (CompareEntries(middle_key, entry.sequence, key, sequence) <= 0 ? low : high) = middle;
  }
  *restart = low;
  return true;
}

}  // namespace

BlockSearch FindInBlock(std::string_view block, std::string_view key, SequenceNumber sequence,
                        Entry* found) {
  BlockParts parts;
  uint32_t restart;
  if (!parts.Parse(block) || !FindRestart(parts, key, sequence, &restart)) {
    return BlockSearch::kMalformed;
  }
  const char* p = parts.restart(restart);
  // The next restart's entry is after the target, so nothing behind it can be the answer.
  const bool last = restart + 1 == parts.restart_count;
  const char* const past = last ? parts.entries_end : parts.restart(restart + 1);

  // Keys are never put together: it is enough to know how many bytes the target has in common with
  // the entry before. That entry was smaller, so an entry that shares more with it than the target
  // does is smaller too, and one that shares less is greater than both.
  size_t matched = 0;
  while (p < parts.entries_end) {
    const bool next_restart = p >= past;
    DecodedEntry entry;
    p = DecodeEntry(p, parts.entries_end, parts.base, &entry);
    if (p == nullptr) return BlockSearch::kMalformed;
    if (next_restart) matched = 0;  // its key is stored in full
    if (entry.shared > matched) continue;
    if (entry.shared < matched) return BlockSearch::kAbsent;
    const std::string_view suffix(entry.suffix, entry.unshared);
    const std::string_view rest = key.substr(matched);
    const size_t common = SharedBytes(suffix, rest);
    if (common == rest.size() && common == suffix.size()) {
      if (entry.sequence <= sequence) {
        found->key = key;
        found->sequence = entry.sequence;
        found->kind = entry.kind;
        found->value = {entry.suffix + entry.unshared, entry.value_bytes};
        return BlockSearch::kFound;
      }
      matched = key.size();
    } else if (common == rest.size() ||
               (common < suffix.size() &&
                static_cast<uint8_t>(suffix[common]) > static_cast<uint8_t>(rest[common]))) {
      return BlockSearch::kAbsent;
    } else {
      matched += common;
    }
    if (next_restart) return BlockSearch::kAbsent;
  }
  return BlockSearch::kAbsent;
}

bool BlockCursor::Reset(std::string_view block) {
  valid_ = false;
  malformed_ = !parts_.Parse(block);
  return !malformed_;
}

void BlockCursor::Malformed() {
  valid_ = false;
  malformed_ = true;
}

void BlockCursor::Read() {
  current_ = next_;
  DecodedEntry entry;
  next_ = DecodeEntry(current_, parts_.entries_end, parts_.base, &entry);
  if (next_ == nullptr || entry.shared > key_bytes_) return Malformed();
  key_bytes_ = size_t{entry.shared} + entry.unshared;
  if (key_.size() < key_bytes_) key_.resize(std::max<size_t>(2 * key_bytes_, 64));
  std::memcpy(key_.data() + entry.shared, entry.suffix, entry.unshared);
  entry_.key = {key_.data(), key_bytes_};
  entry_.sequence = entry.sequence;
  entry_.kind = entry.kind;
  entry_.value = {entry.suffix + entry.unshared, entry.value_bytes};
  valid_ = true;
}

void BlockCursor::ReadRestart(uint32_t i) {
  restart_ = i;
  next_ = parts_.restart(i);
  key_bytes_ = 0;
  if (next_ >= parts_.entries_end) return Malformed();
  Read();
}

void BlockCursor::Next() {
  if (next_ >= parts_.entries_end) {
    valid_ = false;
    return;
  }
  if (restart_ + 1 < parts_.restart_count && next_ >= parts_.restart(restart_ + 1)) {
    ++restart_;
  }
  Read();
}

void BlockCursor::SeekToFirst() { ReadRestart(0); }

void BlockCursor::SeekToLast() {
  ReadRestart(parts_.restart_count - 1);
  while (valid_ && next_ < parts_.entries_end) Read();
}

void BlockCursor::Seek(std::string_view key, SequenceNumber sequence) {
  uint32_t restart;
  if (!FindRestart(parts_, key, sequence, &restart)) return Malformed();
  ReadRestart(restart);
  while (valid_ && CompareEntries(entry_.key, entry_.sequence, key, sequence) < 0) Next();
}

void BlockCursor::Prev() {
  const char* const target = current_;
  if (target == parts_.entries) {
    valid_ = false;
    return;
  }
  // The entry before lies in this restart interval or, if this is its first entry, in the one
  // before.
  ReadRestart(target == parts_.restart(restart_) && restart_ > 0 ? restart_ - 1 : restart_);
  while (valid_ && next_ < target) Read();
  // A block whose entries do not end where another begins is no block.
  if (valid_ && next_ != target) Malformed();
}

}  // namespace varve::sstable
