// What CreateTable and UpdateTable refuse by looking at the request alone, in the service's order
// and words.
#pragma once

#include "base/status.h"
#include "item/requests.h"

namespace varve::item {

// Most capacity units that a table or index may be given.
inline constexpr int64_t kThroughputMax = 1'000'000'000'000;

inline constexpr size_t kLocalIndexesMax = 5;
inline constexpr size_t kGlobalIndexesMax = 20;
// Key attributes of each kind (HASH, RANGE) in a global index.
inline constexpr size_t kIndexKeyPartsMax = 4;
// Attributes named by the projections of all of a table's indexes together.
inline constexpr size_t kProjectedNamesMax = 100;
inline constexpr size_t kTagsMax = 50;
inline constexpr size_t kTagKeyLengthMax = 128;
inline constexpr size_t kTagValueLengthMax = 256;

// What an on-demand table or index is able to take from the start, in units a second.
inline constexpr int64_t kInitialReadUnits = 12000;
inline constexpr int64_t kInitialWriteUnits = 4000;

Status CheckCreateTable(const CreateTableRequest& request);
Status CheckUpdateTable(const UpdateTableRequest& request);

// Keys and projection. `definitions`: all that the table will have.
Status CheckGlobalIndex(const SecondaryIndex& index,
                        const std::vector<AttributeDefinition>& definitions);

// What is said to who adds or deletes an index while another one comes or goes.
Status OneIndexAtATime();

// Nothing more than 1E12.
Status CheckThroughput(const ProvisionedThroughput& throughput);

// `index_name` is empty for a table. `may_clear`: whether -1 is allowed.
Status CheckOnDemandThroughput(const OnDemandThroughput& throughput, std::string_view index_name,
                               bool may_clear);

// Whether encryption is asked for in a way that makes sense.
Status CheckSse(const SseSpecification& sse);

// An update's stream specification, alone and beside what else is asked for.
Status CheckStreamChange(const UpdateTableRequest& request);

// Keys and values of tags; not their number.
Status CheckTags(const std::vector<Tag>& tags);

}  // namespace varve::item
