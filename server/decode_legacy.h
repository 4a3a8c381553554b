// From an operation's JSON to item/'s legacy parameters (item/expression/legacy.h).
#pragma once

#include <simdjson.h>

#include <optional>
#include <string_view>

#include "base/status.h"
#include "item/expression/legacy.h"
#include "item/json.h"
#include "server/json.h"

namespace varve::server {

// Which of them an operation takes.
struct LegacyNames {
  std::string_view conditions = {};  // "Expected", "QueryFilter" or "ScanFilter"; empty: none
  bool key_conditions = false;
  bool attribute_updates = false;
  bool attributes_to_get = false;
};

// Leaves `to` empty if there are none. Only a SerializationException is returned: what else is
// wrong with values is left for the operation to report.
Status DecodeLegacy(const Members& json, const LegacyNames& names, item::ValueWording wording,
                    std::optional<item::expression::LegacyParameters>* to);

}  // namespace varve::server
