#include "protocol/error.h"

#include <gtest/gtest.h>

#include "item/errors.h"
#include "item/value.h"

namespace varve::protocol {
namespace {

using item::ErrorType;

Status OverTheWire(const Status& status) {
  std::string payload;
  EncodeError(status, payload);
  return DecodeError(payload);
}

TEST(Error, OfEveryTypeArrivesAsWhatItWas) {
  for (int i = 0; i <= static_cast<int>(ErrorType::kGlobalTableNotFoundException); ++i) {
    const auto type = static_cast<ErrorType>(i);
    if (type == ErrorType::kInternalServerError) continue;
    const Status sent = item::MakeError(type, "words");
    EXPECT_EQ(OverTheWire(sent), sent) << item::ErrorTypeName(type);
  }
}

TEST(Error, ThatIsInternalKeepsItsWordsToItself) {
  const Status arrived = OverTheWire(Corruption("/data/000012.sst:4096: block checksum mismatch"));
  EXPECT_EQ(item::TypeOfError(arrived), ErrorType::kInternalServerError);
  EXPECT_EQ(Message(arrived), "The request processing has failed because of an unknown error");
}

TEST(Error, OfAConditionCarriesTheItem) {
  item::ValueBuilder builder;
  builder.BeginMap().Name("a").String("b").EndMap();
  const item::Item item(builder.Finish());
  const Status arrived = OverTheWire(item::ConditionalCheckFailed(item.view()));
  EXPECT_EQ(item::ItemOfError(arrived), item);
}

TEST(Error, OfATransactionCarriesItsReasons) {
  item::ValueBuilder builder;
  builder.BeginMap().Name("a").String("b").EndMap();
  const item::Item item(builder.Finish());
  const Status sent = item::TransactionCanceled(
      {{}, {.code = "ConditionalCheckFailed", .message = "failed", .item = item}});
  const Status arrived = OverTheWire(sent);
  EXPECT_EQ(arrived, sent);
  ASSERT_EQ(item::ReasonsOfError(arrived).size(), 2u);
  EXPECT_EQ(item::ReasonsOfError(arrived)[1].item, item);
}

TEST(Error, OfThrottlingCarriesItsReasonAndMayBeTriedAgain) {
  const Status sent = item::ThroughputExceeded(ErrorType::kThrottlingException, "slow down",
                                               "TableReadMaxOnDemandThroughputExceeded", "arn:t");
  EXPECT_EQ(OverTheWire(sent), sent);
  EXPECT_TRUE(IsRetryable(OverTheWire(sent)));
  EXPECT_FALSE(IsRetryable(item::MakeError(ErrorType::kValidationException, "no")));
}

TEST(Error, OfAHandleIsKnownAtBothEnds) {
  EXPECT_TRUE(IsPreparedInvalid(OverTheWire(PreparedInvalid(12))));
  EXPECT_FALSE(IsPreparedInvalid(item::ConditionalCheckFailed()));
  EXPECT_TRUE(absl::IsCancelled(OverTheWire(Cancelled())));
}

TEST(Error, OfATypeFromALaterVersionIsInternal) {
  // Fields 1 and 2: "NewException", "words".
  const Status arrived = DecodeError("\x0a\x0cNewException\x12\x05words");
  EXPECT_EQ(item::TypeOfError(arrived), ErrorType::kInternalServerError);
  EXPECT_EQ(Message(arrived), "NewException: words");
}

}  // namespace
}  // namespace varve::protocol
