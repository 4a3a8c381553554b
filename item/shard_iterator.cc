#include "item/shard_iterator.h"

#include "base/checksum.h"
#include "base/coding.h"
#include "item/base64.h"

namespace varve::item {
namespace {

constexpr std::string_view kVersion = "|1|";
constexpr size_t kBodyBytes = 8 + 4 + 8 + 8 + 1 + 8;
// So that the checksum is no other one's of the same bytes.
constexpr uint64_t kSeed = 0x7368617264697472;  // "sharditr"

}  // namespace

std::string EncodeShardIterator(const ShardIterator& iterator, std::string_view stream_arn) {
  std::string bytes;
  AppendU64(bytes, iterator.stream);
  AppendU32(bytes, iterator.range);
  AppendU64(bytes, iterator.shard_begin);
  AppendU64(bytes, iterator.position);
  AppendU8(bytes, iterator.from_trim_horizon ? 1 : 0);
  AppendU64(bytes, iterator.issued_at_ms);
  AppendU64(bytes, Checksum(bytes, kSeed));
  std::string text(stream_arn);
  text += kVersion;
  AppendBase64(bytes, text);
  return text;
}

std::optional<ShardIterator> DecodeShardIterator(std::string_view text) {
  const size_t version = text.rfind(kVersion);
  if (version == std::string_view::npos) return std::nullopt;
  std::string bytes;
  if (!DecodeBase64(text.substr(version + kVersion.size()), &bytes)) return std::nullopt;
  if (bytes.size() != kBodyBytes + 8) return std::nullopt;
  const std::string_view body(bytes.data(), kBodyBytes);
  if (LoadU64(bytes.data() + kBodyBytes) != Checksum(body, kSeed)) return std::nullopt;
  ShardIterator iterator;
  iterator.stream = LoadU64(body.data());
  iterator.range = LoadU32(body.data() + 8);
  iterator.shard_begin = LoadU64(body.data() + 12);
  iterator.position = LoadU64(body.data() + 20);
  iterator.from_trim_horizon = body[28] != 0;
  iterator.issued_at_ms = LoadU64(body.data() + 29);
  return iterator;
}

}  // namespace varve::item
