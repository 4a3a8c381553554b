// The commands of `varve` that talk to a server: get, put, query and so on, one-shot or as lines of
// the shell. docs/tools.md lists them.
#pragma once

#include <istream>
#include <map>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "client/client.h"
#include "tools/shell/print_items.h"

namespace varve::tools {

// Their names, ascending, and what they are for.
std::vector<std::pair<std::string_view, std::string_view>> CommandDescriptions();
std::vector<std::string_view> CommandNames();

// Not thread-safe.
class Commands {
 public:
  struct Options {
    ItemFormat format = ItemFormat::kPlain;
    // Of a table's cells, in characters.
    size_t cell_width_max = 40;
    // Items that query, scan and statements print unless told otherwise; 0: all.
    uint64_t limit = 0;
    // Whether a command that drops something goes ahead without --yes.
    bool sure = false;
  };

  // All must outlive this. Results go to `out`, what is said about them to `notes`.
  Commands(client::Client* client, std::istream* in, std::ostream* out, std::ostream* notes,
           Options options)
      : client_(*client), in_(*in), out_(*out), notes_(*notes), options_(options) {}

  // Runs one command: its name and its arguments. What is wrong with them is InvalidArgument, with
  // words for the user; other errors are the server's or the connection's.
  Status Run(std::vector<std::string> words);

  // Runs a PartiQL statement.
  Status RunStatement(std::string_view statement, const std::vector<std::string>& parameters,
                      std::optional<uint64_t> limit);

  // The names of all tables.
  StatusOr<std::vector<std::string>> TableNames();

  Options& options() { return options_; }
  // Of the last command: how many items it printed.
  uint64_t items_printed() const { return items_printed_; }

 private:
  struct Expressions;
  struct Read;

  Status Tables();
  Status Describe(const std::string& table);
  Status Create(const std::string& table, const std::vector<std::string>& keys,
                const std::vector<std::string>& indexes, const std::string& stream);
  Status Drop(const std::string& table);
  Status Get(const std::string& table, const std::string& key, bool consistent,
             const Expressions& expressions);
  Status Put(const std::string& table, const std::string& item, bool return_old,
             const Expressions& expressions);
  Status PutLines(const std::string& table);
  Status Update(const std::string& table, const std::string& key, const std::string& update,
                const std::string& return_values, const Expressions& expressions);
  Status Delete(const std::string& table, const std::string& key, bool return_old,
                const Expressions& expressions);
  Status Query(const Read& read, const std::string& condition, const Expressions& expressions);
  Status Scan(const Read& read, const std::string& segment, const Expressions& expressions);
  Status Call(const std::string& operation, const std::string& body);

  // Asks for page after page, with `next`, and prints until `limit` items were.
  template <typename Request, typename Next>
  Status PrintPages(const std::string& table, Request* request, uint64_t limit, Next next);
  void Print(const std::string& table, const std::vector<item::Item>& items);
  // The table's key attributes; none if they can't be found out.
  const std::vector<std::string>& KeysOf(const std::string& table);

  client::Client& client_;
  std::istream& in_;
  std::ostream& out_;
  std::ostream& notes_;
  Options options_;
  uint64_t items_printed_ = 0;
  std::map<std::string, std::vector<std::string>, std::less<>> keys_;  // by table
};

}  // namespace varve::tools
