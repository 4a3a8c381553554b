// What the functions of several rows share.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"
#include "bench/compare/row.h"
#include "bench/keys.h"
#include "bench/recorder.h"

namespace varve::bench {

// Half of a value repeats; matters only with compression.
inline constexpr double kCompressible = 0.5;

inline double Us(uint64_t ns) { return static_cast<double>(ns) * 1e-3; }

// Keeps the recorder's latencies and throughput over time for the plots.
void Keep(const Recorder& recorder, Turn* turn);

// Puts all `keys`, `batch` of them a write, and waits until the engine has settled. Keeps latencies
// and throughput, and the keys a second with and without settling under these names.
Status WriteAll(Context& context, const Keys& keys, const Values& values, uint64_t batch,
                const std::string& settled_rate, const std::string& unsettled_rate, Turn* turn);

// Gets `keys` in turn on `threads` threads, over and over, for `seconds`. Every one must be there,
// or, unless `present`, none.
StatusOr<Recorder> GetFor(Engine& engine, const Keys& keys, int threads, double seconds,
                          uint64_t sample, bool present = true);

}  // namespace varve::bench
