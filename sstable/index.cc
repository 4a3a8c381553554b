#include "sstable/index.h"

#include <algorithm>

#include "base/coding.h"
#include "sstable/block_builder.h"

namespace varve::sstable {

std::string_view IndexBuilder::Add(const BlockPlace& place, const Entry* last, const Entry& first) {
  std::string_view key;
  SequenceNumber sequence = kSequenceMax;
  if (last != nullptr) {
    const size_t shared = SharedBytes(last->key, first.key);
    if (shared < first.key.size()) {
      key = first.key.substr(0, shared + 1);
    } else {  // the same key: keys ascend, so it can't be a prefix of the last
      key = first.key;
      sequence = last->sequence - 1;
    }
  }
  const size_t shared = SharedBytes(bound_, key);
  AppendVarint(entries_, place.offset - past_previous_);
  AppendVarint(entries_, place.stored_bytes);
  AppendVarint(entries_, shared);
  AppendVarint(entries_, (key.size() - shared) * 2 + (sequence != kSequenceMax ? 1 : 0));
  entries_.append(key.substr(shared));
  if (sequence != kSequenceMax) AppendU64(entries_, sequence);
  bound_.assign(key);
  past_previous_ = place.offset + place.stored_bytes;
  ++blocks_;
  return bound_;
}

std::string IndexBuilder::Finish() const {
  std::string bytes;
  AppendVarint(bytes, blocks_);
  bytes += entries_;
  return bytes;
}

namespace {

// The first 8 bytes as a number that orders as they do; what is missing counts as zeros.
uint64_t HeadOf(std::string_view key) {
  if (key.size() >= 8) return LoadBigU64(key.data());
  char bytes[8] = {};
  std::memcpy(bytes, key.data(), key.size());
  return LoadBigU64(bytes);
}

}  // namespace

StatusOr<TableIndex> TableIndex::Parse(std::string_view contents, const Footer& footer,
                                       const std::string& path) {
  const auto malformed = [&](std::string_view why) {
    return Corruption("{}:{}: malformed index: {}", path, footer.index.offset, why);
  };
  uint64_t count;
  if (!TakeVarint(contents, &count) || count != footer.blocks || count > contents.size()) {
    return malformed("number of blocks");
  }
  if (count == 0 || count > UINT32_MAX || footer.data_bytes >> (64 - kStoredBits) != 0) {
    return malformed("size of the table");
  }
  TableIndex index;
  index.blocks_ = static_cast<uint32_t>(count);
  index.groups_ = HugeArray<Group>((count + kFan - 1) / kFan);
  index.key_starts_.reserve(count + 1);
  uint64_t past_previous = 0;
  std::string bound;
  for (uint64_t i = 0; i < count; ++i) {
    uint64_t gap, stored_bytes, shared, unshared;
    std::string_view suffix;
    SequenceNumber sequence = kSequenceMax;
    if (!TakeVarint(contents, &gap) || !TakeVarint(contents, &stored_bytes) ||
        !TakeVarint(contents, &shared) || !TakeVarint(contents, &unshared) ||
        shared > bound.size() || !TakeBytes(contents, unshared / 2, &suffix) ||
        (unshared % 2 == 1 && !TakeFixed(contents, &sequence))) {
      return malformed("entry is cut short");
    }
    if (gap > footer.data_bytes - past_previous ||
        stored_bytes > footer.data_bytes - past_previous - gap ||
        stored_bytes > kBlockBytesMax + kBlockTrailerBytes || stored_bytes == 0) {
      return malformed("block outside of the data");
    }
    index.groups_[i / kFan].places[i % kFan] = (past_previous + gap) << kStoredBits | stored_bytes;
    past_previous += gap + stored_bytes;
    bound.resize(shared);
    bound += suffix;
    if (bound.size() > kKeyBytesMax || index.keys_.size() + bound.size() > UINT32_MAX) {
      return malformed("keys are too long");
    }
    index.key_starts_.push_back(static_cast<uint32_t>(index.keys_.size()));
    index.keys_ += bound;
    if (sequence != kSequenceMax) index.sequences_.emplace_back(i, sequence);
  }
  if (!contents.empty()) return malformed("bytes behind the last entry");
  index.key_starts_.push_back(static_cast<uint32_t>(index.keys_.size()));
  index.keys_.shrink_to_fit();

  for (uint32_t i = 1; i < count; ++i) {
    if (index.CompareBound(i - 1, index.bound_key(i), index.bound_sequence(i)) >= 0) {
      // Only the bound before everything may be met twice: the first key can be empty.
      if (i > 1 || !index.bound_key(i).empty()) return malformed("bounds do not ascend");
    }
  }
  if (count > 1) {
    const std::string_view first = index.bound_key(1);
    index.common_ = first.substr(0, SharedBytes(first, index.bound_key(index.blocks_ - 1)));
  }
  index.BuildLevels();
  return index;
}

void TableIndex::BuildLevels() {
  constexpr uint64_t kGreatest = ~uint64_t{0};
  const auto groups = static_cast<uint32_t>(groups_.size());
  for (uint32_t i = 0; i < groups * kFan; ++i) {
    uint64_t head = i == 0 ? 0 : kGreatest;
    if (i > 0 && i < blocks_) head = HeadOf(bound_key(i).substr(common_.size()));
    groups_[i / kFan].heads[i % kFan] = head;
  }
  // How many numbers each array has, and where it begins.
  std::vector<uint32_t> sizes;
  uint32_t total = 0;
  for (uint32_t below = groups; below > 1; below = sizes.back()) {
    // The lowest array has the first head of each group; each other every kFan-th of the one below.
    sizes.push_back(sizes.empty() ? groups : (below + kFan - 1) / kFan);
    level_begins_[levels_++] = total;
    total += (sizes.back() + kFan - 1) / kFan * kFan;
    if (sizes.back() <= kFan) break;
  }
  heads_ = HugeArray<uint64_t>(total);
  std::fill(heads_.data(), heads_.data() + total, kGreatest);
  for (uint32_t level = 0; level < levels_; ++level) {
    uint64_t* const to = heads_.data() + level_begins_[level];
    for (uint32_t i = 0; i < sizes[level]; ++i) {
      to[i] = level == 0 ? groups_[i].heads[0] : heads_[level_begins_[level - 1] + i * kFan];
    }
  }
}

SequenceNumber TableIndex::bound_sequence(uint32_t i) const {
  if (sequences_.empty()) return kSequenceMax;
  const auto at = std::lower_bound(sequences_.begin(), sequences_.end(), i,
                                   [](const auto& entry, uint32_t i) { return entry.first < i; });
  return at != sequences_.end() && at->first == i ? at->second : kSequenceMax;
}

namespace {

// How many of 16 ascending numbers are at or below `head`.
inline uint32_t CountAtMost(const uint64_t* heads, uint64_t head) {
  uint32_t count = 0;
  for (uint32_t i = 0; i < 16; ++i) count += heads[i] <= head ? 1 : 0;
  return count;
}

}  // namespace

uint32_t TableIndex::FindGroup(uint64_t head) const {
  // The first number of each sixteen is at or below `head`: it led here, or is the 0 of the first
  // block. What fills up the last sixteen counts for the greatest head only.
  uint32_t at = 0;
  for (uint32_t level = levels_; level-- > 0;) {
    at = at * kFan + CountAtMost(heads_.data() + level_begins_[level] + at * kFan, head) - 1;
    const auto size = static_cast<uint32_t>(
        level == 0 ? groups_.size()
                   : (level_begins_[level] - level_begins_[level - 1] + kFan - 1) / kFan);
    at = std::min(at, size - 1);
  }
  return at;
}

uint32_t TableIndex::FindInGroup(uint32_t group, uint64_t head) const {
  const uint32_t block = group * kFan + CountAtMost(groups_[group].heads, head) - 1;
  return std::min(block, blocks_ - 1);
}

TableIndex::Search TableIndex::Begin(std::string_view key) const {
  Search search;
  if (!common_.empty()) {
    search.order = key.substr(0, common_.size()).compare(common_);
    if (search.order != 0) return search;
    key.remove_prefix(common_.size());
  }
  search.head = HeadOf(key);
  search.group = FindGroup(search.head);
  const char* const group = reinterpret_cast<const char*>(&groups_[search.group]);
  for (size_t i = 0; i < sizeof(Group); i += 64) __builtin_prefetch(group + i);
  return search;
}

uint32_t TableIndex::Finish(const Search& search, std::string_view key,
                            SequenceNumber sequence) const {
  if (search.order < 0) return 0;
  if (search.order > 0) return blocks_ - 1;
  const uint64_t head = search.head;
  uint32_t high = FindInGroup(search.group, head);
  if (high == 0 || groups_[high / kFan].heads[high % kFan] != head) return high;
  // Bounds with the key's head are compared in full.
  uint32_t low = head == 0 ? 0 : FindInGroup(FindGroup(head - 1), head - 1);
  while (low < high) {
    const uint32_t middle = low + (high - low + 1) / 2;
    if (CompareBound(middle, key, sequence) <= 0) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return low;
}

size_t TableIndex::memory_bytes() const {
  return sizeof *this + groups_.memory_bytes() + heads_.memory_bytes() +
         key_starts_.capacity() * sizeof(uint32_t) + keys_.capacity() + common_.capacity() +
         sequences_.capacity() * sizeof(sequences_[0]);
}

}  // namespace varve::sstable
