#include "server/config.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace varve::server {
namespace {

CommandLine Parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "varved");
  return ParseCommandLine(static_cast<int>(arguments.size()), arguments.data());
}

TEST(Config, ListensOnLoopbackUnlessTold) {
  const CommandLine line = Parse({});
  ASSERT_FALSE(line.exit) << line.text;
  EXPECT_EQ(line.config.http.host, "127.0.0.1");
  EXPECT_EQ(line.config.http.port, 8000);
  EXPECT_EQ(line.config.data_dir, "varve-data");
  EXPECT_EQ(line.config.engine.durability, engine::Durability::kDurable);
  EXPECT_GE(line.config.threads, 1u);
  EXPECT_TRUE(CheckConfig(line.config).ok());
}

TEST(Config, ReadsFlags) {
  const CommandLine line =
      Parse({"--port=9", "--data-dir", "/d", "--io=posix", "--threads=3", "--durability=relaxed",
             "--block-cache=1GiB", "--memtable-budget", "64 MiB", "--compression-level=0",
             "--idle-timeout-ms=5", "--log-level=debug", "--host", "localhost"});
  ASSERT_FALSE(line.exit) << line.text;
  EXPECT_EQ(line.config.http.port, 9);
  EXPECT_EQ(line.config.data_dir, "/d");
  EXPECT_EQ(line.config.io, "posix");
  EXPECT_EQ(line.config.threads, 3u);
  EXPECT_EQ(line.config.engine.durability, engine::Durability::kRelaxed);
  EXPECT_EQ(line.config.engine.block_cache_bytes, size_t{1} << 30);
  EXPECT_EQ(line.config.engine.memtable_budget_bytes, size_t{64} << 20);
  EXPECT_EQ(line.config.engine.compression_level, 0);
  EXPECT_EQ(line.config.http.idle_timeout_ms, 5u);
  EXPECT_EQ(line.config.log_level, "debug");
  EXPECT_EQ(line.config.http.host, "127.0.0.1");
}

TEST(Config, TheBinaryProtocolListensWhereHttpDoesAndCanBeOff) {
  Config standard = Parse({"--host=127.0.0.2", "--idle-timeout-ms=5"}).config;
  EXPECT_EQ(standard.binary.port, 7411);
  EXPECT_FALSE(standard.binary_port_given);
  EXPECT_EQ(standard.binary.host, "127.0.0.2");
  EXPECT_EQ(standard.binary.idle_timeout_ms, 5u);
  const Config other = Parse({"--binary-port=9", "--binary-socket=/s"}).config;
  EXPECT_EQ(other.binary.port, 9);
  EXPECT_TRUE(other.binary_port_given);
  EXPECT_EQ(other.binary.socket_path, "/s");
  EXPECT_EQ(Parse({"--binary-port=0"}).config.binary.port, std::nullopt);
  EXPECT_TRUE(Parse({"--binary-port=-1"}).exit);
}

TEST(Config, PrintsHelpAndVersionAndSucceeds) {
  const CommandLine help = Parse({"--help"});
  EXPECT_TRUE(help.exit);
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_NE(help.text.find("--data-dir"), std::string::npos);
  EXPECT_EQ(help.text.find('\0'), std::string::npos);
  const CommandLine version = Parse({"--version"});
  EXPECT_TRUE(version.exit);
  EXPECT_EQ(version.exit_code, 0);
  EXPECT_TRUE(version.text.starts_with("varved "));
}

TEST(Config, RefusesMistakes) {
  for (const char* mistake : {"--no-such-flag", "--port=99999", "--port=x", "--io=aio",
                              "--durability=maybe", "--threads=0", "--log-level=loud", "stray"}) {
    const CommandLine line = Parse({mistake});
    EXPECT_TRUE(line.exit) << mistake;
    EXPECT_NE(line.exit_code, 0) << mistake;
    EXPECT_FALSE(line.text.empty()) << mistake;
  }
}

TEST(Config, KnowsLoopbackAddresses) {
  for (const char* host : {"127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"}) {
    EXPECT_TRUE(IsLoopback(host)) << host;
  }
  for (const char* host : {"0.0.0.0", "::", "10.0.0.1", "::ffff:10.0.0.1", "fe80::1", "example.org",
                           "", "128.0.0.1"}) {
    EXPECT_FALSE(IsLoopback(host)) << host;
  }
}

TEST(Config, RefusesOtherAddressesWithoutAllowAny) {
  const CommandLine closed = Parse({"--host=0.0.0.0"});
  const Status status = CheckConfig(closed.config);
  EXPECT_FALSE(status.ok());
  EXPECT_NE(Message(status).find("--allow-any"), std::string::npos);
  EXPECT_TRUE(CheckConfig(Parse({"--host=0.0.0.0", "--allow-any"}).config).ok());
}

}  // namespace
}  // namespace varve::server
