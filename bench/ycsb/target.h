// Target: what the driver measures, behind the few calls that YCSB's workloads make. One file a
// target; each says in Describe() what an operation is there.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"
#include "bench/engine.h"
#include "bench/ycsb/workload.h"
#include "io/executor.h"
#include "io/io.h"
#include "io/task.h"

namespace varve::bench::ycsb {

// The table, and its partition key, that records lie in.
inline constexpr std::string_view kTableName = "usertable";
inline constexpr std::string_view kKeyName = "id";

struct TargetOptions {
  RecordShape shape;
  // Of servers.
  std::string host = "127.0.0.1";  // numeric
  uint16_t http_port = 8000;
  uint16_t binary_port = 7411;
  std::string binary_socket;  // the path of a Unix socket, instead of host and port
  uint16_t redis_port = 6379;
  // Of what runs in this process; `directory` is where its data goes.
  EngineConfig engine;
};

// How one operation went.
struct Outcome {
  Status status;      // not OK: it counts as an error
  bool found = true;  // of a read
  bool lost = false;  // with an error: the session is of no more use
};

// A connection, or what stands for one. Used on one executor.
class Session {
 public:
  virtual ~Session() = default;

  // Any kind but read-modify-write. Many calls may be under way; they and `operation` end before
  // the session.
  virtual io::Task<Outcome> Run(const Operation& operation) = 0;

  // Any thread: ends what is under way soon, with an error. Nothing is run afterwards.
  virtual void Abort() {}
};

class Target {
 public:
  virtual ~Target() = default;

  // Errors say what to do about it, such as which server to start. Called before anything else;
  // makes the table if there is none.
  virtual Status Open(io::Io& io) = 0;
  virtual Status Close() { return absl::OkStatus(); }
  // Connects. `executor` is where the session will be used; it may be called from another thread,
  // and the session's own tasks end with Abort.
  virtual StatusOr<std::unique_ptr<Session>> NewSession(io::Executor& executor) = 0;

  // Whether its calls block, so that each session wants a thread of its own.
  virtual bool blocks() const { return false; }
  // Why it can't run scans; empty if it can.
  virtual std::string_view why_no_scans() const { return {}; }
  // What it is, and what an operation does there.
  virtual std::string Describe() const = 0;
};

std::unique_ptr<Target> NewHttpTarget(const TargetOptions& options);
std::unique_ptr<Target> NewBinaryTarget(const TargetOptions& options);
std::unique_ptr<Target> NewRedisTarget(const TargetOptions& options);
// item::Store in this process.
std::unique_ptr<Target> NewEmbeddedTarget(const TargetOptions& options);
std::unique_ptr<Target> NewRocksDbTarget(const TargetOptions& options);

}  // namespace varve::bench::ycsb
