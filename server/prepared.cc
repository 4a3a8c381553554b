#include "server/prepared.h"

#include <utility>

#include "item/errors.h"

namespace varve::server {

StatusOr<uint64_t> Prepared::Prepare(const item::Store& store, protocol::PrepareRequest request) {
  if (handles_.size() >= handles_max_) {
    return item::MakeError(
        item::ErrorType::kLimitExceededException,
        fmt::format("A connection keeps at most {} prepared handles", handles_max_));
  }
  std::string table_id = store.TableIdOf(request.table_name);
  if (table_id.empty()) return item::TableNotFound();
  const uint64_t handle = ++last_handle_;
  handles_[handle] = std::make_unique<Kept>(Kept{std::move(request), std::move(table_id)});
  return handle;
}

StatusOr<const protocol::PrepareRequest*> Prepared::Find(const item::Store& store,
                                                         protocol::FrameType type,
                                                         uint64_t handle) const {
  const auto found = handles_.find(handle);
  if (found == handles_.end()) return protocol::PreparedInvalid(handle);
  const Kept& kept = *found->second;
  // A stream asks what a page asks.
  if (type == protocol::FrameType::kQueryStream) type = protocol::FrameType::kQuery;
  if (type == protocol::FrameType::kScanStream) type = protocol::FrameType::kScan;
  const bool same_operation = kept.request.operation == static_cast<uint64_t>(type);
  if (!same_operation || !store.HasTable(kept.request.table_name, kept.table_id)) {
    return protocol::PreparedInvalid(handle);
  }
  return &kept.request;
}

}  // namespace varve::server
