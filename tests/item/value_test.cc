#include "item/value.h"

#include <gtest/gtest.h>

#include <string>

#include "base/random.h"

namespace varve::item {
namespace {

using std::string_literals::operator""s;

std::string Hex(std::string_view bytes) {
  std::string hex;
  for (const char c : bytes) hex += fmt::format("{:02x}", static_cast<uint8_t>(c));
  return hex;
}

Item SmallItem() {
  ValueBuilder builder;
  builder.BeginMap();
  builder.Name("b").Bool(true);
  builder.Name("a").Number(Number::FromInt(1));
  builder.EndMap();
  return Item(builder.Finish());
}

TEST(Value, EncodesAsDocumented) {
  EXPECT_EQ(Hex(Value().encoded()), "00");
  EXPECT_EQ(Hex(Value::Bool(false).encoded()), "01");
  EXPECT_EQ(Hex(Value::Bool(true).encoded()), "11");
  EXPECT_EQ(Hex(Value::OfNumber(Number::FromInt(1)).encoded()), "02c102");
  EXPECT_EQ(Hex(Value::String("hi").encoded()), "036869");
  EXPECT_EQ(Hex(Value::Binary("\xff"s).encoded()), "04ff");
  EXPECT_EQ(Hex(Item().encoded()), "0900");
  EXPECT_EQ(Hex(SmallItem().encoded()),
            "09020508"
            "0161"
            "02c102"
            "0162"
            "11");

  ValueBuilder builder;
  builder.BeginSet(ValueType::kStringSet).String("y").String("xx");
  EXPECT_TRUE(builder.EndSet());
  EXPECT_EQ(Hex(builder.Finish()),
            "05020203"
            "7878"
            "79");

  builder.BeginList().Null().String("a").EndList();
  EXPECT_EQ(Hex(builder.Finish()),
            "08020103"
            "00"
            "0361");
}

TEST(Value, WidensItsOffsetsWithItsSize) {
  for (const size_t bytes :
       {size_t{250}, size_t{254}, size_t{255}, size_t{65534}, size_t{65535}, size_t{70000}}) {
    ValueBuilder builder;
    builder.BeginList().String(std::string(bytes, 'x')).Bool(true).EndList();
    const Value value(builder.Finish());
    const size_t body = bytes + 2;
    EXPECT_EQ(static_cast<uint8_t>(value.encoded()[0]) >> 4, body < 0x100     ? 0
                                                             : body < 0x10000 ? 1
                                                                              : 2);
    const ListView list = value.view().list();
    ASSERT_EQ(list.count(), 2u);
    EXPECT_EQ(list.at(0).text(), std::string(bytes, 'x'));
    EXPECT_TRUE(list.at(1).boolean());
  }
}

TEST(Item, FindsAttributesWithoutDecodingOthers) {
  ValueBuilder builder;
  builder.BeginMap();
  for (int i = 99; i >= 0; --i) builder.Name(fmt::format("name{}", i)).Number(Number::FromInt(i));
  builder.EndMap();
  const Item item(builder.Finish());
  for (int i = 0; i < 100; ++i) {
    const auto value = item.view().Find(fmt::format("name{}", i));
    ASSERT_TRUE(value.has_value());
    EXPECT_EQ(value->number(), Number::FromInt(i));
  }
  EXPECT_FALSE(item.view().Find("name").has_value());
  EXPECT_FALSE(item.view().Find("name100").has_value());
  EXPECT_FALSE(item.view().Find("").has_value());
  EXPECT_FALSE(Item().view().Find("a").has_value());

  std::string previous;
  for (const NamedValue attribute : item.view()) {
    EXPECT_LT(previous, attribute.name);
    previous = attribute.name;
  }
}

TEST(Item, IsTheSameBytesWhateverTheOrderItWasBuiltIn) {
  ValueBuilder builder;
  builder.BeginMap();
  builder.Name("a").Number(Number::FromInt(1));
  builder.Name("b").Bool(true);
  builder.EndMap();
  EXPECT_EQ(builder.Finish(), SmallItem().encoded());
}

TEST(ValueBuilder, KeepsTheLastOfEqualNames) {
  ValueBuilder builder;
  builder.BeginMap();
  builder.Name("a").Number(Number::FromInt(1));
  builder.Name("b").Null();
  builder.Name("a").Number(Number::FromInt(2));
  builder.EndMap();
  const Item item(builder.Finish());
  EXPECT_EQ(item.view().count(), 2u);
  EXPECT_EQ(item.view().Find("a")->number(), Number::FromInt(2));
}

TEST(ValueBuilder, SortsFewAndManyNamesAlike) {
  for (const size_t count : {2u, 15u, 16u, 17u, 100u, 3000u}) {
    ValueBuilder builder;
    builder.BeginMap();
    // Every name comes twice; 7919 is prime to all counts.
    for (size_t i = 0; i < 2 * count; ++i) {
      builder.Name(fmt::format("n{:05}", i * 7919 % count));
      builder.Number(Number::FromInt(static_cast<int64_t>(i)));
    }
    builder.EndMap();
    const Item item(builder.Finish());
    EXPECT_TRUE(ValidateItem(item.encoded()).ok());
    ASSERT_EQ(item.view().count(), count);
    for (size_t i = count; i < 2 * count; ++i) {
      const auto value = item.view().Find(fmt::format("n{:05}", i * 7919 % count));
      ASSERT_TRUE(value.has_value());
      EXPECT_EQ(value->number(), Number::FromInt(static_cast<int64_t>(i)));
    }
  }
}

TEST(ValueBuilder, TellsThatASetRepeatsItself) {
  ValueBuilder builder;
  builder.BeginSet(ValueType::kNumberSet);
  builder.Number(*Number::Parse("1.0")).Number(Number::FromInt(2)).Number(Number::FromInt(1));
  EXPECT_FALSE(builder.EndSet());
  const Value set(builder.Finish());
  EXPECT_EQ(set.view().set().count(), 2u);
  EXPECT_TRUE(set.view().set().Contains(Number::FromInt(2).Encode()));
  EXPECT_FALSE(set.view().set().Contains(Number::FromInt(3).Encode()));
}

TEST(ValueBuilder, CopiesEncodedValuesIntoContainers) {
  const Item inner = SmallItem();
  ValueBuilder builder;
  builder.BeginMap();
  builder.Name("nested").BeginList().Copy(inner.view().value()).Null().EndList();
  builder.EndMap();
  const Item item(builder.Finish());
  const ListView list = item.view().Find("nested")->list();
  EXPECT_EQ(list.at(0).map(), inner.view());
  EXPECT_TRUE(list.at(1).Is(ValueType::kNull));
  EXPECT_EQ(item.view().Find("nested")->depth(), 2);
}

TEST(Value, ComparesScalarsOfOneType) {
  const auto number = [](std::string_view text) { return Value::OfNumber(*Number::Parse(text)); };
  EXPECT_LT(*CompareScalars(number("-5"), number("3")), 0);
  EXPECT_EQ(*CompareScalars(number("3.0"), number("3")), 0);
  EXPECT_GT(*CompareScalars(Value::String("b"), Value::String("abc")), 0);
  EXPECT_GT(*CompareScalars(Value::Binary("\xff"), Value::Binary("\x7f")), 0);
  EXPECT_FALSE(CompareScalars(Value::String("3"), number("3")).has_value());
  EXPECT_FALSE(CompareScalars(Value::Bool(true), Value::Bool(true)).has_value());
}

TEST(Item, SizesByDynamoDbsRule) {
  ValueBuilder builder;
  builder.BeginMap();
  EXPECT_EQ(Item().view().size_bytes(), 0u);
  builder.Name("s").String("hello");                // 1 + 5
  builder.Name("n").Number(*Number::Parse("123"));  // 1 + 3
  builder.Name("yes").Bool(true);                   // 3 + 1
  builder.Name("no").Null();                        // 2 + 1
  builder.Name("bin").Binary("\0\1"s);              // 3 + 2
  builder.Name("ss").BeginSet(ValueType::kStringSet).String("a").String("bc");
  ASSERT_TRUE(builder.EndSet());  // 2 + 3
  builder.Name("ns").BeginSet(ValueType::kNumberSet).Number(Number::FromInt(-1));
  ASSERT_TRUE(builder.EndSet());                                 // 2 + 3
  builder.Name("l").BeginList().String("x").Null().EndList();    // 1 + 3 + 2 + 2
  builder.Name("m").BeginMap().Name("k").String("vv").EndMap();  // 1 + 3 + 1 + 1 + 2
  builder.EndMap();
  EXPECT_EQ(Item(builder.Finish()).view().size_bytes(), 6u + 4 + 4 + 3 + 5 + 5 + 5 + 8 + 8);
}

// A value of any shape, for round trips.
void BuildRandom(Random& random, int depth, ValueBuilder& builder) {
  switch (random.Below(depth < 4 ? 10 : 5)) {
    case 0:
      builder.Null();
      return;
    case 1:
      builder.Bool(random.OneIn(2));
      return;
    case 2:
      builder.Number(Number::FromInt(static_cast<int64_t>(random.Next())));
      return;
    case 3:
      builder.String(std::string(random.Below(20), 's'));
      return;
    case 4:
      builder.Binary(std::string(random.Below(300), '\xfe'));
      return;
    case 5:
    case 6:
      builder.BeginList();
      for (uint64_t i = random.Below(6); i > 0; --i) BuildRandom(random, depth + 1, builder);
      builder.EndList();
      return;
    case 7: {
      builder.BeginSet(ValueType::kNumberSet);
      for (uint64_t i = random.Between(1, 5); i > 0; --i) {
        builder.Number(Number::FromInt(static_cast<int64_t>(random.Below(10))));
      }
      (void)builder.EndSet();
      return;
    }
    default:
      builder.BeginMap();
      for (uint64_t i = random.Below(6); i > 0; --i) {
        builder.Name(fmt::format("n{}", random.Below(100)));
        BuildRandom(random, depth + 1, builder);
      }
      builder.EndMap();
  }
}

void Rebuild(ValueView value, ValueBuilder& builder) {
  switch (value.type()) {
    case ValueType::kNull:
      builder.Null();
      return;
    case ValueType::kBool:
      builder.Bool(value.boolean());
      return;
    case ValueType::kNumber:
      builder.Number(value.number());
      return;
    case ValueType::kString:
      builder.String(value.text());
      return;
    case ValueType::kBinary:
      builder.Binary(value.text());
      return;
    case ValueType::kList:
      builder.BeginList();
      for (const ValueView element : value.list()) Rebuild(element, builder);
      builder.EndList();
      return;
    case ValueType::kMap:
      builder.BeginMap();
      for (const NamedValue element : value.map()) {
        builder.Name(element.name);
        Rebuild(element.value, builder);
      }
      builder.EndMap();
      return;
    default:
      builder.BeginSet(value.type());
      for (const std::string_view element : value.set()) {
        builder.Element(value.set().element_type(), element);
      }
      EXPECT_TRUE(builder.EndSet());
  }
}

Item RandomItem(Random& random) {
  ValueBuilder builder;
  builder.BeginMap();
  for (uint64_t i = random.Below(8); i > 0; --i) {
    builder.Name(fmt::format("attribute{}", random.Below(1000)));
    BuildRandom(random, 0, builder);
  }
  builder.EndMap();
  return Item(builder.Finish());
}

TEST(Item, RoundTripsThroughViewsAndIsValid) {
  Random random(3);
  for (int i = 0; i < 2000; ++i) {
    const Item item = RandomItem(random);
    EXPECT_TRUE(ValidateItem(item.encoded()).ok()) << ValidateItem(item.encoded());
    ValueBuilder builder;
    Rebuild(item.view().value(), builder);
    EXPECT_EQ(builder.Finish(), item.encoded());
  }
}

// Walks everything a view can reach.
size_t Touch(ValueView value) {
  size_t sum = value.encoded().size() + value.size_bytes();
  if (value.type() == ValueType::kList) {
    for (const ValueView element : value.list()) sum += Touch(element);
  } else if (value.type() == ValueType::kMap) {
    for (const NamedValue element : value.map()) sum += element.name.size() + Touch(element.value);
    sum += value.map().Find("n5").has_value();
  } else if (IsSet(value.type())) {
    for (const std::string_view element : value.set()) sum += element.size();
  } else if (value.type() == ValueType::kNumber) {
    sum += value.number().ToString().size();
  }
  return sum;
}

TEST(Item, ViewsOfDamagedBytesStayWithinThem) {
  Random random(4);
  int refused = 0;
  for (int i = 0; i < 5000; ++i) {
    std::string bytes = RandomItem(random).encoded();
    for (uint64_t flips = random.Between(1, 4); flips > 0; --flips) {
      bytes[random.Below(bytes.size())] ^= static_cast<char>(1 << random.Below(8));
    }
    if (random.OneIn(4)) bytes.resize(random.Between(1, bytes.size()));
    // In memory of exactly this size, so that a sanitizer sees any step outside.
    const std::unique_ptr<char[]> exact(new char[bytes.size()]);
    std::copy(bytes.begin(), bytes.end(), exact.get());
    const std::string_view view(exact.get(), bytes.size());
    refused += !ValidateItem(view).ok();
    if ((view[0] & 0x0f) == 9) Touch(ValueView(view));
  }
  EXPECT_GT(refused, 1000);
}

TEST(ValidateItem, RefusesWhatIsNotCanonical) {
  EXPECT_FALSE(ValidateItem("").ok());
  EXPECT_FALSE(ValidateItem("\x08\0"s).ok()) << "a list";
  EXPECT_FALSE(ValidateItem("\x09"s).ok()) << "cut short";
  EXPECT_FALSE(ValidateItem("\x19\0\0"s).ok()) << "wider than needed";
  EXPECT_FALSE(ValidateItem("\x09\x00\x00"s).ok()) << "bytes behind";
  EXPECT_FALSE(ValidateItem("\x09\x01\x04\x01"s
                            "a\x05\x00"s)
                   .ok())
      << "empty set";
  EXPECT_FALSE(ValidateItem("\x09\x02\x03\x06\x01"s
                            "b\x00\x01"s
                            "a\x00"s)
                   .ok())
      << "out of order";
  EXPECT_FALSE(ValidateItem("\x09\x01\x04\x01"s
                            "a\x03\xff"s)
                   .ok())
      << "not UTF-8";
}

TEST(ValidateItem, BoundsTheDepth) {
  for (const int depth : {kValueDepthMax, kValueDepthMax + 1}) {
    ValueBuilder builder;
    builder.BeginMap().Name("a");
    for (int i = 0; i < depth; ++i) builder.BeginList();
    for (int i = 0; i < depth; ++i) builder.EndList();
    builder.EndMap();
    EXPECT_EQ(ValidateItem(builder.Finish()).ok(), depth == kValueDepthMax);
  }
}

}  // namespace
}  // namespace varve::item
