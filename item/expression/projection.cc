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

}  // namespace

Status KeyIsScalar(std::string_view attribute) {
  return ValidationError(
      "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: "
      "Key: {}",
      attribute);
}

Projection::Projection(std::vector<Path> paths) : tree_(TreeOf(paths)) {}

Status Projection::CheckKeyPaths(const KeySchema& key) const {
  if (tree_.GoesInto(key.partition.name)) return KeyIsScalar(key.partition.name);
  if (key.sort && tree_.GoesInto(key.sort->name)) return KeyIsScalar(key.sort->name);
  return absl::OkStatus();
}

}  // namespace varve::item::expression
