// Model: what the database must contain, told as the history of its writes.
//
// Every batch puts a marker key of its own beside its data. So after a crash the markers that are
// there say exactly which batches took effect, and their sequence numbers in which order; what
// every key must then read as, at any moment of the history, follows.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/entry.h"

namespace varve::sim {

// One put (with a value) or delete of a batch.
struct Change {
  std::string key;
  std::optional<std::string> value;
};

struct Write {
  uint64_t id = 0;
  std::vector<Change> changes;  // the marker is the last
  // Known once it has succeeded, or once its marker has been found.
  SequenceNumber sequence = 0;
  bool acknowledged = false;
  bool applied = false;
  // Must be there after a power cut; set when durability was promised.
  bool durable = false;
};

struct Drop {
  std::string begin;
  std::string end;
  SequenceNumber sequence = 0;
};

// The key of a write's marker. Markers spread over a few partitions and are never overwritten.
std::string MarkerKey(uint64_t write_id);
std::optional<uint64_t> MarkerId(std::string_view key);

class Model {
 public:
  // A write that is about to be made.
  Write& Begin(std::vector<Change> changes);
  Write& write(uint64_t id) { return writes_.at(id); }
  const std::map<uint64_t, Write>& writes() const { return writes_; }

  void Acknowledge(Write& write, SequenceNumber sequence);
  void AddDrop(Drop drop) { drops_.push_back(std::move(drop)); }
  size_t drops() const { return drops_.size(); }

  // Takes what the markers say: found[id] is the sequence number of a write that is there.
  // `crashed`: what is missing is gone for good. Returns a complaint if a write is missing that
  // must be there, or if what is there is not a prefix of the history.
  enum class Crash { kNone, kProcess, kPower };
  std::optional<std::string> Resolve(const std::map<uint64_t, SequenceNumber>& found, Crash crash,
                                     bool relaxed);

  // What `key` reads as at `sequence`, by a reader who came after `drops` drops.
  std::optional<std::string> ValueAt(const std::string& key, SequenceNumber sequence,
                                     size_t drops) const;
  // All keys in [begin, end) that have a value then (an empty end is none).
  std::map<std::string, std::string> StateAt(SequenceNumber sequence, size_t drops,
                                             const std::string& begin,
                                             const std::string& end) const;
  // The sequence numbers of the writes to `key`, ascending.
  std::vector<SequenceNumber> VersionsOf(const std::string& key) const;

  // The history of a key, for a complaint.
  std::string Describe(const std::string& key) const;

  // Everything that is applied now survives a power cut from now on.
  void PromiseAll();

 private:
  void Index(const Write& write);

  std::map<uint64_t, Write> writes_;
  std::vector<Drop> drops_;
  // Applied changes by key, by sequence.
  std::map<std::string, std::map<SequenceNumber, std::optional<std::string>>> versions_;
};

}  // namespace varve::sim
