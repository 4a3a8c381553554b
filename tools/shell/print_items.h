// Items on a terminal.
#pragma once

#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "item/value.h"

namespace varve::tools {

enum class ItemFormat : uint8_t {
  kTable,     // columns: an attribute each
  kPlain,     // a line of plain JSON for each item (tools/shell/plain_json.h)
  kDynamoDb,  // a line of DynamoDB's JSON for each item
};

// "table", "json", "dynamodb"; nothing for another name.
std::optional<ItemFormat> ItemFormatNamed(std::string_view name);

// Prints `items`. A table has a column for each attribute, `first` before the others (keys, say),
// which come by name; a cell is cut at `cell_width_max` characters, with an ellipsis. Without items
// nothing is printed.
void PrintItems(const std::vector<item::Item>& items, ItemFormat format,
                const std::vector<std::string>& first, size_t cell_width_max, std::ostream& out);

}  // namespace varve::tools
