// DeafClient: asks a server for a record over the binary protocol, again and again, with all the
// credit that the server allows, and never reads an answer. What it costs the other clients is the
// driver's to measure.
#pragma once

#include <atomic>
#include <memory>
#include <thread>

#include "base/status.h"
#include "bench/ycsb/target.h"
#include "io/network.h"

namespace varve::bench::ycsb {

class DeafClient {
 public:
  // Connects, and asks from a thread of its own until it is destroyed.
  static StatusOr<std::unique_ptr<DeafClient>> Start(const TargetOptions& options);
  ~DeafClient();
  DeafClient(const DeafClient&) = delete;
  DeafClient& operator=(const DeafClient&) = delete;

 private:
  explicit DeafClient(io::Socket socket);
  void Ask();

  io::Socket socket_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace varve::bench::ycsb
