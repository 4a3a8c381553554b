-- For wrk: GetItem of the items that bench/http_items.py has written, over and over.
--
--   bench/http_items.py --items 10000 --value-bytes 1000 --keep
--   wrk -t1 -c64 -d10s --latency -s bench/http_get.lua http://127.0.0.1:8000/
--
-- The same requests may go to any server that is to be compared with.
local kItems = 10000
local requests = {}
local at = 0

function init()
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/x-amz-json-1.0"
  wrk.headers["X-Amz-Target"] = "DynamoDB_20120810.GetItem"
  for i = 0, kItems - 1 do
    local key = string.format("%08x%08x", (i * 2654435761) % 4294967296, i)
    requests[i + 1] = wrk.format(nil, "/", nil,
      '{"TableName":"HttpItems","Key":{"Id":{"S":"' .. key .. '"}}}')
  end
end

function request()
  at = at % kItems + 1
  return requests[at]
end
