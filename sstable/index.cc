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
  TableIndex index;
  index.offsets_.reserve(count);
  index.stored_bytes_.reserve(count);
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
    index.offsets_.push_back(past_previous + gap);
    index.stored_bytes_.push_back(static_cast<uint32_t>(stored_bytes));
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
    index.common_ = first.substr(0, SharedBytes(first, index.bound_key(count - 1)));
    std::vector<uint64_t> heads;
    heads.reserve(count - 1);
    for (uint32_t i = 1; i < count; ++i) {
      heads.push_back(HeadOf(index.bound_key(i).substr(index.common_.size())));
    }
    index.levels_.push_back(std::move(heads));
    while (index.levels_.back().size() > kFan) {
      std::vector<uint64_t> above;
      const std::vector<uint64_t>& below = index.levels_.back();
      for (size_t i = 0; i < below.size(); i += kFan) above.push_back(below[i]);
      index.levels_.push_back(std::move(above));
    }
  }
  return index;
}

SequenceNumber TableIndex::bound_sequence(uint32_t i) const {
  if (sequences_.empty()) return kSequenceMax;
  const auto at = std::lower_bound(sequences_.begin(), sequences_.end(), i,
                                   [](const auto& entry, uint32_t i) { return entry.first < i; });
  return at != sequences_.end() && at->first == i ? at->second : kSequenceMax;
}

uint32_t TableIndex::CountHeads(uint64_t head) const {
  // At each level, `count` heads are known to be at or below; all beyond count + kFan are above.
  size_t count = 0;
  for (size_t level = levels_.size(); level-- > 0;) {
    const std::vector<uint64_t>& heads = levels_[level];
    // A head of the level above stands for the first of kFan here.
    size_t from = count == 0 ? 0 : (count - 1) * kFan;
    if (level + 1 == levels_.size()) from = 0;
    const size_t to = std::min(heads.size(), from + kFan);
    count = from;
    for (size_t i = from; i < to; ++i) count += heads[i] <= head ? 1 : 0;
  }
  return static_cast<uint32_t>(count);
}

uint32_t TableIndex::Find(std::string_view key, SequenceNumber sequence) const {
  if (levels_.empty()) return 0;
  const int order = key.substr(0, common_.size()).compare(common_);
  if (order < 0) return 0;
  if (order > 0) return blocks() - 1;
  const uint64_t head = HeadOf(key.substr(common_.size()));
  // Bounds 1..below have heads at or below the key's: those with an equal head are compared in
  // full.
  uint32_t high = CountHeads(head);
  const std::vector<uint64_t>& heads = levels_[0];
  if (high == 0 || heads[high - 1] != head) return high;
  uint32_t low = head == 0 ? 0 : CountHeads(head - 1);
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
  size_t bytes = sizeof *this + offsets_.capacity() * sizeof(uint64_t) +
                 (stored_bytes_.capacity() + key_starts_.capacity()) * sizeof(uint32_t) +
                 keys_.capacity() + common_.capacity() +
                 sequences_.capacity() * sizeof(sequences_[0]);
  for (const std::vector<uint64_t>& level : levels_) bytes += level.capacity() * sizeof(uint64_t);
  return bytes;
}

}  // namespace varve::sstable
