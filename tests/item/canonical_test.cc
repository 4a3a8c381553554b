// Encodings from outside.
#include "item/canonical.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "item/errors.h"
#include "item/value.h"

namespace varve::item {
namespace {

using ::testing::HasSubstr;

std::string Bytes(std::initializer_list<int> bytes) {
  std::string text;
  for (const int byte : bytes) text += static_cast<char>(byte);
  return text;
}

// What `encoded` becomes, which must be valid.
std::string Canonical(std::string encoded) {
  const Status status = MakeItemCanonical(&encoded);
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_TRUE(ValidateItem(encoded).ok());
  return encoded;
}

std::string ErrorOf(std::string encoded) {
  const Status status = MakeItemCanonical(&encoded);
  EXPECT_EQ(TypeOfError(status), ErrorType::kValidationException) << status;
  return std::string(Message(status));
}

// A map of one attribute "n" with this value.
std::string ItemWith(const std::string& value) {
  std::string encoded = Bytes({0x09, 1, static_cast<int>(value.size()) + 2, 1, 'n'});
  return encoded + value;
}

TEST(Canonical, LeavesWhatIsCanonicalAsItIs) {
  ValueBuilder builder;
  builder.BeginMap().Name("a").Bool(true).Name("b").BeginList().Null().EndList().EndMap();
  const std::string encoded = builder.Finish();
  EXPECT_EQ(Canonical(encoded), encoded);
  EXPECT_EQ(Canonical(Bytes({0x09, 0})), Bytes({0x09, 0}));
}

TEST(Canonical, SortsAttributes) {
  EXPECT_EQ(Canonical(Bytes({0x09, 2, 3, 6, 1, 'b', 0x11, 1, 'a', 0x00})),
            Bytes({0x09, 2, 3, 6, 1, 'a', 0x00, 1, 'b', 0x11}));
}

TEST(Canonical, TheLastOfARepeatedAttributeCounts) {
  EXPECT_EQ(Canonical(Bytes({0x09, 2, 3, 6, 1, 'a', 0x00, 1, 'a', 0x11})),
            Bytes({0x09, 1, 3, 1, 'a', 0x11}));
}

TEST(Canonical, SortsSetsAndRefusesRepeatedElements) {
  EXPECT_EQ(Canonical(ItemWith(Bytes({0x05, 2, 1, 2, 'y', 'x'}))),
            ItemWith(Bytes({0x05, 2, 1, 2, 'x', 'y'})));
  EXPECT_THAT(ErrorOf(ItemWith(Bytes({0x05, 2, 1, 2, 'x', 'x'}))), HasSubstr("duplicates"));
  // 1 and 1.00 are one number.
  EXPECT_THAT(ErrorOf(ItemWith(Bytes({0x06, 2, 2, 5, 0xc1, 0x02, 0xc1, 0x03, 0x00}))),
              HasSubstr("duplicates"));
  EXPECT_THAT(ErrorOf(ItemWith(Bytes({0x05, 0}))), HasSubstr("string set  may not be empty"));
}

TEST(Canonical, TakesTheSmallestWidth) {
  EXPECT_EQ(Canonical(Bytes({0x19, 1, 0, 3, 0, 1, 'n', 0x00})), ItemWith(Bytes({0x00})));
  EXPECT_EQ(Canonical(Bytes({0x29, 1, 0, 0, 0, 3, 0, 0, 0, 1, 'n', 0x00})),
            ItemWith(Bytes({0x00})));
}

TEST(Canonical, TakesZerosOffNumbers) {
  const std::string one = ItemWith(Bytes({0x02, 0xc1, 0x02}));
  EXPECT_EQ(Canonical(ItemWith(Bytes({0x02, 0xc1, 0x03, 0x00}))), one);  // 1.00
  EXPECT_EQ(Canonical(ItemWith(Bytes({0x02, 0xc2, 0x01, 0x02}))), one);  // 0001
  EXPECT_EQ(Canonical(ItemWith(Bytes({0x02, 0x3e, 0xfc, 0xff}))),        // -1.00
            ItemWith(Bytes({0x02, 0x3e, 0xfd})));
  EXPECT_EQ(Canonical(ItemWith(Bytes({0x02, 0xc1, 0x00}))), ItemWith(Bytes({0x02, 0x80, 0x00})));
}

TEST(Canonical, RefusesNumbersThatAreTooLongOrTooSmall) {
  std::string digits = Bytes({0x02, 0xc1});
  for (int i = 0; i < 20; ++i) digits += Bytes({0x03});  // 01 01 01 ...
  digits += Bytes({0x02});
  EXPECT_THAT(ErrorOf(ItemWith(digits)), HasSubstr("38 significant digits"));
  EXPECT_THAT(ErrorOf(ItemWith(Bytes({0x02, 0x80, 0x01, 0x02}))), HasSubstr("underflow"));
}

TEST(Canonical, RefusesWhatMeansNothing) {
  for (const std::string& encoded : {
           std::string(), Bytes({0x03, 'x'}),        // no map
           Bytes({0x09}),                            // cut short
           Bytes({0x39, 0}),                         // unknown width
           Bytes({0x09, 9, 1}),                      // fewer elements than said
           Bytes({0x09, 1, 9, 1, 'n', 0x00}),        // an end behind the end
           Bytes({0x09, 1, 3, 1, 'n', 0x00, 0x00}),  // bytes behind the last
           Bytes({0x09, 1, 3, 9, 'n', 0x00}),        // name cut short
           Bytes({0x09, 1, 3, 1, 0xff, 0x00}),       // name not UTF-8
           ItemWith(Bytes({0x0a})),                  // unknown type
           ItemWith(Bytes({0x21})),                  // bool of 2
           ItemWith(Bytes({0x00, 0x00})),            // null and more
           ItemWith(Bytes({0x03, 0xc0})),            // not UTF-8
           ItemWith(Bytes({0x02, 0xc1, 0x03})),      // a number that does not end
           ItemWith(Bytes({0x02, 0xc1, 0xf0})),      // a pair over 99
           ItemWith(Bytes({0x05, 1, 1, 0xff})),      // in a set, too
       }) {
    EXPECT_NE(ErrorOf(encoded), "");
  }
  EXPECT_EQ(ErrorOf(Bytes({0x09, 1, 2, 0, 0x00})), "Empty attribute name");
}

TEST(Canonical, RefusesValuesNestedTooDeep) {
  const auto nested = [](int depth) {
    ValueBuilder builder;
    for (int i = 0; i < depth; ++i) builder.BeginList();
    for (int i = 0; i < depth; ++i) builder.EndList();
    return builder.Finish();
  };
  std::string most = nested(kValueDepthMax);
  EXPECT_TRUE(MakeValueCanonical(&most).ok());
  std::string more = nested(kValueDepthMax + 1);
  EXPECT_THAT(std::string(Message(MakeValueCanonical(&more))), HasSubstr("Nesting Levels"));
}

}  // namespace
}  // namespace varve::item
