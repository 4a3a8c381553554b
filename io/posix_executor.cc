#include "io/posix_executor.h"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

namespace varve::io {
namespace {

int64_t PerformFileOperation(const Operation& operation) {
  ssize_t result;
  do {
    switch (operation.kind) {
      case Operation::Kind::kRead:
        result = pread(operation.fd, operation.data, operation.size,
                       static_cast<off_t>(operation.offset));
        break;
      case Operation::Kind::kWrite:
        result = pwrite(operation.fd, operation.data, operation.size,
                        static_cast<off_t>(operation.offset));
        break;
      default:
        result = fdatasync(operation.fd);
    }
  } while (result < 0 && errno == EINTR);
  return result < 0 ? -errno : result;
}

bool IsFileOperation(const Operation& operation) {
  return operation.kind == Operation::Kind::kRead || operation.kind == Operation::Kind::kWrite ||
         operation.kind == Operation::Kind::kSync;
}

uint32_t EventsFor(const Operation& operation) {
  return operation.kind == Operation::Kind::kSend ? EPOLLOUT : EPOLLIN | EPOLLRDHUP;
}

// -EAGAIN if it would have to wait.
int64_t PerformSocketOperation(const Operation& operation) {
  int64_t result;
  do {
    switch (operation.kind) {
      case Operation::Kind::kPollIn: {
        pollfd poll_fd{operation.fd, POLLIN | POLLRDHUP, 0};
        result = poll(&poll_fd, 1, 0);
        if (result == 0) return -EAGAIN;
        if (result > 0) return 0;
        break;
      }
      case Operation::Kind::kAccept: {
        // Polled first: a blocking listener must not block the loop.
        pollfd poll_fd{operation.fd, POLLIN, 0};
        if (poll(&poll_fd, 1, 0) == 0) return -EAGAIN;
        result = accept4(operation.fd, nullptr, nullptr, SOCK_CLOEXEC);
        break;
      }
      case Operation::Kind::kReceive:
        result = recv(operation.fd, operation.data, operation.size, MSG_DONTWAIT);
        break;
      default:
        result = send(operation.fd, operation.data, operation.size, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
  } while (result < 0 && errno == EINTR);
  return result < 0 ? -errno : result;
}

int WaitOnEpoll(int epoll_fd, epoll_event* events, int events_max,
                std::optional<uint64_t> timeout_ns) {
  if (!timeout_ns.has_value()) return epoll_wait(epoll_fd, events, events_max, -1);
  if (*timeout_ns == 0) return epoll_wait(epoll_fd, events, events_max, 0);
  const timespec timeout{static_cast<time_t>(*timeout_ns / 1'000'000'000),
                         static_cast<long>(*timeout_ns % 1'000'000'000)};
  const int count = epoll_pwait2(epoll_fd, events, events_max, &timeout, nullptr);
  if (count >= 0 || errno != ENOSYS) return count;
  // Before Linux 5.11. Rounded up, so that a timer is due when the wait ends; at most a minute, and
  // then again.
  const uint64_t timeout_ms = std::min<uint64_t>((*timeout_ns + 999'999) / 1'000'000, 60'000);
  return epoll_wait(epoll_fd, events, events_max, static_cast<int>(timeout_ms));
}

}  // namespace

std::unique_ptr<LoopExecutor> NewPosixExecutor() { return std::make_unique<PosixExecutor>(); }

PosixExecutor::PosixExecutor() : epoll_fd_(epoll_create1(EPOLL_CLOEXEC)) {
  if (epoll_fd_ < 0) std::abort();
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = wake_fd();
  if (epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, wake_fd(), &event) != 0) std::abort();
}

PosixExecutor::~PosixExecutor() { close(epoll_fd_); }

void PosixExecutor::Enqueue(Operation& operation) {
  (IsFileOperation(operation) ? files_ : sockets_).push_back(&operation);
}

void PosixExecutor::PerformFileOperations() {
  for (Operation* operation : files_) Complete(*operation, PerformFileOperation(*operation));
  files_.clear();
}

bool PosixExecutor::TrySocketOperation(Operation& operation) {
  const int64_t result = PerformSocketOperation(operation);
  if (result == -EAGAIN) return false;
  Complete(operation, result);
  return true;
}

void PosixExecutor::Watch(int fd, Watched& watched) {
  uint32_t events = 0;
  for (const Operation* operation : watched.operations) events |= EventsFor(*operation);
  epoll_event event{};
  event.events = events | EPOLLONESHOT;
  event.data.fd = fd;
  // The descriptor may still be known from an earlier wait, or be new under an old number.
  int result = epoll_ctl(epoll_fd_, EPOLL_CTL_MOD, fd, &event);
  if (result != 0 && errno == ENOENT) result = epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event);
  if (result == 0) return;
  const int error = errno;
  for (Operation* operation : watched.operations) Complete(*operation, -error);
  watched_.erase(fd);
}

void PosixExecutor::HandleReady(int fd) {
  const auto found = watched_.find(fd);
  if (found == watched_.end()) return;
  std::vector<Operation*>& waiting = found->second.operations;
  std::erase_if(waiting, [this](Operation* operation) { return TrySocketOperation(*operation); });
  if (waiting.empty()) {
    watched_.erase(found);
  } else {
    Watch(fd, found->second);
  }
}

void PosixExecutor::WaitForEvents(std::optional<uint64_t> timeout_ns) {
  constexpr int kEventsMax = 256;
  epoll_event events[kEventsMax];
  const int count = WaitOnEpoll(epoll_fd_, events, kEventsMax, timeout_ns);
  for (int i = 0; i < count; ++i) {
    if (events[i].data.fd == wake_fd()) {
      eventfd_t ignored;
      eventfd_read(wake_fd(), &ignored);
    } else {
      HandleReady(events[i].data.fd);
    }
  }
}

void PosixExecutor::Flush() {
  PerformFileOperations();
  std::vector<Operation*> sockets;
  sockets.swap(sockets_);
  for (Operation* operation : sockets) {
    if (TrySocketOperation(*operation)) continue;
    Watched& watched = watched_[operation->fd];
    watched.operations.push_back(operation);
    Watch(operation->fd, watched);
  }
  if (!watched_.empty()) WaitForEvents(0);
}

void PosixExecutor::FlushAndWait(std::optional<uint64_t> timeout_ns) {
  const bool have_work = !files_.empty() || !sockets_.empty();
  if (have_work) {
    Flush();
    return;
  }
  WaitForEvents(timeout_ns);
}

}  // namespace varve::io
