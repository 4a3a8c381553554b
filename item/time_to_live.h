// TimeToLive: the index by which a table's items expire. An item that has the attribute, a number
// of seconds since 1970, has an entry in the index's key space (it owns one, as any index does):
//
//   0x10 | key space (4) | expiry (8) | the item's engine key behind its table's key space
//
// big-endian, so that what expires first lies first. Entries have no value. They are written in the
// commit of the item (item/change.h).
//
// Items that expired more than five years ago are left alone, as the service leaves them: a number
// that small is rather no time at all.
#pragma once

#include <atomic>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "item/keys.h"
#include "item/shared_slot.h"
#include "item/value.h"

namespace varve::item {

inline constexpr uint64_t kExpiryAgeSecondsMax = uint64_t{5} * 365 * 24 * 3600;

class TimeToLive {
 public:
  static constexpr uint64_t kNever = std::numeric_limits<uint64_t>::max();

  TimeToLive(std::string attribute, uint32_t key_space)
      : attribute_(std::move(attribute)), key_space_(key_space) {}

  const std::string& attribute() const { return attribute_; }
  uint32_t key_space() const { return key_space_; }

  // When `item` expires, in seconds since 1970. Nothing if it has no such number, or one that is no
  // time. Fractions are cut off.
  std::optional<uint64_t> ExpiryOf(const ItemView& item) const;

  // The entry of the item with this engine key.
  std::string EntryKey(uint64_t expiry, std::string_view item_key) const;
  // Where the entries that expire at `expiry` or later begin.
  std::string EntriesFrom(uint64_t expiry) const;
  // What an entry's key says; `table_key_space` is the table's. Nothing if it is malformed.
  struct Entry {
    uint64_t expiry = 0;
    std::string item_key;
  };
  std::optional<Entry> ReadEntry(std::string_view key, uint32_t table_key_space) const;

  // The smallest expiry there may be an entry of, for who looks for expired items: they forget it,
  // then look, then note what is next. An entry's is noted after it has been committed.
  void NoteExpiry(uint64_t expiry) {
    uint64_t known = next_expiry_.load(std::memory_order_relaxed);
    while (expiry < known && !next_expiry_.compare_exchange_weak(known, expiry)) {
    }
  }
  uint64_t next_expiry() const { return next_expiry_.load(std::memory_order_relaxed); }
  void ForgetExpiry() { next_expiry_.store(kNever); }

 private:
  const std::string attribute_;
  const uint32_t key_space_;
  std::atomic<uint64_t> next_expiry_{0};
};
using TimeToLiveSlot = SharedSlot<TimeToLive>;

// Keeps the index that a commit writes to (its key space is not given to another meanwhile), and
// notes the expiry of the new entry when it is destroyed, after the commit.
class ExpiryNote {
 public:
  ExpiryNote() = default;
  ExpiryNote(std::shared_ptr<TimeToLive> index, std::optional<uint64_t> expiry)
      : index_(std::move(index)), expiry_(expiry) {}
  ExpiryNote(ExpiryNote&& other) noexcept = default;
  ExpiryNote& operator=(ExpiryNote&& other) noexcept {
    std::swap(index_, other.index_);
    std::swap(expiry_, other.expiry_);
    return *this;
  }
  ~ExpiryNote() {
    if (index_ != nullptr && expiry_) index_->NoteExpiry(*expiry_);
  }

 private:
  std::shared_ptr<TimeToLive> index_;
  std::optional<uint64_t> expiry_;
};

}  // namespace varve::item
