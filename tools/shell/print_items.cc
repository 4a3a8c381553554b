#include "tools/shell/print_items.h"

#include <algorithm>
#include <map>

#include "item/json.h"
#include "tools/shell/plain_json.h"

namespace varve::tools {
namespace {

// In characters: bytes that begin one.
size_t WidthOf(std::string_view utf8) {
  return static_cast<size_t>(
      std::count_if(utf8.begin(), utf8.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

// At most `width_max` characters of `text`.
std::string Cut(std::string_view text, size_t width_max) {
  if (WidthOf(text) <= width_max) return std::string(text);
  size_t width = 0;
  size_t end = 0;
  while (end < text.size()) {
    if ((text[end] & 0xc0) != 0x80 && ++width == width_max) break;
    ++end;
  }
  return std::string(text.substr(0, end)) + "…";
}

struct Cell {
  std::string text;
  bool right = false;  // numbers
};

Cell CellOf(item::ValueView value, size_t width_max) {
  std::string text;
  if (value.Is(item::ValueType::kString)) {
    // Without quotes; what would break the table is escaped.
    item::AppendJsonString(value.text(), text);
    text = text.substr(1, text.size() - 2);
  } else {
    AppendPlain(value, text);
  }
  return {Cut(text, width_max), value.Is(item::ValueType::kNumber)};
}

void PrintCell(const Cell& cell, size_t width, std::ostream& out) {
  const std::string padding(width - WidthOf(cell.text), ' ');
  out << ' ' << (cell.right ? padding : "") << cell.text << (cell.right ? "" : padding) << ' ';
}

void PrintTable(const std::vector<item::Item>& items, const std::vector<std::string>& first,
                size_t cell_width_max, std::ostream& out) {
  std::vector<std::string> names;
  std::map<std::string, bool> seen;  // whether it has its column
  for (const item::Item& item : items) {
    for (const item::NamedValue& attribute : item.view()) seen.emplace(attribute.name, false);
  }
  for (const std::string& name : first) {
    const auto found = seen.find(name);
    if (found == seen.end() || found->second) continue;
    found->second = true;
    names.push_back(name);
  }
  for (const auto& [name, has_column] : seen) {
    if (!has_column) names.push_back(name);
  }

  std::vector<std::vector<Cell>> rows;
  std::vector<size_t> widths;
  for (const std::string& name : names) {
    widths.push_back(WidthOf(Cut(name, cell_width_max)));
  }
  for (const item::Item& item : items) {
    std::vector<Cell>& row = rows.emplace_back();
    for (size_t i = 0; i < names.size(); ++i) {
      const std::optional<item::ValueView> value = item.view().Find(names[i]);
      row.push_back(value ? CellOf(*value, cell_width_max) : Cell());
      widths[i] = std::max(widths[i], WidthOf(row.back().text));
    }
  }

  for (size_t i = 0; i < names.size(); ++i) {
    if (i > 0) out << '|';
    PrintCell({Cut(names[i], cell_width_max)}, widths[i], out);
  }
  out << '\n';
  for (size_t i = 0; i < names.size(); ++i) {
    if (i > 0) out << '+';
    out << std::string(widths[i] + 2, '-');
  }
  out << '\n';
  for (const std::vector<Cell>& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) {
      if (i > 0) out << '|';
      PrintCell(row[i], widths[i], out);
    }
    out << '\n';
  }
}

}  // namespace

std::optional<ItemFormat> ItemFormatNamed(std::string_view name) {
  if (name == "table") return ItemFormat::kTable;
  if (name == "json") return ItemFormat::kPlain;
  if (name == "dynamodb") return ItemFormat::kDynamoDb;
  return std::nullopt;
}

void PrintItems(const std::vector<item::Item>& items, ItemFormat format,
                const std::vector<std::string>& first, size_t cell_width_max, std::ostream& out) {
  if (items.empty()) return;
  if (format == ItemFormat::kTable) return PrintTable(items, first, cell_width_max, out);
  for (const item::Item& item : items) {
    std::string line;
    if (format == ItemFormat::kPlain) {
      AppendPlain(item.view(), line);
    } else {
      item::AppendJson(item.view(), line);
    }
    out << line << '\n';
  }
}

}  // namespace varve::tools
