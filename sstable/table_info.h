// TableInfo: what is known of a table without reading it. Made by TableBuilder::Finish, kept in the
// manifest, and stored a second time in the table itself.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/entry.h"
#include "base/status.h"

namespace varve::sstable {

// What a table refers to in one value file.
struct ValueFileUse {
  uint64_t file_number = 0;
  uint64_t values = 0;
  uint64_t stored_bytes = 0;  // as they lie in the value file, with their record headers

  bool operator==(const ValueFileUse&) const = default;
};

// The data blocks that hold entries before `key` take about `bytes`.
struct SizeSample {
  std::string key;
  uint64_t bytes = 0;

  bool operator==(const SizeSample&) const = default;
};

// The hashes of those keys of a table whose hash is a multiple of kOneIn: whoever has the samples
// of two tables can tell how many keys they have in common, to about one in the square root of what
// is sampled. Known of tables that were built since the database was opened; stored nowhere, so it
// has no part in what two infos have in common.
struct KeySample {
  static constexpr uint64_t kOneIn = 1024;

  bool known = false;
  std::vector<uint64_t> hashes;

  bool operator==(const KeySample&) const { return true; }
};

struct TableInfo {
  uint64_t file_number = 0;
  uint64_t file_bytes = 0;

  std::string smallest_key;  // both are keys of entries, and included
  std::string largest_key;
  SequenceNumber smallest_sequence = 0;
  SequenceNumber largest_sequence = 0;

  uint64_t entries = 0;
  uint64_t tombstones = 0;   // of `entries`
  uint64_t key_bytes = 0;    // before compression, sequence numbers not counted
  uint64_t value_bytes = 0;  // before compression; references count as they are encoded
  uint64_t data_bytes = 0;   // the data blocks in the file, padding included

  std::vector<ValueFileUse> value_files;  // ascending by file number
  std::vector<SizeSample> samples;        // at most kSizeSamplesMax, ascending
  KeySample key_sample;

  bool operator==(const TableInfo&) const = default;

  // Appends an encoding that carries its own version and length; docs/sstable.md has its bytes.
  void AppendTo(std::string& to) const;
  // Takes it off the front of `from`. DataLoss if it is malformed.
  static StatusOr<TableInfo> TakeFrom(std::string_view& from);

  // About how many bytes of the file hold the entries with begin <= key < end; an empty `end` is
  // the end of the key space. From the samples, so right to about 1/16 of the file; no I/O.
  uint64_t EstimateBytes(std::string_view begin, std::string_view end) const;
};

inline constexpr size_t kSizeSamplesMax = 32;

}  // namespace varve::sstable
