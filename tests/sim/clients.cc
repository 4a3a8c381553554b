// Clients: what is done to the database, side by side.
#include <algorithm>

#include "tests/sim/run.h"

namespace varve::sim {

Task<void> Run::Episode() {
  phase_ = "writes";
  const uint64_t clients = 1 + random_.Below(6);
  const uint64_t operations = 20 + random_.Below(300);
  io::TaskGroup group;
  for (uint64_t i = 0; i < clients; ++i) group.Add(Client(operations / clients + 1));
  co_await group.Wait();
  if (Alive() && random_.OneIn(3)) co_await DropGroup();
  if (Alive() && random_.OneIn(8)) co_await TryCheckpoint();
}

Task<void> Run::Client(uint64_t operations) {
  for (uint64_t i = 0; i < operations && Alive(); ++i) {
    ++done_;
    co_await Operation();
    if (random_.OneIn(30)) co_await io::SleepFor(random_.Below(3'000'000));
  }
}

Task<void> Run::Operation() {
  const uint64_t dice = random_.Below(100);
  if (dice < 50) {
    co_await WriteSomething();
  } else if (dice < 68) {
    co_await ReadOne();
  } else if (dice < 73) {
    co_await ReadMany();
  } else if (dice < 85) {
    co_await ScanRange();
  } else if (dice < 89) {
    HoldSnapshot();
  } else if (dice < 92) {
    co_await FlushAll();
  } else if (dice < 94) {
    co_await CompactRange();
  } else if (dice < 97) {
    co_await SplitSomewhere();
  } else if (dice < 98) {
    JumpClock();
  } else {
    if (!held_.empty()) held_.erase(held_.begin() + static_cast<long>(random_.Below(held_.size())));
  }
}

std::string Run::RandomKey() {
  return fmt::format("d{}/{:03}", random_.Below(kGroups), random_.Below(kKeysPerGroup));
}

std::string Run::RandomValue(uint64_t id, size_t index) {
  size_t bytes = random_.Below(60);
  if (random_.OneIn(6)) bytes = random_.Below(1200);
  if (random_.OneIn(60)) bytes = random_.Below(20'000);
  if (random_.OneIn(600)) bytes = 300'000;
  std::string value = fmt::format("w{}.{}:", id, index);
  if (random_.OneIn(2)) {
    value.append(bytes, static_cast<char>('a' + id % 26));
  } else {
    while (value.size() < bytes) AppendNoise(value);
  }
  return value;
}

void Run::AppendNoise(std::string& to) {
  const uint64_t noise = random_.Next();
  to.append(reinterpret_cast<const char*>(&noise), sizeof noise);
}

bool Run::Excused(const Status& status) {
  const auto code = status.code();
  if (code == absl::StatusCode::kUnavailable || code == absl::StatusCode::kResourceExhausted) {
    if (io_.crashed() || faulty_) {
      Count("excused failure");
      return true;
    }
  }
  return false;
}

void Run::Expect(const Status& status, std::string_view what) {
  if (!status.ok() && !Excused(status)) {
    Complain(fmt::format("{}: {}", what, status.ToString()));
  }
}

Task<void> Run::WriteSomething() {
  std::vector<Change> changes;
  Write& write = model_.Begin({});
  const uint64_t count = 1 + random_.Below(6);
  std::map<std::string, std::optional<std::string>> by_key;
  WriteBatch batch;
  for (uint64_t i = 0; i < count; ++i) {
    const std::string key = RandomKey();
    if (random_.OneIn(4)) {
      batch.Delete(key);
      by_key[key] = std::nullopt;
    } else {
      std::string value = RandomValue(write.id, i);
      batch.Put(key, value);
      by_key[key] = std::move(value);
    }
  }
  for (auto& [key, value] : by_key) changes.push_back({key, std::move(value)});
  const std::string marker = MarkerKey(write.id);
  batch.Put(marker, "");
  changes.push_back({marker, ""});
  write.changes = std::move(changes);
  const bool sync = random_.OneIn(5);
  const auto written = co_await db_->WriteAsync(batch, {.sync = sync});
  Note(fmt::format("write {}: {}", write.id, written.ok() ? "ok" : "failed"));
  if (!written.ok()) {
    Expect(written.status(), "write");
    co_return;
  }
  // What the dead process still does in its memory, nobody hears of.
  if (io_.crashed()) co_return;
  Count("write");
  if (*written <= sequence_floor_) {
    Complain(fmt::format("sequence number {:x} after {:x} in an earlier life", *written,
                         sequence_floor_));
  }
  sequence_last_ = std::max(sequence_last_, *written);
  model_.Acknowledge(write, *written);
  if (!relaxed_ || sync) PromiseUpTo(write.sequence);
  if (db_->LastSequence() < *written) Complain("a write returned before it was visible");
}

Run::Moment Run::RandomMoment() {
  if (held_.empty() || random_.OneIn(2)) return {db_->LastSequence(), {}};
  const auto& snapshot = held_[random_.Below(held_.size())];
  return {snapshot->sequence(), {.snapshot = snapshot.get()}};
}

Task<void> Run::ReadOne() {
  const std::string key = RandomKey();
  std::shared_ptr<engine::Snapshot> keep;
  Moment moment = RandomMoment();
  keep = Keep(moment.options.snapshot);
  Observation seen{.what = "get", .from = moment.from, .drops = model_.drops(), .begin = key};
  PinnedValue value;
  const auto found = co_await db_->GetAsync(key, &value, moment.options);
  if (!found.ok()) {
    Expect(found.status(), "get");
    co_return;
  }
  seen.to = moment.options.snapshot != nullptr ? moment.from : db_->LastSequence();
  if (*found) seen.seen.emplace(key, value.view());
  Observe(std::move(seen));
  Count("get");
}

std::shared_ptr<engine::Snapshot> Run::Keep(const engine::Snapshot* snapshot) {
  for (const auto& held : held_) {
    if (held.get() == snapshot) return held;
  }
  return nullptr;
}

Task<void> Run::ReadMany() {
  std::vector<std::string> keys;
  for (uint64_t i = 0; i < 1 + random_.Below(12); ++i) keys.push_back(RandomKey());
  std::vector<std::string_view> views(keys.begin(), keys.end());
  std::vector<std::optional<PinnedValue>> values;
  // Without a snapshot of its own this reads at one moment between the two looks at the clock.
  const SequenceNumber from = db_->LastSequence();
  const size_t drops = model_.drops();
  const Status status = co_await db_->MultiGetAsync(views, &values);
  if (!status.ok()) {
    Expect(status, "multiget");
    co_return;
  }
  for (size_t i = 0; i < keys.size(); ++i) {
    Observation seen{
        .what = "multiget", .from = from, .to = from, .drops = drops, .begin = keys[i]};
    if (values[i]) seen.seen.emplace(keys[i], values[i]->view());
    Observe(std::move(seen));
  }
  Count("multiget");
}

Task<void> Run::ScanRange() {
  Moment moment = RandomMoment();
  const auto keep = Keep(moment.options.snapshot);
  engine::IteratorOptions options;
  options.snapshot = moment.options.snapshot;
  options.fill_cache = random_.OneIn(2);
  if (random_.OneIn(2)) options.lower_bound = RandomKey();
  if (random_.OneIn(2)) options.upper_bound = RandomKey();
  if (options.lower_bound.empty()) options.lower_bound = "d";
  if (options.upper_bound.empty()) options.upper_bound = "e";
  Observation seen{.what = "scan",
                   .from = moment.from,
                   .to = moment.from,
                   .drops = model_.drops(),
                   .scan = true,
                   .begin = options.lower_bound,
                   .end = options.upper_bound};
  if (seen.begin >= seen.end) co_return;
  auto iterator = db_->NewIterator(options);
  const bool backward = random_.OneIn(2);
  if (backward) {
    co_await iterator->SeekToLastAsync();
  } else {
    co_await iterator->SeekToFirstAsync();
  }
  std::string last;
  while (iterator->Valid()) {
    const std::string key(iterator->key());
    if (!last.empty() && (backward ? key >= last : key <= last)) Complain("scan out of order");
    last = key;
    seen.seen.emplace(key, iterator->value());
    if (random_.OneIn(40) && seen.seen.size() > 1) {
      // Turn round and come back.
      if (backward) {
        co_await iterator->NextAsync();
        if (iterator->Valid()) co_await iterator->PrevAsync();
      } else {
        co_await iterator->PrevAsync();
        if (iterator->Valid()) co_await iterator->NextAsync();
      }
      if (!iterator->Valid() || iterator->key() != key) {
        if (iterator->status().ok()) Complain("an iterator did not come back to where it was");
        break;
      }
    }
    if (backward) {
      co_await iterator->PrevAsync();
    } else {
      co_await iterator->NextAsync();
    }
  }
  if (!iterator->status().ok()) {
    Expect(iterator->status(), "scan");
    co_return;
  }
  Observe(std::move(seen));
  Count("scan");
}

void Run::HoldSnapshot() {
  if (held_.size() < 5) held_.push_back(db_->GetSnapshot());
  Count("snapshot");
}

Task<void> Run::FlushAll() {
  phase_ = "flush";
  if (random_.OneIn(8) && !io_.crashed()) ArmCrash(1 + random_.Below(25));
  const SequenceNumber upto = db_->LastSequence();
  const Status flushed = co_await db_->FlushAsync();
  Note("flush");
  Expect(flushed, "flush");
  if (flushed.ok() && !io_.crashed()) {
    PromiseUpTo(upto);
    Count("flush");
  }
}

Task<void> Run::CompactRange() {
  phase_ = "compaction";
  std::string begin = random_.OneIn(2) ? RandomKey() : "";
  std::string end = random_.OneIn(2) ? RandomKey() : "";
  if (!end.empty() && begin >= end) end.clear();
  const Status compacted = co_await db_->CompactAsync(begin, end);
  Note("compact");
  Expect(compacted, "compact");
  if (compacted.ok()) Count("compact");
}

Task<void> Run::SplitSomewhere() {
  phase_ = "split";
  if (db_->Partitions().size() > 30) co_return;
  if (random_.OneIn(4) && !io_.crashed()) ArmCrash(1 + random_.Below(4));
  std::vector<std::string> keys;
  for (uint64_t i = 0; i < 1 + random_.Below(3); ++i) {
    keys.push_back(random_.OneIn(5) ? MarkerKey(1 + random_.Below(2000)) : RandomKey());
  }
  const Status split = co_await db_->SplitAsync(keys);
  Note("split");
  Expect(split, "split");
  if (split.ok()) Count("split");
}

Task<void> Run::DropGroup() {
  const uint64_t group = random_.Below(kGroups);
  // A key by which to tell afterwards whether a drop that failed took effect.
  sentinel_ = GroupBegin(group) + "sentinel";
  Write& write = model_.Begin({});
  const std::string marker = MarkerKey(write.id);
  write.changes = {{sentinel_, "here"}, {marker, ""}};
  WriteBatch batch;
  batch.Put(sentinel_, "here");
  batch.Put(marker, "");
  const auto written = co_await db_->WriteAsync(batch, {.sync = true});
  if (!written.ok()) {
    Expect(written.status(), "write");
    sentinel_.clear();
    co_return;
  }
  if (io_.crashed()) co_return;
  model_.Acknowledge(write, *written);
  PromiseUpTo(*written);
  phase_ = "drop";
  if (random_.OneIn(3) && !io_.crashed()) ArmCrash(1 + random_.Below(5));
  open_drop_ = Drop{GroupBegin(group), GroupEnd(group), *written + 1};
  const auto dropped = co_await db_->DropRangeAsync(open_drop_->begin, open_drop_->end);
  Note("drop");
  if (dropped.ok() && !io_.crashed()) {
    open_drop_->sequence = *dropped;
    model_.AddDrop(*std::exchange(open_drop_, std::nullopt));
    Count("drop");
    co_return;
  }
  Expect(dropped.status(), "drop");
  // Whether it happened is open until the next opening.
  if (!io_.crashed()) {
    last_crash_ = random_.OneIn(2) ? SimCrash::kPower : SimCrash::kProcess;
    io_.Crash(last_crash_);
  }
}

Task<void> Run::TryCheckpoint() {
  phase_ = "checkpoint";
  const std::string directory = fmt::format("/data/copy{}", copies_++);
  const SequenceNumber at = db_->LastSequence();
  const Status copied = co_await db_->CheckpointAsync(directory);
  Expect(copied, "checkpoint");
  if (!copied.ok() || !Alive()) co_return;
  Count("checkpoint");
  auto copy = co_await Db::OpenAsync(io_, directory, life_options_);
  if (!copy.ok()) {
    Expect(copy.status(), "opening a checkpoint");
    co_return;
  }
  Observation seen{.what = "checkpoint",
                   .from = at,
                   .to = at,
                   .drops = model_.drops(),
                   .scan = true,
                   .begin = "d",
                   .end = "e"};
  auto iterator = (*copy)->NewIterator({{}, "d", "e"});
  co_await iterator->SeekToFirstAsync();
  while (iterator->Valid()) {
    seen.seen.emplace(iterator->key(), iterator->value());
    co_await iterator->NextAsync();
  }
  const Status status = iterator->status();
  iterator.reset();
  const Status closed = co_await (*copy)->CloseAsync();
  Expect(status, "reading a checkpoint");
  Expect(closed, "closing a checkpoint");
  if (status.ok()) Observe(std::move(seen));
}

}  // namespace varve::sim
