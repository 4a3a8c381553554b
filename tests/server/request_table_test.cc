// Requests and their answers as tables of text, in testdata/*.txt:
//
//   // a comment
//   PutItem {"TableName":"T",...}
//     = {}                                    the answer
//   PutItem {"TableName":"T",...}
//     ! ValidationException: the message      the error
//
// A request that no answer follows must succeed. It may go on in lines that begin with "|". $x{n}
// in it stands for n times the letter x, and $M{n} for a string inside n maps. Every file begins
// with an empty database.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>

#include "engine/db.h"
#include "item/store.h"
#include "server/dynamodb_api.h"

namespace varve::server {
namespace {

// Both kinds of stand-ins, once they are found.
std::string Expanded(std::string text) {
  for (size_t at = text.find('$'); at != std::string::npos; at = text.find('$', at)) {
    const size_t end = text.find('}', at);
    const size_t count = std::stoul(text.substr(at + 3, end - at - 3));
    std::string replacement(count, text[at + 1]);
    if (text[at + 1] == 'M') {
      replacement = R"({"S":"leaf"})";
      for (size_t i = 0; i < count; ++i) replacement = R"({"M":{"n":)" + replacement + "}}";
    }
    text.replace(at, end + 1 - at, replacement);
    at += replacement.size();
  }
  return text;
}

// The string that is member `name` of `json`, an error's answer.
std::string Member(const std::string& json, std::string_view name) {
  simdjson::dom::parser parser;
  std::string_view text;
  if (parser.parse(json)[name].get(text) != simdjson::SUCCESS) return "";
  return std::string(text);
}

class RequestTableTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "varve-table-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    io_ = io::NewIo();
    auto db = engine::Db::Open(*io_, directory_ + "/data", {});
    ASSERT_TRUE(db.ok()) << Message(db.status());
    db_ = std::move(*db);
    auto store = io::BlockOn(*io_, item::Store::Open(*io_, *db_, {}));
    ASSERT_TRUE(store.ok()) << Message(store.status());
    store_ = std::move(*store);
    metrics_ = std::make_unique<Metrics>(DynamoDbApi::OperationNames());
    api_ = std::make_unique<DynamoDbApi>(*io_, db_.get(), store_.get(), metrics_.get(), 1);
  }

  void TearDown() override {
    api_.reset();
    store_.reset();
    if (db_ != nullptr) {
      EXPECT_TRUE(db_->Close().ok());
    }
    db_.reset();
    std::filesystem::remove_all(directory_);
  }

  // As the tables say it: "= answer" or "! type: message".
  std::string Answer(const std::string& operation, const std::string& body) {
    HttpRequest request;
    request.is_post = true;
    request.path = "/";
    request.target = "DynamoDB_20120810." + operation;
    request.content_type = "application/x-amz-json-1.0";
    request.body.reserve(body.size() + kBodyPaddingBytes);
    request.body = body;
    HttpReply reply;
    io::BlockOn(*io_, api_->Handle(0, request, &reply));
    if (reply.status == 200) return "= " + reply.body;
    const std::string type = Member(reply.body, "__type");
    std::string message = Member(reply.body, "message");
    if (message.empty()) message = Member(reply.body, "Message");
    return "! " + type.substr(type.find('#') + 1) + ": " + message;
  }

  void Run(const std::string& file) {
    std::ifstream stream(std::string(VARVE_TEST_DATA) + "/" + file);
    ASSERT_TRUE(stream.is_open()) << file;
    std::string text, request;
    int request_line = 0;
    // The answer to the request that was read last, which is answered once.
    const auto answer = [&]() -> std::string {
      if (request.empty()) return "no request";
      const size_t space = std::min(request.find(' '), request.size());
      return Answer(request.substr(0, space),
                    Expanded(request.substr(std::min(space + 1, request.size()))));
    };
    for (int line = 1; std::getline(stream, text); ++line) {
      const size_t begin = text.find_first_not_of(' ');
      if (begin == std::string::npos || text.compare(begin, 2, "//") == 0) continue;
      const char first = text[begin];
      if (first == '|') {
        request += text.substr(begin + 1);
      } else if (first == '=' || first == '!') {
        EXPECT_EQ(answer(), Expanded(text.substr(begin)))
            << file << ":" << request_line << ": " << request;
        request.clear();
      } else {
        if (!request.empty()) {
          EXPECT_TRUE(answer().starts_with("= ")) << file << ":" << request_line << ": " << request;
        }
        request = text.substr(begin);
        request_line = line;
      }
    }
  }

  std::string directory_;
  std::unique_ptr<io::Io> io_;
  std::unique_ptr<engine::Db> db_;
  std::unique_ptr<item::Store> store_;
  std::unique_ptr<Metrics> metrics_;
  std::unique_ptr<DynamoDbApi> api_;
};

TEST_F(RequestTableTest, LegacyParameters) { Run("legacy.txt"); }
TEST_F(RequestTableTest, ItemRequests) { Run("items.txt"); }
TEST_F(RequestTableTest, Transactions) { Run("transactions.txt"); }

}  // namespace
}  // namespace varve::server
