#include "protocol/messages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/random.h"
#include "protocol/message_fields.h"

namespace varve::protocol {
namespace {

using ::testing::HasSubstr;

item::Item ItemOf(std::string_view text) {
  item::ValueBuilder builder;
  builder.BeginMap().Name("id").String(text).EndMap();
  return item::Item(builder.Finish());
}

// Fills every field of a message with something, a different thing for each seed; seed 0 leaves
// what is optional out.
class Filler {
 public:
  explicit Filler(uint64_t seed) : empty_(seed == 0), random_(seed) {}

  template <typename T>
  void operator()(uint32_t, std::string_view, T& value, const T& = {}) {
    Fill(value);
  }

 private:
  template <typename T>
  void Fill(T& value) {
    if constexpr (std::is_same_v<T, bool>) {
      value = random_.Next() % 2 == 0;
    } else if constexpr (std::is_enum_v<T>) {
      value = static_cast<T>(random_.Next() % (kEnumMax<T> + 1));
    } else if constexpr (std::is_same_v<T, double>) {
      value = static_cast<double>(random_.Next() % 1000) / 4;
    } else if constexpr (std::is_integral_v<T>) {
      value = static_cast<T>(random_.Next() >> random_.Next() % 64);
    } else if constexpr (std::is_same_v<T, std::string>) {
      value = std::string(random_.Next() % 300, 'x');
    } else if constexpr (std::is_same_v<T, item::Item>) {
      value = ItemOf(std::string(random_.Next() % 200, 'i'));
    } else if constexpr (std::is_same_v<T, item::Value>) {
      value = item::Value::String("value");
    } else if constexpr (std::is_same_v<T, item::ItemList>) {
      for (uint64_t i = empty_ ? 0 : random_.Next() % 4; i > 0; --i) value.Append(ItemOf("listed"));
    } else if constexpr (internal::kIsOptional<T>) {
      if (empty_ || random_.Next() % 4 == 0) return;
      Fill(value.emplace());
    } else if constexpr (internal::kIsVector<T>) {
      for (uint64_t i = empty_ ? 0 : random_.Next() % 4; i > 0; --i) Fill(value.emplace_back());
    } else if constexpr (internal::kIsPair<T>) {
      Fill(value.first);
      Fill(value.second);
    } else {
      Fields(*this, value);
    }
  }

  const bool empty_;
  Random random_;
};

template <typename Message>
std::string BytesOf(const Message& message) {
  std::string bytes;
  EncodeFields(message, bytes);
  return bytes;
}

template <typename Message>
class EveryMessage : public testing::Test {};

using Messages = testing::Types<
    Hello, Welcome, Authenticate, Credit, Goodbye, PrepareRequest, PrepareResponse, ForgetRequest,
    JsonRequest, JsonResponse, item::GetItemRequest, item::GetItemResponse, item::PutItemRequest,
    item::PutItemResponse, item::DeleteItemRequest, item::DeleteItemResponse,
    item::UpdateItemRequest, item::UpdateItemResponse, item::QueryRequest, item::ScanRequest,
    item::ItemPage, item::BatchGetItemRequest, item::BatchGetItemResponse,
    item::BatchWriteItemRequest, item::BatchWriteItemResponse, item::TransactGetItemsRequest,
    item::TransactGetItemsResponse, item::TransactWriteItemsRequest,
    item::TransactWriteItemsResponse, item::ExecuteStatementRequest, item::ExecuteStatementResponse,
    item::BatchExecuteStatementRequest, item::BatchExecuteStatementResponse,
    item::ExecuteTransactionRequest, item::ExecuteTransactionResponse, item::CreateTableRequest,
    item::CreateTableResponse, item::DescribeTableRequest, item::ListTablesRequest,
    item::ListTablesResponse, item::UpdateTableRequest, item::DeleteTableRequest>;
TYPED_TEST_SUITE(EveryMessage, Messages);

// Encoded again, what was decoded gives the same bytes: nothing was lost on the way.
TYPED_TEST(EveryMessage, ArrivesAsItWasSent) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    TypeParam sent;
    Filler filler(seed);
    Fields(filler, sent);
    const std::string bytes = BytesOf(sent);
    TypeParam arrived;
    const Status status = DecodeFields(bytes, Trust::kUntrusted, &arrived);
    ASSERT_TRUE(status.ok()) << seed << ": " << status;
    ASSERT_EQ(BytesOf(arrived), bytes) << seed;
  }
}

