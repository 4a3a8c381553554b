#include "item/base64.h"

#include <array>
#include <cstdint>

namespace varve::item {
namespace {

constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr uint8_t kInvalid = 0xff;

constexpr std::array<uint8_t, 256> kDigits = [] {
  std::array<uint8_t, 256> digits{};
  for (uint8_t& digit : digits) digit = kInvalid;
  for (uint8_t i = 0; i < 64; ++i) digits[static_cast<uint8_t>(kAlphabet[i])] = i;
  return digits;
}();

uint8_t Digit(char c) { return kDigits[static_cast<uint8_t>(c)]; }

}  // namespace

void AppendBase64(std::string_view bytes, std::string& to) {
  size_t i = 0;
  for (; i + 3 <= bytes.size(); i += 3) {
    const uint32_t group = static_cast<uint32_t>(static_cast<uint8_t>(bytes[i])) << 16 |
                           static_cast<uint32_t>(static_cast<uint8_t>(bytes[i + 1])) << 8 |
                           static_cast<uint8_t>(bytes[i + 2]);
    const char quad[] = {kAlphabet[group >> 18], kAlphabet[group >> 12 & 63],
                         kAlphabet[group >> 6 & 63], kAlphabet[group & 63]};
    to.append(quad, sizeof quad);
  }
  const size_t rest = bytes.size() - i;
  if (rest == 0) return;
  const uint32_t group =
      static_cast<uint32_t>(static_cast<uint8_t>(bytes[i])) << 16 |
      (rest == 2 ? static_cast<uint32_t>(static_cast<uint8_t>(bytes[i + 1])) << 8 : 0);
  const char quad[] = {kAlphabet[group >> 18], kAlphabet[group >> 12 & 63],
                       rest == 2 ? kAlphabet[group >> 6 & 63] : '=', '='};
  to.append(quad, sizeof quad);
}

bool DecodeBase64(std::string_view text, std::string* bytes) {
  bytes->clear();
  if (text.size() % 4 != 0) return false;
  if (text.empty()) return true;
  bytes->reserve(text.size() / 4 * 3);
  const size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  const size_t whole = text.size() - (padding == 0 ? 0 : 4);
  for (size_t i = 0; i < whole; i += 4) {
    const uint8_t a = Digit(text[i]), b = Digit(text[i + 1]), c = Digit(text[i + 2]),
                  d = Digit(text[i + 3]);
    if (((a | b | c | d) & 0xc0) != 0) return false;
    const char triple[] = {static_cast<char>(a << 2 | b >> 4), static_cast<char>(b << 4 | c >> 2),
                           static_cast<char>(c << 6 | d)};
    bytes->append(triple, sizeof triple);
  }
  if (padding == 0) return true;
  const uint8_t a = Digit(text[whole]), b = Digit(text[whole + 1]),
                c = padding == 1 ? Digit(text[whole + 2]) : 0;
  if (((a | b | c) & 0xc0) != 0) return false;
  if (padding == 1 ? (c & 3) != 0 : (b & 15) != 0) return false;
  bytes->push_back(static_cast<char>(a << 2 | b >> 4));
  if (padding == 1) bytes->push_back(static_cast<char>(b << 4 | c >> 2));
  return true;
}

}  // namespace varve::item
