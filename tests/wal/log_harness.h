// A log with the part of an engine that it needs: a commit lock, a manifest that never fails, and a
// memory of what was appended and acknowledged, to compare a replay with.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "io/io.h"
#include "wal/log.h"
#include "wal/reader.h"

namespace varve::wal {

struct Appended {
  SequenceNumber sequence;
  Lsn end;
  std::string payload;
};

// A payload that tells its record and no other, compressible by nobody.
inline std::string MakePayload(SequenceNumber sequence, size_t bytes) {
  Random random(sequence);
  std::string payload(bytes, '\0');
  for (char& c : payload) c = static_cast<char>(random.Next());
  return payload;
}

class LogHarness {
 public:
  static constexpr uint64_t kDatabaseId = 0x5eedf00d;

  LogHarness(io::Io& io, LogOptions options) : io_(io), options_(std::move(options)) {
    options_.database_id = kDatabaseId;
    options_.on_durable = [this](Lsn lsn) {
      EXPECT_GT(lsn, told_durable_) << "on_durable goes forward";
      told_durable_ = lsn;
    };
  }

  LogOptions& options() { return options_; }
  Log& log() { return *log_; }
  LogChain& chain() { return chain_; }
  bool open() const { return log_ != nullptr; }
  void Drop() { log_ = nullptr; }
  const LogTail& tail() const { return tail_; }
  Lsn told_durable() const { return told_durable_; }

  // What the log must hold: the records of all lives that recovery has found, then this life's.
  std::vector<Appended>& records() { return records_; }
  // How many of them are acknowledged as durable, from the first on.
  size_t acknowledged() const { return acknowledged_; }

  // Begins a life: replays, checks against the memory, opens a new segment, seals the old end.
  // `survivors_min`: so many records must be there at least.
  io::Task<Status> Recover(size_t survivors_min) {
    std::vector<Appended> found;
    if (begun_) {
      auto tail = co_await ReplayLog(
          io_, options_.directory, kDatabaseId, chain_, [&](const LogRecord& record) {
            found.push_back({record.sequence, record.end, std::string(record.payload)});
            return absl::OkStatus();
          });
      if (!tail.ok()) co_return tail.status();
      CheckFound(found, survivors_min);
      records_.resize(std::min(records_.size(), found.size()));
      tail_ = *tail;
    } else {
      tail_ = LogTail();
    }
    auto log = co_await Log::Open(io_, options_, tail_.start);
    if (!log.ok()) co_return log.status();
    // From here on the manifest's edit is durable.
    if (begun_) {
      AddSeal({tail_.segment, tail_.end, tail_.start.segment});
    } else {
      chain_.first_segment = tail_.start.segment;
    }
    begun_ = true;
    log_ = std::move(*log);
    told_durable_ = 0;
    // Recovery has made them durable.
    acknowledged_ = records_.size();
    co_return absl::OkStatus();
  }

  void AddSeal(const LogSeal& seal) {
    std::erase_if(chain_.seals, [&](const LogSeal& old) { return old.segment == seal.segment; });
    chain_.seals.push_back(seal);
  }

  // While it says so nothing is appended: stores to a mapping cannot fail, though the world has
  // ended.
  void set_dead(std::function<bool()> dead) { dead_ = std::move(dead); }

  AppendResult TryAppend(const std::string& payload) {
    if (dead_ && dead_()) return {AppendResult::State::kFailed};
    const SequenceNumber sequence = next_sequence_;
    const std::string_view whole = payload;
    // In parts, as batches come.
    const std::string_view parts[] = {whole.substr(0, whole.size() / 3),
                                      whole.substr(whole.size() / 3)};
    const AppendResult result = log_->Append(sequence, parts);
    if (result.state == AppendResult::State::kAppended) {
      ++next_sequence_;
      records_.push_back({sequence, result.end, payload});
    }
    return result;
  }

