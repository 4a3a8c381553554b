// LevelFences: where in a level a key may lie, found in an array of numbers.
//
// Of the first and last key of each table, the 8 bytes that follow what all of them begin with
// stand as numbers side by side, so that a search compares whole keys, each on a line of its own,
// only where numbers are equal.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/entry.h"
#include "compaction/key_interval.h"

namespace varve::engine {

struct FenceKey;

// Immutable. The intervals' keys must outlive it.
class LevelFences {
 public:
  LevelFences() = default;
  explicit LevelFences(std::vector<compaction::KeyInterval> tables) : tables_(std::move(tables)) {
    common_ = CommonBytes();
    for (const compaction::KeyInterval& keys : tables_) {
      begins_.push_back(HeadOf(keys.begin));
      ends_.push_back(keys.unbounded() ? kGreatest : HeadOf(keys.end));
    }
  }

  size_t size() const { return tables_.size(); }

  // Whether table `i` may hold `key`.
  bool Contains(size_t i, const FenceKey& key) const;
  // The table that may hold `key`, of tables in key order that do not overlap; size() if there is
  // none.
  size_t Find(const FenceKey& key) const;

 private:
  static constexpr uint64_t kGreatest = ~uint64_t{0};
  friend struct FenceKey;

  std::string_view CommonBytes() const {
    if (tables_.empty()) return {};
    std::string_view common = tables_[0].begin;
    const auto shorten = [&](std::string_view key) {
      size_t shared = 0;
      while (shared < common.size() && shared < key.size() && common[shared] == key[shared]) {
        ++shared;
      }
      common = common.substr(0, shared);
    };
    for (const compaction::KeyInterval& keys : tables_) {
      shorten(keys.begin);
      shorten(keys.unbounded() ? std::string_view() : keys.end);
    }
    return common;
  }
  // Of a key that begins with common_; what is missing counts as zeros.
  uint64_t HeadOf(std::string_view key) const { return KeyHead(key.substr(common_.size())); }

  std::vector<compaction::KeyInterval> tables_;
  std::string_view common_;  // what all keys begin with
  std::vector<uint64_t> begins_;
  std::vector<uint64_t> ends_;
};

// A key as the fences of one level compare it.
struct FenceKey {
  FenceKey(const LevelFences& fences, std::string_view key) : key(key) {
    const std::string_view common = fences.common_;
    outside = !common.empty() && key.substr(0, common.size()) != common;
    if (!outside) head = fences.HeadOf(key);
  }
  std::string_view key;
  bool outside;  // no table holds it
  uint64_t head = 0;
};

inline bool LevelFences::Contains(size_t i, const FenceKey& key) const {
  if (key.outside || key.head < begins_[i] || key.head > ends_[i]) return false;
  if (key.head > begins_[i] && key.head < ends_[i]) return true;
  return tables_[i].Contains(key.key);
}

inline size_t LevelFences::Find(const FenceKey& key) const {
  if (key.outside || tables_.empty()) return tables_.size();
  // How many tables begin with a number at or below the key's. Without branches: which way it goes
  // can't be foretold.
  const uint64_t* base = begins_.data();
  size_t left = begins_.size();
  while (left > 1) {
    const size_t half = left / 2;
    base += base[half - 1] <= key.head ? half : 0;
    left -= half;
  }
  size_t past = static_cast<size_t>(base - begins_.data()) + (*base <= key.head ? 1 : 0);
  if (past == 0) return tables_.size();
  if (begins_[past - 1] == key.head) {
    const auto equal = std::lower_bound(begins_.begin(), begins_.end(), key.head);
    const auto from = tables_.begin() + (equal - begins_.begin());
    const auto after = std::upper_bound(
        from, tables_.begin() + static_cast<ptrdiff_t>(past), key.key,
        [](std::string_view key, const compaction::KeyInterval& keys) { return key < keys.begin; });
    past = static_cast<size_t>(after - tables_.begin());
    if (past == 0) return tables_.size();
  }
  return Contains(past - 1, key) ? past - 1 : tables_.size();
}

}  // namespace varve::engine
