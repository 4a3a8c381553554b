#include "item/meter.h"

#include <algorithm>
#include <string>

#include "item/errors.h"

namespace varve::item {
namespace {

struct Rate {
  double units_per_second = 0;  // 0: no limit
  double burst_seconds = 0;
  bool on_demand = false;
};

template <typename Description>
Rate RateOf(const Description& description, bool on_demand, Meter::Kind kind) {
  const bool read = kind == Meter::Kind::kRead;
  if (!on_demand) {
    const ProvisionedThroughput& units = description.provisioned_throughput;
    return {static_cast<double>(read ? units.read_capacity_units : units.write_capacity_units),
            kProvisionedBurstSeconds, false};
  }
  if (!description.on_demand_throughput) return {};
  const auto maximum = read ? description.on_demand_throughput->max_read_request_units
                            : description.on_demand_throughput->max_write_request_units;
  return {static_cast<double>(maximum.value_or(0)), kOnDemandBurstSeconds, true};
}

bool IsOnDemand(const Table& table) {
  return table.description.billing_mode == BillingMode::kPayPerRequest;
}

Status Throttled(const Rate& rate, Meter::Kind kind, const Index* index,
                 std::string_view table_arn) {
  const std::string reason =
      fmt::format("{}{}{}ThroughputExceeded", index == nullptr ? "Table" : "Index",
                  kind == Meter::Kind::kRead ? "Read" : "Write",
                  rate.on_demand ? "MaxOnDemand" : "Provisioned");
  const std::string resource = index == nullptr
                                   ? std::string(table_arn)
                                   : fmt::format("{}/index/{}", table_arn, index->name);
  if (rate.on_demand) {
    return ThroughputExceeded(
        ErrorType::kThrottlingException,
        "Throughput exceeds the maximum OnDemandThroughput configured on table or index", reason,
        resource);
  }
  return ThroughputExceeded(
      ErrorType::kProvisionedThroughputExceededException,
      index == nullptr
          ? "The level of configured provisioned throughput for the table was exceeded. Consider "
            "increasing your provisioning level with the UpdateTable API."
          : "The level of configured provisioned throughput for one or more global secondary "
            "indexes of the table was exceeded. Consider increasing your provisioning level for "
            "the under-provisioned global secondary indexes with the UpdateTable API",
      reason, resource);
}

// The global index `i` of `table`, as far as capacity goes; null for a local one.
const Index* GlobalIndex(const Table& table, size_t i) {
  return table.indexes[i].global ? &table.indexes[i] : nullptr;
}

// Of the table if `index` is null.
Status Admit(const Table& table, const Index* index, Meter::Kind kind, std::string_view table_arn,
             uint64_t now_ns) {
  const bool on_demand = IsOnDemand(table);
  Rate rate;
  Meter* meter = table.meter.get();
  if (index == nullptr) {
    rate = RateOf(table.description, on_demand, kind);
  } else {
    // Indexes and their descriptions stand in one order.
    rate = RateOf(table.description.indexes[static_cast<size_t>(index - table.indexes.data())],
                  on_demand, kind);
    meter = index->meter.get();
  }
  if (rate.units_per_second <= 0) return absl::OkStatus();
  if (meter->HasAny(kind, rate.units_per_second, rate.burst_seconds, now_ns)) {
    return absl::OkStatus();
  }
  return Throttled(rate, kind, index, table_arn);
}

}  // namespace

void TokenBucket::Fill(double units_per_second, double burst_seconds, uint64_t now_ns) {
  const double most = units_per_second * burst_seconds;
  if (!used_) {
    used_ = true;
    units_ = most;
  } else if (now_ns > filled_ns_) {
    units_ += units_per_second * static_cast<double>(now_ns - filled_ns_) * 1e-9;
  }
  units_ = std::min(units_, most);
  filled_ns_ = std::max(filled_ns_, now_ns);
}

bool Meter::HasAny(Kind kind, double units_per_second, double burst_seconds, uint64_t now_ns) {
  absl::MutexLock lock(&mutex_);
  TokenBucket& bucket = kind == Kind::kRead ? read_ : write_;
  bucket.Fill(units_per_second, burst_seconds, now_ns);
  return bucket.HasAny();
}

void Meter::Take(Kind kind, double units) {
  absl::MutexLock lock(&mutex_);
  (kind == Kind::kRead ? read_ : write_).Take(units);
}

Status AdmitRead(const Table& table, const Index* index, std::string_view table_arn,
                 uint64_t now_ns) {
  if (index != nullptr && !index->global) index = nullptr;
  return Admit(table, index, Meter::Kind::kRead, table_arn, now_ns);
}

void ChargeRead(const Table& table, const Index* index, double units, double table_units) {
  if (index == nullptr || !index->global) {
    table_units += units;
  } else {
    index->meter->Take(Meter::Kind::kRead, units);
  }
  if (table_units > 0) table.meter->Take(Meter::Kind::kRead, table_units);
}

Status AdmitWrite(const Table& table, const ChangeCost& cost, std::string_view table_arn,
                  uint64_t now_ns) {
  VARVE_RETURN_IF_ERROR(Admit(table, nullptr, Meter::Kind::kWrite, table_arn, now_ns));
  for (size_t i = 0; i < cost.index_units.size(); ++i) {
    const Index* index = GlobalIndex(table, i);
    if (cost.index_units[i] == 0 || index == nullptr) continue;
    VARVE_RETURN_IF_ERROR(Admit(table, index, Meter::Kind::kWrite, table_arn, now_ns));
  }
  return absl::OkStatus();
}

void ChargeWrite(const Table& table, const ChangeCost& cost) {
  double table_units = cost.table_units;
  for (size_t i = 0; i < cost.index_units.size(); ++i) {
    if (const Index* index = GlobalIndex(table, i)) {
      index->meter->Take(Meter::Kind::kWrite, cost.index_units[i]);
    } else {
      table_units += cost.index_units[i];
    }
  }
  table.meter->Take(Meter::Kind::kWrite, table_units);
}

}  // namespace varve::item
