// What the system says this process has used.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace varve::bench {

struct ProcessCounters {
  double cpu_s = 0;                // user and system, all threads
  uint64_t device_read_bytes = 0;  // as the block layer counts them; 0 where /proc/self/io is not
  uint64_t device_write_bytes = 0;

  static ProcessCounters Now();
  ProcessCounters operator-(const ProcessCounters& earlier) const;
};

// Disk space taken by the files in `directory`; by those whose names end in one of `suffixes`, if
// there are any.
uint64_t DiskBytes(const std::string& directory, const std::vector<std::string>& suffixes = {});

}  // namespace varve::bench
