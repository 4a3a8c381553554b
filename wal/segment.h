// Segment files: made, recycled, found and deleted.
//
//   0000000012.log      a segment of the chain, or the next one standing ready
//   0000000007.spare    a forgotten segment, kept for reuse
//   0000000013.segment  a segment being made
//
// A name with .log appears only when everything in the file is durable that must be: the space, the
// zeros, the header; and a segment is used only when its name is durable, too.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "io/io.h"
#include "io/task.h"
#include "wal/format.h"
#include "wal/log.h"
#include "wal/record.h"

namespace varve::wal {

std::string SegmentPath(const std::string& directory, SegmentNumber number);

// The number in "0000000012.log" and its like; nullopt if `name` is none with this ending (".log").
std::optional<SegmentNumber> SegmentNumberOf(std::string_view name, std::string_view ending);

// Reads and checks the header of an open segment file. kDataLoss if it is not `number`'s, or not
// whole. FailedPrecondition if it is another database's.
StatusOr<SegmentHeader> ReadSegmentHeader(io::File& file, SegmentNumber number,
                                          uint64_t database_id);

// A segment that can be written.
struct Segment {
  explicit Segment(const SegmentHeader& header) : header(header), context(header) {}

  SegmentInfo info() const { return {header.number, header.start_lsn, header.bytes}; }

  const SegmentHeader header;
  const RecordContext context;
  std::unique_ptr<io::File> file;
  std::unique_ptr<io::Mapping> mapping;  // relaxed medium
};

// The files of one log's directory, apart from what is written into them. Calls block. Not
// thread-safe; its user serialises.
class SegmentFiles {
 public:
  SegmentFiles(io::Io& io, const LogOptions& options);

  // Takes stock at the start of a life: deletes what is neither live nor known to be forgotten.
  Status Recover(const LogStart& start);

  // Makes the segment `number`, at least `bytes_min` long, and opens it. It replaces an earlier
  // file of that number. `fresh`: not from a spare one. A large durable one is zeroed at a pace
  // that leaves the disk to commits, unless `hurry` (if given) says that it is wanted soon.
  io::Task<StatusOr<std::shared_ptr<Segment>>> Make(SegmentNumber number, Lsn start_lsn,
                                                    uint64_t bytes_min, bool fresh,
                                                    const std::function<bool()>& hurry);

  // Makes a segment spare, or deletes it. Failures leave the file for the next life to find.
  void Discard(const SegmentInfo& segment);

  // The size that Make gives the next segment at least.
  uint64_t next_bytes() const { return next_bytes_; }

  uint64_t created() const { return created_; }
  uint64_t recycled() const { return recycled_; }
  uint64_t deleted() const { return deleted_; }

 private:
  struct Spare {
    SegmentNumber number;
    uint64_t bytes;
  };

  std::string SparePath(SegmentNumber number) const;
  void Delete(const std::string& path);
  // If `path` may be written over: its size.
  std::optional<uint64_t> Reusable(const std::string& path, SegmentNumber number);
  io::Task<StatusOr<bool>> MakeFromSpare(SegmentHeader& header);
  io::Task<Status> MakeNew(const SegmentHeader& header, const std::function<bool()>& hurry);
  StatusOr<std::shared_ptr<Segment>> OpenForWriting(const SegmentHeader& header);

  io::Io& io_;
  const LogOptions& options_;
  std::vector<Spare> spares_;
  uint64_t next_bytes_;
  uint64_t created_ = 0;
  uint64_t recycled_ = 0;
  uint64_t deleted_ = 0;
};

}  // namespace varve::wal
