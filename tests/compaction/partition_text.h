// PartitionText: a partition's tables as text, for the tests of policies.
//
//   L0                          the newest first
//     7 a-f 10                  table 7, keys a to f, 10 bytes
//     6 b-f 10 live=4 refd=6 entries=100 tombs=60 seq=3-9 values=4:100,5:20 busy
//   L5
//     3 a-k) 90                 clipped: k does not belong to it
//     2 n-z 90 sample=3,5       with the hashes of some keys
//   value 4 1000 refd=100       value file 4 of 1000 bytes, of which 100 are referred to
//   boundary 50                 the oldest
//   idle
#pragma once

#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <deque>
#include <string>
#include <vector>

#include "compaction/policy.h"
#include "data_driven.h"

namespace varve::compaction {

class PartitionText {
 public:
  void Parse(const std::vector<std::string>& lines) {
    view = PartitionView();
    int level = 0;
    for (const std::string& line : lines) {
      const std::vector<std::string> words = testing::Words(line);
      if (words.empty()) continue;
      if (words[0][0] == 'L') {
        level = std::stoi(words[0].substr(1));
      } else if (words[0] == "value") {
        ValueFileView& file = view.value_files.emplace_back();
        file.number = std::stoull(words[1]);
        file.bytes = file.referenced_bytes = std::stoull(words[2]);
        if (words.size() > 3) file.referenced_bytes = std::stoull(words[3].substr(5));
      } else if (words[0] == "idle") {
        view.idle = true;
      } else if (words[0] == "boundary") {
        view.oldest_boundary = std::stoull(words[1]);
      } else {
        view.levels[level].push_back(ParseTable(words));
      }
    }
  }

  static std::string Format(const Plan& plan) {
    std::string text = fmt::format("{} {:.2f}:", plan.reason, plan.score);
    std::string_view separator = " ";
    for (const Plan::Input& input : plan.inputs) {
      text += fmt::format("{}L{}[{}]", separator, input.level, fmt::join(input.tables, " "));
      separator = " + ";
    }
    text += fmt::format(" -> L{}{}", plan.output_level, plan.trivial_move ? " move" : "");
    if (!plan.cuts.empty()) text += fmt::format(" cut={}", fmt::join(plan.cuts, ","));
    if (!plan.rewrite_value_files.empty()) {
      text += fmt::format(" values={}", fmt::join(plan.rewrite_value_files, ","));
    }
    return text + "\n";
  }

  PartitionView view;

 private:
  std::string_view Keep(const std::string& text) { return strings_.emplace_back(text); }

  TableView ParseTable(const std::vector<std::string>& words) {
    TableView table;
    table.number = std::stoull(words[0]);
    const size_t dash = words[1].find('-');
    std::string last = words[1].substr(dash + 1);
    table.keys.end_included = last.back() != ')';
    if (!table.keys.end_included) last.pop_back();
    table.keys.begin = Keep(words[1].substr(0, dash));
    table.keys.end = Keep(last);
    table.bytes = table.live_bytes = table.referenced_bytes = std::stoull(words[2]);
    table.entries = 100;
    table.sequence_min = table.sequence_max = 1;
    for (size_t i = 3; i < words.size(); ++i) {
      const size_t equals = words[i].find('=');
      const std::string name = words[i].substr(0, equals);
      const std::string value = equals == std::string::npos ? "" : words[i].substr(equals + 1);
      if (name == "live") {
        table.live_bytes = std::stoull(value);
        table.referenced_bytes = table.live_bytes;
      } else if (name == "refd") {
        table.referenced_bytes = std::stoull(value);
      } else if (name == "entries") {
        table.entries = std::stoull(value);
      } else if (name == "tombs") {
        table.tombstones = std::stoull(value);
      } else if (name == "seq") {
        table.sequence_min = std::stoull(value);
        table.sequence_max = std::stoull(value.substr(value.find('-') + 1));
      } else if (name == "sample") {
        sstable::KeySample& sample = samples_.emplace_back();
        sample.known = true;
        std::istringstream stream(value);
        for (std::string hash; std::getline(stream, hash, ',');) {
          sample.hashes.push_back(std::stoull(hash));
        }
        table.key_sample = &sample;
      } else if (name == "busy") {
        table.busy = true;
      } else if (name == "values") {
        std::vector<sstable::ValueFileUse>& uses = uses_.emplace_back();
        std::istringstream stream(value);
        for (std::string use; std::getline(stream, use, ',');) {
          uses.push_back({std::stoull(use), 1, std::stoull(use.substr(use.find(':') + 1))});
        }
        table.value_files = uses;
      } else {
        ADD_FAILURE() << "unknown word " << words[i];
      }
    }
    return table;
  }

  std::deque<std::string> strings_;
  std::deque<std::vector<sstable::ValueFileUse>> uses_;
  std::deque<sstable::KeySample> samples_;
};

}  // namespace varve::compaction
