#include "tools/shell/commands.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "item/errors.h"
#include "item/json.h"
#include "tools/shell/plain_json.h"

namespace varve::tools {
namespace {

constexpr std::pair<std::string_view, std::string_view> kCommands[] = {
    {"call", "Call an operation of the HTTP API"},
    {"create", "Create a table, on demand"},
    {"delete", "Delete an item"},
    {"describe", "Show a table"},
    {"drop", "Delete a table and all that is in it"},
    {"get", "Print the item with a key"},
    {"put", "Put an item, or one from each line of standard input (-)"},
    {"query", "Print items with a partition key, in order"},
    {"scan", "Print the items of a table"},
    {"sql", "Run a PartiQL statement"},
    {"tables", "List the tables"},
    {"update", "Change an item"},
};

// A batch of BatchWriteItem.
constexpr size_t kBatchItemsMax = 25;
// A table that is created is asked for so often, at most.
constexpr int kCreatingPollsMax = 1000;
constexpr std::chrono::milliseconds kCreatingPoll(20);
// Rounds in which a batch's unprocessed items are sent again.
constexpr int kBatchRoundsMax = 20;

std::optional<std::string> Given(const std::string& text) {
  return text.empty() ? std::nullopt : std::optional(text);
}

// "id:S", "id:N", "id:B"; "id" is a string.
StatusOr<item::AttributeDefinition> AttributeOf(std::string_view text) {
  item::AttributeDefinition attribute;
  const size_t colon = text.rfind(':');
  attribute.attribute_name = text.substr(0, colon);
  if (colon == std::string_view::npos) return attribute;
  const std::string_view type = text.substr(colon + 1);
  if (type == "S") {
    attribute.attribute_type = item::ValueType::kString;
  } else if (type == "N") {
    attribute.attribute_type = item::ValueType::kNumber;
  } else if (type == "B") {
    attribute.attribute_type = item::ValueType::kBinary;
  } else {
    return InvalidArgument("{}: the type of a key is S, N or B", text);
  }
  return attribute;
}

// Adds the attributes of a key, partition first, to a table's or index's schema.
Status AddKey(const std::vector<std::string>& keys, std::vector<item::KeySchemaElement>* schema,
              std::vector<item::AttributeDefinition>* definitions) {
  for (size_t i = 0; i < keys.size(); ++i) {
    VARVE_ASSIGN_OR_RETURN(const item::AttributeDefinition attribute, AttributeOf(keys[i]));
    schema->push_back(
        {attribute.attribute_name, i == 0 ? item::KeyType::kHash : item::KeyType::kRange});
    const bool known = std::any_of(
        definitions->begin(), definitions->end(),
        [&](const auto& other) { return other.attribute_name == attribute.attribute_name; });
    if (!known) definitions->push_back(attribute);
  }
  return absl::OkStatus();
}

std::vector<std::string> Split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (true) {
    const size_t end = text.find(separator);
    parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

}  // namespace

std::vector<std::pair<std::string_view, std::string_view>> CommandDescriptions() {
  return {std::begin(kCommands), std::end(kCommands)};
}

std::vector<std::string_view> CommandNames() {
  std::vector<std::string_view> names;
  for (const auto& command : kCommands) names.push_back(command.first);
  return names;
}

// --if and its relatives.
struct Commands::Expressions {
  std::string condition;
  std::string filter;
  std::string projection;
  std::string names;
  std::string values;

