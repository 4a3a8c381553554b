// TransactionTokens: which client tokens the transactions of the last ten minutes had. They are
// kept in the engine, in the key space 0x02, each written in the commit of its transaction:
//
//   0x02 | slot (1) | operation (1) | token  ->  time (8, milliseconds since 1970) | fingerprint
//
// Time is cut into periods of ten minutes, and three slots take turns in keeping what was written
// during one: slot = period % 3. A token that still counts is in the slot of this period or of the
// one before; the third slot holds nothing that counts and is dropped as a whole, which takes no
// time, before its turn comes. So there are never more than the tokens of thirty minutes.
//
// A second use of a token while the first is under way is not for this class to notice: its caller
// holds a lock on the token.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>

#include "base/status.h"
#include "engine/db.h"
#include "io/io.h"
#include "io/sync.h"
#include "io/task.h"
#include "item/transaction.h"

namespace varve::item {

inline constexpr char kTransactionTokenKeySpace = 0x02;
inline constexpr uint64_t kTransactionTokenMs = 10 * 60 * 1000;

// Thread-safe.
class TransactionTokens {
 public:
  // `db` must outlive this.
  explicit TransactionTokens(engine::Db& db) : db_(db) {}

  // The fingerprint of the transaction that had this token, if there was one.
  io::Task<StatusOr<std::optional<std::string>>> Find(const TransactionToken& token);

  // Appends to `batch`, the transaction's, what makes Find know the token.
  io::Task<Status> Append(const TransactionToken& token, engine::WriteBatch* batch);

  // Distinguishes tokens: what their locks are known by.
  static std::string LockName(const TransactionToken& token);

 private:
  uint64_t NowMs();
  // Empties the slot after that of `period`, if it has not been done since.
  io::Task<Status> EmptyNextSlot(uint64_t period);

  engine::Db& db_;
  io::Mutex mutex_;
  std::atomic<uint64_t> emptied_in_period_{0};  // changed under mutex_
};

}  // namespace varve::item
