// Cache: expressions by their text, so that what a client sends over and over is parsed and checked
// once.
//
// What makes two requests the same for it: the texts of all expressions, ExpressionAttributeNames,
// and the placeholders and types (not the values) in ExpressionAttributeValues, in the order of the
// request. A client's code sends the same of all these with every request; a client that lists
// its placeholders in another order each time only misses.
//
// Bounded: kSets times kWays entries, of keys up to kKeyBytesMax; what an entry holds grows with
// its key, by about 2 KB for a usual request and 60 KB for the largest (300 operators). The newest
// and the used stay: an entry that is found moves up in its set, a new one takes the place of the
// last.
//
// Thread-safe: a set has a lock of its own, held for the comparison of a few keys.
#pragma once

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace varve::item::expression {

struct Compiled;  // expression.cc

class Cache {
 public:
  static constexpr size_t kSets = 256;
  static constexpr size_t kWays = 4;
  static constexpr size_t kKeyBytesMax = 4096;

  Cache();
  ~Cache();
  Cache(const Cache&) = delete;
  Cache& operator=(const Cache&) = delete;

  // Null if there is none.
  std::shared_ptr<const Compiled> Find(std::string_view key);
  // Keys that are too long are left out.
  void Insert(std::string key, std::shared_ptr<const Compiled> compiled);

 private:
  struct Entry {
    uint64_t hash = 0;
    std::string key;
    std::shared_ptr<const Compiled> compiled;  // null: free
  };
  struct Set {
    absl::Mutex mutex;
    std::array<Entry, kWays> entries ABSL_GUARDED_BY(mutex);
  };

  const std::unique_ptr<Set[]> sets_;
};

}  // namespace varve::item::expression
