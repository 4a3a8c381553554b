// Constraints on requests that came as structs.
#include "server/constraints.h"

#include <gtest/gtest.h>

#include <string>

#include "item/errors.h"
#include "item/partiql/requests.h"
#include "item/requests.h"
#include "item/stream_requests.h"
#include "server/operation_schemas.h"

namespace varve::server {
namespace {

template <typename Request>
std::string ErrorOf(const Request& request, const Schema& schema) {
  const Status status = CheckConstraints(request, schema);
  if (status.ok()) return "";
  EXPECT_EQ(item::TypeOfError(status), item::ErrorType::kValidationException);
  return std::string(Message(status));
}

item::Item Key(std::string_view id) {
  item::ValueBuilder builder;
  builder.BeginMap().Name("id").String(id).EndMap();
  return item::Item(builder.Finish());
}

TEST(Constraints, SayWhatTheHttpApiSays) {
  item::GetItemRequest get;
  EXPECT_EQ(ErrorOf(get, kGetItemSchema),
            "2 validation errors detected: Value null at 'tableName' failed to satisfy constraint: "
            "Member must not be null; Value null at 'key' failed to satisfy constraint: Member "
            "must not be null");
  get.table_name = "no spaces";
  get.key = Key("a");
  EXPECT_EQ(ErrorOf(get, kGetItemSchema),
            "1 validation error detected: Value 'no spaces' at 'tableName' failed to satisfy "
            "constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+");
  get.table_name = std::string(256, 'x');
  EXPECT_NE(ErrorOf(get, kGetItemSchema).find("less than or equal to 255"), std::string::npos);
  get.table_name = "Letters";
  EXPECT_EQ(ErrorOf(get, kGetItemSchema), "");
  get.table_name = "arn:aws:dynamodb:us-east-1:123456789012:table/Letters";
  EXPECT_EQ(ErrorOf(get, kGetItemSchema), "");
}

TEST(Constraints, BoundNumbers) {
  item::ScanRequest scan;
  scan.table_name = "Letters";
  scan.limit = 0;
  EXPECT_EQ(ErrorOf(scan, kScanSchema),
            "1 validation error detected: Value '0' at 'limit' failed to satisfy constraint: "
            "Member must have value greater than or equal to 1");
  scan.limit = 1;
  scan.segment = 0;
  scan.total_segments = 1;
  EXPECT_EQ(ErrorOf(scan, kScanSchema), "");
  scan.total_segments = 1'000'001;
  EXPECT_NE(ErrorOf(scan, kScanSchema), "");
}

TEST(Constraints, LookIntoLists) {
  item::CreateTableRequest create;
  create.table_name = "Letters";
  create.attribute_definitions = {{"id", item::ValueType::kBool}};
  create.key_schema = {{"id", item::KeyType::kHash}};
  EXPECT_EQ(ErrorOf(create, kCreateTableSchema),
            "1 validation error detected: Value 'BOOL' at "
            "'attributeDefinitions.1.member.attributeType' failed to satisfy constraint: Member "
            "must satisfy enum value set: [B, N, S]");
  create.attribute_definitions = {{"id", item::ValueType::kString}};
  EXPECT_EQ(ErrorOf(create, kCreateTableSchema), "");
  create.key_schema = {};
  EXPECT_EQ(ErrorOf(create, kCreateTableSchema),
            "1 validation error detected: Value null at 'keySchema' failed to satisfy constraint: "
            "Member must not be null");
  create.key_schema.resize(3, {"id", item::KeyType::kHash});
  EXPECT_NE(ErrorOf(create, kCreateTableSchema).find("less than or equal to 2"), std::string::npos);
}

TEST(Constraints, BoundBatches) {
  item::BatchWriteItemRequest batch;
  EXPECT_NE(ErrorOf(batch, kBatchWriteItemSchema), "");
  auto& writes =
      batch.request_items.emplace_back("Letters", std::vector<item::WriteRequest>()).second;
  writes.resize(25);
  for (item::WriteRequest& write : writes) write.delete_key = Key("a");
  EXPECT_EQ(ErrorOf(batch, kBatchWriteItemSchema), "");
  writes.push_back(writes.back());
  EXPECT_NE(ErrorOf(batch, kBatchWriteItemSchema).find("less than or equal to 25"),
            std::string::npos);

  item::BatchGetItemRequest get;
  get.request_items.emplace_back("x", item::KeysAndAttributes{{Key("a")}});
  EXPECT_NE(ErrorOf(get, kBatchGetItemSchema).find("Map keys must satisfy constraint"),
            std::string::npos);
}

TEST(Constraints, OfATransactionsReadsAreThoseOfGet) {
  item::TransactGetItemsRequest transact;
  EXPECT_NE(ErrorOf(transact, kTransactGetItemsSchema).find("'transactItems'"), std::string::npos);
  item::TransactGetItem& get = transact.transact_items.emplace_back();
  EXPECT_NE(ErrorOf(transact, kTransactGetItemsSchema)
                .find("Value null at 'transactItems.1.member.get.key' failed"),
            std::string::npos);
  get.table_name = "Letters";
  get.key = Key("a");
  EXPECT_EQ(ErrorOf(transact, kTransactGetItemsSchema), "");
}

TEST(Constraints, KnowWhichActionsHaveKeys) {
  item::TransactWriteItemsRequest transact;
  item::TransactWriteItem& item = transact.transact_items.emplace_back();
  item.remove.emplace();
  item.remove->table_name = "Letters";
  EXPECT_NE(ErrorOf(transact, kTransactWriteItemsSchema)
                .find("'transactItems.1.member.delete.key' failed"),
            std::string::npos);
  item.remove->item = Key("a");
  EXPECT_EQ(ErrorOf(transact, kTransactWriteItemsSchema), "");
  transact.transact_items.resize(101, item);
  EXPECT_NE(ErrorOf(transact, kTransactWriteItemsSchema).find("less than or equal to 100"),
            std::string::npos);
}

TEST(Constraints, PassWhatIsOptional) {
  EXPECT_EQ(ErrorOf(item::ListTablesRequest{}, kListTablesSchema), "");
  EXPECT_EQ(ErrorOf(item::ListStreamsRequest{}, kListStreamsSchema), "");
  item::ExecuteStatementRequest statement;
  EXPECT_NE(ErrorOf(statement, kExecuteStatementSchema), "");
  statement.statement.statement = "SELECT * FROM Letters";
  EXPECT_EQ(ErrorOf(statement, kExecuteStatementSchema), "");
  item::PutItemRequest put;
  put.table_name = "Letters";
  put.item = Key("a");
  put.return_old_on_condition_check_failure = true;
  put.return_item_collection_metrics = true;
  EXPECT_EQ(ErrorOf(put, kPutItemSchema), "");
}

}  // namespace
}  // namespace varve::server
