// BlockSource: gives an iterator the blocks of a table one after the other, from the cache, from
// what was read ahead, or by asking for a read.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "io/sync.h"
#include "io/task.h"
#include "sstable/block_cache.h"
#include "sstable/entry_iterator.h"
#include "sstable/loaded_table.h"
#include "sstable/page_buffer.h"
#include "sstable/table.h"

namespace varve::sstable {

class BlockSource final : public BlockFetch {
 public:
  enum class Outcome : uint8_t { kReady, kWaiting, kFailed };

  BlockSource(const Table& table, const IteratorOptions& options)
      : table_(table),
        options_(options),
        read_from_(options.read_from),
        read_until_(options.read_until) {
    options_.read_from = options_.read_until = {};
    options_.reads_in_flight_max = std::max<uint32_t>(options_.reads_in_flight_max, 1);
    options_.read_bytes_max =
        std::max<size_t>(io::PageFloor(options_.read_bytes_max), io::kPageBytes);
  }

  // Loads the table's index. After kReady the others may be called.
  Outcome Load();
  const LoadedTable& loaded() const { return *loaded_; }

  // Makes `block` the current one. After kWaiting: call Run or RunNow, then this again.
  Outcome Enter(uint32_t block);

  // Hints that `block` is likely to be entered soon. Announce brings its place in the cache near;
  // Preload, some time later, pins it there and brings its beginning near. At most one block, the
  // last one, is kept so. Blocks that are not cached are left alone.
  void Announce(uint32_t block) const;
  void Preload(uint32_t block);

  // The current block, valid until the next Enter.
  std::string_view bytes() const { return bytes_; }
  bool from_cache() const { return from_cache_; }

  const Status& status() const { return status_; }
  // Forgets the current block and the error.
  void Reset();

  io::Task<void> Run() override;
  void RunNow() override;

 private:
  // Blocks [first, past) of the file, read or being read.
  struct Chunk {
    PageBuffer pages;
    uint64_t offset = 0;
    size_t bytes = 0;
    uint32_t first = 0;
    uint32_t past = 0;
    Status status;  // once done
    io::Event done;
  };
  enum class Want : uint8_t { kIndex, kWindow, kChunk };

  Outcome EnterCached(uint32_t block);
  Outcome EnterScan(uint32_t block);
  Outcome Fail(Status status);
  Outcome UsePin(uint32_t block, BlockPin pin, bool from_cache);
  // Makes `block` current from the pages of `chunk`, without the cache.
  Outcome UsePages(uint32_t block, const Chunk& chunk);

  // A chunk of the blocks from `first` on that fit into `bytes`; at least one.
  std::shared_ptr<Chunk> Plan(uint32_t first, size_t bytes);
  // The same of those up to `last`.
  std::shared_ptr<Chunk> PlanBefore(uint32_t last, size_t bytes);
  std::shared_ptr<Chunk> NewChunk(uint64_t begin, uint64_t end, uint32_t first, uint32_t past,
                                  size_t bytes);
  // The window for a miss of `block`: larger with each, once the iterator has gone from block to
  // block for a while.
  std::shared_ptr<Chunk> PlanWindow(uint32_t block);
  // 1 or -1 if `block` is the neighbour of the last one, else 0.
  int StepTo(uint32_t block) const;
  // The first block that need not be read ahead, and the last before which it need not be.
  uint32_t ReadLimit() const;
  uint32_t ReadFloor() const;
  // Starts reads, as many as may be under way, of what lies at or behind `block`.
  void StartReads(uint32_t block);
  void StartRead(uint32_t first);
  void DropChunksBefore(uint32_t block);
  static io::Task<void> Read(std::shared_ptr<const LoadedTable> loaded,
                             std::shared_ptr<Chunk> chunk);

  const Table& table_;
  IteratorOptions options_;
  const std::string read_from_;
  const std::string read_until_;
  std::shared_ptr<const LoadedTable> loaded_;
  Status status_;
  Want want_ = Want::kIndex;

  // The current block.
  static constexpr uint32_t kNone = ~uint32_t{0};
  uint32_t block_ = kNone;  // the last that was current
  bool current_ = false;    // bytes_ is still that block
  uint32_t steps_ = 0;      // from block to block in one direction, without a gap
  int step_ = 0;            // the last of them
  std::string_view bytes_;
  bool from_cache_ = false;
  BlockPin pin_;
  std::string scratch_;
  // What Preload found.
  uint32_t ahead_ = kNone;
  BlockPin ahead_pin_;

  // What was read for the last miss.
  std::shared_ptr<Chunk> window_;
  size_t window_bytes_ = 0;
  // kScan: reads done and under way, ascending.
  std::vector<std::shared_ptr<Chunk>> chunks_;
  uint32_t next_read_ = 0;  // the first block that no read was started for
  std::vector<PageBuffer> spare_;
};

}  // namespace varve::sstable
