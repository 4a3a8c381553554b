// ItemList: many encoded items in one buffer, as a page of results holds them.
#pragma once

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
    bytes_.append(item.encoded());
    ends_.push_back(bytes_.size());
  }
  void Clear() {
    bytes_.clear();
    ends_.clear();
  }

  size_t size() const { return ends_.size(); }
  bool empty() const { return ends_.empty(); }
  ItemView at(size_t i) const {
    const size_t begin = i == 0 ? 0 : ends_[i - 1];
    return ItemView(std::string_view(bytes_).substr(begin, ends_[i] - begin));
  }

  internal::IndexIterator<ItemList> begin() const { return {this, 0}; }
  internal::IndexIterator<ItemList> end() const { return {this, size()}; }

 private:
  std::string bytes_;
  std::vector<size_t> ends_;
};

}  // namespace varve::item
