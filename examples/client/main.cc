// A library's loans, kept on a Varve server: makes a table, borrows books and gives them back.
//
//   library ADDRESS:PORT | SOCKET_PATH
#include <cstdio>
#include <cstdlib>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "client/client.h"
#include "client/items.h"
#include "item/errors.h"

namespace {

using varve::Status;
using varve::StatusOr;
using varve::client::Client;
using varve::client::ClientOptions;
using varve::client::IntegerOf;
using varve::client::List;
using varve::client::MakeItem;
using varve::client::Placeholders;
using varve::client::Prepared;
using varve::client::TextOf;
namespace item = varve::item;
namespace protocol = varve::protocol;

constexpr const char* kTable = "Library";

Status MakeTable(Client& client) {
  item::CreateTableRequest request;
  request.table_name = kTable;
  request.attribute_definitions = {{"shelf", item::ValueType::kString},
                                   {"title", item::ValueType::kString}};
  request.key_schema = {{"shelf", item::KeyType::kHash}, {"title", item::KeyType::kRange}};
  request.billing_mode = item::BillingMode::kPayPerRequest;
  return client.CreateTable(request).Get().status();
}

// All at once: the requests are under way together, and answered in any order.
Status FillShelf(Client& client) {
  std::vector<std::future<StatusOr<item::PutItemResponse>>> puts;
  int64_t pages = 100;
  for (const char* const title : {"Emma", "Persuasion", "Sanditon", "Lady Susan"}) {
    item::PutItemRequest request;
    request.table_name = kTable;
    request.item = MakeItem({{"shelf", "austen"},
                             {"title", title},
                             {"pages", pages += 50},
                             {"loans", 0},
                             {"readers", List({})}});
    puts.push_back(client.PutItem(request).Future());
  }
  for (auto& put : puts) VARVE_RETURN_IF_ERROR(put.get().status());
  return absl::OkStatus();
}

// Expressions that many requests share are parsed once.
Prepared PrepareBorrowing(Client& client) {
  protocol::PrepareRequest definition;
  definition.table_name = kTable;
  definition.operation = static_cast<uint64_t>(protocol::FrameType::kUpdateItem);
  definition.update_expression =
      "SET reader = :reader, readers = list_append(readers, :readers) ADD loans :one";
  definition.condition_expression = "attribute_exists(title) AND attribute_not_exists(reader)";
  return client.Prepare(std::move(definition));
}

Status Borrow(Client& client, const Prepared& borrowing, std::string_view title,
              std::string_view reader) {
  item::UpdateItemRequest request;
  request.table_name = kTable;
  request.key = MakeItem({{"shelf", "austen"}, {"title", title}});
  request.expression_parameters.values =
      Placeholders({{":reader", reader}, {":readers", List({reader})}, {":one", 1}});
  request.return_values = item::ReturnValues::kAllNew;
  const auto response = client.UpdateItem(request, {.prepared = borrowing}).Get();
  if (!response.ok()) return response.status();
  std::printf("%.*s borrows %.*s, loan %ld\n", static_cast<int>(reader.size()), reader.data(),
              static_cast<int>(title.size()), title.data(),
              static_cast<long>(IntegerOf(*response->attributes, "loans").value_or(0)));
  return absl::OkStatus();
}

Status PrintShelf(Client& client) {
  item::QueryRequest request;
  request.table_name = kTable;
  request.key_condition_expression = "shelf = :shelf";
  request.expression_parameters.values = Placeholders({{":shelf", "austen"}});
  varve::client::Pages pages = client.QueryPages(request);
  for (;;) {
    VARVE_ASSIGN_OR_RETURN(const std::optional<item::ItemPage> page, pages.Next());
    if (!page.has_value()) return absl::OkStatus();
    for (const item::ItemView book : page->items) {
      const std::string title(TextOf(book, "title").value_or("?"));
      const std::string reader(TextOf(book, "reader").value_or("on the shelf"));
      std::printf("  %-10s  %3ld pages  %s\n", title.c_str(),
                  static_cast<long>(IntegerOf(book, "pages").value_or(0)), reader.c_str());
    }
  }
}

Status Run(ClientOptions options) {
  VARVE_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, Client::Open(std::move(options)));
  VARVE_RETURN_IF_ERROR(MakeTable(*client));
  VARVE_RETURN_IF_ERROR(FillShelf(*client));

  const Prepared borrowing = PrepareBorrowing(*client);
  VARVE_RETURN_IF_ERROR(Borrow(*client, borrowing, "Emma", "Ada"));
  VARVE_RETURN_IF_ERROR(Borrow(*client, borrowing, "Sanditon", "Bo"));
  const Status refused = Borrow(*client, borrowing, "Emma", "Cleo");
  if (refused.ok() ||
      item::TypeOfError(refused) != item::ErrorType::kConditionalCheckFailedException) {
    return refused;
  }
  std::printf("Cleo has to wait for Emma\n");
  VARVE_RETURN_IF_ERROR(PrintShelf(*client));

  // Leave nothing behind, so that the next run prints the same.
  item::DeleteTableRequest request;
  request.table_name = kTable;
  return client->DeleteTable(request).Get().status();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s ADDRESS:PORT | SOCKET_PATH\n", argv[0]);
    return 2;
  }
  ClientOptions options;
  const std::string where = argv[1];
  const size_t colon = where.rfind(':');
  if (colon == std::string::npos) {
    options.server.socket_path = where;
  } else {
    options.server.address = where.substr(0, colon);
    options.server.port = static_cast<uint16_t>(std::atoi(where.c_str() + colon + 1));
  }
  const Status status = Run(std::move(options));
  if (!status.ok()) {
    std::fprintf(stderr, "library: %s\n", status.ToString().c_str());
    return 1;
  }
  return 0;
}
