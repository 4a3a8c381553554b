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

void BlockCursor::GrowKeys(size_t bytes) {
  auto grown = std::make_unique<char[]>(2 * bytes + kKeySlack);
  std::memcpy(grown.get(), keys_, keys_used_);
  large_keys_ = std::move(grown);
  keys_ = large_keys_.get();
  keys_capacity_ = 2 * bytes;
}

BlockCursor::Decoded BlockCursor::DecodeOne() {
  DecodedEntry decoded;
  const char* const past = DecodeEntry(parts_, next_, &decoded);
  if (past == nullptr || decoded.shared > last_key_bytes_ ||
      !parts_.HoldsValue(next_value_, decoded.value_bytes)) {
    return Decoded::kMalformed;
  }
  const size_t key_bytes = size_t{decoded.shared} + decoded.unshared;
  if (keys_used_ + key_bytes > keys_capacity_) {
    // Keys of the batch must stay where they are.
    if (count_ > 0) return Decoded::kNoRoom;
    GrowKeys(keys_used_ + key_bytes);
  }
  char* const key = keys_ + keys_used_;
  const char* const last = keys_ + last_key_;
  if (decoded.shared <= 16) {
    // The two may overlap.
    const uint64_t low = LoadU64(last);
    const uint64_t high = LoadU64(last + 8);
    StoreFixed(key, low);
    StoreFixed(key + 8, high);
  } else {
    std::memcpy(key, last, decoded.shared);
  }
  if (decoded.unshared <= 16 && parts_.end - decoded.suffix >= 16) {
    std::memcpy(key + decoded.shared, decoded.suffix, 16);
  } else {
    std::memcpy(key + decoded.shared, decoded.suffix, decoded.unshared);
  }
  Entry& entry = batch_[count_++];
  entry.key = {key, key_bytes};
  entry.sequence = parts_.SequenceAt(decoded.sequence);
  entry.kind = decoded.kind;
  entry.value = {next_value_, decoded.value_bytes};
  last_key_ = keys_used_;
  last_key_bytes_ = key_bytes;
  keys_used_ += key_bytes;
  next_ = past;
  next_value_ += decoded.value_bytes;
  return Decoded::kEntry;
}

bool BlockCursor::Decode(const char* limit) {
  count_ = 0;
  at_ = 0;
  begin_ = next_;
  // Only the last key is needed any more.
  std::memmove(keys_, keys_ + last_key_, last_key_bytes_);
  last_key_ = 0;
  keys_used_ = last_key_bytes_;
  while (count_ < kBatchMax && next_ < limit) {
    // What comes before a malformed entry is shown.
    if (DecodeOne() != Decoded::kEntry) break;
  }
  valid_ = count_ > 0;
  malformed_ = count_ == 0;
  return valid_;
}

void BlockCursor::DecodeUpTo(const char* limit) {
  while (Decode(limit) && next_ < limit) {
  }
  // A block whose entries do not end where another begins is no block.
  if (valid_ && next_ != limit) return Malformed();
  if (valid_) at_ = count_ - 1;
}

bool BlockCursor::GoToRestart(uint32_t i) {
  restart_ = i;
  next_ = parts_.restart_entry(i);
  next_value_ = parts_.restart_value(i);
  last_key_ = last_key_bytes_ = keys_used_ = 0;
  if (next_ < parts_.values) return true;
  Malformed();
  return false;
}

void BlockCursor::FollowRestarts(const char* entry) {
  while (restart_ + 1 < parts_.restart_count && entry >= parts_.restart_entry(restart_ + 1)) {
    ++restart_;
  }
}

void BlockCursor::NextBatch() {
  if (next_ >= parts_.values) {
    valid_ = false;
    return;
  }
  FollowRestarts(next_);
  Decode(parts_.values);
}

void BlockCursor::SeekToFirst() {
  if (GoToRestart(0)) Decode(parts_.values);
}

void BlockCursor::SeekToLast() {
  if (GoToRestart(parts_.restart_count - 1)) DecodeUpTo(parts_.values);
}

void BlockCursor::Seek(std::string_view key, SequenceNumber sequence) {
  DecodedEntry first;
  if (DecodeEntry(parts_, parts_.entries, &first) == nullptr || first.shared != 0 ||
      first.unshared < parts_.common) {
    return Malformed();
  }
  // The heads speak only of keys that begin like all keys here.
  const std::string_view common(first.suffix, parts_.common);
  const int order = key.substr(0, common.size()).compare(common);
  if (order < 0) return SeekToFirst();
  if (order > 0) {
    valid_ = false;
    return;
  }
  uint32_t restart = 0;
  if (!FindRestart(parts_, key, sequence, &restart)) return Malformed();
  if (!GoToRestart(restart)) return;
  const bool last = restart + 1 == parts_.restart_count;
  const char* const limit = last ? parts_.values : parts_.restart_entry(restart + 1);
  if (!Decode(limit)) return;
  while (valid_ && CompareEntries(entry().key, entry().sequence, key, sequence) < 0) Next();
}

void BlockCursor::PrevBatch() {
  const char* const target = begin_;
  if (target == parts_.entries) {
    valid_ = false;
    return;
  }
  // The entry before lies in this restart interval or, if this is its first entry, in the one
  // before. Where intervals are short enough, two of them make a batch.
  const bool first = target == parts_.restart_entry(restart_) && restart_ > 0;
  uint32_t from = first ? restart_ - 1 : restart_;
  if (short_intervals_ && from > 0) --from;
  if (!GoToRestart(from)) return;
  DecodeUpTo(target);
  if (begin_ != parts_.restart_entry(from)) {
    short_intervals_ = false;  // not all of them fitted
    FollowRestarts(begin_);
  } else if (count_ <= kBatchMax / 2) {
    short_intervals_ = true;
  }
}

}  // namespace varve::sstable
