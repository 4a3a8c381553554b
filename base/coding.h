// Integers in bytes: little-endian fixed width, and LEB128 varints (7 bits a byte, low bits first).
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace varve {

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
              "formats are little-endian, as is the host");

inline constexpr size_t kVarint32BytesMax = 5;
inline constexpr size_t kVarint64BytesMax = 10;

template <typename T>
T LoadFixed(const char* p) {
  T value;
  std::memcpy(&value, p, sizeof value);
  return value;
}

template <typename T>
void StoreFixed(char* p, T value) {
  std::memcpy(p, &value, sizeof value);
}

inline uint16_t LoadU16(const char* p) { return LoadFixed<uint16_t>(p); }
inline uint32_t LoadU32(const char* p) { return LoadFixed<uint32_t>(p); }
inline uint64_t LoadU64(const char* p) { return LoadFixed<uint64_t>(p); }

// Big-endian: the order of the bytes is the order of the numbers.
inline uint64_t LoadBigU64(const char* p) { return __builtin_bswap64(LoadU64(p)); }
inline void StoreBigU64(char* p, uint64_t value) { StoreFixed(p, __builtin_bswap64(value)); }

inline void AppendU8(std::string& to, uint8_t value) { to.push_back(static_cast<char>(value)); }
template <typename T>
void AppendFixed(std::string& to, T value) {
  to.append(reinterpret_cast<const char*>(&value), sizeof value);
}
inline void AppendU32(std::string& to, uint32_t value) { AppendFixed(to, value); }
inline void AppendU64(std::string& to, uint64_t value) { AppendFixed(to, value); }
inline void AppendBigU64(std::string& to, uint64_t value) {
  AppendFixed(to, __builtin_bswap64(value));
}

// Writes `value` at `p`, which has room for kVarint64BytesMax; returns the byte past the last.
inline char* StoreVarint(char* p, uint64_t value) {
  while (value >= 0x80) {
    *p++ = static_cast<char>(value | 0x80);
    value >>= 7;
  }
  *p++ = static_cast<char>(value);
  return p;
}

inline size_t VarintBytes(uint64_t value) {
  return (static_cast<size_t>(64 - __builtin_clzll(value | 1)) + 6) / 7;
}

inline void AppendVarint(std::string& to, uint64_t value) {
  char buffer[kVarint64BytesMax];
  to.append(buffer, static_cast<size_t>(StoreVarint(buffer, value) - buffer));
}

// A varint length, then the bytes.
inline void AppendLengthPrefixed(std::string& to, std::string_view bytes) {
  AppendVarint(to, bytes.size());
  to.append(bytes);
}

// Reads a varint in [p, end). Returns the byte past it, or nullptr if it is cut short or over 64
// bits.
inline const char* LoadVarint(const char* p, const char* end, uint64_t* value) {
  uint64_t result = 0;
  for (int shift = 0; shift < 64 && p < end; shift += 7) {
    const uint64_t byte = static_cast<uint8_t>(*p++);
    if (shift == 63 && byte > 1) return nullptr;
    result |= (byte & 0x7f) << shift;
    if (byte < 0x80) {
      *value = result;
      return p;
    }
  }
  return nullptr;
}

// Takes parsed fields off the front of `from`. Each returns false, leaving the rest unspecified,
// when `from` is too short or malformed.
inline bool TakeVarint(std::string_view& from, uint64_t* value) {
  const char* p = LoadVarint(from.data(), from.data() + from.size(), value);
  if (p == nullptr) return false;
  from.remove_prefix(static_cast<size_t>(p - from.data()));
  return true;
}

template <typename T>
bool TakeFixed(std::string_view& from, T* value) {
  if (from.size() < sizeof(T)) return false;
  *value = LoadFixed<T>(from.data());
  from.remove_prefix(sizeof(T));
  return true;
}

inline bool TakeBytes(std::string_view& from, size_t length, std::string_view* bytes) {
  if (from.size() < length) return false;
  *bytes = from.substr(0, length);
  from.remove_prefix(length);
  return true;
}

inline bool TakeLengthPrefixed(std::string_view& from, std::string_view* bytes) {
  uint64_t length;
  return TakeVarint(from, &length) && length <= from.size() && TakeBytes(from, length, bytes);
}

}  // namespace varve
