#include "memtable/writer.h"

#include <algorithm>
#include <cassert>
#include <new>
#include <string_view>
#include <vector>

#include "base/shared_bytes.h"

namespace varve::memtable {
Arena::Offset Writer::Add(const Entry& entry, size_t shared_bytes) {
  assert(entry.key.size() <= kKeyBytesMax && entry.value.size() <= kValueBytesMax);
  const std::string_view key = entry.key;
  while (path_[path_end_ - 1].depth > shared_bytes) --path_end_;
  std::atomic<Child>* place = path_[path_end_ - 1].place;
  size_t depth = path_[path_end_ - 1].depth;
  for (;;) {
    // Relaxed: this thread wrote it.
    const Child child = place->load(std::memory_order_relaxed);
    if (child == 0) {
      place->store(LeafOf(Record::New(arena_, entry, 0)), std::memory_order_release);
      return 0;
    }
    if (IsLeaf(child)) {
      if (Record(arena_, RecordOf(child)).key() == key) return AddVersion(*place, entry);
      Branch(*place, depth, entry);
      return 0;
    }
    Node& node = Node::At(arena_, child);
    if (node.prefix_bytes > 0) {
      const std::string_view prefix = node.Prefix(arena_, depth);
      const size_t agreeing = SharedBytes(prefix, key.substr(depth));
      if (agreeing < prefix.size()) {
        CutPrefix(*place, depth, agreeing, entry);
        return 0;
      }
      depth += agreeing;
    }
    if (depth == key.size()) {
      // Not remembered: a longer key goes elsewhere from here.
      place = &node.end;
      continue;
    }
    const uint8_t byte = static_cast<uint8_t>(key[depth]);
    std::atomic<Child>* const next = node.Find(byte);
    if (next == nullptr) {
      AddChild(*place, byte, LeafOf(Record::New(arena_, entry, 0)));
      return 0;
    }
    place = next;
    ++depth;
    if (path_end_ < kPathMax) path_[path_end_++] = {place, depth};
  }
}

Arena::Offset Writer::AddVersion(std::atomic<Child>& place, const Entry& entry) {
  Record version(arena_, RecordOf(place.load(std::memory_order_relaxed)));
  // Commits come in the order of their sequence numbers, so there is hardly ever a newer version;
  // those there are are copied, as records do not change.
  std::vector<Entry> newer;
  Arena::Offset behind = version.offset();
  while (behind != 0 && version.sequence() > entry.sequence) {
    newer.push_back(version.Decode());
    behind = version.HasOlder() ? version.Older().offset() : 0;
    if (behind != 0) version = Record(arena_, behind);
  }
  Arena::Offset replaced = 0;
  if (behind != 0 && version.sequence() == entry.sequence) {
    replaced = behind;
    behind = version.HasOlder() ? version.Older().offset() : 0;
  }
  Arena::Offset newest = Record::New(arena_, entry, behind);
  while (!newer.empty()) {
    newest = Record::New(arena_, newer.back(), newest);
    newer.pop_back();
  }
  place.store(LeafOf(newest), std::memory_order_release);
  return replaced;
}

void Writer::Branch(std::atomic<Child>& place, size_t depth, const Entry& entry) {
  const Child other = place.load(std::memory_order_relaxed);
  const std::string_view other_key = Record(arena_, RecordOf(other)).key();
  const size_t shared_bytes = SharedBytes(other_key.substr(depth), entry.key.substr(depth));
  const Child branch = NewNode<SmallNode4>();
  Node& node = Node::At(arena_, branch);
  node.SetPrefix(arena_, RecordOf(other), depth, shared_bytes);
  Hang(node, other_key, depth + shared_bytes, other);
  Hang(node, entry.key, depth + shared_bytes, LeafOf(Record::New(arena_, entry, 0)));
  place.store(branch, std::memory_order_release);
}

void Writer::CutPrefix(std::atomic<Child>& place, size_t depth, size_t shared_bytes,
                       const Entry& entry) {
  Node& old = Node::At(arena_, place.load(std::memory_order_relaxed));
  const Arena::Offset holder = old.holder;
  const std::string_view holder_key = Record(arena_, holder).key();
  const Child lower = CopyNode(old, /*larger=*/false);
  Node::At(arena_, lower)
      .SetPrefix(arena_, holder, depth + shared_bytes + 1, old.prefix_bytes - shared_bytes - 1);
  const Child upper = NewNode<SmallNode4>();
  SmallNode4& node = static_cast<SmallNode4&>(Node::At(arena_, upper));
  node.SetPrefix(arena_, holder, depth, shared_bytes);
  node.Add(static_cast<uint8_t>(holder_key[depth + shared_bytes]), lower);
  Hang(node, entry.key, depth + shared_bytes, LeafOf(Record::New(arena_, entry, 0)));
  place.store(upper, std::memory_order_release);
}

void Writer::Hang(Node& node, std::string_view key, size_t depth, Child leaf) {
  if (depth == key.size()) {
    node.end.store(leaf, std::memory_order_release);
  } else {
    static_cast<SmallNode4&>(node).Add(static_cast<uint8_t>(key[depth]), leaf);
  }
}

void Writer::AddChild(std::atomic<Child>& place, uint8_t byte, Child child) {
  Node& node = Node::At(arena_, place.load(std::memory_order_relaxed));
  const bool added = Dispatch(node, [&](auto& full) {
    if (full.Full()) return false;
    full.Add(byte, child);
    return true;
  });
  if (added) return;
  const Child grown = CopyNode(node, /*larger=*/true);
  Node& copy = Node::At(arena_, grown);
  copy.holder = node.holder;
  copy.prefix_bytes = node.prefix_bytes;
  std::memcpy(copy.prefix, node.prefix, sizeof copy.prefix);
  Dispatch(copy, [&](auto& larger) { larger.Add(byte, child); });
  place.store(grown, std::memory_order_release);
}

Child Writer::CopyNode(Node& from, bool larger) {
  switch (from.layout) {
    case Node::Layout::kSmall4: {
      auto& small = static_cast<SmallNode4&>(from);
      return larger ? CopyAs<SmallNode16>(small) : CopyAs<SmallNode4>(small);
    }
    case Node::Layout::kSmall16: {
      auto& small = static_cast<SmallNode16&>(from);
      return larger ? CopyAs<SmallNode32>(small) : CopyAs<SmallNode16>(small);
    }
    case Node::Layout::kSmall32: {
      auto& small = static_cast<SmallNode32&>(from);
      return larger ? CopyAs<IndexedNode64>(small) : CopyAs<SmallNode32>(small);
    }
    case Node::Layout::kIndexed64: {
      auto& indexed = static_cast<IndexedNode64&>(from);
      return larger ? CopyAs<FullNode>(indexed) : CopyAs<IndexedNode64>(indexed);
    }
    default:
      assert(!larger);
      return CopyAs<FullNode>(static_cast<FullNode&>(from));
  }
}

template <typename To, typename From>
Child Writer::CopyAs(From& from) {
  const Child copy = NewNode<To>();
  To& to = static_cast<To&>(Node::At(arena_, copy));
  to.end.store(from.end.load(std::memory_order_relaxed), std::memory_order_relaxed);
  if constexpr (requires { from.ByteAt(0); }) {
    const int count = from.count.load(std::memory_order_relaxed);
    for (int i = 0; i < count; ++i) {
      const Child child = from.children[static_cast<size_t>(i)].load(std::memory_order_relaxed);
      to.Add(from.ByteAt(i), child);
    }
  } else {
    for (int byte = 0; byte < 256; ++byte) {
      const std::atomic<Child>* const place = from.FindByte(static_cast<uint8_t>(byte));
      if (place != nullptr) {
        to.Add(static_cast<uint8_t>(byte), place->load(std::memory_order_relaxed));
      }
    }
  }
  return copy;
}

}  // namespace varve::memtable
