#include "item/errors.h"
#include "item/expression/expression.h"

namespace varve::item::expression {
namespace {

PathTree TreeOf(const std::vector<Path>& paths) {
  std::vector<const Path*> pointers;
  pointers.reserve(paths.size());
  for (const Path& path : paths) pointers.push_back(&path);
  return PathTree(pointers);
}

Status IsScalar(std::string_view what, std::string_view attribute) {
  return ValidationError(
      "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: "
      "{}: {}",
      what, attribute);
}

}  // namespace

Status KeyIsScalar(std::string_view attribute) { return IsScalar("Key", attribute); }
Status IndexKeyIsScalar(std::string_view attribute) { return IsScalar("IndexKey", attribute); }

Projection::Projection(std::vector<Path> paths)
    : tree_(std::make_shared<PathTree>(TreeOf(paths))) {}

Status Projection::CheckKeyPaths(const KeySchema& key) const {
  for (const auto* attributes : {&key.partition, &key.sort}) {
    for (const KeyAttribute& attribute : *attributes) {
      if (tree_->GoesInto(attribute.name)) return KeyIsScalar(attribute.name);
    }
  }
  return absl::OkStatus();
}

std::vector<std::string_view> Projection::Attributes() const {
  std::vector<std::string_view> names;
  for (const PathTree::Node& root : tree_->roots()) names.push_back(root.element.name);
  return names;
}

}  // namespace varve::item::expression
