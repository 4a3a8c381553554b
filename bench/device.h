// The device itself: the same reads and writes that an engine makes, through a bare ring and
// direct I/O, so that an engine's figure can stand beside what the hardware gives at that moment.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "bench/recorder.h"

namespace varve::bench {

inline constexpr uint64_t kDeviceBlockBytes = 4096;

// Reads aligned blocks of `bytes` at random places of `files`, `depth` in flight, for `seconds`.
StatusOr<Recorder> DeviceRandomReads(const std::vector<std::string>& files, uint64_t bytes,
                                     unsigned depth, double seconds, uint64_t seed);

// Synchronous (O_DSYNC) writes of 4 KiB, one behind the other into a preallocated, zeroed file in
// `directory`, `depth` in flight, for `seconds`. The file is removed.
StatusOr<Recorder> DeviceSyncWrites(const std::string& directory, unsigned depth, double seconds);

// Writes `bytes` in pieces of 1 MiB into a new file in `directory`, 8 in flight, and makes them
// durable. Counts bytes. The file is removed.
StatusOr<Recorder> DeviceSequentialWrites(const std::string& directory, uint64_t bytes);

// Reads that the block device below `directory` has served since the machine started, for
// everybody; 0 where the system does not tell.
uint64_t DeviceReadsServed(const std::string& directory);

}  // namespace varve::bench
