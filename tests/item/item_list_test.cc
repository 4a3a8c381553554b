#include "item/item_list.h"

#include <gtest/gtest.h>

namespace varve::item {
namespace {

Item Numbered(size_t i, size_t bytes) {
  ValueBuilder builder;
  builder.BeginMap();
  builder.Name("I").Number(Number::FromInt(static_cast<int64_t>(i)));
  builder.Name("V").String(std::string(bytes, 'v'));
  builder.EndMap();
  return Item(builder.Finish());
}

// Items of all sizes, some larger than a block.
size_t SizeOf(size_t i) { return i % 50 == 7 ? 100'000 : i * 7 % 3000; }

TEST(ItemList, HoldsItemsInTheirOrder) {
  ItemList list;
  EXPECT_TRUE(list.empty());
  size_t bytes = 0;
  for (size_t i = 0; i < 500; ++i) {
    const Item item = Numbered(i, SizeOf(i));
    list.Append(item);
    bytes += item.encoded().size();
  }
  const ItemList copy = list;
  list.Clear();
  EXPECT_TRUE(list.empty());
  EXPECT_EQ(list.encoded_bytes(), 0u);

  ASSERT_EQ(copy.size(), 500u);
  EXPECT_EQ(copy.encoded_bytes(), bytes);
  size_t i = 0;
  for (const ItemView item : copy) {
    EXPECT_EQ(item, Numbered(i, SizeOf(i)).view());
    ++i;
  }
  EXPECT_EQ(i, 500u);
}

TEST(ItemList, DrainsWithoutKeepingWhatHasBeenRead) {
  ItemList list;
  for (size_t i = 0; i < 1000; ++i) list.Append(Numbered(i, 1000));
  const size_t all = list.encoded_bytes();
  size_t i = 0;
  size_t read = 0;
  list.Drain([&](const ItemView& item) {
    EXPECT_EQ(item, Numbered(i, 1000).view());
    // What is left is no more than what has not been read, and the block at hand.
    EXPECT_LE(list.encoded_bytes(), all - read + (size_t{64} << 10));
    read += item.encoded().size();
    ++i;
  });
  EXPECT_EQ(i, 1000u);
  EXPECT_TRUE(list.empty());
  list.Append(Numbered(1, 1));
  EXPECT_EQ(list.size(), 1u);
}

}  // namespace
}  // namespace varve::item
