// Everything about a Db that its user may choose.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "base/entry.h"

namespace varve::compaction {
class Policy;
}

namespace varve::engine {

class Snapshot;

// How the log reaches the disk; see docs/wal.md. A database may change it from one opening to the
// next.
enum class Durability : uint8_t {
  kDurable,  // a write returns when it would survive a power cut
  kRelaxed,  // a write returns when it would survive the end of the process; WriteOptions::sync
             // asks for more
};

// How compaction lays out tables; docs/compaction.md compares them. A directory may be opened with
// another layout than it was written with.
enum class Layout : uint8_t {
  kLeveled,      // each level one sorted run, ten times as large as the one above
  kLazyLeveled,  // several runs above one large one: less is written, reads look into more runs
  kTiered,       // runs only: least is written, space may double
};
inline constexpr int kLayoutCount = static_cast<int>(Layout::kTiered) + 1;
// "leveled", "lazy-leveled", "tiered".
std::string_view LayoutName(Layout layout);
std::optional<Layout> LayoutNamed(std::string_view name);

// Rules of the order of events on disk (docs/reliability.md) that the simulator takes away one at a
// time, to show that its checks would notice. (Syncs it takes away by itself.) Never set elsewhere.
enum class Rule : uint8_t {
  kNone,
  kLogBeforeTable,       // the log is durable up to a table's largest sequence number before that
                         // table is installed
  kForgetBeforeRecycle,  // a log segment is recycled after the edit that forgets it
  kForgetBeforeDelete,   // a table is deleted after the edit that forgets it
  kSequenceCeiling,      // the manifest's ceiling stays ahead of every sequence number
  kSealLogEnd,           // recovery seals the end it found before anything is appended
};
inline constexpr int kRuleCount = static_cast<int>(Rule::kSealLogEnd) + 1;

struct Options {
  bool create_if_missing = true;
  Durability durability = Durability::kDurable;

  // ---- Memory
  // All memtables together. Flushes begin at half of it, writes slow down from three quarters on.
  // Memory of memtables that were flushed, up to half of this, is kept for the next ones.
  size_t memtable_budget_bytes = size_t{128} << 20;
  // One partition's memtable is frozen at this size.
  size_t memtable_bytes_max = size_t{32} << 20;
  // Blocks, indexes and filters of tables.
  size_t block_cache_bytes = size_t{256} << 20;

  // ---- Log
  size_t log_segment_bytes = size_t{64} << 20;  // relaxed: 16 MiB at most
  // Beyond this, the partitions that hold the log's tail are flushed.
  size_t log_bytes_max = size_t{512} << 20;

  // ---- Tables
  size_t table_bytes_target = size_t{32} << 20;
  int compression_level = 1;  // Zstandard; 0 stores blocks raw
  int filter_bits_per_key = 10;
  // Values of this size and more live in value files. With its key a larger one would take two
  // pages in a table, and be rewritten by every merge.
  size_t value_separation_bytes = size_t{4} << 10;
  // Open tables kept at most, each with one file descriptor.
  size_t open_tables_max = 1000;

  // ---- Partitions and compaction
  // A partition that grows beyond this splits by itself.
  size_t partition_bytes_max = size_t{8} << 30;
  Layout layout = Layout::kLazyLeveled;
  // Level 0 is compacted at this many tables, writes to it slow down at three times and wait at six
  // times as many.
  int level0_tables_max = 4;
  // For Layout::kLeveled: each level over the one above, and the size of the topmost.
  int level_size_ratio = 10;
  size_t level1_bytes = size_t{128} << 20;
  // Threads for flush and compaction; 0 is one fewer than the cores, at least one.
  int background_workers = 0;
  // What decides on compactions instead of `layout`. Shared with nobody else.
  std::shared_ptr<compaction::Policy> policy;

  // A manifest longer than this is rewritten.
  size_t manifest_bytes_max = size_t{16} << 20;
  // Disk kept free for compaction; writes fail with ResourceExhausted below it.
  size_t reserved_disk_bytes = size_t{64} << 20;

  // For the simulator only.
  Rule skipped_rule = Rule::kNone;
};

struct WriteOptions {
  // With a relaxed log: return when the write would survive a power cut.
  bool sync = false;
};

struct ReadOptions {
  // Read as of this snapshot; nullptr reads the newest. Must outlive the read.
  const Snapshot* snapshot = nullptr;
  // Keep blocks that the read loads. Unset it for scans that would wash the cache out.
  bool fill_cache = true;
};

}  // namespace varve::engine
