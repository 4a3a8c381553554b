#include "item/stream_requests.h"

namespace varve::item {

std::string_view ToString(SwitchStatus status) {
  switch (status) {
    case SwitchStatus::kEnabling:
      return "ENABLING";
    case SwitchStatus::kEnabled:
      return "ENABLED";
    case SwitchStatus::kDisabling:
      return "DISABLING";
    case SwitchStatus::kDisabled:
      return "DISABLED";
  }
  return "";
}

std::string_view ToString(StreamEvent event) {
  switch (event) {
    case StreamEvent::kInsert:
      return "INSERT";
    case StreamEvent::kModify:
      return "MODIFY";
    case StreamEvent::kRemove:
      return "REMOVE";
  }
  return "MODIFY";
}

}  // namespace varve::item
