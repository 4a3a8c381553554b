// Node: the inner nodes of the memtable's radix tree. Internal to memtable/.
//
// A node stands for the keys that begin with its path: the bytes on the way down to it, and then
// its prefix, which all keys below share. The next byte of a key selects a child; the key that ends
// at the node is its `end`. A child is the newest record of one key (a leaf: the tree branches no
// further than keys differ) or another node. The prefix is read from a key that has it, its
// `holder`, except for its first eight bytes.
//
// What lets readers walk the tree while the one writer changes it: a child, once there, is replaced
// in a single store by one that holds everything the former held, and never removed; and everything
// else in a node is written before the node, or the place in it, can be reached. Where a node must
// change otherwise (grow, or have a shorter prefix), the writer makes another and puts it in the
// former's place. Nothing is freed or reused, so who still stands in the former node finds there
// all that was in it when it was replaced.
//
// Five layouts, by the number of children: kSmall4, kSmall16 and kSmall32 list them in the order
// they came, with their bytes packed into words; kIndexed64 finds their places through a table of
// 256 bytes; kFull has a place for every byte.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "memtable/arena.h"
#include "memtable/record.h"

namespace varve::memtable {

// A record's offset with the highest bit set, a node's without, or 0: nothing.
using Child = uint32_t;
inline constexpr Child kLeafBit = Child{1} << 31;
inline bool IsLeaf(Child child) { return (child & kLeafBit) != 0; }
inline Child LeafOf(Arena::Offset record) { return record | kLeafBit; }
inline Arena::Offset RecordOf(Child leaf) { return leaf & ~kLeafBit; }

struct Node {
  enum class Layout : uint8_t { kSmall4, kSmall16, kSmall32, kIndexed64, kFull };

  // Where in a node: a byte that selects a child, or its end, which comes before all.
  static constexpr int kBeforeAll = -2;
  static constexpr int kEnd = -1;
  static constexpr int kAfterAll = 256;

  static constexpr size_t kInlinePrefixBytes = 8;

  Layout layout;
  // Small and indexed layouts: how many children there are. Released after the child is in its
  // place.
  std::atomic<uint8_t> count{0};
  uint32_t prefix_bytes = 0;
  Arena::Offset holder = 0;
  std::atomic<Child> end{0};
  char prefix[kInlinePrefixBytes];

  explicit Node(Layout layout) : layout(layout) {}

  void SetPrefix(const Arena& arena, Arena::Offset new_holder, size_t depth, size_t bytes) {
    holder = new_holder;
    prefix_bytes = static_cast<uint32_t>(bytes);
    std::memcpy(prefix, Record(arena, holder).key().data() + depth,
                std::min(bytes, kInlinePrefixBytes));
  }
  // The prefix of a node whose path takes `depth` bytes before it.
  std::string_view Prefix(const Arena& arena, size_t depth) const {
    if (prefix_bytes <= kInlinePrefixBytes) return {prefix, prefix_bytes};
    return {Record(arena, holder).key().data() + depth, prefix_bytes};
  }

  // The place of the child for `byte`; nullptr if there is none.
  inline std::atomic<Child>* Find(uint8_t byte);
  const std::atomic<Child>* Find(uint8_t byte) const { return const_cast<Node*>(this)->Find(byte); }

  // The first child behind `*position`, or the last before it, which is set to where that is; 0 if
  // there is none.
  inline Child After(int* position) const;
  inline Child Before(int* position) const;

  // Asks for the memory of the children, if they are few.
  inline void PrefetchChildren(const Arena& arena) const;
  // Asks for the memory of a child.
  static void Prefetch(const Arena& arena, Child child) {
    const char* const memory = arena.At(RecordOf(child));
    __builtin_prefetch(memory);
    __builtin_prefetch(memory + 64);
    // GCC takes a function that only prefetches for one without effects, and drops the call.
    asm volatile("");
  }

  static const Node& At(const Arena& arena, Child child) {
    return *reinterpret_cast<const Node*>(arena.At(child));
  }
  static Node& At(Arena& arena, Child child) { return *reinterpret_cast<Node*>(arena.At(child)); }
};

template <int kCapacity, typename Word, Node::Layout kLayout>
struct SmallNode : Node {
  static constexpr int kChildrenMax = kCapacity;
  static constexpr int kBytesPerWord = sizeof(Word);
  static constexpr int kWords = kCapacity / kBytesPerWord;
  static constexpr Word kOnes = static_cast<Word>(0x0101010101010101u);
  static constexpr Word kHighBits = static_cast<Word>(0x8080808080808080u);

