#include "server/model_operations.h"

#include "item/json.h"
#include "server/json.h"

namespace varve::server {
namespace {

constexpr Schema kGivenString{.not_null = true};
constexpr Schema kGivenTable{
    .not_null = true, .name_pattern = true, .or_arn = true, .length_min = 1, .length_max = 255};

constexpr Member kTableName[] = {{"TableName", &kGivenTable}};
constexpr Member kGlobalTableName[] = {{"GlobalTableName", &kGivenTable}};
constexpr Member kResourceArn[] = {{"ResourceArn", &kGivenString}};
constexpr Member kBackupArn[] = {{"BackupArn", &kGivenString}};
constexpr Member kExportArn[] = {{"ExportArn", &kGivenString}};
constexpr Member kImportArn[] = {{"ImportArn", &kGivenString}};
constexpr Member kBulkOperationArn[] = {{"BulkOperationArn", &kGivenString}};

constexpr Schema Request(std::span<const Member> members) {
  return {.type = JsonType::kStructure, .java_class = "Input", .members = members};
}

constinit const Schema kSchemas[] = {
    Request(kTableName), Request(kGlobalTableName), Request(kResourceArn),      Request(kBackupArn),
    Request(kExportArn), Request(kImportArn),       Request(kBulkOperationArn),
};
constinit const Schema kNoParameters = Request({});

// `text` with every `placeholder` replaced.
std::string Filled(std::string_view text, std::string_view placeholder, std::string_view with) {
  std::string filled;
  for (size_t at; (at = text.find(placeholder)) != std::string_view::npos;) {
    filled.append(text.substr(0, at)).append(with);
    text.remove_prefix(at + placeholder.size());
  }
  return filled.append(text);
}

// As the inside of a JSON string.
std::string Escaped(std::string_view text) {
  std::string quoted;
  item::AppendJsonString(text, quoted);
  return quoted.substr(1, quoted.size() - 2);
}

}  // namespace

const Schema& SchemaOfModelOperation(std::string_view parameter) {
  for (const Schema& schema : kSchemas) {
    if (schema.members[0].name == parameter) return schema;
  }
  return kNoParameters;
}

Status AnswerModelOperation(const ModelOperation& operation, const item::Store& store,
                            const Members& json, std::string_view host, std::string* body) {
  using Answer = ModelOperation::Answer;
  std::string_view parameter;
  if (!operation.parameter.empty()) {
    if (const auto value = FindMember(json, operation.parameter)) parameter = TextOf(*value);
  }
  switch (operation.answer) {
    case Answer::kText:
      *body = Filled(operation.text, "{host}", Escaped(host));
      return {};
    case Answer::kOfTable:
      if (!store.HasTable(parameter)) {
        return item::MakeError(operation.error,
                               operation.error == item::ErrorType::kTableNotFoundException
                                   ? fmt::format("Table not found: {}", parameter)
                                   : Message(item::TableNotFound(parameter)));
      }
      *body = Filled(operation.text, "{}", Escaped(parameter));
      return {};
    case Answer::kError:
      return item::MakeError(operation.error, Filled(operation.text, "{}", parameter));
    case Answer::kMissing:
      return item::ValidationError("This server does not have the operation {}", operation.name);
  }
  return {};
}

}  // namespace varve::server