// Whatever arrives, reading it ends with a message or with a status.
TYPED_TEST(EveryMessage, CutShortOrDamagedIsReadWithoutHarm) {
  for (uint64_t seed = 1; seed < 100; ++seed) {
    TypeParam sent;
    Filler filler(seed);
    Fields(filler, sent);
    std::string bytes = BytesOf(sent);
    if (bytes.empty()) continue;
    Random random(seed);
    bytes.resize(random.Next() % bytes.size());
    for (uint64_t i = 0; i < 3 && !bytes.empty(); ++i) {
      bytes[random.Next() % bytes.size()] = static_cast<char>(random.Next());
    }
    TypeParam arrived;
    if (DecodeFields(bytes, Trust::kUntrusted, &arrived).ok()) BytesOf(arrived);
  }
}

TEST(Message, SkipsFieldsOfALaterVersion) {
  std::string bytes = BytesOf(item::GetItemRequest{.table_name = "T"});
  FieldWriter writer(&bytes);
  writer.Bytes(60, "something new");
  item::GetItemRequest request;
  RequestExtras extras;
  ASSERT_TRUE(DecodeRequest(bytes, &request, &extras).ok());
  EXPECT_EQ(request.table_name, "T");
}

TEST(Message, ThatIsMalformedSaysWhatAndWhere) {
  struct {
    std::string_view bytes;
    std::string_view message;
  } const cases[] = {
      {std::string_view("\x0a\x05T", 3), "field 1, TableName, at byte 1: is cut short"},
      {std::string_view("\x08\x01", 2),
       "field 1, TableName, at byte 1: should be a length and bytes"},
      {std::string_view("\x18\x01\x0a\x01T", 5), "stands behind field 3"},
      {std::string_view("\x0a\x01T\x0a\x01T", 6), "field 1, TableName, at byte 4: is there twice"},
      {std::string_view("\x0a\x01T\xa0\x01\x07", 6), "has a value that has no meaning"},
      {std::string_view("\x12\x01\x03", 3),
       "One or more parameter values were invalid: malformed encoding: an item that is no map"},
      {std::string_view("\x02", 1), "has a malformed key"},
      {std::string_view("\x07\x01", 2), "has a malformed key"},
      {std::string_view("\x0f", 1), "field 1, TableName, at byte 1: should be"},
      {std::string_view("\x23\x01", 2), "has an unknown wire type"},
  };
  for (const auto& c : cases) {
    item::GetItemRequest request;
    const Status status = DecodeFields(c.bytes, Trust::kUntrusted, &request);
    ASSERT_FALSE(status.ok()) << c.message;
    EXPECT_THAT(Message(status), HasSubstr(c.message));
  }
}

// What HTTP's JSON can't say must not come in here: a name ends up in an item.
TEST(Message, TextThatIsNotUtf8IsRefused) {
  item::UpdateItemRequest request;
  request.table_name = "T";
  request.key = ItemOf("k");
  request.update_expression = "REMOVE #n";
  request.expression_parameters.names.emplace();
  request.expression_parameters.names->emplace_back("#n", "\xff");
  std::string payload;
  EncodeRequest(request, {}, payload);
  item::UpdateItemRequest read;
  RequestExtras extras;
  EXPECT_THAT(Message(DecodeRequest(payload, &read, &extras)),
              HasSubstr("ExpressionAttributeNames, at byte"));
  EXPECT_THAT(Message(DecodeRequest(payload, &read, &extras)), HasSubstr("is not UTF-8"));
}

