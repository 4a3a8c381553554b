#include "sstable/block.h"

#include "sstable/block_builder.h"
#include "testing.h"

namespace varve::sstable {
namespace {

std::string EncodeAll(const Model& model, uint32_t restart_interval) {
  BlockBuilder builder(restart_interval);
  for (const auto& row : model) builder.Add(EntryOf(row));
  std::string block;
  builder.Encode(builder.count(), block);
  return block;
}

Model SmallModel(Random& random) {
  return RandomModel(random, {.keys = random.Between(1, 40),
                              .key_bytes_max = random.Between(0, 12),
                              .value_bytes_max = random.Between(0, 40),
                              .versions_max = random.Between(1, 6),
                              .alphabet = random.Between(1, 4)});
}

TEST(BlockBuilder, KnowsTheSizeOfTheBlockBeforeItIsEncoded) {
  Random random(1);
  for (int round = 0; round < 200; ++round) {
    const Model model = SmallModel(random);
    BlockBuilder builder(static_cast<uint32_t>(random.Between(1, 16)));
    size_t announced = builder.EncodedBytes();
    for (const auto& row : model) {
      announced = builder.EncodedBytesWith(EntryOf(row));
      builder.Add(EntryOf(row));
      EXPECT_EQ(builder.EncodedBytes(), announced);
    }
    std::string block;
    builder.Encode(builder.count(), block);
    EXPECT_EQ(block.size(), announced);
    const size_t dropped = random.Between(0, model.size() - 1);
    builder.Drop(dropped);
    builder.Encode(builder.count(), block);
    EXPECT_EQ(block.size(), builder.EncodedBytes());
  }
}

TEST(Block, FindsTheNewestVersionAtOrBelowASequence) {
  Random random(2);
  for (int round = 0; round < 300; ++round) {
    const Model model = SmallModel(random);
    const std::string block = EncodeAll(model, static_cast<uint32_t>(random.Between(1, 9)));
    for (int i = 0; i < 100; ++i) {
      std::string key =
          std::next(model.begin(), static_cast<long>(random.Below(model.size())))->first.key;
      if (random.OneIn(3)) key = RandomBytes(random, random.Between(0, 8), 4);
      const SequenceNumber sequence = random.OneIn(4) ? kSequenceMax : random.Between(0, 51);
      const auto* expected = Expected(model, key, sequence);
      Entry found;
      const BlockSearch result = FindInBlock(block, key, sequence, &found);
      ASSERT_EQ(result, expected ? BlockSearch::kFound : BlockSearch::kAbsent) << key;
      if (expected) {
        EXPECT_EQ(Show(found), Show(EntryOf(*expected)));
      }
    }
  }
}

TEST(BlockCursor, WalksBothWaysFromAnywhere) {
  Random random(3);
  for (int round = 0; round < 300; ++round) {
    const Model model = SmallModel(random);
    const std::string block = EncodeAll(model, static_cast<uint32_t>(random.Between(1, 9)));
    BlockCursor cursor;
    ASSERT_TRUE(cursor.Reset(block));
    auto at = model.end();
    for (int i = 0; i < 200; ++i) {
      switch (at == model.end() ? random.Below(3) : random.Below(9)) {
        case 0:
          cursor.SeekToFirst();
          at = model.begin();
          break;
        case 1:
          cursor.SeekToLast();
          at = std::prev(model.end());
          break;
        case 2: {
          const Position target = {RandomBytes(random, random.Between(0, 6), 3),
                                   random.Between(0, 60)};
          cursor.Seek(target.key, target.sequence);
          at = model.lower_bound(target);
          break;
        }
        case 3:
        case 4:
        case 5:
          cursor.Next();
          ++at;
          break;
        default:
          cursor.Prev();
          at = at == model.begin() ? model.end() : std::prev(at);
          break;
      }
      ASSERT_FALSE(cursor.malformed());
      ASSERT_EQ(cursor.valid(), at != model.end());
      if (cursor.valid()) {
        ASSERT_EQ(Show(cursor.entry()), Show(EntryOf(*at)));
      }
    }
  }
}

// Whatever the checksum says: a block is never trusted.
TEST(Block, AnyBytesAreReadWithoutHarm) {
  Random random(4);
  for (int round = 0; round < 5000; ++round) {
    const Model model = SmallModel(random);
    std::string block = EncodeAll(model, static_cast<uint32_t>(random.Between(1, 9)));
    for (uint64_t n = random.Between(1, 4); n > 0; --n) {
      block[random.Below(block.size())] = static_cast<char>(random.Next());
    }
    if (random.OneIn(4)) block.resize(random.Below(block.size() + 1));
    // Exactly as large as it is, so that a step outside is seen by the address sanitizer.
    const std::vector<char> copy(block.begin(), block.end());
    const std::string_view bytes(copy.data(), copy.size());
    Entry entry;
    FindInBlock(bytes, model.begin()->first.key, 20, &entry);
    BlockCursor cursor;
    if (!cursor.Reset(bytes)) continue;
    size_t steps = 0;
    for (cursor.SeekToFirst(); cursor.valid() && steps < 10000; cursor.Next()) ++steps;
    for (cursor.SeekToLast(); cursor.valid() && steps < 10000; cursor.Prev()) ++steps;
    cursor.Seek("ab", 7);
    EXPECT_LT(steps, 10000);
  }
}

}  // namespace
}  // namespace varve::sstable
