// Subscription: a request that the kernel completes again and again until it ends: once for each
// connection, or for each piece of a stream. What Acceptor and ReceiveStream are made of.
#pragma once

#include <coroutine>
#include <cstdint>
#include <vector>

namespace varve::io {

struct Subscription {
  enum class Kind : uint8_t {
    kAccept,   // arrivals are descriptors (close-on-exec)
    kReceive,  // arrivals are pieces of the stream, in buffers of the executor
  };
  struct Arrival {
    int32_t result;   // a descriptor, or bytes
    uint16_t buffer;  // of kReceive
  };

  Kind kind = Kind::kReceive;
  int fd = -1;

  // The executor's:

  // The kernel has it. The subscription stays where it is until it has not.
  bool active = false;
  // The stream has ended: no more can come. A subscription may also end without that, for lack of
  // buffers, say: subscribe again.
  bool ended = false;
  // This kernel has no such request, or so it seems: use operations instead.
  bool refused = false;
  int error = 0;  // an errno; of a stream, with `ended`

  // Oldest first, from `taken` on.
  std::vector<Arrival> arrivals;
  uint32_t taken = 0;

  // Resumed at the next change, and forgotten.
  std::coroutine_handle<> waiter;

  bool has_arrivals() const { return taken < arrivals.size(); }
  Arrival TakeArrival() {
    const Arrival arrival = arrivals[taken++];
    if (taken == arrivals.size()) {
      arrivals.clear();
      taken = 0;
    }
    return arrival;
  }
};

}  // namespace varve::io
