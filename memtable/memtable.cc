#include "memtable/memtable.h"

#include <absl/container/inlined_vector.h>

#include <algorithm>
#include <array>

#include "base/shared_bytes.h"
#include "memtable/node.h"
#include "memtable/record.h"
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

}  // namespace

void Memtable::Add(std::span<const Entry> entries) {
  Writer writer(arena_, root_);
  uint64_t count = this->entries();
  uint64_t tombstones = this->tombstones();
  uint64_t data_bytes = this->data_bytes();
  SequenceNumber smallest = smallest_sequence();
  SequenceNumber largest = largest_sequence();
  std::string_view last_key;
  while (!entries.empty()) {
    // The first one by itself: it tells how deep the tree is.
    const std::span<const Entry> group =
        entries.subspan(0, std::min(entries.size(), writer.depth() == 0 ? 1 : kAddedTogether));
    entries = entries.subspan(group.size());
    std::array<size_t, kAddedTogether> shared;
    if (group.size() == 1) {
      shared[0] = SharedBytes(last_key, group[0].key);
    } else {
      absl::InlinedVector<Lookup, kAddedTogether> lookups;
      for (size_t i = 0; i < group.size(); ++i) {
        shared[i] = SharedBytes(last_key, group[i].key);
        last_key = group[i].key;
        // The way to those that lie beside the last one is known.
        if (shared[i] + 1 < writer.depth()) lookups.emplace_back(*this, group[i].key);
      }
      for (bool going = !lookups.empty(); going;) {
        going = false;
        for (Lookup& lookup : lookups) going |= !lookup.Advance();
      }
    }
    for (size_t i = 0; i < group.size(); ++i) {
      const Entry& entry = group[i];
      if (const Arena::Offset replaced = writer.Add(entry, shared[i]); replaced != 0) {
        const Entry old = Record(arena_, replaced).Decode();
        --count;
        tombstones -= IsTombstone(old);
        data_bytes -= DataBytes(old);
      }
      ++count;
      tombstones += IsTombstone(entry);
      data_bytes += DataBytes(entry);
      smallest = std::min(smallest, entry.sequence);
      largest = std::max(largest, entry.sequence);
      last_key = entry.key;
    }
  }
  Change(entries_, count);
  Change(tombstones_, tombstones);
  Change(data_bytes_, data_bytes);
  Change(smallest_sequence_, smallest);
  Change(largest_sequence_, largest);
}

std::optional<Entry> Memtable::Get(std::string_view key, SequenceNumber sequence) const {
  Lookup lookup(*this, key);
  while (!lookup.Advance()) {
  }
  return lookup.Find(sequence);
}

bool Memtable::Lookup::Advance() {
  if (child_ == 0 || IsLeaf(child_)) return true;
  const Node& node = Node::At(*arena_, child_);
  // The prefix is not compared here: the key of the leaf is, and in full.
  depth_ += node.prefix_bytes;
  if (depth_ < key_.size()) {
    const std::atomic<Child>* const place = node.Find(static_cast<uint8_t>(key_[depth_]));
    child_ = place == nullptr ? 0 : place->load(std::memory_order_acquire);
    ++depth_;
  } else {
    child_ = depth_ == key_.size() ? node.end.load(std::memory_order_acquire) : 0;
  }
  if (child_ != 0) Node::Prefetch(*arena_, child_);
  return false;
}

std::optional<Entry> Memtable::Lookup::Find(SequenceNumber sequence) const {
  if (child_ == 0) return std::nullopt;
  const Record newest(*arena_, RecordOf(child_));
  if (newest.key() != key_) return std::nullopt;
  if (newest.sequence() <= sequence) return newest.Decode();
  const Arena::Offset version = newest.FindAtMost(sequence);
  if (version == 0) return std::nullopt;
  return Record(*arena_, version).Decode();
}

void Memtable::Iterator::Set(uint32_t record, uint32_t newest) {
  record_ = record;
  newest_ = newest;
  entry_ = Record(memtable_->arena_, record).Decode();
}

