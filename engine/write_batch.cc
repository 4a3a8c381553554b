#include "engine/write_batch.h"

namespace varve::engine {

Status WriteBatch::Validate() const {
  if (has_empty_key_) return InvalidArgument("a key must not be empty");
  if (key_bytes_max_ > kKeyBytesMax) {
    return InvalidArgument("key of {} bytes; the limit is {}", key_bytes_max_, kKeyBytesMax);
  }
  if (value_bytes_max_ > kValueBytesMax) {
    return InvalidArgument("value of {} bytes; the limit is {}", value_bytes_max_, kValueBytesMax);
  }
  if (payload_.size() > kBatchBytesMax) {
    return InvalidArgument("batch of {} bytes; the limit is {}", payload_.size(), kBatchBytesMax);
  }
  return absl::OkStatus();
}

bool BatchReader::Next(Entry* entry) {
  if (rest_.empty() || !ok_) return false;
  const auto kind = static_cast<uint8_t>(rest_.front());
  rest_.remove_prefix(1);
  ok_ = (kind == static_cast<uint8_t>(EntryKind::kPut) ||
         kind == static_cast<uint8_t>(EntryKind::kDelete)) &&
        TakeLengthPrefixed(rest_, &entry->key) && !entry->key.empty();
  if (!ok_) return false;
  entry->kind = static_cast<EntryKind>(kind);
  entry->value = {};
  if (entry->kind == EntryKind::kPut) ok_ = TakeLengthPrefixed(rest_, &entry->value);
  return ok_;
}

}  // namespace varve::engine
