// DropRules: as tables of text in testdata/drop_rules, and against a model.
#include "compaction/drop_rules.h"

#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "base/random.h"
#include "data_driven.h"

namespace varve::compaction {
namespace {

using testing::TextCase;
using testing::Words;

struct Version {
  std::string key;
  SequenceNumber sequence;
  bool tombstone;

  bool operator==(const Version&) const = default;
};

std::vector<Version> Keep(const std::vector<Version>& versions,
                          std::vector<SequenceNumber> boundaries,
                          std::vector<std::vector<KeyInterval>> deeper) {
  DropRules rules(std::move(boundaries), DeeperKeys(std::move(deeper)));
  std::vector<Version> kept;
  const auto take = [&kept](std::span<const Entry> entries) {
    for (const Entry& entry : entries) {
      kept.push_back({std::string(entry.key), entry.sequence, entry.kind == EntryKind::kDelete});
    }
  };
  for (const Version& version : versions) {
    const std::string key = version.key;  // gone when the rules hear of the next one
    take(rules.Add(
        {key, version.sequence, version.tombstone ? EntryKind::kDelete : EntryKind::kPut, "v"}));
  }
  take(rules.Finish());
  EXPECT_EQ(rules.added(), versions.size());
  EXPECT_EQ(rules.added() - rules.dropped_versions() - rules.dropped_tombstones(), kept.size());
  return kept;
}

// drop BOUNDARY... [below FIRST-LAST...], each word after `below` a level of its own.
// Input and output: "key: 9 7d 3", d for tombstones.
std::string RunDropCase(const TextCase& text_case) {
  std::vector<SequenceNumber> boundaries;
  std::vector<std::vector<KeyInterval>> deeper;
  const std::vector<std::string> words = Words(text_case.command);
  bool below = false;
  for (size_t i = 1; i < words.size(); ++i) {
    if (words[i] == "below") {
      below = true;
    } else if (below) {
      const std::string_view word = words[i];
      const size_t dash = word.find('-');
      deeper.push_back({{word.substr(0, dash), word.substr(dash + 1), true}});
    } else {
      boundaries.push_back(std::stoull(words[i]));
    }
  }
  std::vector<Version> versions;
  for (const std::string& line : text_case.input) {
    const std::vector<std::string> parts = Words(line);
    for (size_t i = 1; i < parts.size(); ++i) {
      versions.push_back(
          {parts[0].substr(0, parts[0].size() - 1), std::stoull(parts[i]), parts[i].back() == 'd'});
    }
  }
  std::string text;
  std::string key;
  for (const Version& version : Keep(versions, boundaries, deeper)) {
    if (version.key != key) {
      key = version.key;
      text += fmt::format("{}{}:", text.empty() ? "" : "\n", key);
    }
    text += fmt::format(" {}{}", version.sequence, version.tombstone ? "d" : "");
  }
  return text.empty() ? "nothing\n" : text + "\n";
}

TEST(DropRules, KeepWhatSomebodyMayRead) {
  testing::RunTextCases(fmt::format("{}/drop_rules", VARVE_TEST_DATA), RunDropCase);
}

// What a read at `sequence` finds: the version's number, or nothing. Keys in `deeper` have a put
// with sequence number 0 below.
std::optional<SequenceNumber> Read(const std::vector<Version>& versions,
                                   const std::set<std::string>& deeper, const std::string& key,
                                   SequenceNumber sequence) {
  for (const Version& version : versions) {  // newest first
    if (version.key != key || version.sequence > sequence) continue;
    if (version.tombstone) return std::nullopt;
    return version.sequence;
  }
  if (deeper.contains(key)) return 0;
  return std::nullopt;
}

bool SameReads(const std::vector<Version>& a, const std::vector<Version>& b,
               const std::set<std::string>& deeper, const std::set<std::string>& keys,
               const std::vector<SequenceNumber>& reads) {
  for (const std::string& key : keys) {
    for (const SequenceNumber sequence : reads) {
      if (Read(a, deeper, key, sequence) != Read(b, deeper, key, sequence)) return false;
    }
  }
  return true;
}

TEST(DropRules, ReadsStayTheSameAndNothingIsKeptInVain) {
  constexpr SequenceNumber kNewest = 24;
  for (uint64_t seed = 1; seed <= 4000; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    std::vector<Version> versions;
    std::set<std::string> keys;
    std::set<std::string> deeper_keys;
    std::vector<std::vector<KeyInterval>> deeper(2);
    const uint64_t tombstones = random.Between(1, 4);
    for (char c = 'a'; c <= 'f'; ++c) {
      const std::string key(1, c);
      keys.insert(key);
      const uint64_t rarity = random.Between(1, 6);
      for (SequenceNumber sequence = kNewest; sequence > 0; --sequence) {
        if (random.OneIn(rarity)) versions.push_back({key, sequence, random.OneIn(tombstones)});
      }
      if (random.OneIn(2)) deeper_keys.insert(key);
    }
    for (const std::string& key : deeper_keys) deeper[random.Below(2)].push_back({key, key, true});

    std::set<SequenceNumber> boundary_set;
    for (uint64_t i = random.Below(5); i > 0; --i) boundary_set.insert(random.Between(1, kNewest));
    boundary_set.insert(random.OneIn(2) ? kNewest : random.Between(kNewest / 2, kNewest));
    const std::vector<SequenceNumber> boundaries(boundary_set.begin(), boundary_set.end());
    // Reads happen at boundaries, and anywhere from the newest one on.
    std::vector<SequenceNumber> reads = boundaries;
    for (SequenceNumber s = boundaries.back() + 1; s <= kNewest + 1; ++s) reads.push_back(s);

    const std::vector<Version> kept = Keep(versions, boundaries, deeper);
    ASSERT_TRUE(SameReads(versions, kept, deeper_keys, keys, reads));
    for (size_t i = 0; i < kept.size(); ++i) {
      ASSERT_NE(std::find(versions.begin(), versions.end(), kept[i]), versions.end());
      std::vector<Version> without = kept;
      without.erase(without.begin() + static_cast<ptrdiff_t>(i));
      ASSERT_FALSE(SameReads(kept, without, deeper_keys, keys, reads))
          << "kept in vain: " << kept[i].key << " " << kept[i].sequence;
    }
  }
}

TEST(DropRules, OneSequenceNumberOfAKeyIsKeptOnce) {
  EXPECT_EQ(Keep({{"a", 9, false}, {"a", 9, false}, {"a", 8, false}}, {5}, {}),
            (std::vector<Version>{{"a", 9, false}, {"a", 8, false}}));
}

TEST(DeeperKeys, AnswersForKeysInOrder) {
  DeeperKeys deeper({{{"b", "d", true}, {"f", "h", false}}, {{"c", "c", true}}, {}});
  EXPECT_FALSE(deeper.MayContain("a"));
  EXPECT_TRUE(deeper.MayContain("b"));
  EXPECT_TRUE(deeper.MayContain("c"));
  EXPECT_TRUE(deeper.MayContain("d"));
  EXPECT_FALSE(deeper.MayContain("e"));
  EXPECT_TRUE(deeper.MayContain("g"));
  EXPECT_FALSE(deeper.MayContain("h"));
  EXPECT_FALSE(deeper.MayContain("z"));
}

}  // namespace
}  // namespace varve::compaction
