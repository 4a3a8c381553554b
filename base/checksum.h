// XXH3, the checksum of everything on disk and the hash of everything in memory.
// Specification: https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md
#pragma once

#include <cstdint>
#include <string_view>

namespace varve {

// 64 bits of XXH3 over `bytes`.
uint64_t Checksum(std::string_view bytes, uint64_t seed = 0);

// The same function under the name it has where it spreads keys rather than guards bytes.
inline uint64_t Hash(std::string_view bytes, uint64_t seed = 0) { return Checksum(bytes, seed); }

}  // namespace varve
