// BTree: a B+-tree with key heads, one writer and readers without synchronisation beyond acquire
// loads. Measured by memtable_bench; lost.
//
// A slot of a node is one 64-bit word: the head of a key in the upper half, an arena offset in the
// lower: of an entry in a leaf, of a child in an inner node. The head is the four bytes of the key
// after the prefix that all keys of the node share, as a big-endian number, so that words mostly
// compare as their keys do; only equal heads need the key itself. An inner node's slot is sorted by
// the low fence of its child; its slot 0 counts as before everything (head 0).
//
// What lets readers search a node while the writer inserts into it:
//   1. A word is read and written whole. What an offset refers to never changes.
//   2. The writer inserts by moving words one place to the right, the last one first. So every word
//      published is somewhere in the node at any time, words are sorted at any time (one may be
//      there twice), and what stands at a place only ever gets smaller: "the word at i is before x"
//      stays true once seen.
//   3. A node is never emptied or reused: a split makes new nodes and leaves the old one as it is,
//      with everything inserted before.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <span>
#include <string_view>

#include "bench/structures/entry_bytes.h"
#include "memtable/arena.h"

namespace varve::bench {

namespace btree {

using memtable::Arena;

// The four bytes of `key` after `prefix_bytes`, zeros where it is shorter.
inline uint32_t HeadOf(std::string_view key, size_t prefix_bytes) {
  if (key.size() >= prefix_bytes + 4) {
    return __builtin_bswap32(LoadU32(key.data() + prefix_bytes));
  }
  uint32_t head = 0;
  for (size_t i = prefix_bytes; i < key.size(); ++i) {
    head |= uint32_t{static_cast<uint8_t>(key[i])} << (24 - 8 * (i - prefix_bytes));
  }
  return head;
}

struct Node {
  static constexpr uint32_t kSlots = 29;
  static constexpr uint64_t kEmpty = ~uint64_t{0};

  // Neighbours of a leaf. Those of a node that was split stay as they were: then what they refer to
  // holds everything that was there at that time.
  std::atomic<Arena::Offset> previous{0};
  std::atomic<Arena::Offset> next{0};
  // The entry that is the lower bound of the node; 0 for the leftmost nodes.
  Arena::Offset low = 0;
  // If not 0: an entry that begins with the prefix, which a sought key may not share. Only nodes
  // that had no bound on one side when they were made need this; between two bounds all share the
  // prefix.
  Arena::Offset prefix_holder = 0;
  uint16_t prefix_bytes = 0;
  uint8_t level = 0;  // 0: a leaf
  // The writer's own: how many slots are used; where it last inserted, and how often it has
  // inserted right behind its last insertion.
  uint8_t run = 0;
  uint16_t count = 0;
  uint16_t last_insert = 0;
  // Sorted; kEmpty from `count` on.
  std::atomic<uint64_t> slots[kSlots];

  Node() {
    for (std::atomic<uint64_t>& slot : slots) slot.store(kEmpty, std::memory_order_relaxed);
  }

  static constexpr uint64_t Word(uint32_t head, Arena::Offset offset) {
    return uint64_t{head} << 32 | offset;
  }
  static uint32_t HeadOfWord(uint64_t word) { return static_cast<uint32_t>(word >> 32); }
  static Arena::Offset OffsetOfWord(uint64_t word) { return static_cast<Arena::Offset>(word); }

  // Acquire: what the offset in the word refers to was written before the word.
  uint64_t Load(size_t slot) const { return slots[slot].load(std::memory_order_acquire); }
  void Store(size_t slot, uint64_t word) { slots[slot].store(word, std::memory_order_release); }

  void Prefetch() const {
    for (size_t line = 0; line < sizeof(Node) / 64; ++line) {
      __builtin_prefetch(reinterpret_cast<const char*>(this) + line * 64);
    }
    // GCC takes a function that only prefetches for one without effects, and drops the call.
    asm volatile("");
  }

  // Where a search ended: the first word that is not before the target (kEmpty if there is none),
  // at `slot`, and the last one that is (0 if there is none), which was seen at `slot` - 1.
  struct Position {
    uint32_t slot;
    uint64_t before;
    uint64_t at;
  };

  // Walks right from `slot`, all to the left of which is before the target, as `is_before(word)`
  // tells for words that are not kEmpty. Reading from left to right and remembering the last word
  // is what makes `before` right while words move: had another come to stand between the two, the
  // second read would have met it or the first again.
  template <typename IsBefore>
  Position WalkRight(uint32_t slot, const IsBefore& is_before) const {
    uint64_t before = slot == 0 ? 0 : Load(slot - 1);
    for (; slot < kSlots; ++slot) {
      const uint64_t word = Load(slot);
      if (word == kEmpty || !is_before(word)) return {slot, before, word};
      before = word;
    }
    return {kSlots, before, kEmpty};
  }

