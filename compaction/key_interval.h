// KeyInterval: a set of neighbouring keys. Tables know their largest key, partitions and clips the
// key after their last one, so an interval's end may be either.
#pragma once

#include <string_view>

namespace varve::compaction {

// Keys from `begin` on, up to `end`, which belongs to it if `end_included`. An empty `end` that is
// not included means no upper bound. (No key is empty, so an empty `begin` is the start of the key
// space.) Views: whoever makes an interval keeps the keys alive.
struct KeyInterval {
  std::string_view begin;
  std::string_view end;
  bool end_included = false;

  bool unbounded() const { return end.empty() && !end_included; }
  bool empty() const {
    if (unbounded()) return false;
    return end_included ? begin > end : begin >= end;
  }
  // Whether `key` lies past the last key of the interval.
  bool EndsBefore(std::string_view key) const {
    if (unbounded()) return false;
    return end_included ? end < key : end <= key;
  }
  bool Contains(std::string_view key) const { return key >= begin && !EndsBefore(key); }
  // Whether the two have a key in common, as far as their bounds tell. Empty ones overlap nothing.
  bool Overlaps(const KeyInterval& other) const {
    return !empty() && !other.empty() && !EndsBefore(other.begin) && !other.EndsBefore(begin);
  }
  bool operator==(const KeyInterval&) const = default;
};

// Whether `a` ends before `b` does.
inline bool EndsEarlier(const KeyInterval& a, const KeyInterval& b) {
  if (a.unbounded()) return false;
  if (b.unbounded()) return true;
  if (a.end != b.end) return a.end < b.end;
  return !a.end_included && b.end_included;
}

// The smallest interval that holds both; neither is empty.
inline KeyInterval Hull(const KeyInterval& a, const KeyInterval& b) {
  KeyInterval hull = EndsEarlier(a, b) ? b : a;
  hull.begin = a.begin < b.begin ? a.begin : b.begin;
  return hull;
}

// What `a` and `b` have in common; perhaps empty.
inline KeyInterval Intersection(const KeyInterval& a, const KeyInterval& b) {
  KeyInterval common = EndsEarlier(a, b) ? a : b;
  common.begin = a.begin < b.begin ? b.begin : a.begin;
  return common;
}

// How many sorted runs the tables of a level 0 make up, which stand newest first: a flush of
// several tables is one, and so are flushes that do not overlap. `keys_of` tells a table's
// interval.
template <typename Tables, typename KeysOf>
size_t CountRuns(const Tables& tables, KeysOf keys_of) {
  size_t runs = 0;
  KeyInterval hull;
  for (auto table = tables.rbegin(); table != tables.rend(); ++table) {
    const KeyInterval keys = keys_of(*table);
    if (runs > 0 && !hull.Overlaps(keys)) {
      hull = Hull(hull, keys);
    } else {
      ++runs;
      hull = keys;
    }
  }
  return runs;
}

}  // namespace varve::compaction
