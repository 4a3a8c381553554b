// What a frame of the binary protocol asks for, done and answered: for each type of frame the
// function that decodes it, checks it, calls the store, and encodes the answer.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"
#include "io/task.h"
#include "protocol/frame.h"
#include "server/binary_server.h"
#include "server/prepared.h"

namespace varve::server {

// One request on its way. Its connection (server/binary_connection.h) makes it.
class BinaryCall {
 public:
  BinaryCall(const BinaryService& service, size_t worker, Prepared* prepared,
             const protocol::FrameHeader& header, std::string_view payload)
      : service_(service),
        worker_(worker),
        prepared_(prepared),
        header_(header),
        payload_(payload) {}
  virtual ~BinaryCall() = default;

  const BinaryService& service() const { return service_; }
  size_t worker() const { return worker_; }  // which of the threads this is
  Prepared* prepared() { return prepared_; }
  const protocol::FrameHeader& header() const { return header_; }
  // Valid until the request first waits for something.
  std::string_view payload() const { return payload_; }

  // What the answer's frame is written to: the payload goes between the two. Nothing may be awaited
  // in between.
  virtual std::string& BeginAnswer(uint8_t flags) = 0;
  virtual void EndAnswer() = 0;
  // Waits until the next frame of a long answer may be written. False if it shall not be: the
  // client cancelled, or is gone.
  virtual io::Task<bool> WaitForCredit() = 0;

 private:
  const BinaryService& service_;
  const size_t worker_;
  Prepared* const prepared_;
  const protocol::FrameHeader header_;
  const std::string_view payload_;
};

// Does what `call` asks for and writes the answer, unless it returns an error: then nothing but
// frames with kMore set has been written, and the error is the caller's to answer.
using BinaryOperation = io::Task<Status> (*)(BinaryCall& call);

// Null if there is no such operation.
BinaryOperation BinaryOperationOf(protocol::FrameType type);

}  // namespace varve::server
