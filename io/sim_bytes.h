// SparseBytes: a growable array of bytes that starts as zeros and costs memory where it was
// touched.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace varve::io {

class SparseBytes {
 public:
  SparseBytes() = default;
  ~SparseBytes();
  SparseBytes(SparseBytes&& other) noexcept;
  SparseBytes& operator=(SparseBytes&& other) noexcept;

  // Makes room for `bytes`. Moves the array unless it is pinned; growing a pinned one is a bug of
  // the caller's (a file that grows while it is mapped).
  void Reserve(uint64_t bytes);
  void Pin() { ++pins_; }
  void Unpin() { --pins_; }
  bool pinned() const { return pins_ != 0; }

  char* data() const { return data_; }
  uint64_t capacity() const { return capacity_; }

  void Write(uint64_t offset, const char* from, uint64_t size);
  // Zeros from `offset` to the end of the room.
  void ZeroFrom(uint64_t offset);
  // Makes this equal to the first `size` bytes of `other`, and zero behind.
  void CopyFrom(const SparseBytes& other, uint64_t size);

 private:
  char* data_ = nullptr;
  uint64_t capacity_ = 0;
  uint64_t pins_ = 0;
};

}  // namespace varve::io