TEST(Message, ExtrasTravelWithAnyRequestAndAnswer) {
  std::string bytes;
  EncodeRequest(item::PutItemRequest{.table_name = "T", .item = ItemOf("x")},
                {.prepared = 7, .request_token = "token"}, bytes);
  item::PutItemRequest request;
  RequestExtras extras;
  ASSERT_TRUE(DecodeRequest(bytes, &request, &extras).ok());
  EXPECT_EQ(request.item, ItemOf("x"));
  EXPECT_EQ(extras.prepared, 7u);
  EXPECT_EQ(extras.request_token, "token");

  bytes.clear();
  EncodeAnswer(item::PutItemResponse{}, {.repeated = true}, bytes);
  item::PutItemResponse response;
  AnswerExtras answer_extras;
  ASSERT_TRUE(DecodeAnswer(bytes, &response, &answer_extras).ok());
  EXPECT_TRUE(answer_extras.repeated);
}

// ---- The specification

// Lists a message's fields: "1 TableName text, 2 Key item".
class Lister {
 public:
  template <typename T>
  void operator()(uint32_t number, std::string_view name, T&, const T& = {}) {
    if (!text.empty()) text += ", ";
    text += fmt::format("{} {}", number, name);
  }
  std::string text;
};

template <typename Message>
std::string RowOf(std::string_view name) {
  Lister lister;
  Message message;
  Fields(lister, message);
  return fmt::format("| {} | {} |", name, lister.text);
}

