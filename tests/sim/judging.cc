// Judging: what must be true after opening, and of what was read.
#include "tests/sim/run.h"

namespace varve::sim {

void Run::CheckAfterOpening() {
  io_.Run(ReadMarkers());
  if (complaint_) return;
  if (auto wrong = model_.Resolve(markers_, crash_, crash_relaxed_ || relaxed_)) {
    Complain(*wrong);
    return;
  }
  // Nobody has read what a crash could take back, unless it took back what was not promised.
  if (crash_ == Model::Crash::kPower && crash_relaxed_) observations_.clear();
  for (const Observation& seen : observations_) {
    if (!complaint_) Judge(seen);
  }
  observations_.clear();
  ResolveDrop();
  io_.Run(CheckEverything("after opening"));
  // What was replayed has been made durable.
  model_.PromiseAll();
  crash_ = Model::Crash::kNone;
  crash_relaxed_ = false;
  if (!complaint_ && db_->Partitions().size() < kGroups) io_.Run(CutGroups());
}

Task<void> Run::CutGroups() {
  std::vector<std::string> cuts;
  for (uint64_t group = 0; group < kGroups; ++group) cuts.push_back(GroupBegin(group));
  cuts.push_back("m");
  cuts.push_back("m1");
  const Status split = co_await db_->SplitAsync(cuts);
  if (!split.ok()) Complain(fmt::format("split failed without a fault: {}", Message(split)));
}

Task<void> Run::ReadMarkers() {
  markers_.clear();
  auto iterator = db_->NewIterator({{}, "m", "n", true});
  co_await iterator->SeekToFirstAsync();
  while (iterator->Valid()) {
    const auto id = MarkerId(iterator->key());
    if (!id) {
      Complain(fmt::format("unknown key {}", iterator->key()));
      co_return;
    }
    markers_[*id] = iterator->sequence();
    co_await iterator->NextAsync();
  }
  if (!iterator->status().ok()) {
    Complain(fmt::format("reading markers: {}", Message(iterator->status())));
  }
}

Task<void> Run::CheckEverything(std::string when) {
  const auto expected = model_.StateAt(kSequenceMax, model_.drops(), "", "");
  auto iterator = db_->NewIterator();
  std::map<std::string, std::string> forward;
  co_await iterator->SeekToFirstAsync();
  while (iterator->Valid()) {
    forward.emplace(iterator->key(), iterator->value());
    co_await iterator->NextAsync();
  }
  Status status = iterator->status();
  std::map<std::string, std::string> backward;
  if (status.ok()) {
    co_await iterator->SeekToLastAsync();
    while (iterator->Valid()) {
      backward.emplace(iterator->key(), iterator->value());
      co_await iterator->PrevAsync();
    }
    status = iterator->status();
  }
  if (!status.ok()) {
    Complain(fmt::format("scan {}: {}", when, Message(status)));
    co_return;
  }
  if (forward != expected) Complain(Difference("scan " + when, forward, expected));
  if (backward != expected) Complain(Difference("backward scan " + when, backward, expected));
  for (int i = 0; i < 20 && !complaint_; ++i) {
    const std::string key = RandomKey();
    PinnedValue value;
    const auto found = co_await db_->GetAsync(key, &value);
    if (!found.ok()) {
      Complain(fmt::format("get {} {}: {}", key, when, Message(found.status())));
      co_return;
    }
    const auto it = expected.find(key);
    const bool right =
        *found ? it != expected.end() && it->second == value.view() : it == expected.end();
    if (!right) Complain(fmt::format("get {} {} is wrong", key, when));
  }
}

std::string Run::Difference(const std::string& what, const std::map<std::string, std::string>& got,
                            const std::map<std::string, std::string>& expected) const {
  const auto show = [](const std::string& value) {
    return fmt::format("'{}' ({} bytes)", value.substr(0, value.find(':')), value.size());
  };
  for (const auto& [key, value] : expected) {
    const auto it = got.find(key);
    if (it == got.end())
      return fmt::format("{}: {} is missing, expected {}; {}", what, key, show(value),
                         model_.Describe(key));
    if (it->second != value) {
      return fmt::format("{}: {} is {}, expected {}; {}", what, key, show(it->second), show(value),
                         model_.Describe(key));
    }
  }
  for (const auto& [key, value] : got) {
    if (!expected.contains(key))
      return fmt::format("{}: {}={} should not be there; {}", what, key, show(value),
                         model_.Describe(key));
  }
  return what + ": order differs";
}

void Run::PromiseUpTo(SequenceNumber sequence) {
  for (const auto& [id, write] : model_.writes()) {
    if (write.acknowledged && write.sequence <= sequence) model_.write(id).durable = true;
  }
}

void Run::Observe(Observation seen) {
  if (!io_.crashed()) observations_.push_back(std::move(seen));
}

void Run::ResolveDrop() {
  if (!open_drop_) return;
  PinnedValue value;
  const auto found = db_->Get(sentinel_, &value);
  if (!found.ok()) {
    Complain("sentinel: " + std::string(Message(found.status())));
    return;
  }
  if (!*found) {
    Count("drop that failed and took effect");
    model_.AddDrop(*open_drop_);
  }
  open_drop_.reset();
}

void Run::JudgeLife() {
  if (auto wrong = model_.Resolve(markers_, Model::Crash::kNone, relaxed_)) {
    Complain(*wrong);
    return;
  }
  for (const Observation& seen : observations_) {
    Judge(seen);
    if (complaint_) return;
  }
  observations_.clear();
  io_.Run(CheckEverything("at the end of a life"));
}

void Run::Judge(const Observation& seen) {
  if (seen.scan) {
    const auto expected = model_.StateAt(seen.from, seen.drops, seen.begin, seen.end);
    if (seen.seen != expected) Complain(Difference(seen.what, seen.seen, expected));
    return;
  }
  std::vector<SequenceNumber> moments = {seen.from};
  for (const SequenceNumber sequence : model_.VersionsOf(seen.begin)) {
    if (sequence > seen.from && sequence <= seen.to) moments.push_back(sequence);
  }
  const auto it = seen.seen.find(seen.begin);
  const std::optional<std::string> got =
      it == seen.seen.end() ? std::nullopt : std::optional<std::string>(it->second);
  for (const SequenceNumber moment : moments) {
    if (model_.ValueAt(seen.begin, moment, seen.drops) == got) return;
  }
  const auto expected = model_.ValueAt(seen.begin, seen.from, seen.drops);
  Complain(fmt::format("{} {} at {:x}..{:x} saw {}, expected {}", seen.what, seen.begin, seen.from,
                       seen.to, got ? got->substr(0, 24) : "nothing",
                       expected ? expected->substr(0, 24) : "nothing"));
}

}  // namespace varve::sim
