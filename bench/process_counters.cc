#include "bench/process_counters.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <system_error>

namespace varve::bench {
namespace {

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

}  // namespace

ProcessCounters ProcessCounters::Now() {
  ProcessCounters now;
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  now.cpu_s = Seconds(usage.ru_utime) + Seconds(usage.ru_stime);
  std::ifstream io("/proc/self/io");
  std::string name;
  uint64_t value;
  while (io >> name >> value) {
    if (name == "read_bytes:") now.device_read_bytes = value;
    if (name == "write_bytes:") now.device_write_bytes = value;
  }
  return now;
}

ProcessCounters ProcessCounters::operator-(const ProcessCounters& earlier) const {
  return {.cpu_s = cpu_s - earlier.cpu_s,
          .device_read_bytes = device_read_bytes - earlier.device_read_bytes,
          .device_write_bytes = device_write_bytes - earlier.device_write_bytes};
}

uint64_t DiskBytes(const std::string& directory, const std::vector<std::string>& suffixes) {
  uint64_t bytes = 0;
  std::error_code error;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory, error)) {
    const std::string name = entry.path().filename().string();
    const bool wanted = suffixes.empty() ||
                        std::any_of(suffixes.begin(), suffixes.end(),
                                    [&](const std::string& end) { return name.ends_with(end); });
    struct stat status;
    if (wanted && entry.is_regular_file(error) && stat(entry.path().c_str(), &status) == 0) {
      bytes += static_cast<uint64_t>(status.st_blocks) * 512;
    }
  }
  return bytes;
}

}  // namespace varve::bench