  // Relaxed: `count` orders them.
  std::array<std::atomic<Word>, kWords> bytes{};
  std::array<std::atomic<Child>, kCapacity> children{};

  SmallNode() : Node(kLayout) {}

  uint8_t ByteAt(int i) const {
    const Word word = bytes[static_cast<size_t>(i / kBytesPerWord)].load(std::memory_order_relaxed);
    return static_cast<uint8_t>(word >> (i % kBytesPerWord * 8));
  }

  std::atomic<Child>* FindByte(uint8_t byte) {
    const int n = count.load(std::memory_order_acquire);
    for (int word = 0; word < kWords; ++word) {
      // The lowest zero byte of the difference, if any, is the lowest byte equal (those above it
      // may be marked falsely). A place not in use yet is 0 or what it will be.
      const Word difference =
          bytes[static_cast<size_t>(word)].load(std::memory_order_relaxed) ^ (kOnes * byte);
      const Word zeros = (difference - kOnes) & ~difference & kHighBits;
      if (zeros != 0) {
        const int i = word * kBytesPerWord + std::countr_zero(zeros) / 8;
        return i < n ? &children[static_cast<size_t>(i)] : nullptr;
      }
    }
    return nullptr;
  }

  bool Full() const { return count.load(std::memory_order_relaxed) == kCapacity; }

  void Add(uint8_t byte, Child child) {
    const int n = count.load(std::memory_order_relaxed);
    std::atomic<Word>& word = bytes[static_cast<size_t>(n / kBytesPerWord)];
    children[static_cast<size_t>(n)].store(child, std::memory_order_relaxed);
    word.store(word.load(std::memory_order_relaxed) |
                   static_cast<Word>(Word{byte} << (n % kBytesPerWord * 8)),
               std::memory_order_relaxed);
    count.store(static_cast<uint8_t>(n + 1), std::memory_order_release);
  }

  // The place whose byte is the smallest one above `position`, or the greatest below; -1 if there
  // is none.
  int PlaceAfter(int position) const {
    return Nearest(
        [position](uint32_t byte) { return byte - static_cast<uint32_t>(position + 1); });
  }
  int PlaceBefore(int position) const {
    return Nearest(
        [position](uint32_t byte) { return static_cast<uint32_t>(position - 1) - byte; });
  }

 private:
  // The place with the smallest distance, -1 if none is in [0, 255]: those on the wrong side wrap
  // around to huge ones. Distance and place in one number leave no branch to mispredict.
  template <typename Distance>
  int Nearest(const Distance& distance) const {
    const uint32_t n = count.load(std::memory_order_acquire);
    uint32_t best = ~uint32_t{0};
    for (uint32_t i = 0; i < n;) {
      Word word = bytes[i / kBytesPerWord].load(std::memory_order_relaxed);
      for (const uint32_t end = std::min<uint32_t>(i + kBytesPerWord, n); i < end; ++i) {
        best = std::min(best, distance(static_cast<uint32_t>(word & 0xff)) << 8 | i);
        word >>= 8;
      }
    }
    return best < uint32_t{256} << 8 ? static_cast<int>(best & 0xff) : -1;
  }
};

using SmallNode4 = SmallNode<4, uint32_t, Node::Layout::kSmall4>;
using SmallNode16 = SmallNode<16, uint64_t, Node::Layout::kSmall16>;
using SmallNode32 = SmallNode<32, uint64_t, Node::Layout::kSmall32>;

// Which of 256 bytes have a child, for walking through the large layouts. Released after the child
// is in its place.
class ByteSet {
 public:
  void Insert(uint8_t byte) {
    std::atomic<uint64_t>& word = words_[byte / 64];
    word.store(word.load(std::memory_order_relaxed) | uint64_t{1} << byte % 64,
               std::memory_order_release);
  }
  // The smallest element above `position`, the greatest below; -1 if there is none.
  int After(int position) const {
    size_t i = static_cast<size_t>(position + 1) / 64;
    if (i > 3) return -1;
    uint64_t word = Load(i) >> (position + 1) % 64 << (position + 1) % 64;
    while (word == 0) {
      if (++i == 4) return -1;
      word = Load(i);
    }
    return static_cast<int>(i * 64) + std::countr_zero(word);
  }
  int Before(int position) const {
    if (position <= 0) return -1;
    size_t i = static_cast<size_t>(position - 1) / 64;
    const int unwanted = 63 - (position - 1) % 64;
    uint64_t word = Load(i) << unwanted >> unwanted;
    while (word == 0) {
      if (i-- == 0) return -1;
      word = Load(i);
    }
    return static_cast<int>(i * 64) + 63 - std::countl_zero(word);
  }

