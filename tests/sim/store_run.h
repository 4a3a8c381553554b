// StoreRun: one seed's run of the item layer (simulation.h): clients of a Store, on the engine, on
// the simulated Io. Its parts: store_run.cc (lives and faults), store_clients.cc (what is done to
// items), store_tables.cc (what is done to tables), store_commits.cc (what took effect, and what
// may be answered), store_reads.cc (what a read may see), store_streams.cc (what a stream must
// have), store_judging.cc (what must be there between lives).
#pragma once

#include <fmt/format.h>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/checksum.h"
#include "base/random.h"
#include "engine/db.h"
#include "io/sim.h"
#include "io/sync.h"
#include "item/store.h"
#include "tests/sim/simulation.h"
#include "tests/sim/store_model.h"
#include "tests/sim/world.h"

namespace varve::sim {

class StoreRun {
 public:
  explicit StoreRun(const SimulationOptions& options)
      : options_(options),
        random_(options.seed * 2 + 1),
        io_({.seed = options.seed * 31 + 7,
             .capacity_bytes = uint64_t{1} << 30,
             .latency_ns_min = 1'000 + random_.Below(20'000),
             .latency_ns_max = 30'000 + random_.Below(500'000)}) {}

  Outcome Go();

 private:
  template <typename T>
  using Task = io::Task<T>;

  // ---- Bookkeeping

  void Complain(std::string text) {
    if (!complaint_) complaint_ = std::move(text);
  }
  void Note(std::string_view text) {
    digest_ = Checksum(text, digest_);
    // Looked at also if nobody asks: that takes time, too.
    const uint64_t now_us = io_.MonotonicNs() / 1000;
    if (options_.trace) fmt::print("[{:>12}] {}\n", now_us, text);
  }
  void Count(const std::string& name) { ++tally_["store: " + name]; }
  bool Alive() const { return !io_.crashed() && !complaint_; }
  // The latest time that it has ever been, going on since.
  uint64_t LatestMs();
  uint64_t LatestSeconds() { return LatestMs() / 1000; }

  // ---- Lives

  void Life();
  bool OpenThroughCrashes();
  void Close();
  void CrashEnded();
  void ArmCrash(uint64_t steps);
  void ArmFaults();
  void JumpClock();
  Task<void> Episode(uint64_t operations);
  Task<void> Recuperate();

  // ---- Clients

  Task<void> Client(uint64_t operations);
  Task<void> OneOperation();
  // Whether a failure is the world's fault, so that what it failed at may have been done.
  bool IsExcused(const Status& status) const;
  // A failure that is neither the world's nor a table's that is being dropped is a complaint.
  void Expect(const Status& status, const TableModel* table, std::string_view what);

  TableModel* RandomTable();
  Attributes RandomKey(const TableModel& table);
  Condition RandomCondition(const TableModel& table, const Attributes& key);
  Part RandomPart(TableModel* table, uint64_t operation_id, bool conditional);

  // What one write was answered. `tell`: it was asked to tell what was there before.
  void FinishSingle(Attempt* attempt, const Status& status, std::optional<State> seen, bool tell);
  void ExpectOfSeveral(const Status& status, const Operation& operation, std::string_view what);
  void TransactionRefused(Attempt* attempt, const Status& status);
  Task<void> Put();
  Task<void> Delete();
  Task<void> Update();
  Task<void> SendUpdate(Operation* operation);
  Task<void> PostponeExpiries();
  Task<void> BatchWrite();
  Task<void> Transact();
  Task<void> Retry();
  Task<void> SendTransaction(Operation* operation, bool again);
  Task<void> Get();
  Task<void> GetMany();
  Task<void> ReadPages();
  Task<void> ReadIndex();
  Task<void> Follow();
  Task<void> Upkeep();

  // ---- Tables

  Task<void> ChangeTables();
  item::CreateTableRequest RandomTableRequest(TableModel* table, Tick begun);
  Task<void> CreateTable();
  Task<void> DeleteTable(TableModel* table);
  Task<void> AddIndex(TableModel* table);
  Task<void> DropIndex(TableModel* table, const std::string& name);
  Task<void> SwitchStream(TableModel* table);
  Task<void> EnableExpiry(TableModel* table);
  void StreamEnded(TableModel* table, Tick begun, Tick ended);

  // ---- Commits, and whose they are

  using ItemKey = std::pair<TableModel*, Attributes>;

  Operation& Begin(std::vector<Part> parts);
  Attempt& Send(Operation* operation);
  // It may have been done.
  void Failed(Attempt* attempt);
  // Nothing was done.
  void Refused(Attempt* attempt);
  void Done(Attempt* attempt);
  // What the store is about to commit: gives it a marker.
  void Record(engine::WriteBatch* batch);
  Task<void> ReadMarkers(const engine::Snapshot* snapshot);
  // Brings the histories of items up to the snapshot.
  Task<void> ResolveCommits(const engine::Snapshot* snapshot);
  void ForgetLost();
  void Place(Commit* commit);
  // What it does to tables that are still there.
  std::optional<std::map<ItemKey, State, InOrder>> ItemsOf(const Commit& commit);
  // Whether it is what the attempt would do now.
  bool Explains(const Attempt& attempt, const Commit& commit,
                const std::map<ItemKey, State, InOrder>& items);
  std::string Unexplained(const Commit& commit, const std::map<ItemKey, State, InOrder>& items);
  std::string Describe(TableModel& table, const Attributes& key);

  // What somebody may have seen who looked between two ticks: everything up to a commit between.
  struct Moments {
    SequenceNumber first = 0, last = kSequenceMax;
  };
  Moments MomentsOf(Tick begun, Tick ended) const;
  // What was said of an item.
  struct Fact {
    TableModel* table;
    Attributes key;
    std::string what;
    std::function<bool(const State&)> holds;
  };
  // Nothing if there is a moment at which all of it holds; else what there is no moment for.
  std::optional<std::string> NoMoment(const std::vector<Fact>& facts, Tick begun, Tick ended);
  void JudgeAttempts();
  void JudgeAttempt(const Attempt& attempt);

  // ---- What reads see

  struct Read {
    std::string what;
    Tick begun = 0, ended = 0;
    struct Seen {
      TableModel* table;
      Attributes key;
      State state;
    };
    std::vector<Seen> seen;  // as of one moment
    void Add(TableModel* table, const Attributes& key, State state) {
      seen.push_back({table, key, std::move(state)});
    }
  };
  struct IndexRead {
    std::string what;
    Tick begun = 0, ended = 0;
    TableModel* table = nullptr;
    IndexModel index;
    std::optional<std::string> partition;  // of the first attribute; nothing: a scan
    std::vector<Attributes> entries;
  };
  void JudgeReads();
  void JudgeRead(const Read& read);
  void JudgeIndexRead(const IndexRead& read);

  // ---- Streams

  Task<void> Poll(StreamModel* stream, bool to_its_end);
  Task<Status> ReadStream(StreamModel* stream, bool to_its_end);
  Task<Status> ReadShard(StreamModel* stream, const std::string& shard_id, bool to_its_end);
  Task<void> JudgeStreams();
  void JudgeStream(TableModel* table, const StreamModel& stream, const StreamModel& again,
                   Tick begun);
  // `begun`: what is committed later need not have been read.
  std::optional<std::string> JudgeRecords(
      const StreamModel& stream, const std::vector<Version>& versions,
      const std::vector<const item::StreamRecordDescription*>& records, Tick begun);

  // ---- Between lives

  Task<void> CheckQuiet(std::string when);
  Task<void> CheckCount(TableModel* table, const std::map<Attributes, Attributes>* items);
  Task<void> SettleTables();
  Task<void> ReadTables(const engine::Snapshot* snapshot,
                        std::map<std::string, item::Table>* tables);
  void ResolveTables(const std::map<std::string, item::Table>& tables);
  void ResolveTable(TableModel& table, const item::Table& actual);
  void CheckItems(const Contents& contents);
  Task<std::map<std::string, std::string>> ReadRange(const engine::Snapshot* snapshot,
                                                     const item::KeyBounds& bounds);
  Task<void> CheckKeySpaces(const engine::Snapshot* snapshot, TableModel* table,
                            const item::Table* actual,
                            const std::map<std::string, std::string>* items);

  const SimulationOptions options_;
  Random random_;
  io::SimIo io_;
  engine::Options life_options_;
  item::StoreOptions store_options_;
  std::unique_ptr<engine::Db> db_;
  std::unique_ptr<item::Store> store_;
  bool faulty_ = false;
  bool is_calm_ = false;  // no crash is to be armed
  std::string phase_;
  io::SimCrash last_crash_ = io::SimCrash::kPower;
  io::SimAccess::Kind last_access_ = io::SimAccess::Kind::kRead;
  std::string last_path_;

  std::deque<std::unique_ptr<TableModel>> tables_;               // also those that are gone
  std::map<std::string, std::unique_ptr<TableModel>> creating_;  // by name: it may have been made
  std::deque<Operation> operations_;
  std::deque<Attempt> attempts_;    // of this life
  std::vector<Operation*> tokens_;  // transactions with a token
  std::deque<Commit> commits_;
  std::vector<Commit*> unplaced_;  // not known to be there
  std::vector<Commit*> order_;     // those that are there, by sequence number
  std::vector<Tick> visible_min_;  // of each of these and those behind it
  std::vector<Tick> begun_max_;    // of each of these and those before it
  std::map<uint64_t, SequenceNumber> markers_;
  uint64_t life_ = 0;
  uint64_t life_of_attempts_ = 0;
  std::vector<Read> reads_;
  std::vector<IndexRead> index_reads_;
  Tick tick_ = 0;
  // A power cut may have taken what ended later (and is not synced by itself).
  Tick promised_ = 0;
  // What began until then has been replayed at an opening, and stays, if it is there.
  Tick replayed_ = 0;
  Tick opened_ = 0;
  bool is_unsynced_ = false;
  bool may_have_lost_ = false;
  int64_t latest_offset_ms_ = 0;
  uint64_t tables_made_ = 0;
  uint64_t done_ = 0;

  std::optional<std::string> complaint_;
  uint64_t digest_ = 0;
  Tally tally_;
};

}  // namespace varve::sim