  // Appends a record of so many random bytes, and waits for its durability if asked.
  io::Task<Status> Commit(size_t bytes, bool durable) {
    AppendResult result;
    while (true) {
      {
        auto lock = co_await commit_mutex_.Lock();
        result = TryAppend(MakePayload(next_sequence_, bytes));
      }
      if (result.state == AppendResult::State::kAppended) break;
      if (result.state == AppendResult::State::kFailed) {
        const Status failure = log_->failure();
        co_return failure.ok() ? Unavailable("dead") : failure;
      }
      Status room = co_await log_->Room(bytes);
      if (!room.ok()) co_return room;
    }
    if (dead_ && dead_()) co_return Unavailable("dead");
    // If that fails, the appends will say so when they need it.
    if (log_->NeedsSegment()) (void)co_await log_->PrepareSegment();
    if (!durable) co_return absl::OkStatus();
    Status status = co_await log_->WaitDurable(result.end);
    if (status.ok()) {
      EXPECT_GE(told_durable_, result.end) << "on_durable comes before the acknowledgement";
      EXPECT_GE(log_->durable_lsn(), result.end);
      NoteAcknowledged(result.end);
    }
    co_return status;
  }

  io::Task<Status> Roll() {
    while (true) {
      AppendResult result;
      {
        auto lock = co_await commit_mutex_.Lock();
        result = log_->Roll();
      }
      if (result.state == AppendResult::State::kFailed) co_return log_->failure();
      if (result.state == AppendResult::State::kAppended) {
        Status status = co_await log_->WaitDurable(result.end);
        co_return status;
      }
      Status room = co_await log_->Room(Log::kRoll);
      if (!room.ok()) co_return room;
    }
  }

  // After a failure, as an engine does it that has flushed what it had applied.
  io::Task<Status> SealAndRestart() {
    auto seal = co_await log_->Seal();
    if (!seal.ok()) co_return seal.status();
    while (!records_.empty() && records_.back().end > seal->end) records_.pop_back();
    AddSeal(*seal);
    auto lock = co_await commit_mutex_.Lock();
    log_->Restart();
    co_return absl::OkStatus();
  }

  // Forgets the segments below `segment`, and the records in them.
  io::Task<Status> Forget(SegmentNumber segment) {
    Lsn start = 0;
    for (const SegmentInfo& info : log_->Segments()) {
      if (info.number == segment) start = info.start_lsn;
    }
    size_t gone = 0;
    while (gone < records_.size() && records_[gone].end <= start) ++gone;
    records_.erase(records_.begin(), records_.begin() + static_cast<ptrdiff_t>(gone));
    acknowledged_ -= std::min(acknowledged_, gone);
    chain_.first_segment = segment;
    std::erase_if(chain_.seals, [&](const LogSeal& seal) { return seal.segment < segment; });
    Status status = co_await log_->ForgetBefore(segment);
    co_return status;
  }

  io::Task<Status> Close() {
    auto seal = co_await log_->Close();
    if (!seal.ok()) co_return seal.status();
    AddSeal(*seal);
    acknowledged_ = records_.size();
    log_ = nullptr;
    co_return absl::OkStatus();
  }

 private:
  void NoteAcknowledged(Lsn end) {
    while (acknowledged_ < records_.size() && records_[acknowledged_].end <= end) ++acknowledged_;
  }

  // What was found is a prefix of what was appended, to the byte.
  void CheckFound(const std::vector<Appended>& found, size_t survivors_min) {
    ASSERT_GE(found.size(), survivors_min) << "an acknowledged record is lost";
    ASSERT_LE(found.size(), records_.size()) << "a record appeared that was never appended";
    for (size_t i = 0; i < found.size(); ++i) {
      ASSERT_EQ(found[i].sequence, records_[i].sequence) << "record " << i;
      ASSERT_EQ(found[i].end, records_[i].end) << "record " << i;
      ASSERT_TRUE(found[i].payload == records_[i].payload) << "record " << i;
    }
  }

  io::Io& io_;
  LogOptions options_;
  std::function<bool()> dead_;
  LogChain chain_;
  std::unique_ptr<Log> log_;
  io::Mutex commit_mutex_;
  LogTail tail_;
  bool begun_ = false;
  SequenceNumber next_sequence_ = 1;
  std::vector<Appended> records_;
  size_t acknowledged_ = 0;
  Lsn told_durable_ = 0;
};

}  // namespace varve::wal
