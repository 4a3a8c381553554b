// The states that tables, streams and time to live pass through if they are to take their time.
#include "store_fixture.h"

namespace varve::item {
namespace {

constexpr uint64_t kTransitionMs = 1000;
constexpr std::string_view kInUse =
    "ResourceInUseException: Attempt to change a resource which is still in use: ";

class StoreTransitions : public StoreTest {
 protected:
  void SetUp() override {
    store_options_.transition_ms = kTransitionMs;
    StoreTest::SetUp();
  }

  void Pass(uint64_t ms) {
    const auto sleep = [](uint64_t ns) -> io::Task<void> { co_await io::SleepFor(ns); };
    io::BlockOn(io_, sleep(ms * 1'000'000));
  }
  // Makes T with an index, and waits until it is ACTIVE.
  void MakeActive() {
    CreateTableRequest request = TableRequest("T", std::nullopt);
    request.attribute_definitions.push_back({"a", ValueType::kString});
    SecondaryIndex index;
    index.index_name = "by-a";
    index.key_schema = {{"a", KeyType::kHash}};
    index.projection.type = ProjectionType::kAll;
    request.global_secondary_indexes = {index};
    ASSERT_EQ(ErrorText(Run(store_->CreateTable(request)).status()), "OK");
    Pass(kTransitionMs + 1);
    ASSERT_EQ(State(), "ACTIVE");
  }
  StatusOr<TableDescription> Describe() {
    DescribeTableRequest request;
    request.table_name = "T";
    auto response = Run(store_->DescribeTable(request));
    VARVE_RETURN_IF_ERROR(response.status());
    return std::move(response->table);
  }
  // "ACTIVE", with the states of indexes behind it unless they are ACTIVE, too; or the error.
  std::string State() {
    const auto table = Describe();
    if (!table.ok()) return ErrorText(table.status());
    std::string state(ToString(table->table_status));
    for (const IndexDescription& index : table->indexes) {
      if (index.status == IndexStatus::kActive) continue;
      state += fmt::format(", {} {}", index.index_name, ToString(index.status));
    }
    return state;
  }
  std::string Update(std::optional<TableClass> table_class) {
    UpdateTableRequest request;
    request.table_name = "T";
    request.table_class = table_class;
    return ErrorText(Run(store_->UpdateTable(request)).status());
  }
  std::string Drop() {
    DeleteTableRequest request;
    request.table_name = "T";
    return ErrorText(Run(store_->DeleteTable(request)).status());
  }
  std::string SetStream(bool enabled) {
    UpdateTableRequest request;
    request.table_name = "T";
    request.stream_specification.emplace().stream_enabled = enabled;
    if (enabled) request.stream_specification->stream_view_type = StreamViewType::kKeysOnly;
    return ErrorText(Run(store_->UpdateTable(request)).status());
  }
  std::string StreamState() {
    DescribeStreamRequest request;
    request.stream_arn = Describe()->latest_stream_arn;
    const auto response = Run(store_->DescribeStream(request));
    if (!response.ok()) return ErrorText(response.status());
    return std::string(ToString(response->status));
  }
  std::string SetTimeToLive(bool enabled) {
    UpdateTimeToLiveRequest request;
    request.table_name = "T";
    request.specification = {enabled, "expires"};
    return ErrorText(Run(store_->UpdateTimeToLive(request)).status());
  }
  std::string TimeToLiveState() {
    DescribeTimeToLiveRequest request;
    request.table_name = "T";
    const auto response = Run(store_->DescribeTimeToLive(request));
    if (!response.ok()) return ErrorText(response.status());
    return std::string(ToString(response->status));
  }
};

TEST_F(StoreTransitions, ATableIsCreatedBeforeItIsOfUse) {
  CreateTableRequest request = TableRequest("T", std::nullopt);
  request.attribute_definitions.push_back({"a", ValueType::kString});
  request.global_secondary_indexes.emplace();
  SecondaryIndex& index = request.global_secondary_indexes->emplace_back();
  index.index_name = "by-a";
  index.key_schema = {{"a", KeyType::kHash}};
  index.projection.type = ProjectionType::kAll;
  ASSERT_EQ(ErrorText(Run(store_->CreateTable(request)).status()), "OK");
  EXPECT_EQ(State(), "CREATING, by-a CREATING");
  EXPECT_EQ(Put("T", "{'p':{'S':'x'}}"), "ResourceNotFoundException: Requested resource not found");
  EXPECT_EQ(Get("T", "{'p':{'S':'x'}}"), "ResourceNotFoundException: Requested resource not found");
  EXPECT_EQ(Update(TableClass::kStandardInfrequentAccess),
            fmt::format("{}Table is being created: T", kInUse));
  EXPECT_EQ(Drop(), fmt::format("{}Table is being created: T", kInUse));
  EXPECT_EQ(SetTimeToLive(true), fmt::format("{}Table is being created: T", kInUse));
  EXPECT_EQ(ErrorText(Run(store_->CreateTable(request)).status()),
            "ResourceInUseException: Table already exists: T");
  Pass(kTransitionMs + 1);
  EXPECT_EQ(State(), "ACTIVE");
  EXPECT_EQ(Put("T", "{'p':{'S':'x'}}"), "OK");
}

TEST_F(StoreTransitions, AnUpdateHoldsUpTheNextOneButNoItems) {
  MakeActive();
  EXPECT_EQ(Update(TableClass::kStandardInfrequentAccess), "OK");
  EXPECT_EQ(State(), "UPDATING");
  EXPECT_EQ(Put("T", "{'p':{'S':'x'}}"), "OK");
  EXPECT_EQ(Update(TableClass::kStandard),
            fmt::format("{}Table: T is in the process of being updated.", kInUse));
  EXPECT_EQ(Drop(), fmt::format("{}Table: T is in the process of being updated.", kInUse));
  Pass(kTransitionMs + 1);
  EXPECT_EQ(State(), "ACTIVE");
  EXPECT_EQ(Update(TableClass::kStandard), "OK");
}

TEST_F(StoreTransitions, ATableIsDeletedAfterAWhile) {
  MakeActive();
  ASSERT_EQ(Put("T", "{'p':{'S':'x'}}"), "OK");
  EXPECT_EQ(Drop(), "OK");
  EXPECT_EQ(State(), "DELETING");
  EXPECT_EQ(Drop(), "OK") << "is no error";
  EXPECT_EQ(Get("T", "{'p':{'S':'x'}}"), "{'p':{'S':'x'}}");
  EXPECT_EQ(Update(TableClass::kStandard), fmt::format("{}Table is being deleted: T", kInUse));
  EXPECT_EQ(MakeTable("T"), "ResourceInUseException: Table already exists: T");
  Pass(2 * kTransitionMs);
  EXPECT_TRUE(State().starts_with("ResourceNotFoundException")) << State();
  EXPECT_EQ(MakeTable("T"), "OK");
  Pass(kTransitionMs + 1);
  EXPECT_EQ(Get("T", "{'p':{'S':'x'}}"), "none");
}

TEST_F(StoreTransitions, ARestartEndsThem) {
  ASSERT_EQ(MakeTable("T"), "OK");
  Reopen();
  EXPECT_EQ(State(), "ACTIVE");
  EXPECT_EQ(Drop(), "OK");
  EXPECT_EQ(State(), "DELETING");
  Reopen();
  Pass(kTransitionMs);
  EXPECT_TRUE(State().starts_with("ResourceNotFoundException")) << State();
}

TEST_F(StoreTransitions, AStreamIsEnabledAndDisabled) {
  MakeActive();
  EXPECT_EQ(SetStream(true), "OK");
  EXPECT_EQ(State(), "UPDATING");
  EXPECT_EQ(StreamState(), "ENABLING");
  Pass(kTransitionMs + 1);
  EXPECT_EQ(StreamState(), "ENABLED");
  EXPECT_EQ(SetStream(false), "OK");
  EXPECT_EQ(StreamState(), "DISABLING");
  Pass(kTransitionMs + 1);
  EXPECT_EQ(StreamState(), "DISABLED");
}

TEST_F(StoreTransitions, TimeToLiveIsEnabledAndDisabled) {
  MakeActive();
  EXPECT_EQ(TimeToLiveState(), "DISABLED");
  EXPECT_EQ(SetTimeToLive(true), "OK");
  EXPECT_EQ(TimeToLiveState(), "ENABLING");
  Pass(kTransitionMs + 1);
  EXPECT_EQ(TimeToLiveState(), "ENABLED");
  Pass(31 * 60 * 1000);
  EXPECT_EQ(SetTimeToLive(false), "OK");
  EXPECT_EQ(TimeToLiveState(), "DISABLING");
  Pass(kTransitionMs + 1);
  EXPECT_EQ(TimeToLiveState(), "DISABLED");
}

}  // namespace
}  // namespace varve::item
