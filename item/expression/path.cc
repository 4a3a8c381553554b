#include "item/expression/path.h"

#include <fmt/format.h>

#include <algorithm>

namespace varve::item::expression {
namespace {

bool Before(const PathElement& a, const PathElement& b) {
  return a.is_index ? a.index < b.index : a.name < b.name;
}

// Whether a path that goes on into `node` from `value` finds something.
bool Finds(const PathTree::Node& node, ValueView value) {
  if (node.leaf >= 0) return true;
  return std::any_of(node.children.begin(), node.children.end(), [&](const PathTree::Node& child) {
    const std::optional<ValueView> next = Step(value, child.element);
    return next && Finds(child, *next);
  });
}

void ProjectChildren(const std::vector<PathTree::Node>& children, ValueView value,
                     ValueBuilder& builder) {
  const bool list = value.Is(ValueType::kList);
  list ? builder.BeginList() : builder.BeginMap();
  for (const PathTree::Node& child : children) {
    const std::optional<ValueView> next = Step(value, child.element);
    if (!next || !Finds(child, *next)) continue;
    if (!list) builder.Name(child.element.name);
    if (child.leaf >= 0) {
      builder.Copy(*next);
    } else {
      ProjectChildren(child.children, *next, builder);
    }
  }
  list ? builder.EndList() : builder.EndMap();
}

const PathTree::Node* FindChild(const std::vector<PathTree::Node>& children,
                                std::string_view name) {
  const auto at = std::lower_bound(
      children.begin(), children.end(), name,
      [](const PathTree::Node& node, std::string_view key) { return node.element.name < key; });
  return at != children.end() && at->element.name == name ? &*at : nullptr;
}

}  // namespace

std::string ToString(const Path& path) {
  std::string text = "[";
  for (const PathElement& element : path) {
    if (text.size() > 1) text += ", ";
    text += element.is_index ? fmt::format("[{}]", element.index) : element.name;
  }
  return text + "]";
}

std::optional<ValueView> Step(ValueView value, const PathElement& element) {
  if (element.is_index) {
    if (!value.Is(ValueType::kList)) return std::nullopt;
    const ListView list = value.list();
    if (element.index >= list.count()) return std::nullopt;
    return list.at(element.index);
  }
  if (!value.Is(ValueType::kMap)) return std::nullopt;
  return value.map().Find(element.name);
}

std::optional<ValueView> Find(const ItemView& item, const Path& path) {
  std::optional<ValueView> value = item.Find(path.front().name);
  for (size_t i = 1; value && i < path.size(); ++i) value = Step(*value, path[i]);
  return value;
}

PathTree::PathTree(const std::vector<const Path*>& paths) {
  for (size_t i = 0; i < paths.size(); ++i) {
    Node* node = &root_;
    for (const PathElement& element : *paths[i]) {
      const auto at = std::lower_bound(
          node->children.begin(), node->children.end(), element,
          [](const Node& child, const PathElement& key) { return Before(child.element, key); });
      if (at != node->children.end() && at->element == element) {
        node = &*at;
      } else {
        node = &*node->children.insert(at, Node{element, {}, -1});
      }
    }
    node->leaf = static_cast<int>(i);
  }
}

bool PathTree::HasAttribute(std::string_view name) const {
  return FindChild(root_.children, name) != nullptr;
}

bool PathTree::GoesInto(std::string_view name) const {
  const Node* node = FindChild(root_.children, name);
  return node != nullptr && !node->children.empty();
}

Item PathTree::Project(const ItemView& item) const {
  ValueBuilder builder;
  ProjectChildren(root_.children, item.value(), builder);
  return Item(builder.Finish());
}

}  // namespace varve::item::expression