TEST(Specification, ListsEveryField) {
  const std::filesystem::path tests = std::filesystem::path(VARVE_TEST_DATA).parent_path();
  std::ifstream file(tests.parent_path().parent_path() / "docs" / "protocol.md");
  std::stringstream text;
  text << file.rdbuf();
  ASSERT_FALSE(text.str().empty());
  const std::string rows[] = {
#define VARVE_ROW(Message) RowOf<Message>(#Message)
#define VARVE_ITEM_ROW(Message) RowOf<item::Message>(#Message)
      VARVE_ROW(Hello),
      VARVE_ROW(Welcome),
      VARVE_ROW(Authenticate),
      VARVE_ROW(Credit),
      VARVE_ROW(Goodbye),
      VARVE_ROW(PrepareRequest),
      VARVE_ROW(PrepareResponse),
      VARVE_ROW(ForgetRequest),
      VARVE_ROW(JsonRequest),
      VARVE_ROW(JsonResponse),
      VARVE_ROW(RequestExtras),
      VARVE_ROW(AnswerExtras),
      VARVE_ITEM_ROW(GetItemRequest),
      VARVE_ITEM_ROW(GetItemResponse),
      VARVE_ITEM_ROW(PutItemRequest),
      VARVE_ITEM_ROW(PutItemResponse),
      VARVE_ITEM_ROW(UpdateItemRequest),
      VARVE_ITEM_ROW(UpdateItemResponse),
      VARVE_ITEM_ROW(DeleteItemRequest),
      VARVE_ITEM_ROW(DeleteItemResponse),
      VARVE_ITEM_ROW(QueryRequest),
      VARVE_ITEM_ROW(ScanRequest),
      VARVE_ITEM_ROW(ItemPage),
      VARVE_ITEM_ROW(BatchGetItemRequest),
      VARVE_ITEM_ROW(KeysAndAttributes),
      VARVE_ITEM_ROW(BatchGetItemResponse),
      VARVE_ITEM_ROW(BatchWriteItemRequest),
      VARVE_ITEM_ROW(WriteRequest),
      VARVE_ITEM_ROW(BatchWriteItemResponse),
      VARVE_ITEM_ROW(TransactGetItemsRequest),
      VARVE_ITEM_ROW(TransactGetItem),
      VARVE_ITEM_ROW(TransactGetItemsResponse),
      VARVE_ITEM_ROW(TransactWriteItemsRequest),
      VARVE_ITEM_ROW(TransactWriteItem),
      VARVE_ITEM_ROW(TransactWriteAction),
      VARVE_ITEM_ROW(TransactWriteItemsResponse),
      VARVE_ITEM_ROW(ExecuteStatementRequest),
      VARVE_ITEM_ROW(ParameterizedStatement),
      VARVE_ITEM_ROW(ExecuteStatementResponse),
      VARVE_ITEM_ROW(BatchExecuteStatementRequest),
      VARVE_ITEM_ROW(BatchExecuteStatementResponse),
      VARVE_ITEM_ROW(BatchStatementResponse),
      VARVE_ITEM_ROW(BatchStatementError),
      VARVE_ITEM_ROW(ExecuteTransactionRequest),
      VARVE_ITEM_ROW(ExecuteTransactionResponse),
      VARVE_ITEM_ROW(CreateTableRequest),
      VARVE_ITEM_ROW(CreateTableResponse),
      VARVE_ITEM_ROW(DescribeTableRequest),
      VARVE_ITEM_ROW(DescribeTableResponse),
      VARVE_ITEM_ROW(ListTablesRequest),
      VARVE_ITEM_ROW(ListTablesResponse),
      VARVE_ITEM_ROW(UpdateTableRequest),
      VARVE_ITEM_ROW(UpdateTableResponse),
      VARVE_ITEM_ROW(DeleteTableRequest),
      VARVE_ITEM_ROW(DeleteTableResponse),
      VARVE_ITEM_ROW(UpdateTimeToLiveRequest),
      VARVE_ITEM_ROW(UpdateTimeToLiveResponse),
      VARVE_ITEM_ROW(TimeToLiveSpecification),
      VARVE_ITEM_ROW(DescribeTimeToLiveRequest),
      VARVE_ITEM_ROW(DescribeTimeToLiveResponse),
      VARVE_ITEM_ROW(TagResourceRequest),
      VARVE_ITEM_ROW(UntagResourceRequest),
      VARVE_ITEM_ROW(ListTagsOfResourceRequest),
      VARVE_ITEM_ROW(ListTagsOfResourceResponse),
      VARVE_ITEM_ROW(ListStreamsRequest),
      VARVE_ITEM_ROW(ListStreamsResponse),
      VARVE_ITEM_ROW(StreamSummary),
      VARVE_ITEM_ROW(DescribeStreamRequest),
      VARVE_ITEM_ROW(DescribeStreamResponse),
      VARVE_ITEM_ROW(ShardDescription),
      VARVE_ITEM_ROW(GetShardIteratorRequest),
      VARVE_ITEM_ROW(GetShardIteratorResponse),
      VARVE_ITEM_ROW(GetRecordsRequest),
      VARVE_ITEM_ROW(GetRecordsResponse),
      VARVE_ITEM_ROW(StreamRecordDescription),
      VARVE_ITEM_ROW(AttributeDefinition),
      VARVE_ITEM_ROW(KeySchemaElement),
      VARVE_ITEM_ROW(ProvisionedThroughput),
      VARVE_ITEM_ROW(OnDemandThroughput),
      VARVE_ITEM_ROW(WarmThroughput),
      VARVE_ITEM_ROW(SseSpecification),
      VARVE_ITEM_ROW(Tag),
      VARVE_ITEM_ROW(Projection),
      VARVE_ITEM_ROW(SecondaryIndex),
      VARVE_ITEM_ROW(GlobalSecondaryIndexUpdate),
      RowOf<item::GlobalSecondaryIndexUpdate::Update>("GlobalSecondaryIndexUpdate.Update"),
      VARVE_ITEM_ROW(StreamSpecification),
      VARVE_ITEM_ROW(TableDescription),
      VARVE_ITEM_ROW(IndexDescription),
      VARVE_ITEM_ROW(ConsumedCapacity),
      VARVE_ITEM_ROW(ItemCollectionMetrics),
#undef VARVE_ITEM_ROW
#undef VARVE_ROW
  };
  for (const std::string& row : rows) EXPECT_THAT(text.str(), HasSubstr(row));
}

}  // namespace
}  // namespace varve::protocol