 private:
  uint64_t Load(size_t i) const { return words_[i].load(std::memory_order_acquire); }

  std::array<std::atomic<uint64_t>, 4> words_{};
};

struct IndexedNode64 : Node {
  static constexpr int kChildrenMax = 64;
  static constexpr uint8_t kNone = 255;

  ByteSet set;
  // Released after the child is in its place.
  std::array<std::atomic<uint8_t>, 256> places;
  std::array<std::atomic<Child>, kChildrenMax> children{};

  IndexedNode64() : Node(Layout::kIndexed64) {
    for (std::atomic<uint8_t>& place : places) place.store(kNone, std::memory_order_relaxed);
  }

  std::atomic<Child>* FindByte(uint8_t byte) {
    const uint8_t place = places[byte].load(std::memory_order_acquire);
    return place == kNone ? nullptr : &children[place];
  }
  bool Full() const { return count.load(std::memory_order_relaxed) == kChildrenMax; }
  void Add(uint8_t byte, Child child) {
    const uint8_t n = count.load(std::memory_order_relaxed);
    children[n].store(child, std::memory_order_relaxed);
    places[byte].store(n, std::memory_order_release);
    set.Insert(byte);
    count.store(static_cast<uint8_t>(n + 1), std::memory_order_relaxed);
  }
};

struct FullNode : Node {
  static constexpr int kChildrenMax = 256;

  ByteSet set;
  std::array<std::atomic<Child>, 256> children{};

  FullNode() : Node(Layout::kFull) {}

  std::atomic<Child>* FindByte(uint8_t byte) {
    return children[byte].load(std::memory_order_relaxed) == 0 ? nullptr : &children[byte];
  }
  bool Full() const { return false; }
  void Add(uint8_t byte, Child child) {
    children[byte].store(child, std::memory_order_release);
    set.Insert(byte);
  }
};

// Calls `function` with the node as what it is.
template <typename Function>
decltype(auto) Dispatch(Node& node, Function&& function) {
  switch (node.layout) {
    case Node::Layout::kSmall4:
      return function(static_cast<SmallNode4&>(node));
    case Node::Layout::kSmall16:
      return function(static_cast<SmallNode16&>(node));
    case Node::Layout::kSmall32:
      return function(static_cast<SmallNode32&>(node));
    case Node::Layout::kIndexed64:
      return function(static_cast<IndexedNode64&>(node));
    default:
      return function(static_cast<FullNode&>(node));
  }
}

inline std::atomic<Child>* Node::Find(uint8_t byte) {
  return Dispatch(*this, [byte](auto& node) { return node.FindByte(byte); });
}

inline Child Node::After(int* position) const {
  if (*position < kEnd) {
    *position = kEnd;
    if (const Child child = end.load(std::memory_order_acquire); child != 0) return child;
  }
  return Dispatch(const_cast<Node&>(*this), [position](auto& node) -> Child {
    if constexpr (requires { node.PlaceAfter(0); }) {
      const int place = node.PlaceAfter(*position);
      if (place < 0) return 0;
      *position = node.ByteAt(place);
      return node.children[static_cast<size_t>(place)].load(std::memory_order_acquire);
    } else {
      const int byte = node.set.After(*position);
      if (byte < 0) return 0;
      *position = byte;
      return node.FindByte(static_cast<uint8_t>(byte))->load(std::memory_order_acquire);
    }
  });
}

inline Child Node::Before(int* position) const {
  if (*position > 0) {
    const Child found = Dispatch(const_cast<Node&>(*this), [position](auto& node) -> Child {
      if constexpr (requires { node.PlaceBefore(0); }) {
        const int place = node.PlaceBefore(*position);
        if (place < 0) return 0;
        *position = node.ByteAt(place);
        return node.children[static_cast<size_t>(place)].load(std::memory_order_acquire);
      } else {
        const int byte = node.set.Before(*position);
        if (byte < 0) return 0;
        *position = byte;
        return node.FindByte(static_cast<uint8_t>(byte))->load(std::memory_order_acquire);
      }
    });
    if (found != 0) return found;
  }
  if (*position > kEnd) {
    *position = kEnd;
    return end.load(std::memory_order_acquire);
  }
  return 0;
}

inline void Node::PrefetchChildren(const Arena& arena) const {
  if (layout > Layout::kSmall32) return;
  Dispatch(const_cast<Node&>(*this), [&arena](auto& node) {
    const size_t n = node.count.load(std::memory_order_acquire);
    for (size_t i = 0; i < n && i < node.children.size(); ++i) {
      const Child child = node.children[i].load(std::memory_order_acquire);
      Prefetch(arena, child);
    }
  });
}

}  // namespace varve::memtable
