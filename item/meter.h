// Metering: holding a table's reads and writes to the capacity that it and its indexes have.
//
// A provisioned table or index has a bucket of read units and one of write units. They fill at the
// provisioned rate, up to what five minutes bring, which is the burst that the service allows. A
// request is admitted if there is anything in the bucket, and then takes what it costs, even if
// that leaves a debt: a large write on a small table succeeds once and is paid for afterwards. On
// demand, only a maximum limits, if there is one; its bucket holds one second's worth.
//
// Local indexes have no capacity of their own: they take their table's.
#pragma once

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include <cstdint>
#include <string_view>

#include "base/status.h"
#include "item/change.h"
#include "item/table.h"

namespace varve::item {

// What provisioned capacity may save up, and an on-demand maximum.
inline constexpr double kProvisionedBurstSeconds = 300;
inline constexpr double kOnDemandBurstSeconds = 1;

// Units that come with time. Not thread-safe.
class TokenBucket {
 public:
  // Lets the time pass until `now_ns`. A new bucket is full.
  void Fill(double units_per_second, double burst_seconds, uint64_t now_ns);
  bool HasAny() const { return units_ > 0; }
  void Take(double units) { units_ -= units; }

 private:
  bool used_ = false;
  double units_ = 0;
  uint64_t filled_ns_ = 0;
};

// The capacity of one table or global index, whatever its version. Thread-safe.
class Meter {
 public:
  enum class Kind : uint8_t { kRead, kWrite };

  // Whether there is any capacity left; takes nothing.
  bool HasAny(Kind kind, double units_per_second, double burst_seconds, uint64_t now_ns);
  void Take(Kind kind, double units);

 private:
  absl::Mutex mutex_;
  TokenBucket read_ ABSL_GUARDED_BY(mutex_);
  TokenBucket write_ ABSL_GUARDED_BY(mutex_);
};

// Each refuses in the service's words: ProvisionedThroughputExceededException, or
// ThrottlingException for an on-demand maximum; ThrottlingReasonOfError (item/errors.h) says which.
// `table_arn` appears there.

// Whether the table, or its `index` unless that is null, may be read. ChargeRead takes what a read
// has cost then: `units` of what was read from, `table_units` of the table besides.
Status AdmitRead(const Table& table, const Index* index, std::string_view table_arn,
                 uint64_t now_ns);
void ChargeRead(const Table& table, const Index* index, double units, double table_units);

// Whether the table may be written, as far as its own capacity goes; and with it every index that
// `cost` touches: a starved index holds up its table's writes.
Status AdmitWrite(const Table& table, const ChangeCost& cost, std::string_view table_arn,
                  uint64_t now_ns);
void ChargeWrite(const Table& table, const ChangeCost& cost);

}  // namespace varve::item
