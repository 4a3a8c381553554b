// CreateTable, DescribeTable, ListTables, UpdateTable, DeleteTable, and the catalogue in the
// engine.
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include "store_fixture.h"

namespace varve::item {
namespace {

class StoreTables : public StoreTest {
 protected:
  StatusOr<TableDescription> Describe(std::string_view name) {
    DescribeTableRequest request;
    request.table_name = name;
    auto response = Run(store_->DescribeTable(request));
    if (!response.ok()) return response.status();
    return std::move(response->table);
  }
  std::string DeleteTable(std::string_view name) {
    DeleteTableRequest request;
    request.table_name = name;
    return ErrorText(Run(store_->DeleteTable(request)).status());
  }
  std::string Names(std::optional<std::string> after = std::nullopt,
                    std::optional<int64_t> limit = {}) {
    ListTablesRequest request;
    request.exclusive_start_table_name = std::move(after);
    request.limit = limit;
    const auto response = Run(store_->ListTables(request));
    std::string names;
    for (const std::string& name : response->table_names) names += name + " ";
    if (response->last_evaluated_table_name) names += "/ " + *response->last_evaluated_table_name;
    return names;
  }
  std::string Create(const CreateTableRequest& request) {
    return ErrorText(Run(store_->CreateTable(request)).status());
  }
  std::string Update(const UpdateTableRequest& request) {
    return ErrorText(Run(store_->UpdateTable(request)).status());
  }
};

TEST_F(StoreTables, AreDescribed) {
  CreateTableRequest request = TableRequest("Music", ValueType::kNumber);
  request.billing_mode.reset();
  request.provisioned_throughput = ProvisionedThroughput{5, 6};
  const auto created = Run(store_->CreateTable(request));
  ASSERT_TRUE(created.ok()) << created.status();
  for (const bool reopened : {false, true}) {
    if (reopened) Reopen();
    const auto table = Describe("Music");
    ASSERT_TRUE(table.ok()) << table.status();
    EXPECT_EQ(table->table_name, "Music");
    EXPECT_EQ(table->table_arn, "arn:aws:dynamodb:us-east-1:123456789012:table/Music");
    EXPECT_EQ(table->table_id, created->table_description.table_id);
    EXPECT_EQ(table->table_id.size(), 36u);
    EXPECT_EQ(table->table_status, TableStatus::kActive);
    ASSERT_EQ(table->key_schema.size(), 2u);
    EXPECT_EQ(table->key_schema[1].attribute_name, "s");
    EXPECT_EQ(table->key_schema[1].key_type, KeyType::kRange);
    EXPECT_EQ(table->attribute_definitions[1].attribute_type, ValueType::kNumber);
    EXPECT_EQ(table->provisioned_throughput.read_capacity_units, 5);
    EXPECT_EQ(table->provisioned_throughput.write_capacity_units, 6);
    EXPECT_FALSE(table->has_billing_mode_summary);
    EXPECT_GE(table->creation_time_ms, 1'700'000'000'000u);
    EXPECT_EQ(table->item_count, 0u);
  }
  EXPECT_EQ(ErrorText(Describe("Absent").status()),
            "ResourceNotFoundException: Requested resource not found: Table: Absent not found");
}

TEST_F(StoreTables, CountTheirItems) {
  ASSERT_EQ(MakeTable("T"), "OK");
  for (int i = 0; i < 20; ++i) ASSERT_EQ(Put("T", fmt::format("{{'p':{{'S':'{:02}'}}}}", i)), "OK");
  EXPECT_EQ(Describe("T")->item_count, 20u);
  EXPECT_EQ(Describe("T")->table_size_bytes, 60u);
}

TEST_F(StoreTables, AreListedInPages) {
  EXPECT_EQ(Names(), "");
  for (const char* name : {"bbb", "aaa", "ddd", "ccc"}) ASSERT_EQ(MakeTable(name), "OK");
  EXPECT_EQ(Names(), "aaa bbb ccc ddd ");
  EXPECT_EQ(Names({}, 2), "aaa bbb / bbb");
  EXPECT_EQ(Names("bbb", 2), "ccc ddd ");
  EXPECT_EQ(Names("bb", 1), "bbb / bbb");
  EXPECT_EQ(Names("zzz"), "");
}

TEST_F(StoreTables, ExistOnce) {
  ASSERT_EQ(MakeTable("T"), "OK");
  EXPECT_EQ(MakeTable("T"), "ResourceInUseException: Table already exists: T");
}

TEST_F(StoreTables, TakeTheirItemsWithThem) {
  ASSERT_EQ(MakeTable("T"), "OK");
  ASSERT_EQ(MakeTable("U"), "OK");
  ASSERT_EQ(Put("T", "{'p':{'S':'a'}}"), "OK");
  ASSERT_EQ(Put("U", "{'p':{'S':'a'}}"), "OK");
  EXPECT_EQ(DeleteTable("T"), "OK");
  EXPECT_EQ(DeleteTable("T"),
            "ResourceNotFoundException: Requested resource not found: Table: T not found");
  EXPECT_EQ(Get("T", "{'p':{'S':'a'}}"), "ResourceNotFoundException: Requested resource not found");
  EXPECT_EQ(Get("U", "{'p':{'S':'a'}}"), "{'p':{'S':'a'}}");
  // A table of the same name is another table, and finds nothing in its place.
  ASSERT_EQ(MakeTable("T"), "OK");
  EXPECT_EQ(Get("T", "{'p':{'S':'a'}}"), "none");
  EXPECT_EQ(DeleteTable("U"), "OK");
  Reopen();
  EXPECT_EQ(Names(), "T ");
  ASSERT_EQ(MakeTable("V"), "OK");
  EXPECT_EQ(Get("V", "{'p':{'S':'a'}}"), "none");
}

TEST_F(StoreTables, LeaveNoPartitionsBehind) {
  ASSERT_EQ(MakeTable("Keep"), "OK");
  ASSERT_EQ(MakeTable("T"), "OK");
  const size_t partitions = db_->Partitions().size();
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(DeleteTable("T"), "OK");
    ASSERT_EQ(MakeTable("T"), "OK");
    ASSERT_EQ(Put("T", "{'p':{'S':'a'}}"), "OK");
  }
  EXPECT_LE(db_->Partitions().size(), partitions + 1);
}

TEST_F(StoreTables, OwnTheirPartitions) {
  ASSERT_EQ(MakeTable("T"), "OK");
  ASSERT_EQ(Put("T", "{'p':{'S':'a'}}"), "OK");
  const KeyBounds bounds = KeySpaceBounds(1);
  bool found = false;
  for (const engine::PartitionInfo& partition : db_->Partitions()) {
    found = found || (partition.begin == bounds.begin && partition.end == bounds.end);
  }
  EXPECT_TRUE(found);
}

TEST_F(StoreTables, MayBeProtectedAgainstDeletion) {
  CreateTableRequest request = TableRequest("T", std::nullopt);
  request.deletion_protection_enabled = true;
  ASSERT_EQ(Create(request), "OK");
  EXPECT_TRUE(Describe("T")->deletion_protection_enabled);
  EXPECT_EQ(DeleteTable("T"),
            "ValidationException: Resource cannot be deleted as it is currently protected against "
            "deletion. Disable deletion protection first.");
  UpdateTableRequest update;
  update.table_name = "T";
  update.deletion_protection_enabled = false;
  EXPECT_EQ(Update(update), "OK");
  EXPECT_EQ(DeleteTable("T"), "OK");
}

TEST_F(StoreTables, ChangeTheirThroughput) {
  CreateTableRequest request = TableRequest("T", std::nullopt);
  request.billing_mode = BillingMode::kProvisioned;
  request.provisioned_throughput = ProvisionedThroughput{5, 5};
  ASSERT_EQ(Create(request), "OK");

  UpdateTableRequest update;
  update.table_name = "T";
  EXPECT_EQ(
      Update(update),
      "ValidationException: At least one of ProvisionedThroughput, BillingMode, "
      "UpdateStreamEnabled, GlobalSecondaryIndexUpdates, SSESpecification, ReplicaUpdates, "
      "MultiAccountReplicaReady, ReplicaTransitRoleArn, MultiRegionConsistency, "
      "DeletionProtectionEnabled, OnDemandThroughput, WarmThroughput or TableClass is required");
  update.provisioned_throughput = ProvisionedThroughput{5, 5};
  EXPECT_EQ(
      Update(update),
      "ValidationException: The provisioned throughput for the table will not change. The "
      "requested value equals the current value. Current ReadCapacityUnits provisioned for the "
      "table: 5. Requested ReadCapacityUnits: 5. Current WriteCapacityUnits provisioned for the "
      "table: 5. Requested WriteCapacityUnits: 5. Refer to the Amazon DynamoDB Developer Guide for "
      "current limits and how to request higher limits.");
  update.provisioned_throughput = ProvisionedThroughput{10, 3};
  EXPECT_EQ(Update(update), "OK");
  Reopen();
  auto table = Describe("T");
  EXPECT_EQ(table->provisioned_throughput.read_capacity_units, 10);
  EXPECT_EQ(table->provisioned_throughput.write_capacity_units, 3);
  EXPECT_GT(table->last_increase_ms, 0u);
  EXPECT_GT(table->last_decrease_ms, 0u);
  EXPECT_EQ(table->number_of_decreases_today, 1);

  update.provisioned_throughput.reset();
  update.billing_mode = BillingMode::kPayPerRequest;
  EXPECT_EQ(Update(update), "OK");
  table = Describe("T");
  EXPECT_TRUE(table->has_billing_mode_summary);
  EXPECT_EQ(table->billing_mode, BillingMode::kPayPerRequest);
  EXPECT_EQ(table->provisioned_throughput.read_capacity_units, 0);
  update.billing_mode.reset();
  update.provisioned_throughput = ProvisionedThroughput{1, 1};
  EXPECT_EQ(
      Update(update),
      "ValidationException: One or more parameter values were invalid: Neither ReadCapacityUnits "
      "nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST");
  update.billing_mode = BillingMode::kProvisioned;
  update.provisioned_throughput.reset();
  EXPECT_EQ(
      Update(update),
      "ValidationException: One or more parameter values were invalid: ProvisionedThroughput must "
      "be specified when BillingMode is PROVISIONED");
  update.table_name = "Absent";
  update.provisioned_throughput = ProvisionedThroughput{1, 1};
  EXPECT_EQ(Update(update),
            "ResourceNotFoundException: Requested resource not found: Table: Absent not found");
}

TEST_F(StoreTables, AreCheckedWhenCreated) {
  const auto with = [&](auto change) {
    CreateTableRequest request = TableRequest("T", ValueType::kString);
    change(request);
    return Create(request);
  };
  EXPECT_EQ(with([](auto& r) { r.billing_mode.reset(); }),
            "ValidationException: One or more parameter values were invalid: ReadCapacityUnits and "
            "WriteCapacityUnits must both be specified when BillingMode is PROVISIONED");
  EXPECT_EQ(
      with([](auto& r) {
        r.provisioned_throughput = ProvisionedThroughput{1, 1};
      }),
      "ValidationException: One or more parameter values were invalid: Neither ReadCapacityUnits "
      "nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST");
  EXPECT_EQ(
      with([](auto& r) {
        r.billing_mode.reset();
        r.provisioned_throughput = ProvisionedThroughput{1000000000001, 1};
      }),
      "ValidationException: Given value 1000000000001 for ReadCapacityUnits is out of bounds");
  EXPECT_EQ(with([](auto& r) { r.attribute_definitions.pop_back(); }),
            "ValidationException: Invalid KeySchema: Some index key attribute have no definition");
  EXPECT_EQ(
      with([](auto& r) { r.attribute_definitions[1].attribute_name = "q"; }),
      "ValidationException: One or more parameter values were invalid: Some index key attributes "
      "are not defined in AttributeDefinitions. Keys: [p, s], AttributeDefinitions: [p, q]");
  EXPECT_EQ(
      with([](auto& r) { r.key_schema[1].attribute_name = "p"; }),
      "ValidationException: Both the Hash Key and the Range Key element in the KeySchema have the "
      "same name");
  EXPECT_EQ(
      with([](auto& r) { r.key_schema[0].key_type = KeyType::kRange; }),
      "ValidationException: Invalid KeySchema: The first KeySchemaElement is not a HASH key type");
  EXPECT_EQ(with([](auto& r) { r.key_schema[1].key_type = KeyType::kHash; }),
            "ValidationException: Invalid KeySchema: The second KeySchemaElement is not a RANGE "
            "key type");
  EXPECT_EQ(
      with([](auto& r) { r.key_schema.pop_back(); }),
      "ValidationException: One or more parameter values were invalid: Number of attributes in "
      "KeySchema does not exactly match number of attributes defined in AttributeDefinitions");
  EXPECT_EQ(Names(), "");
}

TEST_F(StoreTables, FinishADeletionThatACrashInterrupted) {
  spdlog::set_level(spdlog::level::off);  // the engine tells of every crash
  // Whatever step the crash strikes, the table is there whole or gone whole afterwards.
  int there = 0, gone = 0;
  for (uint64_t step = 1; step <= 40; ++step) {
    if (!Describe("T").ok()) {
      ASSERT_EQ(MakeTable("T"), "OK");
      ASSERT_EQ(Put("T", "{'p':{'S':'a'}}"), "OK");
    }
    io_.ArmCrash(io::SimCrash::kPower, step);
    DeleteTable("T");
    io_.DisarmCrash();
    if (!io_.crashed()) {
      EXPECT_FALSE(Describe("T").ok());
      break;
    }
    Close();
    io_.Restart();
    Open();
    const bool exists = Describe("T").ok();
    (exists ? there : gone) += 1;
    if (exists) {
      EXPECT_EQ(Get("T", "{'p':{'S':'a'}}"), "{'p':{'S':'a'}}");
    } else {
      ASSERT_EQ(MakeTable("T"), "OK");
      EXPECT_EQ(Get("T", "{'p':{'S':'a'}}"), "none");
      ASSERT_EQ(Put("T", "{'p':{'S':'a'}}"), "OK");
    }
  }
  EXPECT_GT(there, 0);
  EXPECT_GT(gone, 0);
  spdlog::set_level(spdlog::level::info);
}

}  // namespace
}  // namespace varve::item
