#include "item/partiql/token.h"

#include "base/checksum.h"
#include "base/coding.h"
#include "item/base64.h"
#include "item/errors.h"

namespace varve::item::partiql {
namespace {

constexpr char kVersion = 1;
constexpr size_t kFingerprintBytes = 16;
constexpr size_t kChecksumBytes = 8;
// Seeds of hashes that are to be independent of each other.
constexpr uint64_t kFingerprintSeed = 0x7061727469716c31;
constexpr uint64_t kTokenSeed = 0x6e657874746f6b31;

std::string ChecksumOf(std::string_view bytes) {
  std::string checksum;
  AppendFixed(checksum, Hash(bytes, kTokenSeed));
  return checksum;
}

}  // namespace

std::string FingerprintOf(std::string_view statement, const std::vector<Value>& parameters) {
  std::string said;
  AppendLengthPrefixed(said, statement);
  for (const Value& parameter : parameters) AppendLengthPrefixed(said, parameter.encoded());
  std::string fingerprint;
  AppendFixed(fingerprint, Hash(said));
  AppendFixed(fingerprint, Hash(said, kFingerprintSeed));
  return fingerprint;
}

std::string EncodeToken(const PageToken& token, std::string_view fingerprint) {
  std::string bytes(1, kVersion);
  bytes += fingerprint;
  AppendVarint(bytes, token.read);
  bytes += token.cursor.encoded();
  bytes += ChecksumOf(bytes);
  std::string text;
  AppendBase64(bytes, text);
  return text;
}

StatusOr<PageToken> DecodeToken(std::string_view text, std::string_view fingerprint) {
  std::string decoded;
  if (!DecodeBase64(text, &decoded)) return InvalidToken();
  std::string_view bytes = decoded;
  if (bytes.size() < 1 + kFingerprintBytes + kChecksumBytes || bytes[0] != kVersion) {
    return InvalidToken();
  }
  const std::string_view checksum = bytes.substr(bytes.size() - kChecksumBytes);
  bytes.remove_suffix(kChecksumBytes);
  if (checksum != ChecksumOf(bytes)) return InvalidToken();
  if (bytes.substr(1, kFingerprintBytes) != fingerprint) {
    return ValidationError("NextToken does not match request");
  }
  bytes.remove_prefix(1 + kFingerprintBytes);
  PageToken token;
  if (!TakeVarint(bytes, &token.read) || !ValidateItem(bytes).ok()) return InvalidToken();
  token.cursor = Item(std::string(bytes));
  return token;
}

Status InvalidToken() { return ValidationError("Invalid NextToken"); }

}  // namespace varve::item::partiql
