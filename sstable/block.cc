#include "sstable/block.h"

#include <algorithm>
#include <cstring>

#include "sstable/block_builder.h"

namespace varve::sstable {

using internal::DecodedEntry;
using internal::DecodeEntry;

bool BlockParts::Parse(std::string_view block) {
  if (block.size() < kBlockHeaderBytes) return false;
  const char* header = block.data();
  restart_count = LoadU16(header);
  common = LoadU16(header + 2);
  const size_t values_offset = LoadU32(header + 4) & 0xffffff;
  sequence_bytes = static_cast<uint8_t>(header[7]);
  base = LoadU64(header + 8);
  const size_t entries_offset = kBlockHeaderBytes + kRestartBytes * restart_count;
  if (restart_count == 0 || values_offset <= entries_offset || values_offset > block.size() ||
      sequence_bytes > 8) {
    return false;
  }
  restarts = header + kBlockHeaderBytes;
  entries = header + entries_offset;
  values = header + values_offset;
  end = header + block.size();
  return true;
}

namespace {

// Compares the full key at restart `i` with a target. False if it is malformed.
bool CompareRestart(const BlockParts& parts, uint32_t i, std::string_view key,
                    SequenceNumber sequence, int* order) {
  const char* p = parts.restart_entry(i);
  DecodedEntry entry;
  if (p >= parts.values || DecodeEntry(parts, p, &entry) == nullptr || entry.shared != 0) {
    return false;
  }
  *order = CompareEntries({entry.suffix, entry.unshared}, parts.SequenceAt(entry.sequence), key,
                          sequence);
  return true;
}

// The last restart whose entry is at or before (key, sequence), or 0, if the key begins with what
// all keys of the block have in common; else any restart. False if malformed.
bool FindRestart(const BlockParts& parts, std::string_view key, SequenceNumber sequence,
                 uint32_t* restart) {
  const uint32_t head = HeadAfter(key, parts.common);
  // Heads below the target's belong to entries before it, those above to entries behind it.
  uint32_t low = 0;
  uint32_t high = parts.restart_count;
  while (low < high) {
    const uint32_t middle = low + (high - low) / 2;
    if (parts.restart_head(middle) < head) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  // `low` restarts have lower heads. Where heads are equal, whole keys decide.
  uint32_t past = low;
  while (past < parts.restart_count && parts.restart_head(past) == head) ++past;
  while (low < past) {
    const uint32_t middle = low + (past - low) / 2;
    int order;
    if (!CompareRestart(parts, middle, key, sequence, &order)) return false;
    if (order <= 0) {
      low = middle + 1;
    } else {
      past = middle;
    }
  }
  *restart = low == 0 ? 0 : low - 1;
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
  const char* p = parts.restart_entry(restart);
  const char* value = parts.restart_value(restart);
  // The next restart's entry is after the target, so nothing behind it can be the answer.
  const bool last = restart + 1 == parts.restart_count;
  const char* const past = last ? parts.values : parts.restart_entry(restart + 1);

  // Keys are never put together: it is enough to know how many bytes the target has in common with
  // the entry before. That entry was smaller, so an entry that shares more with it than the target
  // does is smaller too, and one that shares less is greater than both.
  size_t matched = 0;
  while (p < parts.values) {
    const bool next_restart = p >= past;
    DecodedEntry entry;
    p = DecodeEntry(parts, p, &entry);
    if (p == nullptr) return BlockSearch::kMalformed;
    const char* const entry_value = value;
    value += entry.value_bytes;
    if (next_restart) matched = 0;  // its key is stored in full
    if (entry.shared > matched) continue;
    if (entry.shared < matched) return BlockSearch::kAbsent;
    const std::string_view suffix(entry.suffix, entry.unshared);
    const std::string_view rest = key.substr(matched);
    const size_t common = SharedBytes(suffix, rest);
    if (common == rest.size() && common == suffix.size()) {
      const SequenceNumber entry_sequence = parts.SequenceAt(entry.sequence);
      if (entry_sequence <= sequence) {
        if (!parts.HoldsValue(entry_value, entry.value_bytes)) return BlockSearch::kMalformed;
        found->key = key;
        found->sequence = entry_sequence;
        found->kind = entry.kind;
        found->value = {entry_value, entry.value_bytes};
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
  next_ = DecodeEntry(parts_, current_, &entry);
  if (next_ == nullptr || entry.shared > key_bytes_ ||
      !parts_.HoldsValue(next_value_, entry.value_bytes)) {
    return Malformed();
  }
  key_bytes_ = size_t{entry.shared} + entry.unshared;
  if (key_.size() < key_bytes_) key_.resize(2 * key_bytes_);
  std::memcpy(key_.data() + entry.shared, entry.suffix, entry.unshared);
  entry_.key = {key_.data(), key_bytes_};
  entry_.sequence = parts_.SequenceAt(entry.sequence);
  entry_.kind = entry.kind;
  entry_.value = {next_value_, entry.value_bytes};
  next_value_ += entry.value_bytes;
  valid_ = true;
}

void BlockCursor::ReadRestart(uint32_t i) {
  restart_ = i;
  next_ = parts_.restart_entry(i);
  next_value_ = parts_.restart_value(i);
  key_bytes_ = 0;
  if (next_ >= parts_.values) return Malformed();
  Read();
}

void BlockCursor::Next() {
  if (next_ >= parts_.values) {
    valid_ = false;
    return;
  }
  if (restart_ + 1 < parts_.restart_count && next_ >= parts_.restart_entry(restart_ + 1)) {
    ++restart_;
  }
  Read();
}

void BlockCursor::SeekToFirst() { ReadRestart(0); }

void BlockCursor::SeekToLast() {
  ReadRestart(parts_.restart_count - 1);
  while (valid_ && next_ < parts_.values) Read();
}

void BlockCursor::Seek(std::string_view key, SequenceNumber sequence) {
  uint32_t restart = 0;
  SeekToFirst();
  if (!valid_) return;
  // The heads speak only of keys that begin like all keys here.
  const std::string_view common = entry_.key.substr(0, parts_.common);
  const int order = key.substr(0, common.size()).compare(common);
  if (order < 0) return;
  if (order > 0) {
    valid_ = false;
    return;
  }
  if (!FindRestart(parts_, key, sequence, &restart)) return Malformed();
  if (restart != 0) ReadRestart(restart);
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
  const bool first = target == parts_.restart_entry(restart_) && restart_ > 0;
  ReadRestart(first ? restart_ - 1 : restart_);
  while (valid_ && next_ < target) Read();
  // A block whose entries do not end where another begins is no block.
  if (valid_ && next_ != target) Malformed();
}

}  // namespace varve::sstable
