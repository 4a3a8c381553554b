#include "item/transaction_tokens.h"

#include <algorithm>
#include <vector>

#include "base/coding.h"
#include "engine/hybrid_clock.h"
#include "item/keys.h"

namespace varve::item {
namespace {

constexpr uint64_t kSlots = 3;

std::string SlotPrefix(uint64_t period) {
  return {kTransactionTokenKeySpace, static_cast<char>(period % kSlots)};
}

std::string KeyOf(uint64_t period, const TransactionToken& token) {
  return SlotPrefix(period) + TransactionTokens::LockName(token);
}

}  // namespace

std::string TransactionTokens::LockName(const TransactionToken& token) {
  return static_cast<char>(token.operation) + token.token;
}

uint64_t TransactionTokens::NowMs() {
  // The wall clock may jump ahead and back; the engine's doesn't, across restarts either.
  return engine::SequenceMs(db_.DrawSequence().number);
}

io::Task<StatusOr<std::optional<std::string>>> TransactionTokens::Find(
    const TransactionToken& token) {
  const uint64_t now_ms = NowMs();
  const uint64_t period = now_ms / kTransactionTokenMs;
  const std::string keys[] = {KeyOf(period, token), KeyOf(period - 1, token)};
  const std::vector<std::string_view> views(std::begin(keys), std::end(keys));
  std::vector<std::optional<engine::PinnedValue>> values;
  VARVE_CO_RETURN_IF_ERROR(co_await db_.MultiGetAsync(views, &values));
  std::optional<std::string> found;
  for (const std::optional<engine::PinnedValue>& value : values) {
    if (!value) continue;
    const std::string_view bytes = value->view();
    if (bytes.size() < sizeof(uint64_t)) {
      co_return Corruption("transaction token {}: {} bytes", token.token, bytes.size());
    }
    const uint64_t written_ms = LoadU64(bytes.data());
    // A slot may still have tokens of earlier turns.
    if (written_ms > now_ms || now_ms - written_ms > kTransactionTokenMs) continue;
    found.emplace(bytes.substr(sizeof(uint64_t)));
    break;
  }
  co_return found;
}

io::Task<Status> TransactionTokens::Append(const TransactionToken& token,
                                           engine::WriteBatch* batch) {
  const uint64_t now_ms = NowMs();
  const uint64_t period = now_ms / kTransactionTokenMs;
  if (emptied_in_period_.load() < period) {
    VARVE_CO_RETURN_IF_ERROR(co_await EmptyNextSlot(period));
  }
  std::string value;
  AppendFixed(value, now_ms);
  value += token.fingerprint;
  batch->Put(KeyOf(period, token), value);
  co_return absl::OkStatus();
}

io::Task<Status> TransactionTokens::EmptyNextSlot(uint64_t period) {
  const io::Mutex::Guard guard = co_await mutex_.Lock();
  // One who comes late, with a period that is over, must not drop what the next one writes.
  if (emptied_in_period_.load() >= period) co_return absl::OkStatus();
  const std::string prefix = SlotPrefix(period + 1);
  engine::IteratorOptions options;
  options.lower_bound = prefix;
  options.upper_bound = PrefixEnd(prefix);
  options.keys_only = true;
  bool is_empty = true;
  {
    const std::unique_ptr<engine::Iterator> iterator = db_.NewIterator(options);
    co_await iterator->SeekToFirstAsync();
    VARVE_CO_RETURN_IF_ERROR(iterator->status());
    is_empty = !iterator->Valid();
  }
  if (!is_empty) {
    const auto dropped = co_await db_.DropRangeAsync(prefix, PrefixEnd(prefix));
    VARVE_CO_RETURN_IF_ERROR(dropped.status());
  }
  emptied_in_period_.store(period);
  co_return absl::OkStatus();
}

}  // namespace varve::item