void Memtable::Iterator::Advance() {
  const Arena& arena = memtable_->arena_;
  record_ = 0;
  while (!stack_.empty()) {
    Step& step = stack_.back();
    const Child child = step.node->After(&step.position);
    if (child == 0) {
      stack_.pop_back();
    } else if (IsLeaf(child)) {
      return Set(RecordOf(child), RecordOf(child));
    } else {
      // A scan comes to the next node, too: its memory can be on its way meanwhile.
      int position = step.position;
      const Child next = step.node->After(&position);
      if (next != 0) Node::Prefetch(arena, next);
      const Node& node = Node::At(arena, child);
      node.PrefetchChildren(arena);
      stack_.push_back({&node, Node::kBeforeAll});
    }
  }
}

void Memtable::Iterator::Retreat() {
  const Arena& arena = memtable_->arena_;
  record_ = 0;
  while (!stack_.empty()) {
    Step& step = stack_.back();
    const Child child = step.node->Before(&step.position);
    if (child == 0) {
      stack_.pop_back();
    } else if (IsLeaf(child)) {
      return Set(Record(arena, RecordOf(child)).Oldest(), RecordOf(child));
    } else {
      const Node& node = Node::At(arena, child);
      node.PrefetchChildren(arena);
      stack_.push_back({&node, Node::kAfterAll});
    }
  }
}

void Memtable::Iterator::SeekToFirst() {
  stack_.clear();
  record_ = 0;
  const Child root = memtable_->root_.load(std::memory_order_acquire);
  if (root == 0) return;
  if (IsLeaf(root)) return Set(RecordOf(root), RecordOf(root));
  stack_.push_back({&Node::At(memtable_->arena_, root), Node::kBeforeAll});
  Advance();
}

void Memtable::Iterator::SeekToLast() {
  const Arena& arena = memtable_->arena_;
  stack_.clear();
  record_ = 0;
  const Child root = memtable_->root_.load(std::memory_order_acquire);
  if (root == 0) return;
  if (IsLeaf(root)) return Set(Record(arena, RecordOf(root)).Oldest(), RecordOf(root));
  stack_.push_back({&Node::At(arena, root), Node::kAfterAll});
  Retreat();
}

void Memtable::Iterator::Seek(std::string_view key, SequenceNumber sequence) {
  const Arena& arena = memtable_->arena_;
  stack_.clear();
  record_ = 0;
  Child child = memtable_->root_.load(std::memory_order_acquire);
  size_t depth = 0;
  while (child != 0 && !IsLeaf(child)) {
    const Node& node = Node::At(arena, child);
    const std::string_view prefix = node.Prefix(arena, depth);
    if (const int order = key.substr(depth, prefix.size()).compare(prefix); order != 0) {
      // The whole node lies behind the key, or before it.
      stack_.push_back({&node, order < 0 ? Node::kBeforeAll : Node::kAfterAll});
      return Advance();
    }
    depth += prefix.size();
    if (depth == key.size()) {
      stack_.push_back({&node, Node::kEnd});
      child = node.end.load(std::memory_order_acquire);
      break;
    }
    const uint8_t byte = static_cast<uint8_t>(key[depth]);
    stack_.push_back({&node, byte});
    const std::atomic<Child>* const place = node.Find(byte);
    child = place == nullptr ? 0 : place->load(std::memory_order_acquire);
    ++depth;
  }
  if (child == 0) return Advance();
  const Record newest(arena, RecordOf(child));
  const int order = newest.key().compare(key);
  if (order > 0) return Set(newest.offset(), newest.offset());
  if (order == 0) {
    const Arena::Offset version = newest.FindAtMost(sequence);
    if (version != 0) return Set(version, newest.offset());
  }
  Advance();
}

void Memtable::Iterator::SeekBefore(std::string_view key, SequenceNumber sequence) {
  Seek(key, sequence);
  if (Valid()) {
    Prev();
  } else {
    SeekToLast();
  }
  // What the writer has added meanwhile may stand between.
  while (Valid() && CompareEntries(entry_.key, entry_.sequence, key, sequence) >= 0) Prev();
}

void Memtable::Iterator::Next() {
  const Record current(memtable_->arena_, record_);
  if (current.HasOlder()) return Set(current.Older().offset(), newest_);
  Advance();
}

void Memtable::Iterator::Prev() {
  const Record newest(memtable_->arena_, newest_);
  if (newest.sequence() > entry_.sequence) {
    return Set(newest.FindAbove(entry_.sequence), newest_);
  }
  Retreat();
}

}  // namespace varve::memtable
