// A session of whoever answers item/requests.h: a Store, or a connection of the binary protocol.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <vector>

#include "bench/ycsb/target.h"
#include "item/requests.h"
#include "item/value.h"

namespace varve::bench::ycsb {

// The table that records lie in.
inline item::CreateTableRequest TableOfRecords() {
  item::CreateTableRequest request;
  request.table_name = kTableName;
  request.attribute_definitions = {{std::string(kKeyName), item::ValueType::kString}};
  request.key_schema = {{std::string(kKeyName), item::KeyType::kHash}};
  request.billing_mode = item::BillingMode::kPayPerRequest;
  return request;
}

inline std::string DescribeItemOperations(const RecordShape& shape) {
  return fmt::format("GetItem; {}; PutItem; Scan from a key on, in the order of the keys' hashes",
                     shape.fields == 1 ? "PutItem as update" : "UpdateItem of one attribute");
}

// Makes requests of operations, and has `caller` do them: something whose GetItem and so on can be
// awaited for a StatusOr of the response.
template <typename Caller>
class ItemRequests {
 public:
  explicit ItemRequests(const RecordShape& shape) : one_field_(shape.fields == 1) {
    for (uint32_t i = 0; i < shape.fields; ++i) fields_.push_back(FieldName(i));
  }

  io::Task<Outcome> Run(Caller* caller, const Operation& operation) {
    switch (operation.kind) {
      case OperationKind::kRead:
        return Read(caller, operation);
      case OperationKind::kScan:
        return Scan(caller, operation);
      case OperationKind::kUpdate:
        return one_field_ ? Put(caller, operation) : Update(caller, operation);
      default:
        return Put(caller, operation);
    }
  }

 private:
  static item::Item KeyOf(const Operation& operation) {
    item::ValueBuilder builder;
    builder.BeginMap().Name(kKeyName).String(operation.key).EndMap();
    return item::Item(builder.Finish());
  }

  io::Task<Outcome> Read(Caller* caller, const Operation& operation) {
    item::GetItemRequest request;
    request.table_name = kTableName;
    request.key = KeyOf(operation);
    auto call = caller->GetItem(request);
    const StatusOr<item::GetItemResponse> response = co_await call;
    Outcome outcome;
    outcome.status = response.status();
    outcome.found = response.ok() && response->item.has_value();
    co_return outcome;
  }

  io::Task<Outcome> Put(Caller* caller, const Operation& operation) {
    item::PutItemRequest request;
    request.table_name = kTableName;
    item::ValueBuilder builder;
    builder.BeginMap().Name(kKeyName).String(operation.key);
    for (size_t i = 0; i < operation.values.size(); ++i) {
      builder.Name(fields_[i]).String(operation.values[i]);
    }
    builder.EndMap();
    request.item = item::Item(builder.Finish());
    auto call = caller->PutItem(request);
    const StatusOr<item::PutItemResponse> response = co_await call;
    Outcome outcome;
    outcome.status = response.status();
    co_return outcome;
  }

  io::Task<Outcome> Update(Caller* caller, const Operation& operation) {
    item::UpdateItemRequest request;
    request.table_name = kTableName;
    request.key = KeyOf(operation);
    request.update_expression = fmt::format("SET {} = :v", fields_[operation.field]);
    auto& values = request.expression_parameters.values.emplace();
    values.emplace_back(":v", item::Value::String(operation.values[0]));
    auto call = caller->UpdateItem(request);
    const StatusOr<item::UpdateItemResponse> response = co_await call;
    Outcome outcome;
    outcome.status = response.status();
    co_return outcome;
  }

  io::Task<Outcome> Scan(Caller* caller, const Operation& operation) {
    item::ScanRequest request;
    request.table_name = kTableName;
    request.exclusive_start_key = KeyOf(operation);
    request.limit = operation.scan_records;
    auto call = caller->Scan(request);
    const StatusOr<item::ScanResponse> response = co_await call;
    Outcome outcome;
    outcome.status = response.status();
    co_return outcome;
  }

  const bool one_field_;
  std::vector<std::string> fields_;
};

}  // namespace varve::bench::ycsb
