// ItemList: many encoded items, as a page of results holds them.
//
// The bytes lie in blocks, so that a growing list never copies what it has, and one that is read
// for the last time gives its memory back on the way (Drain): whoever turns it into something of
// the same size never holds both.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "item/value.h"

namespace varve::item {

// Not thread-safe. Views are valid until the list changes.
class ItemList {
 public:
  void Append(const ItemView& item) {
    const std::string_view encoded = item.encoded();
    if (blocks_.empty() || blocks_.back().capacity() - blocks_.back().size() < encoded.size()) {
      // A short list takes little more than it needs.
      blocks_.emplace_back().reserve(
          std::max(encoded.size(), std::min(encoded_bytes_, kBlockBytes)));
    }
    std::string& block = blocks_.back();
    places_.push_back({static_cast<uint32_t>(blocks_.size() - 1),
                       static_cast<uint32_t>(block.size()), static_cast<uint32_t>(encoded.size())});
    block.append(encoded);
    encoded_bytes_ += encoded.size();
  }
  void Clear() {
    blocks_.clear();
    places_.clear();
    encoded_bytes_ = 0;
  }

  size_t size() const { return places_.size(); }
  bool empty() const { return places_.empty(); }
  // Of all items.
  size_t encoded_bytes() const { return encoded_bytes_; }
  ItemView at(size_t i) const {
    const Place& place = places_[i];
    return ItemView(std::string_view(blocks_[place.block]).substr(place.begin, place.bytes));
  }

  internal::IndexIterator<ItemList> begin() const { return {this, 0}; }
  internal::IndexIterator<ItemList> end() const { return {this, size()}; }

  // Calls `take(item)` for each, freeing the blocks that have been read. Then the list is empty.
  template <typename Take>
  void Drain(Take take) {
    uint32_t freed = 0;
    for (size_t i = 0; i < places_.size(); ++i) {
      for (; freed < places_[i].block; ++freed) {
        encoded_bytes_ -= blocks_[freed].size();
        std::string().swap(blocks_[freed]);
      }
      take(at(i));
    }
    Clear();
  }

 private:
  static constexpr size_t kBlockBytes = size_t{64} << 10;  // a larger item has a block of its own

  struct Place {
    uint32_t block;
    uint32_t begin;
    uint32_t bytes;
  };

  std::vector<std::string> blocks_;  // none is ever moved to a larger place
  std::vector<Place> places_;
  size_t encoded_bytes_ = 0;
};

}  // namespace varve::item
