#include "bench/compare/measure.h"

#include <algorithm>
#include <vector>

namespace varve::bench {

void Keep(const Recorder& recorder, Turn* turn) {
  turn->latency_ns = recorder.latency_ns();
  turn->intervals = recorder.intervals();
}

Status WriteAll(Context& context, const Keys& keys, const Values& values, uint64_t batch,
                const std::string& settled_rate, const std::string& unsettled_rate, Turn* turn) {
  Engine& engine = context.engine;
  const uint64_t count = keys.size();
  std::vector<Engine::KeyValue> entries;
  Recorder recorder(Clock::Now());
  if (batch == 1) {
    VARVE_RETURN_IF_ERROR(
        TimeEach(recorder, count, 1, [&](uint64_t i) { return engine.Put(keys[i], values[i]); }));
  } else {
    VARVE_RETURN_IF_ERROR(TimeEach(recorder, (count + batch - 1) / batch, batch, [&](uint64_t b) {
      entries.clear();
      const uint64_t last = std::min((b + 1) * batch, count);
      for (uint64_t i = b * batch; i < last; ++i) entries.emplace_back(keys[i], values[i]);
      return engine.Write(entries);
    }));
  }
  const double before_s = recorder.elapsed_s();
  VARVE_RETURN_IF_ERROR(engine.WaitUntilSettled());
  const double settled_s = Clock::SecondsSince(recorder.start());
  Keep(recorder, turn);
  turn->figures[settled_rate] = static_cast<double>(count) / settled_s;
  turn->figures[unsettled_rate] = static_cast<double>(count) / before_s;
  return absl::OkStatus();
}

StatusOr<Recorder> GetFor(Engine& engine, const Keys& keys, int threads, double seconds,
                          uint64_t sample, bool present) {
  const uint64_t each = keys.size() / threads;
  return RunThreads(threads, [&](int thread, Recorder& recorder) {
    const uint64_t first = each * thread;
    uint64_t wrong = 0;
    uint64_t next = first;
    VARVE_RETURN_IF_ERROR(TimeFor(recorder, seconds, sample, 1, [&](uint64_t) -> Status {
      uint64_t value_bytes;
      const StatusOr<bool> found = engine.Get(keys[next], &value_bytes);
      if (!found.ok()) return found.status();
      wrong += *found != present;
      if (++next == first + each) next = first;
      return absl::OkStatus();
    }));
    if (wrong > 0) {
      return Corruption("{} of {} keys were {}", wrong, recorder.operations(),
                        present ? "not found" : "found that were never written");
    }
    return absl::OkStatus();
  });
}

}  // namespace varve::bench
