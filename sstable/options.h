// TableOptions: how new tables and value files are written. Readers need none of it: files say
// themselves how they are made.
#pragma once

#include <cstddef>
#include <cstdint>

namespace varve::sstable {

struct TableOptions {
  // Zstandard level of data blocks and values; 0 stores them as they are, negative levels are
  // faster and weaker. A block that does not shrink by an eighth is stored as it is.
  int compression_level = 1;

  // Bits a key in the Bloom filter; 0 writes no filter. 10 lets 1 % of absent keys through.
  uint32_t filter_bits_per_key = 10;

  // Every so many entries a key is stored in full, so that a search can start there.
  uint32_t restart_interval = 8;

  // A block holds at most so many bytes before compression (one larger entry makes a block alone).
  // Below that, the builder makes blocks as large as still fit one page when compressed. At most
  // 32 KiB.
  uint32_t block_raw_bytes_max = 16 << 10;

  // Files are written in pieces of this size, so many at a time. Memory of one builder:
  // about write_bytes * (writes_in_flight_max + 1). write_bytes is a multiple of 4096.
  size_t write_bytes = 512 << 10;
  uint32_t writes_in_flight_max = 4;
};

}  // namespace varve::sstable
