#include "bench/structures/btree.h"

#include <algorithm>
#include <cassert>
#include <limits>
#include <new>

namespace varve::bench {

using btree::HeadOf;
using btree::Node;
using memtable::Arena;

// One insertion.
class BTreeWriter {
 public:
  explicit BTreeWriter(BTree& tree) : tree_(tree), arena_(tree.arena_) {}

  // Adds `entry`. Returns the entry it replaced, if there was one with its key and sequence.
  const char* Add(const Entry& entry);

 private:
  using Offset = Arena::Offset;

  static constexpr int kLevelsMax = 24;
  // So many insertions behind each other in one node are a pattern: what comes next goes there,
  // too.
  static constexpr uint8_t kRunMin = 8;

  // An inner node that was passed on the way down, and the slot of the child that was taken.
  struct Step {
    Offset offset;
    uint32_t slot;
  };

  // What a new node is made of: its bounds, whether there is one on either side, and two entries
  // that stand for the keys it will hold where its bounds don't say.
  struct Range {
    Offset low;
    Offset high;
    Offset first;
    Offset last;
  };

  Node& At(Offset offset) { return Node::At(arena_, offset); }
  std::string_view Key(Offset entry) const { return KeyOf(arena_.At(entry)); }

  Offset NewEntry(const Entry& entry);
  Offset NewNode(int level, const Range& range);
  // Appends to a node that no reader knows.
  void Fill(Node& node, std::span<const Offset> offsets);
  // What a slot for `offset`, an entry or a child, says in `node`.
  uint64_t WordFor(const Node& node, Offset offset) const;

  Offset FindLeaf(const Target& target);
  void InsertWord(Node& node, uint32_t slot, uint64_t word);

  void GrowLeaf(Offset leaf, uint32_t slot, Offset entry);
  void Link(Offset old_leaf, Offset first, Offset last);
  // In the inner node `level` (or as a new root): the child taken becomes `left`, and `right` is
  // inserted behind it. `range` is what the old child held.
  void InsertChild(int level, Offset left, Offset right, const Range& range);
  void ReplaceChild(int level, Offset child);
  // The entry that bounds the inner node `level` of the path from above; 0 if none does.
  Offset HighOf(int level);

