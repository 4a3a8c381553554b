#include "item/expression/cache.h"

#include <utility>

#include "base/checksum.h"

namespace varve::item::expression {

Cache::Cache() : sets_(std::make_unique<Set[]>(kSets)) {}
Cache::~Cache() = default;

std::shared_ptr<const Compiled> Cache::Find(std::string_view key) {
  if (key.size() > kKeyBytesMax) return nullptr;
  const uint64_t hash = Hash(key);
  Set& set = sets_[hash % kSets];
  absl::MutexLock lock(&set.mutex);
  for (size_t i = 0; i < kWays; ++i) {
    Entry& entry = set.entries[i];
    if (entry.hash != hash || entry.compiled == nullptr || entry.key != key) continue;
    std::shared_ptr<const Compiled> found = entry.compiled;
    if (i > 0) std::swap(entry, set.entries[i - 1]);
    return found;
  }
  return nullptr;
}

void Cache::Insert(std::string key, std::shared_ptr<const Compiled> compiled) {
  if (key.size() > kKeyBytesMax) return;
  const uint64_t hash = Hash(key);
  Entry entry{hash, std::move(key), std::move(compiled)};
  Set& set = sets_[hash % kSets];
  {
    absl::MutexLock lock(&set.mutex);
    std::swap(set.entries[kWays - 1], entry);
  }
  // What was there before is freed here, without the lock.
}

}  // namespace varve::item::expression
