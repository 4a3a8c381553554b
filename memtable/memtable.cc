#include "memtable/memtable.h"

#include <algorithm>

#include "memtable/node.h"
#include "memtable/writer.h"

namespace varve::memtable {
namespace {

// One thread at a time changes these; others may read.
template <typename T>
void Change(std::atomic<T>& counter, T value) {
  counter.store(value, std::memory_order_relaxed);
}

uint64_t DataBytes(const Entry& entry) { return entry.key.size() + entry.value.size(); }
uint64_t IsTombstone(const Entry& entry) { return entry.kind == EntryKind::kDelete ? 1 : 0; }

// How many entries ahead a scan asks for: enough to cover a cache miss at one entry every 20 ns or
// so.
constexpr uint32_t kScanAhead = 6;

}  // namespace

void Memtable::Add(const Entry& entry) {
  uint64_t entries = this->entries() + 1;
  uint64_t tombstones = this->tombstones() + IsTombstone(entry);
  uint64_t data_bytes = this->data_bytes() + DataBytes(entry);
  if (const char* replaced = Writer(*this).Add(entry); replaced != nullptr) {
    const Entry old = DecodeEntry(replaced);
    entries -= 1;
    tombstones -= IsTombstone(old);
    data_bytes -= DataBytes(old);
  }
  Change(entries_, entries);
  Change(tombstones_, tombstones);
  Change(data_bytes_, data_bytes);
  Change(smallest_sequence_, std::min(smallest_sequence(), entry.sequence));
  Change(largest_sequence_, std::max(largest_sequence(), entry.sequence));
}

Memtable::Place Memtable::FindFirst(std::string_view key, SequenceNumber sequence) const {
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

std::optional<Entry> Memtable::Get(std::string_view key, SequenceNumber sequence) const {
  const Place place = FindFirst(key, sequence);
  if (place.leaf == nullptr) return std::nullopt;
  const char* const found = arena_.At(Node::OffsetOfWord(place.word));
  if (KeyOf(found) != key) return std::nullopt;
  return DecodeEntry(found);
}

void Memtable::Iterator::Set(const Node& leaf, uint32_t slot, uint64_t word) {
  const Arena& arena = memtable_->arena_;
  leaf_ = &leaf;
  slot_ = slot;
  word_ = word;
  entry_ = DecodeEntry(arena.At(Node::OffsetOfWord(word)));
}

void Memtable::Iterator::SetLastOf(const Node& leaf) {
  const Node::Position last = leaf.Last();
  Set(leaf, last.slot - 1, last.before);
}

void Memtable::Iterator::SeekToFirst() {
  const Arena& arena = memtable_->arena_;
  word_ = 0;
  const Offset root = memtable_->root_.load(std::memory_order_acquire);
  if (root == 0) return;
  const Node* node = &Node::At(arena, root);
  while (node->level > 0) node = &Node::At(arena, Node::OffsetOfWord(node->Load(0)));
  Set(*node, 0, node->Load(0));
}

void Memtable::Iterator::SeekToLast() {
  const Arena& arena = memtable_->arena_;
  word_ = 0;
  const Offset root = memtable_->root_.load(std::memory_order_acquire);
  if (root == 0) return;
  const Node* node = &Node::At(arena, root);
  while (node->level > 0) node = &Node::At(arena, Node::OffsetOfWord(node->Last().before));
  SetLastOf(*node);
}

void Memtable::Iterator::Seek(std::string_view key, SequenceNumber sequence) {
  word_ = 0;
  const Place place = memtable_->FindFirst(key, sequence);
  if (place.leaf != nullptr) Set(*place.leaf, place.slot, place.word);
}

void Memtable::Iterator::SeekBefore(std::string_view key, SequenceNumber sequence) {
  const Arena& arena = memtable_->arena_;
  word_ = 0;
  const Offset root = memtable_->root_.load(std::memory_order_acquire);
  if (root == 0) return;
  const Target target{key, sequence};
  const Node& leaf = Node::FindLeaf(arena, root, target);
  const Node::Position position = leaf.LowerBound(arena, target);
  if (position.before != 0) {
    Set(leaf, position.slot - 1, position.before);
  } else if (const Offset previous = leaf.previous.load(std::memory_order_acquire); previous != 0) {
    SetLastOf(Node::At(arena, previous));
  }
}

void Memtable::Iterator::Next() {
  const Arena& arena = memtable_->arena_;
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

void Memtable::Iterator::Prev() {
  const Arena& arena = memtable_->arena_;
  const Target current{entry_.key, entry_.sequence};
  const uint32_t head = Node::HeadOfWord(word_);
  // The current word may have been seen while it was on its way, with a copy still on its left.
  const uint32_t start = slot_ == 0 ? 0 : slot_ - 1;
  const Node::Position position = leaf_->WalkRight(start, [&](uint64_t word) {
    if (word == word_) return false;
    const uint32_t other = Node::HeadOfWord(word);
    return other != head ? other < head : current.OrderOf(arena.At(Node::OffsetOfWord(word))) < 0;
  });
  word_ = 0;
  if (position.before != 0) {
    Set(*leaf_, position.slot - 1, position.before);
  } else if (const Offset previous = leaf_->previous.load(std::memory_order_acquire);
             previous != 0) {
    SetLastOf(Node::At(arena, previous));
  }
}

}  // namespace varve::memtable