  BTree& tree_;
  Arena& arena_;
  int levels_ = 0;
  std::array<Step, kLevelsMax> path_;  // [1, levels_): the inner nodes by level
};

namespace {

size_t SharedPrefixBytes(std::string_view a, std::string_view b) {
  const size_t bytes = std::min({a.size(), b.size(), size_t{std::numeric_limits<uint16_t>::max()}});
  size_t i = 0;
  while (i < bytes && a[i] == b[i]) ++i;
  return i;
}

}  // namespace

const char* BTreeWriter::Add(const Entry& entry) {
  const Offset added = NewEntry(entry);
  if (tree_.root_.load(std::memory_order_relaxed) == 0) {
    // A first leaf has no prefix: there is nothing yet to tell one from.
    const Offset leaf = NewNode(0, {.low = 0, .high = 0, .first = 0, .last = 0});
    Fill(At(leaf), {&added, 1});
    tree_.root_.store(leaf, std::memory_order_release);
    return nullptr;
  }

  const Target target{entry.key, entry.sequence};
  const Offset leaf_offset = FindLeaf(target);
  Node& leaf = At(leaf_offset);
  const Node::Position position = leaf.LowerBound(arena_, target);
  if (position.at != Node::kEmpty) {
    const char* const found = arena_.At(Node::OffsetOfWord(position.at));
    if (target.OrderOf(found) == 0) {
      leaf.Store(position.slot, Node::Word(Node::HeadOfWord(position.at), added));
      return found;
    }
  }
  if (leaf.count < Node::kSlots && leaf.ComparePrefix(arena_, entry.key) == 0) {
    InsertWord(leaf, position.slot, WordFor(leaf, added));
  } else {
    GrowLeaf(leaf_offset, position.slot, added);
  }
  return nullptr;
}

BTreeWriter::Offset BTreeWriter::NewEntry(const Entry& entry) {
  assert(entry.key.size() <= kKeyBytesMax && entry.value.size() <= kValueBytesMax);
  const Offset offset = arena_.Allocate(kEntryHeaderBytes + entry.key.size() + entry.value.size());
  EncodeEntry(entry, arena_.At(offset));
  return offset;
}

BTreeWriter::Offset BTreeWriter::NewNode(int level, const Range& range) {
  const Offset offset = arena_.Allocate(sizeof(Node), 64);
  Node& node = *new (arena_.At(offset)) Node;
  node.level = static_cast<uint8_t>(level);
  node.low = range.low;
  if (range.low != 0 && range.high != 0) {
    node.prefix_bytes = static_cast<uint16_t>(SharedPrefixBytes(Key(range.low), Key(range.high)));
  } else if (range.first != 0) {
    node.prefix_bytes = static_cast<uint16_t>(SharedPrefixBytes(Key(range.first), Key(range.last)));
    if (node.prefix_bytes > 0) node.prefix_holder = range.first;
  }
  return offset;
}

void BTreeWriter::Fill(Node& node, std::span<const Offset> offsets) {
  for (const Offset offset : offsets) {
    const uint64_t word = WordFor(node, offset);
    node.slots[node.count++].store(word, std::memory_order_relaxed);
  }
  if (node.level > 0) {
    const uint64_t first = Node::Word(0, offsets[0]);
    node.slots[0].store(first, std::memory_order_relaxed);
  }
}

uint64_t BTreeWriter::WordFor(const Node& node, Offset offset) const {
  const Offset entry = node.level == 0 ? offset : Node::At(arena_, offset).low;
  return Node::Word(entry == 0 ? 0 : HeadOf(Key(entry), node.prefix_bytes), offset);
}

BTreeWriter::Offset BTreeWriter::FindLeaf(const Target& target) {
  Offset offset = tree_.root_.load(std::memory_order_relaxed);
  const int top = At(offset).level;
  levels_ = top + 1;
  assert(levels_ < kLevelsMax);
  for (int level = top; level > 0; --level) {
    const Node::Position position = At(offset).FindChild(arena_, target);
    path_[static_cast<size_t>(level)] = {offset, position.slot - 1};
    offset = Node::OffsetOfWord(position.before);
    At(offset).Prefetch();
  }
  return offset;
}

void BTreeWriter::InsertWord(Node& node, uint32_t slot, uint64_t word) {
  node.run = slot != node.last_insert + 1u ? 0
             : node.run < kRunMin          ? static_cast<uint8_t>(node.run + 1)
                                           : node.run;
  node.last_insert = static_cast<uint16_t>(slot);
  for (uint32_t i = node.count; i > slot; --i) {
    node.Store(i, node.slots[i - 1].load(std::memory_order_relaxed));
  }
  node.Store(slot, word);
  ++node.count;
}

void BTreeWriter::GrowLeaf(Offset old_offset, uint32_t slot, Offset entry) {
  Node& old = At(old_offset);
  const uint32_t count = old.count;
  const bool in_run = old.run >= kRunMin && slot == old.last_insert + 1u;
  const Offset next = old.next.load(std::memory_order_relaxed);
  const Offset high = next == 0 ? 0 : At(next).low;

  if (in_run && slot == count && count == Node::kSlots) {
    // Ascending keys: the old leaf stays, full, and a new one begins.
    const Range range{
        .low = entry, .high = high, .first = Node::OffsetOfWord(old.Load(0)), .last = entry};
    const Offset right = NewNode(0, range);
    Fill(At(right), {&entry, 1});
    At(right).run = kRunMin;
    At(right).previous.store(old_offset, std::memory_order_relaxed);
    At(right).next.store(next, std::memory_order_relaxed);
    // The parent first: who meets a leaf in the chain that begins before what he looks for need
    // only ask the root again.
    InsertChild(1, old_offset, right, range);
    if (next != 0) At(next).previous.store(right, std::memory_order_release);
    old.next.store(right, std::memory_order_release);
    return;
  }

  std::array<Offset, Node::kSlots + 1> entries;
  for (uint32_t i = 0, from = 0; i <= count; ++i) {
    entries[i] = i == slot ? entry : Node::OffsetOfWord(old.Load(from++));
  }
  const std::span<const Offset> all(entries.data(), count + 1);
  const Range range{.low = old.low, .high = high, .first = all.front(), .last = all.back()};

  if (all.size() <= Node::kSlots) {
    // The entry does not share the leaf's prefix: make the leaf anew with a shorter one.
    const Offset replacement = NewNode(0, range);
    Fill(At(replacement), all);
    Link(old_offset, replacement, replacement);
    ReplaceChild(1, replacement);
    return;
  }

  const size_t middle = in_run ? std::min<size_t>(slot + 1, all.size() - 1) : all.size() / 2;
  const Offset right_low = all[middle];
  const Offset left = NewNode(
      0, {.low = old.low, .high = right_low, .first = all.front(), .last = all[middle - 1]});
  const Offset right =
      NewNode(0, {.low = right_low, .high = high, .first = right_low, .last = all.back()});
  Fill(At(left), all.first(middle));
  Fill(At(right), all.subspan(middle));
  if (in_run) {
    At(left).run = kRunMin;
    At(left).last_insert = static_cast<uint16_t>(slot);
  }
  At(left).next.store(right, std::memory_order_relaxed);
  At(right).previous.store(left, std::memory_order_relaxed);
  Link(old_offset, left, right);
  InsertChild(1, left, right, range);
}

// Puts the chain of leaves from `first` to `last` in the place of `old`.
void BTreeWriter::Link(Offset old_offset, Offset first, Offset last) {
  const Offset previous = At(old_offset).previous.load(std::memory_order_relaxed);
  const Offset next = At(old_offset).next.load(std::memory_order_relaxed);
  At(first).previous.store(previous, std::memory_order_relaxed);
  At(last).next.store(next, std::memory_order_relaxed);
  if (next != 0) At(next).previous.store(last, std::memory_order_release);
  if (previous != 0) At(previous).next.store(first, std::memory_order_release);
}

void BTreeWriter::ReplaceChild(int level, Offset child) {
  if (level == levels_) {
    tree_.root_.store(child, std::memory_order_release);
    return;
  }
  const Step& step = path_[static_cast<size_t>(level)];
  Node& node = At(step.offset);
  node.Store(step.slot, Node::Word(Node::HeadOfWord(node.Load(step.slot)), child));
}

BTreeWriter::Offset BTreeWriter::HighOf(int level) {
  for (++level; level < levels_; ++level) {
    const Step& step = path_[static_cast<size_t>(level)];
    const Node& node = At(step.offset);
    if (step.slot + 1 < node.count) return At(Node::OffsetOfWord(node.Load(step.slot + 1))).low;
  }
  return 0;
}

void BTreeWriter::InsertChild(int level, Offset left, Offset right, const Range& range) {
  if (level == levels_) {
    const Offset root =
        NewNode(level, {.low = 0, .high = 0, .first = range.first, .last = range.last});
    const std::array<Offset, 2> children{left, right};
    Fill(At(root), children);
    tree_.root_.store(root, std::memory_order_release);
    return;
  }

  const Step step = path_[static_cast<size_t>(level)];
  Node& old = At(step.offset);
  const uint32_t slot = step.slot + 1;
  const uint32_t count = old.count;
  const Offset right_low = At(right).low;
  if (count < Node::kSlots && old.ComparePrefix(arena_, Key(right_low)) == 0) {
    // First the new child, then what it was split from: until then the old child answers for both.
    InsertWord(old, slot, WordFor(old, right));
    ReplaceChild(level, left);
    return;
  }

  const Offset high = HighOf(level);
  // Slot 0 counts as before everything, so the keys an inner node compares begin at slot 1.
  const Offset first_low = count > 1 ? At(Node::OffsetOfWord(old.Load(1))).low : right_low;
  if (slot == count && count == Node::kSlots && old.run >= kRunMin) {
    const Range old_range{.low = right_low, .high = high, .first = first_low, .last = right_low};
    const Offset upper = NewNode(level, old_range);
    Fill(At(upper), {&right, 1});
    At(upper).run = kRunMin;
    InsertChild(level + 1, step.offset, upper, old_range);
    ReplaceChild(level, left);
    return;
  }

  std::array<Offset, Node::kSlots + 1> children;
  for (uint32_t i = 0, from = 0; i <= count; ++i) {
    children[i] = i == slot ? right : Node::OffsetOfWord(old.Load(from++));
  }
  children[step.slot] = left;
  const std::span<const Offset> all(children.data(), count + 1);
  const Range old_range{
      .low = old.low, .high = high, .first = At(all[1]).low, .last = At(all.back()).low};

  if (all.size() <= Node::kSlots) {
    const Offset replacement = NewNode(level, old_range);
    Fill(At(replacement), all);
    ReplaceChild(level + 1, replacement);
    return;
  }

  const size_t middle = all.size() / 2;
  const Offset middle_low = At(all[middle]).low;
  const Offset lower = NewNode(level, {.low = old.low,
                                       .high = middle_low,
                                       .first = old_range.first,
                                       .last = At(all[middle - 1]).low});
  const Offset upper = NewNode(
      level,
      {.low = middle_low, .high = high, .first = At(all[middle + 1]).low, .last = old_range.last});
  Fill(At(lower), all.first(middle));
  Fill(At(upper), all.subspan(middle));
  InsertChild(level + 1, lower, upper, old_range);
}

namespace {

// How many entries ahead a scan asks for.
constexpr uint32_t kScanAhead = 6;

}  // namespace

void BTree::Add(const Entry& entry) { BTreeWriter(*this).Add(entry); }

BTree::Place BTree::FindFirst(std::string_view key, SequenceNumber sequence) const {
  const Target target{key, sequence};
  for (;;) {
    const Offset root = root_.load(std::memory_order_acquire);
    if (root == 0) return {};
    const Node& leaf = Node::FindLeaf(arena_, root, target);
    const Node::Position position = leaf.LowerBound(arena_, target);
    if (position.at != Node::kEmpty) return {&leaf, position.slot, position.at};
    const Offset next_offset = leaf.next.load(std::memory_order_acquire);
    if (next_offset == 0) return {};
    const Node& next = Node::At(arena_, next_offset);
    if (target.OrderOf(arena_.At(next.low)) >= 0) [[likely]]
      return {&next, 0, next.Load(0)};
    // The next leaf was begun behind this one after we left its parent, which knows it by now.
  }
}

bool BTree::Get(std::string_view key, SequenceNumber sequence, Entry* entry) const {
  const Place place = FindFirst(key, sequence);
  if (place.leaf == nullptr) return false;
  const char* const found = arena_.At(Node::OffsetOfWord(place.word));
  if (KeyOf(found) != key) return false;
  *entry = DecodeEntry(found);
  return true;
}

void BTree::Iterator::Seek(std::string_view key, SequenceNumber sequence) {
  word_ = 0;
  const Place place = tree_->FindFirst(key, sequence);
  if (place.leaf != nullptr) Set(*place.leaf, place.slot, place.word);
}

void BTree::Iterator::Set(const Node& leaf, uint32_t slot, uint64_t word) {
  leaf_ = &leaf;
  slot_ = slot;
  word_ = word;
  entry_ = DecodeEntry(tree_->arena_.At(Node::OffsetOfWord(word)));
}

void BTree::Iterator::Next() {
  const Arena& arena = tree_->arena_;
  const Target current{entry_.key, entry_.sequence};
  const uint32_t head = Node::HeadOfWord(word_);
  for (uint32_t slot = slot_; slot < Node::kSlots; ++slot) {
    const uint64_t word = leaf_->Load(slot);
    if (word == Node::kEmpty) break;
    if (word == word_) continue;
    // Most words behind the current one have a greater head; no key is touched to tell. Insertions
    // on the left may have moved entries here that come before it.
    if (Node::HeadOfWord(word) > head ||
        (Node::HeadOfWord(word) == head &&
         current.OrderOf(arena.At(Node::OffsetOfWord(word))) > 0)) {
      if (slot + kScanAhead < Node::kSlots) {
        const uint64_t ahead = leaf_->Load(slot + kScanAhead);
        if (ahead != Node::kEmpty) __builtin_prefetch(arena.At(Node::OffsetOfWord(ahead)));
      }
      Set(*leaf_, slot, word);
      return;
    }
  }
  word_ = 0;
  const Offset next = leaf_->next.load(std::memory_order_acquire);
  if (next == 0) return;
  const Node& leaf = Node::At(arena, next);
  for (uint32_t slot = 1; slot <= kScanAhead; ++slot) {
    const uint64_t ahead = leaf.Load(slot);
    if (ahead != Node::kEmpty) __builtin_prefetch(arena.At(Node::OffsetOfWord(ahead)));
  }
  if (const Offset second = leaf.next.load(std::memory_order_acquire); second != 0) {
    Node::At(arena, second).Prefetch();
  }
  Set(leaf, 0, leaf.Load(0));
}

}  // namespace varve::bench
