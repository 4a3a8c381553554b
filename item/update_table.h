// What UpdateTable does to the description of a table; the operation itself is Store::UpdateTable.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/status.h"
#include "item/requests.h"

namespace varve::item {

IndexDescription DescriptionOfIndex(const SecondaryIndex& index, bool global);

// ResourceInUseException if the table is being created, updated or deleted.
Status CheckTableAtRest(const TableDescription& table, uint64_t now_ms);

// The state that the table is said to be in.
TableStatus StatusAt(const TableDescription& table, uint64_t now_ms);

// Applies `request`, which CheckUpdateTable has let through. A new index is CREATING and the table
// UPDATING then, until the index is being filled (item/backfill.cc); everything else is done at
// once. `kms_key_arn` is of use if the request asks for encryption.
Status ApplyUpdate(const UpdateTableRequest& request, uint64_t now_ms, std::string_view kms_key_arn,
                   TableDescription& table);

// The answer to it: as the service gives it while the update is under way.
TableDescription DescriptionDuringUpdate(const UpdateTableRequest& request,
                                         const TableDescription& before,
                                         const TableDescription& after);

// NumberOfDecreasesToday counts within a day of UTC.
void ForgetOldDecreases(uint64_t now_ms, TableDescription* table);

}  // namespace varve::item
