#include "bench/ycsb/workload.h"

#include <fmt/format.h>


namespace varve::bench::ycsb {
namespace {

constexpr std::string_view kNames[kOperationKinds] = {"read", "update", "insert", "scan",
                                                      "read-modify-write"};

constexpr Workload kWorkloads[] = {
    {'a', {0.5, 0.5}, Distribution::kZipfian},          // sessions
    {'b', {0.95, 0.05}, Distribution::kZipfian},        // tags of photographs
    {'c', {1.0}, Distribution::kZipfian},               // a cache of profiles
    {'d', {0.95, 0, 0.05}, Distribution::kLatest},      // news
    {'e', {0, 0, 0.05, 0.95}, Distribution::kZipfian},  // conversations
    {'f', {0.5, 0, 0, 0, 0.5}, Distribution::kZipfian}  // records of users
};

}  // namespace

std::string_view NameOf(OperationKind kind) { return kNames[static_cast<size_t>(kind)]; }

Workload WorkloadNamed(char name) { return kWorkloads[name - 'a']; }

std::string Describe(const Workload& workload) {
  std::string text;
  for (size_t i = 0; i < kOperationKinds; ++i) {
    if (workload.shares[i] == 0) continue;
    text += fmt::format("{:.0f} % {}, ", workload.shares[i] * 100, kNames[i]);
  }
  switch (workload.distribution) {
    case Distribution::kUniform:
      return text + "uniform";
    case Distribution::kZipfian:
      return text + "zipfian";
    case Distribution::kLatest:
      return text + "latest";
  }
  return text;
}

// "user" and 20 digits. Without fmt, which would take longer than the rest of an operation's
// making.
void MakeKey(uint64_t record, std::string* key) {
  constexpr std::string_view kPrefix = "user";
  key->assign(kKeyBytes, '0');
  key->replace(0, kPrefix.size(), kPrefix);
  uint64_t rest = Scramble(record);
  for (size_t i = kKeyBytes; rest != 0; rest /= 10)
    (*key)[--i] = static_cast<char>('0' + rest % 10);
}

std::string FieldName(uint32_t field) { return fmt::format("field{}", field); }

ValuePool::ValuePool(const RecordShape& shape) : value_bytes_(shape.field_bytes) {
  constexpr std::string_view kLetters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  constexpr size_t kPoolBytes = size_t{1} << 20;
  Random random(7);
  bytes_.resize(kPoolBytes + value_bytes_);
  for (char& c : bytes_) c = kLetters[random.Below(kLetters.size())];
}

std::string_view ValuePool::Next(Random& random) const {
  return std::string_view(bytes_).substr(random.Below(bytes_.size() - value_bytes_), value_bytes_);
}

void Generator::Next(Operation* operation) {
  double share = random_.Uniform();
  size_t kind = 0;
  while (kind + 1 < kOperationKinds && (share -= workload_.shares[kind]) >= 0) ++kind;
  // What rounding leaves over goes to a kind that there is.
  while (workload_.shares[kind] == 0) --kind;
  operation->kind = static_cast<OperationKind>(kind);
  if (operation->kind == OperationKind::kInsert) {
    Insert(inserts_->Take(), operation);
    return;
  }
  operation->record = chooser_.Next(inserts_->limit(), random_);
  MakeKey(operation->record, &operation->key);
  operation->values.clear();
  if (operation->kind == OperationKind::kUpdate) TurnIntoUpdate(operation);
  if (operation->kind == OperationKind::kScan) {
    operation->scan_records = 1 + static_cast<uint32_t>(random_.Below(workload_.scan_records_max));
  }
}

void Generator::Insert(uint64_t record, Operation* operation) {
  operation->kind = OperationKind::kInsert;
  operation->record = record;
  MakeKey(record, &operation->key);
  operation->values.clear();
  for (uint32_t i = 0; i < shape_.fields; ++i) operation->values.push_back(pool_.Next(random_));
}

void Generator::TurnIntoUpdate(Operation* operation) {
  operation->field = static_cast<uint32_t>(random_.Below(shape_.fields));
  operation->values.assign(1, pool_.Next(random_));
}

}  // namespace varve::bench::ycsb
