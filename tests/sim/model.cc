#include "tests/sim/model.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace varve::sim {

std::string MarkerKey(uint64_t write_id) {
  return fmt::format("m{}/{:08}", write_id % 3, write_id);
}

std::optional<uint64_t> MarkerId(std::string_view key) {
  if (key.size() != 11 || key[0] != 'm' || key[2] != '/') return std::nullopt;
  uint64_t id = 0;
  std::from_chars(key.data() + 3, key.data() + key.size(), id);
  return id;
}

Write& Model::Begin(std::vector<Change> changes) {
  const uint64_t id = writes_.size() + 1;
  Write& write = writes_[id];
  write.id = id;
  write.changes = std::move(changes);
  return write;
}

void Model::Index(const Write& write) {
  for (const Change& change : write.changes) {
    versions_[change.key][write.sequence] = change.value;
  }
}

void Model::Acknowledge(Write& write, SequenceNumber sequence) {
  write.acknowledged = true;
  write.applied = true;
  write.sequence = sequence;
  Index(write);
}

std::optional<std::string> Model::Resolve(const std::map<uint64_t, SequenceNumber>& found,
                                          Crash crash, bool relaxed) {
  SequenceNumber last = 0;
  for (const auto& [id, sequence] : found) {
    const auto it = writes_.find(id);
    if (it == writes_.end()) return fmt::format("marker of write {}, which was never made", id);
    Write& write = it->second;
    if (write.sequence != 0 && write.sequence != sequence) {
      return fmt::format("write {} has sequence number {:x}; it returned {:x}", id, sequence,
                         write.sequence);
    }
    last = std::max(last, sequence);
  }
  for (auto& [id, write] : writes_) {
    if (const auto it = found.find(id); it != found.end()) {
      if (!write.applied) {
        write.sequence = it->second;
        write.applied = true;
        Index(write);
      }
      continue;
    }
    if (!write.applied) continue;
    const bool may_be_lost = crash == Crash::kPower && relaxed && !write.durable;
    if (!may_be_lost) return fmt::format("write {} ({:x}) is lost", id, write.sequence);
    if (write.sequence < last) {
      return fmt::format("write {} ({:x}) is lost, but a later one ({:x}) is there", id,
                         write.sequence, last);
    }
    write.applied = false;
    for (const Change& change : write.changes) {
      auto& versions = versions_[change.key];
      versions.erase(write.sequence);
    }
  }
  return std::nullopt;
}

std::optional<std::string> Model::ValueAt(const std::string& key, SequenceNumber sequence,
                                          size_t drops) const {
  const auto it = versions_.find(key);
  if (it == versions_.end()) return std::nullopt;
  const auto after = it->second.upper_bound(sequence);
  if (after == it->second.begin()) return std::nullopt;
  const auto& [written, value] = *std::prev(after);
  for (size_t i = 0; i < std::min(drops, drops_.size()); ++i) {
    const Drop& drop = drops_[i];
    const bool inside = key >= drop.begin && (drop.end.empty() || key < drop.end);
    if (inside && written < drop.sequence) return std::nullopt;
  }
  return value;
}

std::map<std::string, std::string> Model::StateAt(SequenceNumber sequence, size_t drops,
                                                  const std::string& begin,
                                                  const std::string& end) const {
  std::map<std::string, std::string> state;
  for (auto it = versions_.lower_bound(begin); it != versions_.end(); ++it) {
    if (!end.empty() && it->first >= end) break;
    if (auto value = ValueAt(it->first, sequence, drops)) state.emplace(it->first, *value);
  }
  return state;
}

std::vector<SequenceNumber> Model::VersionsOf(const std::string& key) const {
  std::vector<SequenceNumber> sequences;
  const auto it = versions_.find(key);
  if (it == versions_.end()) return sequences;
  for (const auto& [sequence, value] : it->second) sequences.push_back(sequence);
  return sequences;
}

std::string Model::Describe(const std::string& key) const {
  std::string text = "history:";
  if (const auto it = versions_.find(key); it != versions_.end()) {
    for (const auto& [sequence, value] : it->second) {
      text +=
          fmt::format(" {:x}={}", sequence, value ? value->substr(0, value->find(':')) : "deleted");
    }
  }
  for (const Drop& drop : drops_) {
    if (key >= drop.begin && key < drop.end) text += fmt::format(" dropped at {:x}", drop.sequence);
  }
  return text;
}

void Model::PromiseAll() {
  for (auto& [id, write] : writes_) write.durable = write.durable || write.applied;
}

}  // namespace varve::sim
