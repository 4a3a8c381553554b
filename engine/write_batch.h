// WriteBatch: puts and deletes that take effect together or not at all.
//
// The representation is the log record's payload (docs/wal.md): entry after entry,
//   kind (1 byte) | key length (varint) | key | [value length (varint) | value]
// with a value only for puts.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/coding.h"
#include "base/entry.h"
#include "base/status.h"

namespace varve::engine {

class WriteBatch {
 public:
  // Within a batch the last write to a key wins. Sizes are checked when the batch is written.
  void Put(std::string_view key, std::string_view value) {
    payload_.reserve(payload_.size() + key.size() + value.size() + kHeadBytesMax);
    Add(EntryKind::kPut, key);
    AppendLengthPrefixed(payload_, value);
    if (value.size() > value_bytes_max_) value_bytes_max_ = value.size();
  }
  void Delete(std::string_view key) { Add(EntryKind::kDelete, key); }
  void Clear() {
    payload_.clear();
    count_ = key_bytes_max_ = value_bytes_max_ = 0;
    has_empty_key_ = false;
  }

  bool empty() const { return count_ == 0; }
  size_t count() const { return count_; }
  std::string_view payload() const { return payload_; }

  // InvalidArgument if a key, a value or the whole is over its limit (base/entry.h), or a key is
  // empty.
  Status Validate() const;

 private:
  // Kind and lengths of an entry within its limits.
  static constexpr size_t kHeadBytesMax = 1 + 2 * 5;

  void Add(EntryKind kind, std::string_view key) {
    AppendU8(payload_, static_cast<uint8_t>(kind));
    AppendLengthPrefixed(payload_, key);
    ++count_;
    if (key.size() > key_bytes_max_) key_bytes_max_ = key.size();
    if (key.empty()) has_empty_key_ = true;
  }

  std::string payload_;
  size_t count_ = 0;
  size_t key_bytes_max_ = 0;
  size_t value_bytes_max_ = 0;
  bool has_empty_key_ = false;
};

// Walks the entries of a batch's payload.
//
//   BatchReader reader(payload);
//   while (reader.Next(&entry)) ...
//   if (!reader.ok()) the payload is malformed
class BatchReader {
 public:
  explicit BatchReader(std::string_view payload) : rest_(payload) {}

  // Fills kind, key and value, views into the payload; the sequence is left alone.
  bool Next(Entry* entry);
  bool ok() const { return ok_; }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace varve::engine
