// YCSB's workloads: which operations, in which proportions, on which records.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "bench/ycsb/distribution.h"

namespace varve::bench::ycsb {

enum class OperationKind : uint8_t {
  kRead,
  kUpdate,  // one field; the whole record if it has only one
  kInsert,
  kScan,
  kReadModifyWrite,  // a read, then an update of the same record, as one operation
};
inline constexpr size_t kOperationKinds = 5;
// "read", "read-modify-write" and so on.
std::string_view NameOf(OperationKind kind);

// What a record looks like: `fields` strings of `field_bytes` letters and digits.
struct RecordShape {
  uint32_t fields = 10;
  uint32_t field_bytes = 100;
};

struct Workload {
  char name = 'a';
  double shares[kOperationKinds] = {};  // they add up to 1
  Distribution distribution = Distribution::kZipfian;
  uint32_t scan_records_max = 100;  // a scan reads 1 to this many
};

// `name` is 'a' to 'f'.
Workload WorkloadNamed(char name);
// "50 % read, 50 % update, zipfian".
std::string Describe(const Workload& workload);

// One operation, made before its time is taken. Values are views of memory that outlives the run.
struct Operation {
  OperationKind kind = OperationKind::kRead;
  uint64_t record = 0;
  std::string key;                       // kKeyBytes
  uint32_t field = 0;                    // of an update
  std::vector<std::string_view> values;  // of an insert all fields', of an update one
  uint32_t scan_records = 0;
};

inline constexpr size_t kKeyBytes = 24;
// The key of a record: "user" and 20 digits that are in no order.
void MakeKey(uint64_t record, std::string* key);
// "field0" and so on.
std::string FieldName(uint32_t field);

// Values without end, from one seed. Immutable: thread-safe.
class ValuePool {
 public:
  explicit ValuePool(const RecordShape& shape);
  std::string_view Next(Random& random) const;

 private:
  const uint32_t value_bytes_;
  std::string bytes_;
};

// Makes one slot's operations. Not thread-safe.
class Generator {
 public:
  // All but `by_age`, which is copied, must outlive it.
  Generator(const Workload& workload, const RecordShape& shape, const ValuePool& pool,
            const Zipfian& by_age, InsertCounter* inserts, uint64_t seed)
      : workload_(workload),
        shape_(shape),
        pool_(pool),
        inserts_(inserts),
        random_(seed),
        chooser_(workload.distribution, by_age) {}

  void Next(Operation* operation);
  // The insert of a given record, for the load.
  void Insert(uint64_t record, Operation* operation);
  // Makes a read-modify-write's read its update.
  void TurnIntoUpdate(Operation* operation);

 private:
  const Workload& workload_;
  const RecordShape& shape_;
  const ValuePool& pool_;
  InsertCounter* const inserts_;
  Random random_;
  Chooser chooser_;
};

}  // namespace varve::bench::ycsb
