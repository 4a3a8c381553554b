#include "item/json.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "item/base64.h"
#include "text.h"

namespace varve::item {
namespace {

TEST(Json, RoundTripsAllTypes) {
  for (const std::string text : {
           "{}",
           "{'a':{'S':''}}",
           "{'a':{'S':'text'},'b':{'N':'-12.5'},'c':{'B':'AAEC'},'d':{'BOOL':true},'e':{'BOOL':"
           "false}}",
           "{'n':{'NULL':true}}",
           "{'bs':{'BS':['','AA==','AAE=']},'ns':{'NS':['-1','0','2.5']},'ss':{'SS':['','a','b']}}",
           "{'l':{'L':[{'S':'x'},{'L':[]},{'M':{}},{'N':'1'}]}}",
           "{'m':{'M':{'k':{'M':{'kk':{'NULL':true}}}}}}",
       }) {
    EXPECT_EQ(TextOf(ItemOf(text)), text);
  }
}

TEST(Json, NormalisesWhatTheServiceNormalises) {
  EXPECT_EQ(TextOf(ItemOf("{'n':{'N':'+01.500'}}")), "{'n':{'N':'1.5'}}");
  EXPECT_EQ(TextOf(ItemOf("{'n':{'N':'1e3'}}")), "{'n':{'N':'1000'}}");
  EXPECT_EQ(TextOf(ItemOf("{'s':{'SS':['b','a']}}")), "{'s':{'SS':['a','b']}}");
  EXPECT_EQ(TextOf(ItemOf("{'n':{'NULL':'yes'}}")), "{'n':{'NULL':true}}");
  EXPECT_EQ(TextOf(ItemOf("{'b':{'BOOL':'TRUE'}}")), "{'b':{'BOOL':true}}");
  EXPECT_EQ(TextOf(ItemOf("{'s':{'S':'x','N':null}}")), "{'s':{'S':'x'}}");
}

TEST(Json, RefusesInTheServicesWords) {
  const std::pair<std::string, std::string> cases[] = {
      {"{'a':{}}",
       "ValidationException: Supplied AttributeValue is empty, must contain exactly one of the "
       "supported datatypes"},
      {"{'a':{'X':'y'}}",
       "ValidationException: Supplied AttributeValue is empty, must contain exactly one of the "
       "supported datatypes"},
      {"{'a':{'S':'x','N':'1'}}",
       "ValidationException: Supplied AttributeValue has more than one datatypes set, must contain "
       "exactly one of the supported datatypes"},
      {"{'a':{'N':''}}",
       "ValidationException: The parameter cannot be converted to a numeric value: "},
      {"{'a':{'NULL':false}}",
       "ValidationException: One or more parameter values were invalid: Null attribute value types "
       "must have the value of true"},
      {"{'a':{'N':'b'}}",
       "ValidationException: The parameter cannot be converted to a numeric value: b"},
      {"{'a':{'NS':['1','b']}}",
       "ValidationException: The parameter cannot be converted to a numeric value: b"},
      {"{'a':{'SS':[]}}",
       "ValidationException: One or more parameter values were invalid: An string set  may not be "
       "empty"},
      {"{'a':{'NS':[]}}",
       "ValidationException: One or more parameter values were invalid: An number set  may not be "
       "empty"},
      {"{'a':{'BS':[]}}",
       "ValidationException: One or more parameter values were invalid: Binary sets should not be "
       "empty"},
      {"{'a':{'L':[{'M':{'b':{'SS':[]}}}]}}",
       "ValidationException: One or more parameter values were invalid: An string set  may not be "
       "empty"},
      {"{'a':{'SS':['y','x','y','a']}}",
       "ValidationException: One or more parameter values were invalid: Input collection "
       "[\"x\", \"y\", \"y\", \"a\"] contains duplicates."},
      {"{'a':{'NS':['1','1.0']}}",
       "ValidationException: One or more parameter values were invalid: Input collection contains "
       "duplicates."},
      {"{'a':{'BS':['/w==','AA==','AA==']}}",
       "ValidationException: One or more parameter values were invalid: Input collection "
       "[\"AA==\",\"/w==\",\"AA==\"]of type BS contains duplicates."},
      {"{'a':'x'}", "SerializationException: Unexpected value type in payload"},
      {"{'a':{'N':1}}", "SerializationException: Unexpected value type in payload"},
      {"{'a':{'B':'A'}}",
       "SerializationException: Base64 encoded length is expected a multiple of 4 bytes but found: "
       "1"},
      {"{'a':{'B':'AB=='}}",
       "SerializationException: Invalid last non-pad Base64 character dectected"},
  };
  for (const auto& [text, error] : cases)
    EXPECT_EQ(ErrorText(TryItem(text).status()), error) << text;
}

TEST(Json, RefusesInTheServicesOlderWords) {
  const std::pair<std::string, std::string> cases[] = {
      {"{'a':{'N':'1e126'}}",
       "ValidationException: Number overflow. Attempting to store a number with magnitude larger "
       "than supported range"},
      {"{'a':{'N':'1e2147483647'}}",
       "ValidationException: Number underflow. Attempting to store a number with magnitude smaller "
       "than supported range"},
      {"{'a':{'N':'1e99999999999'}}",
       "ValidationException: The parameter cannot be converted to a numeric value: 1e99999999999"},
      {"{'a':{'N':''}}",
       "ValidationException: The parameter cannot be converted to a numeric value"},
      {"{'a':{'SS':['y','x','y']}}",
       "ValidationException: One or more parameter values were invalid: Input collection [y, x, y] "
       "contains duplicates."},
      {"{'a':{'NS':['1','1.0']}}", "ValidationException: Input collection contains duplicates"},
      {"{'a':{'BS':['/w==','AA==','AA==']}}",
       "ValidationException: One or more parameter values were invalid: Input collection [/w==, "
       "AA==, AA==]of type BS contains duplicates."},
  };
  for (const auto& [text, error] : cases) {
    EXPECT_EQ(ErrorText(TryItem(text, ValueWording::kOlder).status()), error) << text;
  }
}

TEST(Json, BoundsNesting) {
  for (const int depth : {31, 32}) {
    std::string text = "{'S':'leaf'}";
    for (int i = 0; i < depth; ++i)
      text = i % 2 == 0 ? "{'M':{'n':" + text + "}}" : "{'L':[" + text + "]}";
    EXPECT_EQ(ErrorText(TryItem("{'a':" + text + "}").status()),
              depth == 31 ? "OK"
                          : "ValidationException: Nesting Levels have exceeded supported limits: "
                            "Attributes in the item have nested levels beyond supported limit");
  }
}

TEST(Json, EscapesStrings) {
  std::string json;
  AppendJsonString("a\"b\\c\n\r\t\x01\x1f/é☃", json);
  EXPECT_EQ(json, "\"a\\\"b\\\\c\\n\\r\\t\\u0001\\u001f/é☃\"");
}

TEST(Json, HoldsBackWhatIsWrongWithExpressionValues) {
  simdjson::dom::parser parser;
  const auto read = [&](std::string_view text, ValueWording wording = ValueWording::kCurrent) {
    ExpressionParameters parameters;
    const Status status = ExpressionValuesFromJson(parser.parse(WithDoubleQuotes(text)).value(),
                                                   &parameters, wording);
    EXPECT_TRUE(status.ok());
    return parameters;
  };
  const ExpressionParameters good = read("{':b':{'N':'2'},':a':{'S':'x'}}");
  ASSERT_TRUE(good.values.has_value());
  EXPECT_EQ(good.values->at(0).first, ":b");
  EXPECT_EQ(good.values->at(1).second, Value::String("x"));
  EXPECT_TRUE(good.invalid_value.ok());

  EXPECT_EQ(ErrorText(read("{':a':{'N':'x'}}").invalid_value),
            "ValidationException: The parameter cannot be converted to a numeric value: x");
  EXPECT_EQ(ErrorText(read("{':a':{'N':'x'}}", ValueWording::kOlder).invalid_value),
            "ValidationException: ExpressionAttributeValues contains invalid value: The parameter "
            "cannot be converted to a numeric value: x for key :a");
}

TEST(Base64, RoundTripsAndRefusesWhatIsMalformed) {
  Random random(5);
  for (int i = 0; i < 500; ++i) {
    std::string bytes;
    for (uint64_t n = random.Below(20); n > 0; --n) bytes += static_cast<char>(random.Next());
    std::string text, back;
    AppendBase64(bytes, text);
    EXPECT_EQ(text.size(), (bytes.size() + 2) / 3 * 4);
    ASSERT_TRUE(DecodeBase64(text, &back));
    EXPECT_EQ(back, bytes);
  }
  std::string bytes;
  for (const char* text :
       {"A", "AA", "AAA", "AA=A", "A===", "====", "AB==", "AAB=", "A*==", "AA==AAAA", "AAAA\n"}) {
    EXPECT_FALSE(DecodeBase64(text, &bytes)) << text;
  }
}

}  // namespace
}  // namespace varve::item
