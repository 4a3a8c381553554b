// From the payload of a request's frame to the request: decoded, completed by a prepared handle,
// and checked against the constraints of the API.
#pragma once

#include <string_view>

#include "item/errors.h"
#include "protocol/frame.h"
#include "protocol/messages.h"
#include "server/constraints.h"
#include "server/prepared.h"

namespace varve::server {

// A payload that can't be read is to the client what bad JSON is to one of the HTTP API.
inline Status AsClientError(const Status& status) {
  if (item::TypeOfError(status) != item::ErrorType::kInternalServerError) return status;
  return item::MakeError(item::ErrorType::kSerializationException, Message(status));
}

// Reads the whole request, which is new: nothing of the payload is used afterwards.
template <typename Request>
Status ReadRequest(const item::Store& store, const Prepared& prepared, protocol::FrameType type,
                   std::string_view payload, const Schema& schema, Request* request,
                   protocol::RequestExtras* extras) {
  if (Status read = protocol::DecodeRequest(payload, request, extras); !read.ok()) {
    return AsClientError(read);
  }
  VARVE_RETURN_IF_ERROR(prepared.Complete(store, type, extras->prepared, request));
  return CheckConstraints(*request, schema);
}

}  // namespace varve::server
