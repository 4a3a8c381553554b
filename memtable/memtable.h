// Memtable: the newest entries of one partition, sorted, in memory.
//
//   Memtable memtable;
//   memtable.Add({.key = "k", .sequence = 7, .kind = EntryKind::kPut, .value = "v"});
//   if (std::optional<Entry> entry = memtable.Get("k", snapshot)) ...   // may be a tombstone
//
//   Memtable::Iterator iterator(memtable);
//   for (iterator.Seek("k", snapshot); iterator.Valid(); iterator.Next()) Use(iterator.entry());
//
// Threads: one thread at a time may call Add; any number may read meanwhile. Readers take no lock,
// never wait for the writer and never repeat work because of it. An entry is found by every lookup
// and every iterator positioned after its Add returned (as the release of a newer visible sequence
// number, acquired by the reader, orders it); what is added later may or may not be seen, so
// readers bound what they use by a sequence number.
//
// Memory: everything lies in one arena that is freed with the memtable, so views stay valid as long
// as the memtable does. An empty memtable owns nothing but itself (under 512 bytes).
//
// Structure: an adaptive radix tree whose readers need no synchronisation beyond acquire loads; see
// docs/memtable.md for how it works and for the measurements it was chosen by.
#pragma once

#include <absl/container/inlined_vector.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/entry.h"
#include "memtable/arena.h"

namespace varve::memtable {

struct Node;

class Memtable {
 public:
  // A memtable takes less than this; the owner freezes it long before.
  static constexpr uint64_t kBytesMax = Arena::kBytesMax;

  // Large pieces of memory come from `pool`, which outlives the memtable, or from the system.
  explicit Memtable(ChunkPool* pool = nullptr) : arena_(pool) {}
  Memtable(const Memtable&) = delete;
  Memtable& operator=(const Memtable&) = delete;

  // Copies `entry` in. If an entry with the same key and sequence is there it is replaced: the last
  // write of a batch wins. Keys up to kKeyBytesMax, values up to kValueBytesMax. Sequence numbers
  // may come in any order; an entry older than n others of its key costs copies of those.
  void Add(const Entry& entry) { Add({&entry, 1}); }
  // The same for several, in their order. What they wait for in memory comes side by side, and keys
  // that stand in order cost less.
  void Add(std::span<const Entry> entries);

  // The newest entry of `key` whose sequence is at most `sequence`; it may be a tombstone.
  std::optional<Entry> Get(std::string_view key, SequenceNumber sequence) const;

  bool empty() const { return entries() == 0; }
  uint64_t entries() const { return entries_.load(std::memory_order_relaxed); }
  uint64_t tombstones() const { return tombstones_.load(std::memory_order_relaxed); }
  // Bytes of keys and values, without overhead: about what a flush will write.
  uint64_t data_bytes() const { return data_bytes_.load(std::memory_order_relaxed); }
  // The range of sequence numbers added; kSequenceMax and 0 while empty.
  SequenceNumber smallest_sequence() const {
    return smallest_sequence_.load(std::memory_order_relaxed);
  }
  SequenceNumber largest_sequence() const {
    return largest_sequence_.load(std::memory_order_relaxed);
  }
  // All memory the memtable holds, this object included.
  size_t bytes() const { return sizeof(*this) + arena_.bytes(); }

  class Lookup;
  class Iterator;
  class Scan;

 private:
  // How many entries are brought near their places side by side.
  static constexpr size_t kAddedTogether = 16;