  Status Fill(item::ExpressionParameters* parameters) const {
    if (!names.empty()) {
      VARVE_ASSIGN_OR_RETURN(const item::Item parsed, ParsePlainItem(names));
      parameters->names.emplace();
      for (const item::NamedValue& name : parsed.view()) {
        if (!name.value.Is(item::ValueType::kString)) {
          return InvalidArgument("--names: {} should be a string", name.name);
        }
        parameters->names->emplace_back(name.name, name.value.text());
      }
    }
    if (!values.empty()) {
      VARVE_ASSIGN_OR_RETURN(const item::Item parsed, ParsePlainItem(values));
      parameters->values.emplace();
      for (const item::NamedValue& value : parsed.view()) {
        parameters->values->emplace_back(value.name, item::Value(value.value));
      }
    }
    return absl::OkStatus();
  }
};

struct Commands::Read {
  std::string table;
  std::string index;
  bool consistent = false;
  bool backward = false;
  std::optional<uint64_t> limit;
};

Status Commands::Run(std::vector<std::string> words) {
  items_printed_ = 0;
  CLI::App app("", "");
  app.require_subcommand(1);
  std::string table, key, item, update, condition, segment, operation, body, stream;
  std::string return_values = "none";
  std::vector<std::string> keys, indexes, parameters;
  Expressions expressions;
  Read read;
  bool return_old = false;
  std::optional<Status> result;

  const auto add = [&](std::string_view name) {
    const auto found = std::find_if(std::begin(kCommands), std::end(kCommands),
                                    [&](const auto& command) { return command.first == name; });
    return app.add_subcommand(std::string(name), std::string(found->second));
  };
  const auto add_table = [&](CLI::App* command) {
    command->add_option("table", table, "The table's name or ARN")->required()->type_name("");
  };
  const auto add_key = [&](CLI::App* command) {
    command->add_option("key", key, R"(The item's key: {"id": 7})")->required()->type_name("");
  };
  const auto add_names = [&](CLI::App* command) {
    command->add_option("--names", expressions.names, R"({"#n": "name"})")->type_name("JSON");
  };
  const auto add_values = [&](CLI::App* command) {
    add_names(command);
    command->add_option("--values", expressions.values, R"({":v": 1})")->type_name("JSON");
  };
  const auto add_condition = [&](CLI::App* command) {
    command->add_option("--if", expressions.condition, "Condition that must hold")
        ->type_name("EXPRESSION");
    add_values(command);
  };
  const auto add_projection = [&](CLI::App* command) {
    command->add_option("--project", expressions.projection, "Attributes to print")
        ->type_name("EXPRESSION");
  };
  const auto add_read = [&](CLI::App* command) {
    command->add_option("--index", read.index, "Read this index of the table")->type_name("NAME");
    command->add_option("--filter", expressions.filter, "Items to leave out: those not like this")
        ->type_name("EXPRESSION");
    add_projection(command);
    add_values(command);
    command->add_flag("--consistent", read.consistent, "Charge a consistent read");
    command->add_option("--limit", read.limit, "Items to print; 0: all")->type_name("N");
  };

  CLI::App* const tables = add("tables");
  CLI::App* const describe = add("describe");
  add_table(describe);
  CLI::App* const create = add("create");
  add_table(create);
  create->add_option("keys", keys, "Partition key and sort key: id:S at:N (types S, N, B)")
      ->required()
      ->expected(1, 2)
      ->type_name("");
  create->add_option("--gsi", indexes, "A global index of all attributes: name=partition:S,sort:N")
      ->expected(1)
      ->type_name("INDEX")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  create->add_option("--stream", stream, "Keep a stream")
      ->type_name("VIEW")
      ->check(CLI::IsMember({"KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES"}));
  CLI::App* const drop = add("drop");
  add_table(drop);
  bool yes = false;
  drop->add_flag("--yes", yes, "Yes, really");

  CLI::App* const get = add("get");
  add_table(get);
  add_key(get);
  get->add_flag("--consistent", read.consistent, "Charge a consistent read");
  add_projection(get);
  add_names(get);
  CLI::App* const put = add("put");
  add_table(put);
  put->add_option("item", item, R"({"id": 7, "name": "x"}, or -)")->required()->type_name("");
  put->add_flag("--old", return_old, "Print the item that was there");
  add_condition(put);
  CLI::App* const change = add("update");
  add_table(change);
  add_key(change);
  change->add_option("expression", update, "SET a = :v REMOVE b ...")->required()->type_name("");
  change->add_option("--return", return_values, "What to print of the item")
      ->type_name("WHAT")
      ->check(CLI::IsMember({"none", "all-old", "updated-old", "all-new", "updated-new"}));
  add_condition(change);
  CLI::App* const remove = add("delete");
  add_table(remove);
  add_key(remove);
  remove->add_flag("--old", return_old, "Print the item that was there");
  add_condition(remove);

  CLI::App* const query = add("query");
  add_table(query);
  query
      ->add_option("condition", condition,
                   R"(Key condition, or what the key's attributes are: {"id": 7})")
      ->required()
      ->type_name("");
  query->add_flag("--backward", read.backward, "From the largest sort key down");
  add_read(query);
  CLI::App* const scan = add("scan");
  add_table(scan);
  scan->add_option("--segment", segment, "Only this one of n parts of the table: 0/4")
      ->type_name("I/N");
  add_read(scan);
  CLI::App* const sql = add("sql");
  std::string statement;
  sql->add_option("statement", statement, "SELECT ... FROM \"table\" ...")
      ->required()
      ->type_name("");
  sql->add_option("parameters", parameters, "What its question marks are, in JSON")->type_name("");
  sql->add_option("--limit", read.limit, "Items to print; 0: all")->type_name("N");
  CLI::App* const call = add("call");
  call->add_option("operation", operation, "PutItem, UpdateTable, ...")->required()->type_name("");
  call->add_option("body", body, "Its parameters, in DynamoDB's JSON")->type_name("");

  std::reverse(words.begin(), words.end());
  try {
    app.parse(words);
  } catch (const CLI::CallForHelp&) {
    const auto asked = app.get_subcommands();
    out_ << (asked.empty() ? app.help() : asked[0]->help());
    return absl::OkStatus();
  } catch (const CLI::ParseError& error) {
    return InvalidArgument("{}", error.what());
  }
  read.table = table;

  if (tables->parsed()) return Tables();
  if (describe->parsed()) return Describe(table);
  if (create->parsed()) return Create(table, keys, indexes, stream);
  if (drop->parsed()) {
    if (!yes && !options_.sure) {
      return InvalidArgument("drop deletes {} and all that is in it: say --yes", table);
    }
    return Drop(table);
  }
  if (get->parsed()) return Get(table, key, read.consistent, expressions);
  if (put->parsed()) {
    return item == "-" ? PutLines(table) : Put(table, item, return_old, expressions);
  }
  if (change->parsed()) return Update(table, key, update, return_values, expressions);
  if (remove->parsed()) return Delete(table, key, return_old, expressions);
  if (query->parsed()) return Query(read, condition, expressions);
  if (scan->parsed()) return Scan(read, segment, expressions);
  if (sql->parsed()) return RunStatement(statement, parameters, read.limit);
  return Call(operation, body.empty() ? "{}" : body);
}

StatusOr<std::vector<std::string>> Commands::TableNames() {
  std::vector<std::string> names;
  item::ListTablesRequest request;
  while (true) {
    VARVE_ASSIGN_OR_RETURN(item::ListTablesResponse response, client_.ListTables(request).Get());
    names.insert(names.end(), response.table_names.begin(), response.table_names.end());
    if (!response.last_evaluated_table_name) return names;
    request.exclusive_start_table_name = response.last_evaluated_table_name;
  }
}

Status Commands::Tables() {
  VARVE_ASSIGN_OR_RETURN(const std::vector<std::string> names, TableNames());
  for (const std::string& name : names) out_ << name << '\n';
  return absl::OkStatus();
}

Status Commands::Describe(const std::string& table) {
  std::string body = R"({"TableName":)";
  item::AppendJsonString(table, body);
  body += '}';
  return Call("DescribeTable", body);
}

Status Commands::Create(const std::string& table, const std::vector<std::string>& keys,
                        const std::vector<std::string>& indexes, const std::string& stream) {
  item::CreateTableRequest request;
  request.table_name = table;
  request.billing_mode = item::BillingMode::kPayPerRequest;
  VARVE_RETURN_IF_ERROR(AddKey(keys, &request.key_schema, &request.attribute_definitions));
  for (const std::string& text : indexes) {
    const size_t equals = text.find('=');
    if (equals == std::string::npos) {
      return InvalidArgument("{}: should be name=partition or name=partition,sort", text);
    }
    if (!request.global_secondary_indexes) request.global_secondary_indexes.emplace();
    item::SecondaryIndex& index = request.global_secondary_indexes->emplace_back();
    index.index_name = text.substr(0, equals);
    index.projection.type = item::ProjectionType::kAll;
    VARVE_RETURN_IF_ERROR(AddKey(Split(std::string_view(text).substr(equals + 1), ','),
                                 &index.key_schema, &request.attribute_definitions));
  }
  if (!stream.empty()) {
    request.stream_specification.emplace();
    request.stream_specification->stream_enabled = true;
    for (const auto view :
         {item::StreamViewType::kKeysOnly, item::StreamViewType::kNewImage,
          item::StreamViewType::kOldImage, item::StreamViewType::kNewAndOldImages}) {
      if (item::ToString(view) == stream) request.stream_specification->stream_view_type = view;
    }
  }
  VARVE_RETURN_IF_ERROR(client_.CreateTable(request).Get().status());
  // The next command may want to use it.
  for (int i = 0; i < kCreatingPollsMax; ++i) {
    VARVE_ASSIGN_OR_RETURN(const item::DescribeTableResponse response,
                           client_.DescribeTable({.table_name = table}).Get());
    if (response.table.table_status == item::TableStatus::kActive) {
      notes_ << response.table.table_name << " is ACTIVE\n";
      return absl::OkStatus();
    }
    std::this_thread::sleep_for(kCreatingPoll);
  }
  notes_ << table << " is still being created\n";
  return absl::OkStatus();
}

Status Commands::Drop(const std::string& table) {
  keys_.erase(table);
  return client_.DeleteTable({.table_name = table}).Get().status();
}

Status Commands::Get(const std::string& table, const std::string& key, bool consistent,
                     const Expressions& expressions) {
  item::GetItemRequest request;
  request.table_name = table;
  VARVE_ASSIGN_OR_RETURN(request.key, ParsePlainItem(key));
  request.consistent_read = consistent;
  request.projection_expression = Given(expressions.projection);
  VARVE_RETURN_IF_ERROR(expressions.Fill(&request.expression_parameters));
  VARVE_ASSIGN_OR_RETURN(item::GetItemResponse response, client_.GetItem(request).Get());
  if (!response.item) {
    notes_ << "no item with this key\n";
    return absl::OkStatus();
  }
  Print(table, {std::move(*response.item)});
  return absl::OkStatus();
}

Status Commands::Put(const std::string& table, const std::string& item, bool return_old,
                     const Expressions& expressions) {
  item::PutItemRequest request;
  request.table_name = table;
  VARVE_ASSIGN_OR_RETURN(request.item, ParsePlainItem(item));
  request.condition_expression = Given(expressions.condition);
  if (return_old) request.return_values = item::ReturnValues::kAllOld;
  VARVE_RETURN_IF_ERROR(expressions.Fill(&request.expression_parameters));
  VARVE_ASSIGN_OR_RETURN(item::PutItemResponse response, client_.PutItem(request).Get());
  if (response.attributes) Print(table, {std::move(*response.attributes)});
  return absl::OkStatus();
}

Status Commands::PutLines(const std::string& table) {
  uint64_t lines = 0;
  uint64_t items = 0;
  std::vector<item::WriteRequest> batch;
  const auto write = [&]() -> Status {
    for (int round = 0; !batch.empty(); ++round) {
      if (round == kBatchRoundsMax) {
        return Unavailable("the server left {} items of a batch unprocessed {} times", batch.size(),
                           round);
      }
      item::BatchWriteItemRequest request;
      request.request_items.emplace_back(table, std::move(batch));
      batch.clear();
      VARVE_ASSIGN_OR_RETURN(item::BatchWriteItemResponse response,
                             client_.BatchWriteItem(request).Get());
      for (auto& [name, left] : response.unprocessed_items) {
        for (item::WriteRequest& one : left) batch.push_back(std::move(one));
      }
    }
    return absl::OkStatus();
  };
  std::string line;
  while (std::getline(in_, line)) {
    ++lines;
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    StatusOr<item::Item> item = ParsePlainItem(line);
    if (!item.ok()) return InvalidArgument("line {}: {}", lines, Message(item.status()));
    batch.emplace_back().put_item = std::move(*item);
    ++items;
    if (batch.size() < kBatchItemsMax) continue;
    if (const Status status = write(); !status.ok()) {
      return MakeStatus(status.code(), "up to line {}: {}", lines, Message(status));
    }
  }
  if (const Status status = write(); !status.ok()) {
    return MakeStatus(status.code(), "up to line {}: {}", lines, Message(status));
  }
  notes_ << items << " items put\n";
  return absl::OkStatus();
}

Status Commands::Update(const std::string& table, const std::string& key, const std::string& update,
                        const std::string& return_values, const Expressions& expressions) {
  item::UpdateItemRequest request;
  request.table_name = table;
  VARVE_ASSIGN_OR_RETURN(request.key, ParsePlainItem(key));
  request.update_expression = update;
  request.condition_expression = Given(expressions.condition);
  if (return_values == "all-old") request.return_values = item::ReturnValues::kAllOld;
  if (return_values == "updated-old") request.return_values = item::ReturnValues::kUpdatedOld;
  if (return_values == "all-new") request.return_values = item::ReturnValues::kAllNew;
  if (return_values == "updated-new") request.return_values = item::ReturnValues::kUpdatedNew;
  VARVE_RETURN_IF_ERROR(expressions.Fill(&request.expression_parameters));
  VARVE_ASSIGN_OR_RETURN(item::UpdateItemResponse response, client_.UpdateItem(request).Get());
  if (response.attributes) Print(table, {std::move(*response.attributes)});
  return absl::OkStatus();
}

Status Commands::Delete(const std::string& table, const std::string& key, bool return_old,
                        const Expressions& expressions) {
  item::DeleteItemRequest request;
  request.table_name = table;
  VARVE_ASSIGN_OR_RETURN(request.key, ParsePlainItem(key));
  request.condition_expression = Given(expressions.condition);
  if (return_old) request.return_values = item::ReturnValues::kAllOld;
  VARVE_RETURN_IF_ERROR(expressions.Fill(&request.expression_parameters));
  VARVE_ASSIGN_OR_RETURN(item::DeleteItemResponse response, client_.DeleteItem(request).Get());
  if (response.attributes) Print(table, {std::move(*response.attributes)});
  return absl::OkStatus();
}

template <typename Request, typename Next>
Status Commands::PrintPages(const std::string& table, Request* request, uint64_t limit, Next next) {
  bool more = true;
  // A table's columns are those of all its items; lines are printed as they come.
  std::vector<item::Item> rows;
  while (more && (limit == 0 || items_printed_ + rows.size() < limit)) {
    VARVE_ASSIGN_OR_RETURN(const item::ItemPage page, next(*request));
    size_t taken = 0;
    for (const item::ItemView& item : page.items) {
      if (limit > 0 && items_printed_ + rows.size() == limit) break;
      rows.emplace_back(item);
      ++taken;
    }
    more = page.last_evaluated_key.has_value() || taken < page.items.size();
    request->exclusive_start_key = page.last_evaluated_key;
    if (options_.format == ItemFormat::kTable && limit > 0) continue;
    Print(table, rows);
    rows.clear();
  }
  if (!rows.empty()) Print(table, rows);
  if (more) notes_ << "there are more: --limit N, 0 for all\n";
  return absl::OkStatus();
}

Status Commands::Query(const Read& read, const std::string& condition,
                       const Expressions& expressions) {
  item::QueryRequest request;
  request.table_name = read.table;
  request.index_name = Given(read.index);
  request.consistent_read = read.consistent;
  request.scan_index_forward = !read.backward;
  request.filter_expression = Given(expressions.filter);
  request.projection_expression = Given(expressions.projection);
  VARVE_RETURN_IF_ERROR(expressions.Fill(&request.expression_parameters));
  if (condition.starts_with("{")) {
    VARVE_ASSIGN_OR_RETURN(const item::Item equal, ParsePlainItem(condition));
    if (equal.view().empty()) return InvalidArgument("the key has no attributes");
    item::ExpressionParameters& parameters = request.expression_parameters;
    if (!parameters.names) parameters.names.emplace();
    if (!parameters.values) parameters.values.emplace();
    std::string text;
    for (const item::NamedValue& attribute : equal.view()) {
      const size_t i = parameters.names->size();
      text += fmt::format("{}#key{} = :key{}", text.empty() ? "" : " AND ", i, i);
      parameters.names->emplace_back(fmt::format("#key{}", i), attribute.name);
      parameters.values->emplace_back(fmt::format(":key{}", i), item::Value(attribute.value));
    }
    request.key_condition_expression = text;
  } else {
    request.key_condition_expression = condition;
  }
  return PrintPages(read.table, &request, read.limit.value_or(options_.limit),
                    [&](const item::QueryRequest& page) { return client_.Query(page).Get(); });
}

Status Commands::Scan(const Read& read, const std::string& segment,
                      const Expressions& expressions) {
  item::ScanRequest request;
  request.table_name = read.table;
  request.index_name = Given(read.index);
  request.consistent_read = read.consistent;
  request.filter_expression = Given(expressions.filter);
  request.projection_expression = Given(expressions.projection);
  VARVE_RETURN_IF_ERROR(expressions.Fill(&request.expression_parameters));
  if (!segment.empty()) {
    int64_t number = 0, total = 0;
    if (std::sscanf(segment.c_str(), "%ld/%ld", &number, &total) != 2) {
      return InvalidArgument("--segment {}: should be like 0/4", segment);
    }
    request.segment = number;
    request.total_segments = total;
  }
  return PrintPages(read.table, &request, read.limit.value_or(options_.limit),
                    [&](const item::ScanRequest& page) { return client_.Scan(page).Get(); });
}

Status Commands::RunStatement(std::string_view statement,
                              const std::vector<std::string>& parameters,
                              std::optional<uint64_t> limit) {
  items_printed_ = 0;
  const uint64_t items_max = limit.value_or(options_.limit);
  item::ExecuteStatementRequest request;
  request.statement.statement = statement;
  for (const std::string& parameter : parameters) {
    VARVE_ASSIGN_OR_RETURN(request.statement.parameters.emplace_back(), ParsePlainValue(parameter));
  }
  bool more = true;
  while (more && (items_max == 0 || items_printed_ < items_max)) {
    VARVE_ASSIGN_OR_RETURN(const item::ExecuteStatementResponse response,
                           client_.ExecuteStatement(request).Get());
    std::vector<item::Item> rows;
    for (const item::ItemView& item : response.items) {
      if (items_max > 0 && items_printed_ + rows.size() == items_max) break;
      rows.emplace_back(item);
    }
    more = response.next_token.has_value() || rows.size() < response.items.size();
    Print("", rows);
    request.next_token = response.next_token;
  }
  if (more) notes_ << "there are more: --limit N, 0 for all\n";
  return absl::OkStatus();
}

Status Commands::Call(const std::string& operation, const std::string& body) {
  VARVE_ASSIGN_OR_RETURN(const protocol::JsonResponse response,
                         client_.Json(operation, body).Get());
  if (response.http_status != 200) {
    return FailedPrecondition("HTTP status {}: {}", response.http_status, response.body);
  }
  out_ << response.body << '\n';
  return absl::OkStatus();
}

void Commands::Print(const std::string& table, const std::vector<item::Item>& items) {
  items_printed_ += items.size();
  static const std::vector<std::string> kNone;
  const bool wants_keys = options_.format == ItemFormat::kTable && !table.empty();
  PrintItems(items, options_.format, wants_keys ? KeysOf(table) : kNone, options_.cell_width_max,
             out_);
}

const std::vector<std::string>& Commands::KeysOf(const std::string& table) {
  const auto found = keys_.find(table);
  if (found != keys_.end()) return found->second;
  std::vector<std::string>& keys = keys_[table];
  const StatusOr<item::DescribeTableResponse> response =
      client_.DescribeTable({.table_name = table}).Get();
  if (response.ok()) {
    for (const item::KeySchemaElement& element : response->table.key_schema) {
      keys.push_back(element.attribute_name);
    }
  }
  return keys;
}

}  // namespace varve::tools
