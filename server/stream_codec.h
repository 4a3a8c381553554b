// JSON of the operations on streams and on time to live, in the manner of server/decode.h and
// server/encode.h.
#pragma once

#include <simdjson.h>

#include <string>

#include "base/status.h"
#include "item/stream_requests.h"
#include "server/json.h"

namespace varve::server {

Status Decode(const Members& json, item::ListStreamsRequest* request);
Status Decode(const Members& json, item::DescribeStreamRequest* request);
Status Decode(const Members& json, item::GetShardIteratorRequest* request);
Status Decode(const Members& json, item::GetRecordsRequest* request);
Status Decode(const Members& json, item::UpdateTimeToLiveRequest* request);
Status Decode(const Members& json, item::DescribeTimeToLiveRequest* request);

void Encode(const item::ListStreamsResponse& response, std::string& to);
void Encode(const item::DescribeStreamResponse& response, std::string& to);
void Encode(const item::GetShardIteratorResponse& response, std::string& to);
void Encode(const item::GetRecordsResponse& response, std::string& to);
void Encode(const item::UpdateTimeToLiveResponse& response, std::string& to);
void Encode(const item::DescribeTimeToLiveResponse& response, std::string& to);

}  // namespace varve::server
