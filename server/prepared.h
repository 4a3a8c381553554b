// The expressions that a connection has prepared (docs/protocol.md), by handle.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/status.h"
#include "item/requests.h"
#include "item/store.h"
#include "protocol/error.h"
#include "protocol/frame.h"
#include "protocol/messages.h"

namespace varve::server {

// Not thread-safe: belongs to a connection.
class Prepared {
 public:
  explicit Prepared(size_t handles_max) : handles_max_(handles_max) {}

  // The handle for `request`. LimitExceededException if there are too many,
  // ResourceNotFoundException if its table is not there.
  StatusOr<uint64_t> Prepare(const item::Store& store, protocol::PrepareRequest request);
  void Forget(uint64_t handle) { handles_.erase(handle); }

  // Fills in what `request`, of the operation `type`, left to the handle; 0: none. PreparedInvalid
  // if there is no such handle for this operation, or its table is another one now.
  template <typename Request>
  Status Complete(const item::Store& store, protocol::FrameType type, uint64_t handle,
                  Request* request) const {
    if (handle == 0) return absl::OkStatus();
    VARVE_ASSIGN_OR_RETURN(const protocol::PrepareRequest* const kept, Find(store, type, handle));
    if constexpr (requires {
                    request->table_name;
                    request->expression_parameters;
                  }) {
      return Merge(*kept, handle, request);
    }
    return protocol::PreparedInvalid(handle);  // no expressions in this one
  }

 private:
  struct Kept {
    protocol::PrepareRequest request;
    std::string table_id;
  };

  template <typename Request>
  static Status Merge(const protocol::PrepareRequest& kept, uint64_t handle, Request* request) {
    if (request->table_name.empty()) request->table_name = kept.table_name;
    if (request->table_name != kept.table_name) return protocol::PreparedInvalid(handle);
    if constexpr (requires { request->index_name; }) {
      Fill(kept.index_name, &request->index_name);
    }
    if constexpr (requires { request->condition_expression; }) {
      Fill(kept.condition_expression, &request->condition_expression);
    }
    if constexpr (requires { request->update_expression; }) {
      Fill(kept.update_expression, &request->update_expression);
    }
    if constexpr (requires { request->projection_expression; }) {
      Fill(kept.projection_expression, &request->projection_expression);
    }
    if constexpr (requires { request->filter_expression; }) {
      Fill(kept.filter_expression, &request->filter_expression);
    }
    if constexpr (requires { request->key_condition_expression; }) {
      Fill(kept.key_condition_expression, &request->key_condition_expression);
    }
    Fill(kept.names, &request->expression_parameters.names);
    return absl::OkStatus();
  }

  template <typename T>
  static void Fill(const std::optional<T>& from, std::optional<T>* to) {
    if (!to->has_value()) *to = from;
  }
  StatusOr<const protocol::PrepareRequest*> Find(const item::Store& store, protocol::FrameType type,
                                                 uint64_t handle) const;

  const size_t handles_max_;
  uint64_t last_handle_ = 0;
  // Addresses stay.
  absl::flat_hash_map<uint64_t, std::unique_ptr<Kept>> handles_;
};

}  // namespace varve::server
