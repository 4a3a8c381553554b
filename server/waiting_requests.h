// WaitingRequests: the requests of a binary connection that may not begin yet, oldest first.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/frame.h"

namespace varve::server {

// Everything takes constant time, spread over all calls, however many wait. An empty one holds no
// memory. Not thread-safe.
class WaitingRequests {
 public:
  struct Entry {
    protocol::FrameHeader header;
    std::string payload;
  };

  bool empty() const { return places_.empty(); }
  // What the requests take up.
  size_t bytes() const { return bytes_; }
  bool Contains(uint32_t request_id) const { return places_.contains(request_id); }

  // The request's id is not 0, and that of no other one here.
  void Push(const protocol::FrameHeader& header, std::string_view payload);
  // Takes out the oldest. There must be one.
  Entry Pop();
  // Takes out the one with this id; its header, or nothing if there is none.
  std::optional<protocol::FrameHeader> Remove(uint32_t request_id);
  void Clear() { *this = {}; }

 private:
  // Takes what stands at `place`, which becomes a gap.
  Entry Take(size_t place);

  std::vector<Entry> entries_;  // in order; with gaps, whose id is 0
  size_t oldest_ = 0;           // only gaps stand before it
  size_t gaps_ = 0;
  absl::flat_hash_map<uint32_t, size_t> places_;  // in entries_, by id
  size_t bytes_ = 0;
};

}  // namespace varve::server
