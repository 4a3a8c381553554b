// Printing what is in a segment file, whole or damaged, for people.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "io/io.h"
#include "wal/format.h"

namespace varve::wal {

struct DumpedRecord {
  enum class State : uint8_t {
    kValid,
    kDamaged,   // begins like a record of this life, but its checksum or its length is wrong
    kLeftover,  // bytes that are no record of this life, up to the next record or the end
  };
  State state = State::kValid;
  uint64_t file_offset = 0;
  uint64_t bytes = 0;  // that it takes in the file
  // The rest: kValid only.
  RecordType type = RecordType::kBatch;
  Lsn lsn = 0;
  SequenceNumber sequence = 0;
  Lsn durable_lsn = 0;
  std::string_view payload;  // valid during the callback
  // A valid record behind something that is not: not part of the log, if the log was not damaged.
  bool behind_gap = false;
};

// Reads the segment file at `path` and calls back first with its header, then with what is in it,
// in order of offsets. Errors of reading, and kDataLoss for a damaged header, are returned; damaged
// records are not an error. Holds the segment in memory.
io::Task<Status> DumpSegment(io::Io& io, std::string path,
                             std::function<void(const SegmentHeader&)> on_header,
                             std::function<void(const DumpedRecord&)> on_record);

}  // namespace varve::wal
