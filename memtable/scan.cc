// Memtable::Scan.
#include <algorithm>

#include "memtable/memtable.h"
#include "memtable/node.h"
#include "memtable/record.h"

namespace varve::memtable {
namespace {

// A record of some 150 bytes, wherever it begins in a line.
void PrefetchRecord(const Arena& arena, Arena::Offset record) {
  const char* const memory = arena.At(record);
  __builtin_prefetch(memory);
  __builtin_prefetch(memory + 64);
  __builtin_prefetch(memory + 128);
  asm volatile("");  // see Node::Prefetch
}

}  // namespace

Memtable::Scan::Scan(const Memtable& memtable) : arena_(&memtable.arena_) {
  const Child root = memtable.root_.load(std::memory_order_acquire);
  if (root == 0) return;
  if (IsLeaf(root)) {
    following_.records[following_.count++] = RecordOf(root);
  } else {
    Enter(root);
    Gather(following_);
  }
}

void Memtable::Scan::Enter(Child child) {
  const Node& node = Node::At(*arena_, child);
  Step& step = stack_.emplace_back();
  step.node = &node;
  step.position = Node::kBeforeAll;
  step.next = step.count = 0;
  if (node.layout > Node::Layout::kSmall32) {
    step.ahead = Node::kBeforeAll;
    for (size_t i = 0; i < kNodesAhead; ++i) {
      const Child ahead = node.After(&step.ahead);
      if (ahead == 0) break;
      Node::Prefetch(*arena_, ahead);
    }
    return;
  }
  Dispatch(const_cast<Node&>(node), [&](auto& small) {
    if constexpr (requires { small.ByteAt(0); }) {
      const int count = small.count.load(std::memory_order_acquire);
      for (int i = 0; i < count; ++i) {
        const auto element = static_cast<uint16_t>(small.ByteAt(i) << 8 | i);
        int at = i;
        for (; at > 0 && step.order[static_cast<size_t>(at - 1)] > element; --at) {
          step.order[static_cast<size_t>(at)] = step.order[static_cast<size_t>(at - 1)];
        }
        step.order[static_cast<size_t>(at)] = element;
        const Child below = small.children[static_cast<size_t>(i)].load(std::memory_order_acquire);
        if (!IsLeaf(below)) Node::Prefetch(*arena_, below);
      }
      step.count = static_cast<uint8_t>(count);
    }
  });
}

Child Memtable::Scan::NextChild(Step& step) {
  const Node& node = *step.node;
  if (node.layout > Node::Layout::kSmall32) {
    if (const Child ahead = node.After(&step.ahead); ahead != 0) Node::Prefetch(*arena_, ahead);
    return node.After(&step.position);
  }
  if (step.position == Node::kBeforeAll) {
    step.position = Node::kEnd;
    if (const Child end = node.end.load(std::memory_order_acquire); end != 0) return end;
  }
  if (step.next == step.count) return 0;
  const size_t place = step.order[step.next++] & 0xff;
  return Dispatch(const_cast<Node&>(node), [place](auto& any) {
    return any.children[place].load(std::memory_order_acquire);
  });
}

void Memtable::Scan::Gather(Leaves& leaves) {
  leaves.count = 0;
  while (leaves.count < kWindow && !stack_.empty()) {
    const Child child = NextChild(stack_.back());
    if (child == 0) {
      stack_.pop_back();
    } else if (IsLeaf(child)) {
      leaves.records[leaves.count++] = RecordOf(child);
      PrefetchRecord(*arena_, RecordOf(child));
    } else {
      Enter(child);
    }
  }
}

std::span<const Entry> Memtable::Scan::Next() {
  size_t count = 0;
  while (count < kWindow) {
    Arena::Offset offset = older_;
    if (offset == 0) {
      if (next_leaf_ == current_.count) {
        // What was gathered before may be shown already: its memory has had time to come.
        if (count > 0 || following_.count == 0) break;
        std::swap(current_, following_);
        next_leaf_ = 0;
        Gather(following_);
      }
      offset = current_.records[next_leaf_++];
    }
    const Record record(*arena_, offset);
    older_ = record.HasOlder() ? record.Older().offset() : 0;
    entries_[count++] = record.Decode();
  }
  return {entries_.data(), count};
}

}  // namespace varve::memtable