  // The number of words whose head is less than `head`, at least: others may arrive meanwhile.
  // Without branches to mispredict.
  uint32_t CountLess(uint32_t head) const {
    uint32_t base = 0;
    uint32_t left = kSlots;
    while (left > 1) {
      const uint32_t half = left / 2;
      base += half & -static_cast<uint32_t>(HeadOfWord(Load(base + half - 1)) < head);
      left -= half;
    }
    return base + (HeadOfWord(Load(base)) < head);
  }

  // Finds the place where words stop to be before, given that all words with heads less than `head`
  // are before and all with greater heads are not.
  template <typename IsBefore>
  Position Search(uint32_t head, const IsBefore& is_before) const {
    uint32_t slot = CountLess(head);
    if (slot < kSlots) {
      const uint64_t word = Load(slot);
      if (HeadOfWord(word) == head && word != kEmpty && is_before(word)) {
        // Equal heads: their keys decide, and each may cost a cache miss.
        uint32_t low = slot + 1;
        uint32_t high = kSlots;
        while (low < high) {
          const uint32_t middle = (low + high) / 2;
          const uint64_t probed = Load(middle);
          if (probed != kEmpty && is_before(probed)) {
            low = middle + 1;
          } else {
            high = middle;
          }
        }
        slot = low;
      }
    }
    return WalkRight(slot, is_before);
  }

  Position Last() const {
    return Search(~uint32_t{0}, [](uint64_t) { return true; });
  }

  // How `key`'s prefix compares with the node's: 0 if it shares it, as it does within the bounds of
  // most nodes, else the order of `key` and everything in the node.
  int ComparePrefix(const Arena& arena, std::string_view key) const {
    if (prefix_holder == 0) return 0;
    const char* const prefix = arena.At(prefix_holder) + kEntryHeaderBytes;
    const size_t shared_bytes = key.size() < prefix_bytes ? key.size() : prefix_bytes;
    const int order = std::memcmp(key.data(), prefix, shared_bytes);
    return order != 0 ? order : key.size() < prefix_bytes ? -1 : 0;
  }

  // In a leaf: where `target` is or would be.
  Position LowerBound(const Arena& arena, const Target& target) const {
    if (const int order = ComparePrefix(arena, target.key); order != 0) [[unlikely]] {
      return order < 0 ? Position{0, 0, Load(0)} : Last();
    }
    const uint32_t head = HeadOf(target.key, prefix_bytes);
    return Search(head, [&](uint64_t word) {
      const uint32_t other = HeadOfWord(word);
      return other != head ? other < head : target.OrderOf(arena.At(OffsetOfWord(word))) < 0;
    });
  }

  // In an inner node: the child to look for `target` in is `before`.
  Position FindChild(const Arena& arena, const Target& target) const {
    if (const int order = ComparePrefix(arena, target.key); order != 0) [[unlikely]] {
      return order < 0 ? Position{1, Load(0), Load(1)} : Last();
    }
    const uint32_t head = HeadOf(target.key, prefix_bytes);
    const auto is_before = [&](uint64_t word) {
      const uint32_t other = HeadOfWord(word);
      if (other != head) return other < head;
      const Node& child = At(arena, OffsetOfWord(word));
      return child.low == 0 || target.OrderOf(arena.At(child.low)) <= 0;
    };
    return Search(head, is_before);
  }

  static const Node& At(const Arena& arena, Arena::Offset offset) {
    return *reinterpret_cast<const Node*>(arena.At(offset));
  }
  static Node& At(Arena& arena, Arena::Offset offset) {
    return *reinterpret_cast<Node*>(arena.At(offset));
  }

  // The leaf that `target` belongs into, below `root` (not 0).
  static const Node& FindLeaf(const Arena& arena, Arena::Offset root, const Target& target) {
    const Node* node = &At(arena, root);
    for (int level = node->level; level > 0; --level) {
      node = &At(arena, OffsetOfWord(node->FindChild(arena, target).before));
      node->Prefetch();
    }
    return *node;
  }
};

static_assert(sizeof(Node) % 64 == 0, "a node is whole cache lines");

}  // namespace btree

class BTree {
 private:
  using Arena = memtable::Arena;
  using Node = btree::Node;
  using Offset = Arena::Offset;

 public:
  void Add(const Entry& entry);
  bool Get(std::string_view key, SequenceNumber sequence, Entry* entry) const;
  size_t bytes() const { return arena_.bytes(); }

  class Iterator {
   public:
    explicit Iterator(const BTree& tree) : tree_(&tree) {}
    bool Valid() const { return word_ != 0; }
    const Entry& entry() const { return entry_; }
    void Seek(std::string_view key, SequenceNumber sequence);
    void Next();

   private:
    void Set(const Node& leaf, uint32_t slot, uint64_t word);

    const BTree* tree_;
    const Node* leaf_ = nullptr;
    uint32_t slot_ = 0;
    uint64_t word_ = 0;
    Entry entry_;
  };

 private:
  friend class BTreeWriter;

  struct Place {
    const Node* leaf = nullptr;
    uint32_t slot = 0;
    uint64_t word = 0;
  };
  Place FindFirst(std::string_view key, SequenceNumber sequence) const;

  Arena arena_;
  std::atomic<Offset> root_{0};
};

}  // namespace varve::bench
