// TagResource, UntagResource, ListTagsOfResource.
#include <algorithm>

#include "item/store.h"
#include "item/table_rules.h"

namespace varve::item {
namespace {

Status ResourceNotFound(std::string_view arn) {
  return MakeError(ErrorType::kResourceNotFoundException,
                   fmt::format("Requested resource not found: ResourceArn: {} not found", arn));
}

}  // namespace

StatusOr<std::string> Store::TableOfArn(std::string_view arn, std::string_view operation) const {
  if (!arn.starts_with("arn:")) {
    return ValidationError(
        "One or more parameter values were invalid: ARNs must start with 'arn:': {}", arn);
  }
  // arn, partition, service, region, account, resource
  std::vector<std::string_view> parts;
  std::string_view rest = arn;
  for (size_t colon; parts.size() < 5 && (colon = rest.find(':')) != std::string_view::npos;) {
    parts.push_back(rest.substr(0, colon));
    rest.remove_prefix(colon + 1);
  }
  if (parts.size() < 5 || parts[2] != "dynamodb") {
    return ValidationError(
        "One or more parameter values were invalid: Provided Arn is not a DynamoDB resource arn: "
        "{}",
        arn);
  }
  if (parts[1] != "aws" || parts[3] != options_.region) {
    return ValidationError("Invalid TableArn: Invalid ResourceArn provided as input {}", arn);
  }
  if (parts[4] != options_.account_id) {
    return MakeError(
        ErrorType::kAccessDeniedException,
        fmt::format("User: arn:aws:iam::{}:root is not authorized to perform: dynamodb:{} on "
                    "resource: {} because no resource-based policy allows the dynamodb:{} action",
                    options_.account_id, operation, arn, operation));
  }
  constexpr std::string_view kTable = "table/";
  if (!rest.starts_with(kTable) || rest.find('/', kTable.size()) != std::string_view::npos) {
    return ValidationError(
        "One or more parameter values were invalid: Invalid resource arn provided, only table or "
        "stream is accepted. Provided resource arn: {}",
        arn);
  }
  return std::string(rest.substr(kTable.size()));
}

io::Task<StatusOr<TagResourceResponse>> Store::TagResource(const TagResourceRequest& request) {
  VARVE_ASSIGN_OR_CO_RETURN(const std::string name,
                            TableOfArn(request.resource_arn, "TagResource"));
  if (request.tags.empty()) {
    co_return ValidationError("Atleast one Tag needs to be provided as Input.");
  }
  VARVE_CO_RETURN_IF_ERROR(CheckTags(request.tags));
  if (catalogue_->Find(name) == nullptr) co_return ResourceNotFound(request.resource_arn);
  Catalogue::Change change = [&request](TableDescription& description) -> Status {
    std::vector<Tag>& tags = description.tags;
    for (const Tag& tag : request.tags) {
      const auto place = std::lower_bound(tags.begin(), tags.end(), tag,
                                          [](const Tag& a, const Tag& b) { return a.key < b.key; });
      if (place != tags.end() && place->key == tag.key) {
        place->value = tag.value;
      } else {
        tags.insert(place, tag);
      }
    }
    if (tags.size() > kTagsMax) {
      return ValidationError(
          "Number of Tags exceed the current limit for the provided ResourceArn");
    }
    return absl::OkStatus();
  };
  auto changed = co_await catalogue_->Update(name, std::move(change));
  VARVE_CO_RETURN_IF_ERROR(changed.status());
  co_return TagResourceResponse();
}

io::Task<StatusOr<UntagResourceResponse>> Store::UntagResource(
    const UntagResourceRequest& request) {
  VARVE_ASSIGN_OR_CO_RETURN(const std::string name,
                            TableOfArn(request.resource_arn, "UntagResource"));
  if (request.tag_keys.empty()) {
    co_return ValidationError("Atleast one Tag Key needs to be provided as Input.");
  }
  if (catalogue_->Find(name) == nullptr) co_return ResourceNotFound(request.resource_arn);
  Catalogue::Change change = [&request](TableDescription& description) -> Status {
    std::erase_if(description.tags, [&](const Tag& tag) {
      return std::find(request.tag_keys.begin(), request.tag_keys.end(), tag.key) !=
             request.tag_keys.end();
    });
    return absl::OkStatus();
  };
  auto changed = co_await catalogue_->Update(name, std::move(change));
  VARVE_CO_RETURN_IF_ERROR(changed.status());
  co_return UntagResourceResponse();
}

io::Task<StatusOr<ListTagsOfResourceResponse>> Store::ListTagsOfResource(
    const ListTagsOfResourceRequest& request) {
  VARVE_ASSIGN_OR_CO_RETURN(const std::string name,
                            TableOfArn(request.resource_arn, "ListTagsOfResource"));
  const TablePointer table = catalogue_->Find(name);
  if (table == nullptr) co_return ResourceNotFound(request.resource_arn);
  ListTagsOfResourceResponse response;
  response.tags = table->description.tags;
  co_return response;
}

}  // namespace varve::item
