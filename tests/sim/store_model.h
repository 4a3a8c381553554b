// What the tables of a store must contain, told as the history of each item.
//
// An operation on items holds the locks of their keys until it returns, and in the simulation its
// caller hears of it in the same moment. So the order in which operations are answered is, key by
// key, the order of their commits, and what an operation found can be compared with the history at
// once. Three things leave more than one possibility open: operations that failed (done wholly, or
// not at all), items that expire, and writes that don't tell what they overwrote. A history
// therefore has a list of paths on which an item may have come to be what it is; whatever is seen
// of the item later removes those that it contradicts, and one must be left.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "item/keys.h"
#include "item/requests.h"
#include "item/stream_requests.h"
#include "item/value.h"

namespace varve::sim {

// An item: the encoded values of its attributes. Nothing: there is none.
using Attributes = std::map<std::string, std::string>;
using State = std::optional<Attributes>;

// Counts the beginnings and ends of operations: the simulation's order of events.
using Tick = uint64_t;
inline constexpr Tick kNever = ~Tick{0};

item::Item ItemOf(const Attributes& attributes);
Attributes AttributesOf(const item::ItemView& item);
std::string Text(std::string_view text);  // encoded values
std::string Integer(int64_t integer);
std::string Show(const State& state);  // in short, for a complaint

// The attributes of every table: its key, p and perhaps s; which operation wrote it; a counter;
// three keys of indexes; when it expires; a payload. An item has some of them.
inline constexpr std::string_view kWriter = "w", kCounter = "n", kExpiry = "ttl", kPayload = "v";

// Of items that expire: seconds since 1970.
std::optional<uint64_t> ExpiryOf(const State& state);

struct Condition {
  enum class Kind { kNone, kAbsent, kPresent, kWriter, kCounterBelow };
  Kind kind = Kind::kNone;
  std::string operand;  // encoded
  bool Holds(const State& state) const;
};

struct TableModel;

// What an operation does to one item.
struct Part {
  enum class Kind { kPut, kDelete, kUpdate, kCheck };
  Kind kind = Kind::kPut;
  TableModel* table = nullptr;
  Attributes key;
  Attributes set;      // of a put: the item; of an update: what it sets
  bool add = false;    // of an update: adds one to the counter
  std::string remove;  // of an update: an attribute that it takes away; or none
  Condition condition;

  State Apply(const State& old) const;
};

struct Operation {
  // Whether what failed has been done after all.
  enum class Outcome { kOpen, kDone, kNotDone };
  uint64_t id = 0;
  std::vector<Part> parts;
  std::string token;  // of a transaction; or none
  Outcome outcome = Outcome::kOpen;
  bool under_way = true;
  Tick begun = 0;
  Tick ended = kNever;
  uint64_t begun_ms = 0;  // by the latest clock there was
};

// What an item was, from some moment on.
struct Version {
  const Operation* operation = nullptr;  // null: it expired (or, of the first, there was none yet)
  State state;
  bool maybe = false;  // it may have been skipped
  Tick begun = 0;      // it came to be between these
  Tick ended = 0;
  bool unheard = false;  // nobody was told: `ended` is when it was found out
};

struct Path {
  State state;                // the last of its versions'
  std::vector<Version> tail;  // behind the versions that are certain
};

class History {
 public:
  explicit History(std::string engine_key) : engine_key_(std::move(engine_key)) {
    versions_.emplace_back();
    paths_.emplace_back();
  }

  // Of the key, in key space 0: tells the order of a scan.
  const std::string& engine_key() const { return engine_key_; }

  // Everything the item may be at `now_s`, by the latest clock there was.
  std::vector<Path> Possible(uint64_t now_s, Tick tick) const;
  // What is left of it. The possibilities of failed operations that are not in a path stay open.
  void Keep(std::vector<Path> paths, Tick tick);

  // An operation failed that may have changed the item. It must outlive the history.
  void AddFailed(Operation* operation, const Part* part) { failed_.emplace_back(operation, part); }
  const std::vector<std::pair<Operation*, const Part*>>& failed() const { return failed_; }
  void ForgetFailed() { failed_.clear(); }
  const std::vector<Path>& paths() const { return paths_; }

  // A power cut may have taken the versions from `first` on, or some of the last of them.
  void Doubt(size_t first);

  // In order; the last are those of the first path if there are several.
  std::vector<Version> Versions() const;
  // Only if there is one path: the versions from `count` on are lost.
  std::vector<Version> Truncate(size_t count);

 private:
  std::string engine_key_;
  std::vector<Version> versions_;  // certain, but for those that are `maybe`
  std::vector<Path> paths_;        // at least one
  std::vector<std::pair<Operation*, const Part*>> failed_;
};

// Joins paths that end in the same state: what not all of them have may have been skipped.
void Join(std::vector<Path>* paths);
bool Has(const Path& path, const Operation* operation);

struct IndexModel {
  item::SecondaryIndex definition;
  bool local = false;
  bool may_be_missing = false;  // it is being made or dropped, or that failed
  bool readable = true;         // known to be filled
  Tick made = 0;
};

struct StreamModel {
  std::string arn;
  item::StreamViewType view_type = item::StreamViewType::kNewAndOldImages;
  // It was enabled, and disabled, between these.
  Tick enable_begun = 0, enable_ended = 0;
  Tick disable_begun = kNever, disable_ended = kNever;

  // What a reader that never looks back has read: by sequence number.
  struct Shard {
    std::string iterator;  // the next one; empty: to be asked for
    std::string last;      // the last sequence number read
    bool is_read = false;  // closed, and read to its end
  };
  std::map<std::string, Shard> shards;
  std::map<std::string, item::StreamRecordDescription> records;
  bool being_read = false;
};

struct TableModel {
  uint64_t number = 0;  // in the order of their making
  std::string name;
  std::string id;
  bool has_sort_key = false;
  bool expires = false;
  std::map<std::string, IndexModel> indexes;
  std::map<Attributes, History> items;  // by key
  std::deque<StreamModel> streams;      // the last may be enabled
  bool changing = false;                // an operation on the table itself is under way
  bool may_be_gone = false;             // it is being dropped, or that failed
  bool gone = false;
  // A change of the stream that failed: whether it was to be enabled, and when it began.
  std::optional<std::pair<bool, Tick>> stream_change_failed;
  item::StreamViewType view_type_wanted = item::StreamViewType::kNewAndOldImages;

  item::TableKey key() const;
  Attributes KeyOf(const Attributes& item) const;
  History& ItemAt(const Attributes& key);
};

// Not by address, which differs from run to run.
struct InOrder {
  bool operator()(const TableModel* a, const TableModel* b) const { return a->number < b->number; }
  bool operator()(const std::pair<TableModel*, Attributes>& a,
                  const std::pair<TableModel*, Attributes>& b) const {
    return a.first != b.first ? (*this)(a.first, b.first) : a.second < b.second;
  }
};
using Contents = std::map<TableModel*, std::map<Attributes, Attributes>, InOrder>;

// What the item shows in the index: nothing if it has no place there.
State EntryOf(const TableModel& table, const IndexModel& index, const State& state);
// The values of the index's key, then the rest of the table's: the order of entries.
std::vector<std::string> PlaceOf(const TableModel& table, const IndexModel& index,
                                 const Attributes& entry);
// The type that an attribute must have to be in a key.
item::ValueType TypeOfAttribute(std::string_view name);

}  // namespace varve::sim
