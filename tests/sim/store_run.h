// StoreRun: one seed's run of the item layer (simulation.h): clients of a Store, on the engine, on
// the simulated Io. Its parts: store_run.cc (lives and faults), store_clients.cc (what is done to
// items), store_tables.cc (what is done to tables), store_outcomes.cc (what an answer says of the
// items' histories), store_reads.cc (what a read may see), store_streams.cc (what a stream must
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
    if (options_.trace) fmt::print("[{:>12}] {}\n", io_.MonotonicNs() / 1000, text);
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
  Task<void> Episode();
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
  Operation& Begin(std::vector<Part> parts);
  Operation& BeginSingle(Part part);

  // What one write was answered. `tell`: it was asked to tell what was there before.
  void FinishSingle(Operation* operation, const Status& status, std::optional<State> seen,
                    bool tell);
  void ExpectOfSeveral(const Status& status, const Operation& operation, std::string_view what);
  void TransactionRefused(Operation* operation, const Status& status, bool again);
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

  // ---- What answers say

  // What was seen of one item before the operation: nothing if the answer doesn't tell.
  using Seen = std::optional<State>;
  void Done(Operation& operation, const std::vector<Seen>& seen);
  void DoneAgain(Operation& operation);
  void Failed(Operation& operation);
  // Nothing was done.
  void Refused(Operation& operation);
  // Nothing was done, and part `i`'s condition held or not.
  void Checked(Operation& operation, size_t i, bool held, const Seen& seen);
  void Decide(Operation* operation, Operation::Outcome outcome, std::string_view evidence);
  // Of the operations that failed, those that these paths decide.
  void DecideFailed(History& history, const std::vector<Path>& paths, std::string_view evidence);
  void Narrow(TableModel& table, const Attributes& key, const std::vector<Path>& paths,
              std::string_view what);
  std::string Describe(TableModel& table, const Attributes& key);

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
  // Which of an item's versions was there: one between these.
  struct Place {
    std::string name;
    std::vector<Version> versions;
    size_t first = 0, last = 0;
  };
  void JudgeReads();
  void JudgeRead(const Read& read);
  void JudgeIndexRead(const IndexRead& read);
  // Whether there is a moment in the order of commits at which all were there; else why not.
  static std::optional<std::string> Contradiction(const std::vector<Place>& places);

  // ---- Streams

  Task<void> Poll(StreamModel* stream, bool to_its_end);
  Task<Status> ReadStream(StreamModel* stream, bool to_its_end);
  Task<Status> ReadShard(StreamModel* stream, const std::string& shard_id, bool to_its_end);
  Task<void> JudgeStreams();
  Task<void> JudgeStream(TableModel* table, size_t stream);
  std::optional<std::string> JudgeRecords(
      const StreamModel& stream, const std::vector<Version>& versions,
      const std::vector<const item::StreamRecordDescription*>& records);

  // ---- Between lives

  Task<void> CheckQuiet(std::string when);
  Task<void> CheckCount(TableModel* table, const std::map<Attributes, Attributes>* items);
  Task<void> SettleTables();
  Task<void> ReadTables(const engine::Snapshot* snapshot,
                        std::map<std::string, item::Table>* tables);
  void ResolveTables(const std::map<std::string, item::Table>& tables);
  void ResolveTable(TableModel& table, const item::Table& actual);
  void ResolveItems(const Contents& contents);
  void ResolveItemsOnce(const Contents& contents, bool decide);
  void ResolveLoss(const Contents& contents);
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
  std::string phase_;
  io::SimCrash last_crash_ = io::SimCrash::kPower;
  io::SimAccess::Kind last_access_ = io::SimAccess::Kind::kRead;
  std::string last_path_;

  std::deque<std::unique_ptr<TableModel>> tables_;               // also those that are gone
  std::map<std::string, std::unique_ptr<TableModel>> creating_;  // by name: it may have been made
  std::deque<Operation> operations_;
  std::vector<Operation*> tokens_;  // transactions with a token
  std::vector<Read> reads_;
  std::vector<IndexRead> index_reads_;
  Tick tick_ = 0;
  // A power cut may have taken what ended later (and is not synced by itself).
  Tick promised_ = 0;
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
