// ItemGets: GetItems that stand one behind the other in what a connection has received. They are
// looked up together, which takes less time than one by one, and what is in memory can be answered
// from here, without a task.
//
//   for (...) gets.Add(frame);
//   gets.LookUp(store, prepared);
//   for (size_t i = 0; i < gets.size(); ++i) {
//     if (gets.InMemory(i)) gets.EncodeAnswer(i, to);   // the others, errors too, are RunGetItem's
//   }
//   gets.Clear();
//
// A thread's connections use one after the other: what an empty one keeps is memory for the next.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <vector>

#include "item/store.h"
#include "protocol/frame.h"
#include "server/prepared.h"

namespace varve::server {

// The answer of GetItem. The item goes from where it lies into `to`.
void EncodeAnswer(const item::Store::ItemRead& read, std::string& to);

class ItemGets {
 public:
  // More are not looked up at once.
  static constexpr size_t kMax = 32;

  size_t size() const { return size_; }
  bool full() const { return size_ == kMax; }
  const protocol::Frame& frame(size_t i) const { return gets_[i].frame; }

  // Not if it is full. The frame's payload must stay where it is until Clear.
  void Add(const protocol::Frame& frame) { gets_[size_++].frame = frame; }
  void LookUp(item::Store& store, const Prepared& prepared);
  bool InMemory(size_t i) const { return gets_[i].item.done; }
  // The answer's fields. If InMemory, and once.
  void EncodeAnswer(item::Store& store, size_t i, std::string& to);
  void Clear();

 private:
  struct Get {
    protocol::Frame frame;
    item::GetItemRequest request;
    item::Store::ItemTry item;
  };

  std::array<Get, kMax> gets_;
  size_t size_ = 0;
};

}  // namespace varve::server
