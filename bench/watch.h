// Watch: a thread that looks, while something is measured, at memory and files twice a second.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace varve::bench {

// Anonymous memory of this process without the lists of keys; memory that the allocator holds
// without use is given back first if `trim`.
uint64_t AnonymousBytes(bool trim = false);

class Watch {
 public:
  // Memory counts from what the process has at this moment. `suffixes` are the ends of the names of
  // the files in `directory` that hold data.
  Watch(std::string directory, std::vector<std::string> suffixes);
  ~Watch();
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  // Forgets the largest values seen so far.
  void Restart();
  // From now on the files should hold this much of keys and values; space_amplification_max() is
  // the largest quotient seen. 0 (as at first) looks at no files.
  void SetLiveBytes(uint64_t bytes) { live_bytes_.store(bytes, std::memory_order_relaxed); }

  uint64_t memory_bytes_max() const { return memory_bytes_max_.load(); }
  double space_amplification_max() const { return space_amplification_max_.load(); }
  // What is on disk now.
  uint64_t FileBytes() const;
  // Looks at once, besides.
  void Look();

 private:
  void LookLocked();

  const std::string directory_;
  const std::vector<std::string> suffixes_;
  const uint64_t memory_bytes_before_;
  std::atomic<uint64_t> live_bytes_{0};
  std::atomic<uint64_t> memory_bytes_max_{0};
  std::atomic<double> space_amplification_max_{0};
  std::mutex mutex_;
  std::condition_variable stopping_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace varve::bench
