// PinnedValue: the result of a read. A small value is copied into it; a large one stays where it
// is, held by a reference that the PinnedValue owns.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace varve::engine {

// Movable, not thread-safe. What it pins counts against the block cache until it is reset or
// destroyed.
class PinnedValue {
 public:
  PinnedValue() = default;

  std::string_view view() const { return pin_ != nullptr ? pinned_ : std::string_view(copy_); }
  std::string ToString() const { return std::string(view()); }

  void Reset() {
    pin_.reset();
    copy_.clear();
  }
  // Copies `bytes`, reusing the memory of an earlier copy.
  void Copy(std::string_view bytes) {
    pin_.reset();
    copy_.assign(bytes);
  }
  // Refers to `bytes`, which live as long as `pin`.
  void Pin(std::string_view bytes, std::shared_ptr<const void> pin) {
    pin_ = std::move(pin);
    pinned_ = bytes;
  }

 private:
  std::string copy_;
  std::string_view pinned_;
  std::shared_ptr<const void> pin_;
};

}  // namespace varve::engine
