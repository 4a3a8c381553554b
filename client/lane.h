// Lane: a thread of a Client with its connections, and what it does for a request: finds or opens a
// connection, prepares expressions there, sends, and sends again where that is safe.
//
// Everything happens on the lane's thread, except Submit.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "base/status.h"
#include "client/client.h"
#include "client/connection.h"
#include "client/reply.h"
#include "io/alarm.h"
#include "io/io.h"
#include "io/sync.h"
#include "io/task.h"

namespace varve::client {

struct PreparedDefinition {
  uint64_t id;  // no two are the same
  protocol::PrepareRequest request;
};

class Lane {
 public:
  Lane(io::Io& io, Client& client, const ClientOptions& options);
  // Ends what is under way and closes the connections.
  ~Lane();
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  // Any thread. Completes `request` sooner or later.
  void Submit(std::shared_ptr<Request> request);
  // Any thread, while the request is not done.
  void Cancel(std::shared_ptr<Request> request);

 private:
  // A connection, or its place.
  struct Link {
    std::unique_ptr<Connection> connection;  // null: there is none
    // Handles on this connection by the ids of what they stand for, the oldest first.
    absl::flat_hash_map<uint64_t, uint64_t> prepared;
    std::deque<uint64_t> prepared_order;
    io::Mutex preparing;
  };

  io::Task<void> Run(std::shared_ptr<Request> request);
  io::Task<void> CancelHere(std::shared_ptr<Request> request);
  io::Task<void> Stop();

  io::Task<Status> Answer(Request& request);
  // The least busy connection, opening one if need be.
  io::Task<StatusOr<Link*>> FindLink(Request& request);
  Link* BestLink();
  void OpenAnother();
  io::Task<void> Open(Link* link);
  void Retire(Link& link);
  io::Task<void> Discard(std::unique_ptr<Connection> connection);
  // The handle of what `request` has prepared, on `link`.
  io::Task<StatusOr<uint64_t>> HandleOn(Link& link, Request& request);
  // Sleeps, unless it is woken or cancelled.
  io::Task<void> Sleep(Request& request, uint64_t until_ns);
  void EndRequest(Request& request);
  bool MayRepeat(const Request& request, const Status& status) const;
  uint64_t BackoffNs(uint32_t failures);
  void WakeWaiting();
  // Until the request's deadline, at least 1; 0: it has none.
  uint64_t TimeLeftMs(const Request& request) const;
  Status Late(const Request& request, const Status& why) const;

  io::Io& io_;
  Client& client_;
  const ClientOptions& options_;
  std::vector<std::unique_ptr<Link>> links_;
  absl::flat_hash_set<Request*> active_;
  std::vector<Request*> waiting_;   // for a connection, who came first first
  bool opening_ = false;            // one at a time
  uint32_t failures_in_a_row_ = 0;  // to connect
  uint64_t failures_ = 0;           // in all
  uint64_t open_at_ns_ = 0;         // not before
  Status open_error_;               // the last
  io::Alarm open_alarm_;
  uint64_t discarding_ = 0;
  bool stopping_ = false;
  io::Pulse progress_;  // when something has ended that Stop waits for
  std::unique_ptr<io::Worker> worker_;
  io::Executor* executor_ = nullptr;  // the worker's
};

}  // namespace varve::client
