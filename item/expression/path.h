// Document paths: where in an item an attribute or an element stands, such as
// Pictures.FrontView[0].
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "item/value.h"

namespace varve::item::expression {

// The steps of a path beyond this are an error.
inline constexpr size_t kPathElementsMax = 32;

// One step: into a map by name, or into a list by index.
struct PathElement {
  std::string name;  // of a step into a map
  uint32_t index = 0;
  bool is_index = false;

  friend bool operator==(const PathElement& a, const PathElement& b) = default;
};

// The first step is always a name: the attribute.
using Path = std::vector<PathElement>;

// "[Pictures, FrontView, [0]]", as error messages print it.
std::string ToString(const Path& path);

// One step from `value`; nothing if it is not there or `value` is of another type.
std::optional<ValueView> Step(ValueView value, const PathElement& element);

// What stands at `path`.
std::optional<ValueView> Find(const ItemView& item, const Path& path);

// Several paths as a tree, so that an item is walked once for all of them. No path of the tree is
// the beginning of another, and steps from one node are all names or all indexes: the checks of
// update and projection expressions see to that.
class PathTree {
 public:
  struct Node {
    PathElement element;
    std::vector<Node> children;  // ascending by index, or by name
    int leaf = -1;               // which path ends here
  };

  PathTree() = default;
  explicit PathTree(const std::vector<const Path*>& paths);

  // Children of the item itself.
  const std::vector<Node>& roots() const { return root_.children; }

  // Whether one of the paths begins with attribute `name`.
  bool HasAttribute(std::string_view name) const;
  // Whether one of the paths goes into attribute `name`.
  bool GoesInto(std::string_view name) const;

  // The item that has only what stands at the paths: elements of a list close ranks, containers in
  // which no path finds anything are left out.
  Item Project(const ItemView& item) const;

 private:
  Node root_;
};

}  // namespace varve::item::expression
