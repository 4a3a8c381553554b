// SkipList: the memtable's candidate that most engines use (Pugh, "Skip lists: a probabilistic
// alternative to balanced trees", CACM 1990), as LevelDB and RocksDB build it: one writer, readers
// with acquire loads, the entry in the node. Measured by memtable_bench; lost.
#pragma once

#include <atomic>
#include <cstring>
#include <new>
#include <string_view>

#include "base/entry.h"
#include "base/random.h"
#include "bench/structures/entry_bytes.h"
#include "memtable/arena.h"

namespace varve::bench {

class SkipList {
 public:
  SkipList() { head_ = NewNode(kHeightMax, nullptr); }

  void Add(const Entry& entry) {
    Node* previous[kHeightMax];
    const Target target{entry.key, entry.sequence};
    FindFirst(target, previous);
    int height = 1;
    while (height < kHeightMax && random_.OneIn(4)) ++height;
    Node* const node = NewNode(height, &entry);
    for (int level = 0; level < height; ++level) {
      node->next[-level].store(previous[level]->next[-level].load(std::memory_order_relaxed),
                               std::memory_order_relaxed);
      previous[level]->next[-level].store(node, std::memory_order_release);
    }
  }

  bool Get(std::string_view key, SequenceNumber sequence, Entry* entry) const {
    const Node* const node = FindFirst({key, sequence}, nullptr);
    if (node == nullptr || KeyOf(node->entry()) != key) return false;
    *entry = DecodeEntry(node->entry());
    return true;
  }

  size_t bytes() const { return arena_.bytes(); }

 private:
  static constexpr int kHeightMax = 12;

  // Pointers of the levels above lie before the node, the entry behind it.
  struct Node {
    std::atomic<Node*> next[1];
    const char* entry() const { return reinterpret_cast<const char*>(this + 1); }
    char* entry() { return reinterpret_cast<char*>(this + 1); }
  };

 public:
  class Iterator {
   public:
    explicit Iterator(const SkipList& list) : list_(&list) {}
    bool Valid() const { return node_ != nullptr; }
    const Entry& entry() const { return entry_; }
    void Seek(std::string_view key, SequenceNumber sequence) {
      Set(list_->FindFirst({key, sequence}, nullptr));
    }
    void Next() { Set(node_->next[0].load(std::memory_order_acquire)); }

   private:
    void Set(const Node* node) {
      node_ = node;
      if (node != nullptr) entry_ = DecodeEntry(node->entry());
    }
    const SkipList* list_;
    const Node* node_ = nullptr;
    Entry entry_;
  };

 private:
  Node* NewNode(int height, const Entry* entry) {
    const size_t above_bytes = sizeof(Node) * static_cast<size_t>(height - 1);
    const size_t entry_bytes =
        entry == nullptr ? 0 : kEntryHeaderBytes + entry->key.size() + entry->value.size();
    char* const memory = arena_.At(arena_.Allocate(above_bytes + sizeof(Node) + entry_bytes, 8));
    Node* const node = reinterpret_cast<Node*>(memory + above_bytes);
    for (int level = 0; level < height; ++level)
      new (&node->next[-level]) std::atomic<Node*>(nullptr);
    if (entry != nullptr) EncodeEntry(*entry, node->entry());
    return node;
  }

  Node* FindFirst(const Target& target, Node** previous) const {
    Node* node = head_;
    Node* known = nullptr;  // not before the target, met on the level above
    for (int level = kHeightMax - 1;;) {
      Node* const next = node->next[-level].load(std::memory_order_acquire);
      if (next != known && next != nullptr && target.OrderOf(next->entry()) < 0) {
        node = next;
        continue;
      }
      known = next;
      if (previous != nullptr) previous[level] = node;
      if (level-- == 0) return next;
    }
  }

  memtable::Arena arena_;
  Random random_{1};
  Node* head_;
};

}  // namespace varve::bench
