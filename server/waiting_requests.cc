#include "server/waiting_requests.h"

#include <cassert>
#include <utility>

namespace varve::server {
namespace {

// Fewer gaps are not worth moving entries for.
constexpr size_t kGapsMax = 64;

}  // namespace

void WaitingRequests::Push(const protocol::FrameHeader& header, std::string_view payload) {
  assert(header.request_id != 0);
  [[maybe_unused]] const bool is_new = places_.emplace(header.request_id, entries_.size()).second;
  assert(is_new);
  entries_.push_back({header, std::string(payload)});
  bytes_ += sizeof(Entry) + payload.size();
}

WaitingRequests::Entry WaitingRequests::Pop() {
  assert(!empty());
  while (entries_[oldest_].header.request_id == 0) ++oldest_;
  return Take(oldest_);
}

std::optional<protocol::FrameHeader> WaitingRequests::Remove(uint32_t request_id) {
  const auto found = places_.find(request_id);
  if (found == places_.end()) return std::nullopt;
  return Take(found->second).header;
}

WaitingRequests::Entry WaitingRequests::Take(size_t place) {
  Entry entry = std::exchange(entries_[place], {});
  places_.erase(entry.header.request_id);
  bytes_ -= sizeof(Entry) + entry.payload.size();
  ++gaps_;
  if (empty()) {
    Clear();
  } else if (gaps_ > kGapsMax && gaps_ > entries_.size() / 2) {
    std::erase_if(entries_, [](const Entry& e) { return e.header.request_id == 0; });
    for (size_t i = 0; i < entries_.size(); ++i) places_[entries_[i].header.request_id] = i;
    oldest_ = gaps_ = 0;
  }
  return entry;
}

}  // namespace varve::server
