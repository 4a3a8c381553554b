// A TCP echo over one executor, by each way of receiving that io/ has: what the network costs a
// request before the server has done anything for it.
//
//   network_bench [--io uring|posix] [--receive wait|stream] [--connections N] [--bytes N]
//                 [--pipeline N] [--seconds N]
//
// The server is one thread, the clients another; each connection sends `pipeline` messages, waits
// for all of them, and sends the next.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "io/acceptor.h"
#include "io/io.h"
#include "io/network.h"
#include "io/receive_stream.h"

namespace varve {
namespace {

struct Options {
  std::string io = "uring";
  std::string receive = "stream";
  size_t connections = 64;
  size_t bytes = 64;
  size_t pipeline = 1;
  uint64_t seconds = 3;
};

io::Task<void> EchoByWaiting(io::Socket socket) {
  auto buffer = std::make_unique_for_overwrite<char[]>(64 << 10);
  for (;;) {
    co_await io::WaitReadable(socket);
    const StatusOr<size_t> got = co_await io::Receive(socket, {buffer.get(), 64 << 10});
    if (!got.ok() || *got == 0) co_return;
    const Status sent = co_await io::Send(socket, {buffer.get(), *got});
    if (!sent.ok()) co_return;
  }
}

io::Task<void> EchoStream(io::Socket socket) {
  io::ReceiveStream stream(socket);
  std::string out;
  while (!stream.ended()) {
    co_await stream.Wait();
    for (std::string_view got = stream.Take(); !got.empty(); got = stream.Take()) out += got;
    if (out.empty()) continue;
    const Status sent = co_await io::Send(socket, out);
    if (!sent.ok()) break;
    out.clear();
  }
  co_await stream.Stop();
}

io::Task<void> Serve(const io::Socket* listener, bool streams) {
  io::Acceptor acceptor(*listener);
  for (;;) {
    StatusOr<io::Socket> socket = co_await acceptor.Next();
    if (!socket.ok()) break;
    io::Executor::Current()->Spawn(streams ? EchoStream(std::move(*socket))
                                           : EchoByWaiting(std::move(*socket)));
  }
  co_await acceptor.Stop();
}

io::Task<void> RunClient(io::Io* io, const Options* options, uint16_t port,
                         const std::atomic<bool>* stop, std::vector<uint32_t>* latencies_ns) {
  StatusOr<io::Socket> socket = io::Connect("127.0.0.1", port);
  if (!socket.ok()) co_return;
  const std::string message(options->bytes * options->pipeline, 'x');
  std::string answer(message.size(), '\0');
  while (!stop->load(std::memory_order_relaxed)) {
    const uint64_t start_ns = io->MonotonicNs();
    const Status sent = co_await io::Send(*socket, message);
    if (!sent.ok()) co_return;
    for (size_t done = 0; done < answer.size();) {
      const StatusOr<size_t> got = co_await io::Receive(*socket, std::span(answer).subspan(done));
      if (!got.ok() || *got == 0) co_return;
      done += *got;
    }
    latencies_ns->push_back(static_cast<uint32_t>(io->MonotonicNs() - start_ns));
  }
}

int Run(const Options& options) {
  std::unique_ptr<io::Io> io;
  if (options.io == "posix") {
    io = io::NewPosixIo();
  } else {
    StatusOr<std::unique_ptr<io::Io>> uring = io::NewUringIo();
    if (!uring.ok()) {
      fmt::print(stderr, "{}\n", Message(uring.status()));
      return 1;
    }
    io = std::move(*uring);
  }
  StatusOr<io::Socket> listener = io::Listen({});
  if (!listener.ok()) return 1;
  const uint16_t port = *io::LocalPort(*listener);
  std::unique_ptr<io::Worker> server = io->StartWorker({.name = "echo-server"});
  server->executor().Spawn(Serve(&*listener, options.receive == "stream"));
  std::unique_ptr<io::Worker> clients = io->StartWorker({.name = "echo-clients"});
  std::atomic<bool> stop{false};
  std::vector<uint32_t> latencies_ns;
  latencies_ns.reserve(10'000'000);
  for (size_t i = 0; i < options.connections; ++i) {
    clients->executor().Spawn(RunClient(io.get(), &options, port, &stop, &latencies_ns));
  }
  std::this_thread::sleep_for(std::chrono::seconds(options.seconds));
  stop.store(true);
  clients.reset();
  io::Shutdown(*listener);
  server.reset();
  std::sort(latencies_ns.begin(), latencies_ns.end());
  if (latencies_ns.empty()) return 1;
  const auto at = [&](double q) {
    return latencies_ns[static_cast<size_t>(q * static_cast<double>(latencies_ns.size() - 1))] *
           1e-3;
  };
  fmt::print("{} {} connections={} bytes={} pipeline={}: {:.0f}/s p50 {:.1f} us p99 {:.1f} us\n",
             options.io, options.receive, options.connections, options.bytes, options.pipeline,
             static_cast<double>(latencies_ns.size() * options.pipeline) /
                 static_cast<double>(options.seconds),
             at(0.5), at(0.99));
  return 0;
}

}  // namespace
}  // namespace varve

int main(int argc, char** argv) {
  varve::Options options;
  CLI::App app("TCP echo over io/", "network_bench");
  app.add_option("--io", options.io)->check(CLI::IsMember({"uring", "posix"}));
  app.add_option("--receive", options.receive)->check(CLI::IsMember({"wait", "stream"}));
  app.add_option("--connections", options.connections);
  app.add_option("--bytes", options.bytes);
  app.add_option("--pipeline", options.pipeline);
  app.add_option("--seconds", options.seconds);
  CLI11_PARSE(app, argc, argv);
  return varve::Run(options);
}