  Arena arena_;
  std::atomic<uint32_t> root_{0};  // a Child (node.h); 0 while empty
  std::atomic<uint64_t> entries_{0};
  std::atomic<uint64_t> tombstones_{0};
  std::atomic<uint64_t> data_bytes_{0};
  std::atomic<SequenceNumber> smallest_sequence_{kSequenceMax};
  std::atomic<SequenceNumber> largest_sequence_{0};
};

// A Get of one memory access at a time, for who looks up several keys side by side:
//
//   Memtable::Lookup lookup(memtable, key);
//   while (!lookup.Advance()) ...                  // the others have their turn meanwhile
//   std::optional<Entry> entry = lookup.Find(snapshot);
//
// The memtable and the key must outlive it.
class Memtable::Lookup {
 public:
  Lookup(const Memtable& memtable, std::string_view key)
      : arena_(&memtable.arena_),
        key_(key),
        child_(memtable.root_.load(std::memory_order_acquire)) {}

  // Takes a step down the tree and asks the memory for what comes next. True once it is there.
  bool Advance();
  // As Get, after Advance has returned true.
  std::optional<Entry> Find(SequenceNumber sequence) const;

 private:
  const Arena* arena_;
  std::string_view key_;
  uint32_t child_;  // a Child (node.h)
  size_t depth_ = 0;
};

// A position among the entries, in entry order (keys ascending, newer versions of a key first).
// Sees every version; starts invalid. Not thread-safe; cheap to make and copy. The memtable must
// outlive it.
class Memtable::Iterator {
 public:
  explicit Iterator(const Memtable& memtable) : memtable_(&memtable) {}

  bool Valid() const { return record_ != 0; }
  // While Valid(). The views are valid as long as the memtable.
  const Entry& entry() const { return entry_; }

  void SeekToFirst();
  void SeekToLast();
  // To the first entry at or after (key, sequence): the newest version of `key` not newer than
  // `sequence`, or else the first entry of a later key.
  void Seek(std::string_view key, SequenceNumber sequence);
  // To the last entry before (key, sequence).
  void SeekBefore(std::string_view key, SequenceNumber sequence);
  // While Valid().
  void Next();
  void Prev();

 private:
  // A node on the way to the current entry, and the place in it where the way goes on.
  struct Step {
    const Node* node;
    int position;
  };

  void Set(uint32_t record, uint32_t newest);
  // To the next or previous key, from where the stack says.
  void Advance();
  void Retreat();

  const Memtable* memtable_;
  uint32_t record_ = 0;  // the current entry's; 0 if not Valid
  uint32_t newest_ = 0;  // the newest version of its key, as it was when the iterator came to it
  Entry entry_;
  absl::InlinedVector<Step, 12> stack_;
};

// All entries once, in entry order, several at a time: what a flush reads. It asks for the memory
// of nodes and records long before it looks at them, so that what lies scattered comes side by
// side.
//
//   Memtable::Scan scan(memtable);
//   for (auto entries = scan.Next(); !entries.empty(); entries = scan.Next()) ...
//
// Of a memtable that nobody adds to any more; it must outlive the scan. Not thread-safe.
class Memtable::Scan {
 public:
  explicit Scan(const Memtable& memtable);

  // The next entries, none at the end. The span is valid until the next call, the views in it as
  // long as the memtable.
  std::span<const Entry> Next();

 private:
  static constexpr size_t kWindow = 32;
  static constexpr size_t kNodesAhead = 6;

  // A node whose children are being visited.
  struct Step {
    const Node* node;
    int position;                    // large layouts: the child visited last
    int ahead;                       // and the last one asked for
    uint8_t next;                    // small layouts: how many of `order` are done
    uint8_t count;                   // and how many there are
    std::array<uint16_t, 32> order;  // byte and place of each, ascending
  };
  // Newest records of keys.
  struct Leaves {
    std::array<uint32_t, kWindow> records;
    size_t count = 0;
  };

  void Enter(uint32_t child);
  uint32_t NextChild(Step& step);
  void Gather(Leaves& leaves);

  const Arena* arena_;
  std::vector<Step> stack_;
  Leaves current_, following_;
  size_t next_leaf_ = 0;  // of current_
  uint32_t older_ = 0;    // the next version of the key at hand; 0 if there is none
  std::array<Entry, kWindow> entries_;
};

}  // namespace varve::memtable
