#include "item/number.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/random.h"
#include "item/errors.h"

namespace varve::item {
namespace {

std::string Canonical(std::string_view text) {
  const auto number = Number::Parse(text);
  return number.ok() ? number->ToString() : "! " + std::string(Message(number.status()));
}

std::string Hex(std::string_view bytes) {
  std::string hex;
  for (const char c : bytes) hex += fmt::format("{:02x}", static_cast<uint8_t>(c));
  return hex;
}

std::string Add(std::string_view a, std::string_view b) {
  const auto sum = Number::Add(*Number::Parse(a), *Number::Parse(b));
  return sum.ok() ? sum->ToString() : "! " + std::string(Message(sum.status()));
}

constexpr char kOverflow[] =
    "! Number overflow. Attempting to store a number with magnitude larger than supported range";
constexpr char kUnderflow[] =
    "! Number underflow. Attempting to store a number with magnitude smaller than supported range";
constexpr char kDigits[] = "! Attempting to store more than 38 significant digits in a Number";

TEST(Number, PrintsTheCanonicalTextOfWhatItParses) {
  const std::pair<std::string, std::string> cases[] = {
      {"0", "0"},
      {"-0", "0"},
      {"0.000", "0"},
      {"0e125", "0"},
      {"1", "1"},
      {"-1", "-1"},
      {"+3", "3"},
      {"007", "7"},
      {"1.0", "1"},
      {"1.50", "1.5"},
      {".123", "0.123"},
      {"5.", "5"},
      {"100", "100"},
      {"1e2", "100"},
      {"1E+2", "100"},
      {"12e-1", "1.2"},
      {"-0.0050", "-0.005"},
      {"123456789.123456789", "123456789.123456789"},
      {"3.1415926535897932384626433832795028841", "3.1415926535897932384626433832795028841"},
      {"99999999999999999999999999999999999999", "99999999999999999999999999999999999999"},
      {"1e125", "1" + std::string(125, '0')},
      {"1e-130", "0." + std::string(129, '0') + "1"},
      {"10000000000000000000000000000000000000000000", "1" + std::string(43, '0')},
      {"0." + std::string(200, '0') + "1e100", "0." + std::string(100, '0') + "1"},
  };
  for (const auto& [text, canonical] : cases) EXPECT_EQ(Canonical(text), canonical) << text;
}

TEST(Number, RefusesWhatIsNoNumberOrOutOfRange) {
  EXPECT_EQ(Canonical(""), "! The parameter cannot be converted to a numeric value: ");
  for (const std::string text : {"NaN", "Infinity", "-Infinity", "dog", " 1", "1 ", "1e", "1e+",
                                 "-", ".", "e5", "1.2.3", "0x10", "1,5", "1e9223372036854775808"}) {
    EXPECT_EQ(Canonical(text), "! The parameter cannot be converted to a numeric value: " + text);
  }
  EXPECT_EQ(Canonical("1e126"), kOverflow);
  EXPECT_EQ(Canonical("-11e125"), kOverflow);
  EXPECT_EQ(Canonical("1e9223372036854775807"), kOverflow);
  EXPECT_EQ(Canonical("0e126"), kOverflow);
  EXPECT_EQ(Canonical("1e-131"), kUnderflow);
  EXPECT_EQ(Canonical("0.9e-130"), kUnderflow);
  EXPECT_EQ(Canonical("1e-99999999999"), kUnderflow);
  EXPECT_EQ(Canonical("0e-131"), kUnderflow);
  EXPECT_EQ(Canonical("3.14159265358979323846264338327950288419"), kDigits);
  EXPECT_EQ(Canonical("314159265358979323846264338327950288419e30"), kDigits);
  EXPECT_EQ(Canonical("1" + std::string(38, '0') + "1"), kDigits);
  EXPECT_EQ(TypeOfError(Number::Parse("x").status()), ErrorType::kValidationException);
}

TEST(Number, EncodesAsDocumented) {
  const std::pair<std::string, std::string> cases[] = {
      {"0", "8000"},       {"1", "c102"},     {"12.5", "c11964"},  {"-1", "3efd"},
      {"10", "c114"},      {"100", "c202"},   {"0.1", "c014"},     {"0.01", "c002"},
      {"1e-130", "8002"},  {"1e125", "ff14"}, {"-1e-130", "7ffd"}, {"123", "c2032e"},
      {"-12.5", "3ee69b"},
  };
  for (const auto& [text, hex] : cases) EXPECT_EQ(Hex(Number::Parse(text)->Encode()), hex) << text;
}

// Texts of numbers spread over magnitudes, signs and lengths.
std::string RandomText(Random& random) {
  std::string text = random.OneIn(2) ? "-" : "";
  const uint64_t digits = random.OneIn(4) ? random.Between(30, 38) : random.Between(1, 6);
  for (uint64_t i = 0; i < digits; ++i) {
    text += static_cast<char>('0' + (i == 0 ? random.Between(1, 9) : random.Below(10)));
  }
  const int64_t exponent = random.OneIn(2) ? static_cast<int64_t>(random.Below(8)) - 4
                                           : static_cast<int64_t>(random.Below(217)) - 130;
  return text + "e" +
         std::to_string(std::min<int64_t>(exponent, 125 - static_cast<int64_t>(digits)));
}

TEST(Number, EncodingsDecodeToTheSameNumberAndDelimitThemselves) {
  Random random(1);
  for (int i = 0; i < 20000; ++i) {
    const std::string text = RandomText(random);
    const auto number = Number::Parse(text);
    ASSERT_TRUE(number.ok()) << text;
    const std::string encoded = number->Encode();
    ASSERT_LE(encoded.size(), kNumberBytesMax);
    EXPECT_EQ(Number::Decode(encoded), *number) << text;
    EXPECT_EQ(Number::Decode(encoded + "\x7f"), *number) << text;
    EXPECT_EQ(EncodedNumberBytes(encoded + "more"), encoded.size()) << text;
    EXPECT_EQ(EncodedNumberBytes(encoded.substr(0, encoded.size() - 1)), 0u) << text;
    EXPECT_EQ(*Number::Parse(number->ToString()), *number) << text;
  }
}

TEST(Number, EncodingsCompareAsTheNumbersDo) {
  // Neighbours and strangers: a number against itself plus a small one must order by the sign of
  // it.
  Random random(2);
  for (int i = 0; i < 20000; ++i) {
    const Number a = *Number::Parse(RandomText(random));
    const Number b = random.OneIn(2)
                         ? *Number::Parse(RandomText(random))
                         : Number::Add(a, Number::FromInt(random.Below(3) - 1)).value_or(a);
    const auto difference = Number::Subtract(a, b);
    if (!difference.ok()) continue;  // over 38 digits
    const int expected = difference->is_zero() ? 0 : difference->negative() ? -1 : 1;
    const int order = a.Encode().compare(b.Encode());
    EXPECT_EQ((order > 0) - (order < 0), expected) << a.ToString() << " " << b.ToString();
  }
  std::vector<std::string> ascending = {
      "-9.9e125", "-1e125",  "-100.5", "-100",   "-12.345", "-12.34", "-12",    "-1",
      "-0.1",     "-1e-130", "0",      "1e-130", "0.1",     "1",      "1.01",   "1.1",
      "10",       "11",      "99",     "99.99",  "100",     "1e125",  "9.9e125"};
  for (size_t i = 1; i < ascending.size(); ++i) {
    EXPECT_LT(Number::Parse(ascending[i - 1])->Encode(), Number::Parse(ascending[i])->Encode())
        << ascending[i];
  }
}

TEST(Number, RefusesMalformedEncodings) {
  using std::string_literals::operator""s;
  for (const std::string& bytes :
       {""s, "\x80"s, "\xc1"s, "\xc1\x00"s, "\xc1\x01"s, "\xc1\x03\x00"s, "\xc1\xc8"s,
        "\xc1\x03\x03"s, "\xc1"s + std::string(19, '\x15') + "\x14\x02"s, "\x81\x00"s}) {
    EXPECT_EQ(EncodedNumberBytes(bytes), 0u) << Hex(bytes);
  }
}

TEST(Number, AddsExactly) {
  EXPECT_EQ(Add("1", "2"), "3");
  EXPECT_EQ(Add("0.1", "0.2"), "0.3");
  EXPECT_EQ(Add("1", "-1"), "0");
  EXPECT_EQ(Add("0", "5"), "5");
  EXPECT_EQ(Add("5", "0"), "5");
  EXPECT_EQ(Add("1", "10000000000000000000000"), "10000000000000000000001");
  EXPECT_EQ(Add("-1", "10000000000000000000000"), "9999999999999999999999");
  EXPECT_EQ(Add("99999999999999999999999999999999999999", "1"), "1" + std::string(38, '0'));
  EXPECT_EQ(Add("9e125", "9e125"), kOverflow);
  EXPECT_EQ(Add("1e50", "1"), kOverflow) << "51 digits; the service's word for it";
  EXPECT_EQ(Add("1.1e-130", "-1e-130"), kUnderflow);
}

TEST(Number, ConvertsIntegers) {
  for (const int64_t value :
       {int64_t{0}, int64_t{1}, int64_t{-1}, int64_t{1200}, INT64_MAX, INT64_MIN}) {
    int64_t back = 7;
    EXPECT_TRUE(Number::FromInt(value).ToInt64(&back));
    EXPECT_EQ(back, value);
    EXPECT_EQ(Number::FromInt(value).ToString(), std::to_string(value));
  }
  int64_t value;
  for (const char* text : {"1.5", "9223372036854775808", "-9223372036854775809", "1e30"}) {
    EXPECT_FALSE(Number::Parse(text)->ToInt64(&value)) << text;
  }
}

TEST(Number, SizesByDynamoDbsRule) {
  const std::pair<std::string, size_t> cases[] = {
      {"0", 1},
      {"1", 2},
      {"12", 2},
      {"123", 3},
      {"-1", 3},
      {"100", 2},
      {"1.5", 3},
      {"12.34", 3},
      {"0.01", 2},
      {"99999999999999999999999999999999999999", 20},
      {"-9999999999999999999999999999999999999.9", 21},
  };
  for (const auto& [text, bytes] : cases) {
    EXPECT_EQ(NumberSizeBytes(Number::Parse(text)->Encode()), bytes) << text;
  }
}

}  // namespace
}  // namespace varve::item
