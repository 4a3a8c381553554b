// Transactions against each other and against everything else, on the simulated io and on real
// threads.
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <mutex>

#include "base/random.h"
#include "engine/db.h"
#include "io/sim.h"
#include "item/store.h"
#include "text.h"

namespace varve::item {
namespace {

constexpr int kAccounts = 5;
constexpr int kBalance = 100;  // of each, in the beginning
constexpr int kDoctors = 4;
constexpr int kBranches = 3;  // an account belongs to one, and an index is by that

Item KeyOf(std::string_view kind, uint64_t number) {
  return ItemOf(fmt::format("{{'p':{{'S':'{}{}'}}}}", kind, number));
}

int64_t NumberIn(const ItemView& item, std::string_view name) {
  int64_t number = 0;
  if (const auto value = item.Find(name)) value->number().ToInt64(&number);
  return number;
}

void AddValue(ExpressionParameters& parameters, std::string_view name, int64_t value) {
  if (!parameters.values) parameters.values.emplace();
  parameters.values->emplace_back(name, Value::OfNumber(Number::FromInt(value)));
}

TransactWriteAction& AddUpdate(TransactWriteItemsRequest& request, Item key,
                               std::string_view update) {
  TransactWriteAction& action = request.transact_items.emplace_back().update.emplace();
  action.table_name = "T";
  action.item = std::move(key);
  action.update_expression = update;
  return action;
}

// What all clients share, and what they found.
struct Bank {
  Store* store = nullptr;
  std::atomic<int> running{0};
  io::Event done;

  std::atomic<int> transfers{0};
  std::atomic<int> touches{0};    // plain writes that succeeded
  std::atomic<int> conflicts{0};  // of any kind
  std::atomic<int> looks{0};
  std::mutex mutex;
  std::vector<std::string> failures;

  void Fail(std::string failure) {
    const std::lock_guard<std::mutex> lock(mutex);
    failures.push_back(std::move(failure));
  }
  // Counts a conflict; any other error than the expected ones is a failure.
  void Take(const Status& status) {
    const ErrorType type = TypeOfError(status);
    if (type == ErrorType::kTransactionConflictException) {
      ++conflicts;
      return;
    }
    if (type != ErrorType::kTransactionCanceledException) return Fail(ErrorText(status));
    for (const CancellationReason& reason : ReasonsOfError(status)) {
      if (reason.code == "TransactionConflict") {
        ++conflicts;
        return;
      }
    }
  }
};

// Moves money between two to four accounts, if the first has it.
io::Task<void> Transfer(Bank* bank, Random* random) {
  TransactWriteItemsRequest request;
  const uint64_t others = 1 + random->Below(3);
  const uint64_t first = random->Below(kAccounts);
  const auto amount = static_cast<int64_t>(1 + random->Below(40));
  TransactWriteAction& pay =
      AddUpdate(request, KeyOf("account", first), "SET balance = balance - :all, branch = :branch");
  AddValue(pay.expression_parameters, ":branch", static_cast<int64_t>(random->Below(kBranches)));
  pay.condition_expression = "balance >= :all";
  AddValue(pay.expression_parameters, ":all", amount * static_cast<int64_t>(others));
  for (uint64_t i = 1; i <= others; ++i) {
    TransactWriteAction& get =
        AddUpdate(request, KeyOf("account", (first + i) % kAccounts), "ADD balance :some");
    AddValue(get.expression_parameters, ":some", amount);
  }
  if (random->Below(2) == 0)
    std::swap(request.transact_items.front(), request.transact_items.back());
  const auto done = co_await bank->store->TransactWriteItems(request);
  if (done.ok()) {
    ++bank->transfers;
  } else {
    bank->Take(done.status());
  }
}

// Doctors work in pairs. One goes off duty if the other is on, or comes back. Both must never be
// away: that would be the write skew that only locks on what is checked prevent.
io::Task<void> ChangeDuty(Bank* bank, Random* random) {
  const uint64_t doctor = random->Below(kDoctors);
  TransactWriteItemsRequest request;
  if (random->Below(2) == 0) {
    AddUpdate(request, KeyOf("doctor", doctor), "REMOVE away");
  } else {
    TransactWriteAction& leave = AddUpdate(request, KeyOf("doctor", doctor), "SET away = :one");
    AddValue(leave.expression_parameters, ":one", 1);
    TransactWriteAction& check = request.transact_items.emplace_back().condition_check.emplace();
    check.table_name = "T";
    check.item = KeyOf("doctor", doctor ^ 1);
    check.condition_expression = "attribute_not_exists(away)";
  }
  const auto done = co_await bank->store->TransactWriteItems(request);
  if (!done.ok()) bank->Take(done.status());
}

// A plain write of an account.
io::Task<void> Touch(Bank* bank, Random* random) {
  UpdateItemRequest update;
  update.table_name = "T";
  update.key = KeyOf("account", random->Below(kAccounts));
  update.update_expression = "ADD touched :one";
  AddValue(update.expression_parameters, ":one", 1);
  const auto done = co_await bank->store->UpdateItem(update);
  if (done.ok()) {
    ++bank->touches;
  } else {
    bank->Take(done.status());
  }
}

void CheckDuty(Bank* bank, const std::vector<bool>& away) {
  for (size_t i = 0; i < away.size(); i += 2) {
    if (away[i] && away[i + 1]) bank->Fail(fmt::format("doctors {} and {} are away", i, i + 1));
  }
}

io::Task<void> LookTogether(Bank* bank) {
  TransactGetItemsRequest request;
  for (int i = 0; i < kAccounts + kDoctors; ++i) {
    TransactGetItem& get = request.transact_items.emplace_back();
    get.table_name = "T";
    get.key = i < kAccounts ? KeyOf("account", i) : KeyOf("doctor", i - kAccounts);
  }
  const auto response = co_await bank->store->TransactGetItems(request);
  if (!response.ok()) {
    bank->Fail(ErrorText(response.status()));
    co_return;
  }
  int64_t sum = 0;
  std::vector<bool> away;
  for (int i = 0; i < kAccounts + kDoctors; ++i) {
    const ItemView item = *response->responses[i];
    if (i < kAccounts) {
      sum += NumberIn(item, "balance");
      if (NumberIn(item, "balance") < 0) bank->Fail("an account is overdrawn");
    } else {
      away.push_back(item.Find("away").has_value());
    }
  }
  if (sum != kAccounts * kBalance) bank->Fail(fmt::format("TransactGetItems saw {}", sum));
  CheckDuty(bank, away);
  ++bank->looks;
}

// Of the table, or of the index, which has all accounts and no doctors.
io::Task<void> LookByScan(Bank* bank, bool by_index) {
  ScanRequest request;
  request.table_name = "T";
  if (by_index) request.index_name = "ByBranch";
  request.consistent_read = !by_index;
  const auto page = co_await bank->store->Scan(request);
  if (!page.ok()) {
    bank->Fail(ErrorText(page.status()));
    co_return;
  }
  int64_t sum = 0;
  std::vector<bool> away(kDoctors);
  for (const ItemView item : page->items) {
    const std::string_view name = item.Find("p")->text();
    sum += NumberIn(item, "balance");
    if (name.starts_with("doctor")) away[name.back() - '0'] = item.Find("away").has_value();
  }
  if (sum != kAccounts * kBalance) {
    bank->Fail(fmt::format("a scan of the {} saw {}", by_index ? "index" : "table", sum));
  }
  const size_t expected = kAccounts + (by_index ? 0 : kDoctors);
  if (page->items.size() != expected) bank->Fail(fmt::format("{} items", page->items.size()));
  CheckDuty(bank, away);
  ++bank->looks;
}

io::Task<void> Client(Bank* bank, uint64_t seed, int operations) {
  Random random(seed);
  for (int i = 0; i < operations; ++i) {
    switch (random.Below(6)) {
      case 0:
        co_await LookTogether(bank);
        break;
      case 1:
        co_await LookByScan(bank, /*by_index=*/random.OneIn(2));
        break;
      case 2:
        co_await Touch(bank, &random);
        break;
      case 3:
        co_await ChangeDuty(bank, &random);
        break;
      default:
        co_await Transfer(bank, &random);
    }
  }
  if (--bank->running == 0) bank->done.Set();
}

io::Task<void> WaitForClients(Bank* bank) { co_await bank->done.Wait(); }

void FillBank(io::Io& io, Store& store) {
  CreateTableRequest create;
  create.table_name = "T";
  create.billing_mode = BillingMode::kPayPerRequest;
  create.attribute_definitions = {{"p", ValueType::kString}, {"branch", ValueType::kNumber}};
  create.key_schema = {{"p", KeyType::kHash}};
  SecondaryIndex& index = create.global_secondary_indexes.emplace().emplace_back();
  index.index_name = "ByBranch";
  index.key_schema = {{"branch", KeyType::kHash}};
  index.projection.type = ProjectionType::kAll;
  ASSERT_TRUE(io::BlockOn(io, store.CreateTable(create)).ok());
  for (int i = 0; i < kAccounts + kDoctors; ++i) {
    PutItemRequest put;
    put.table_name = "T";
    put.item = i < kAccounts
                   ? ItemOf(fmt::format(
                         "{{'p':{{'S':'account{}'}},'balance':{{'N':'{}'}},'branch':{{'N':'0'}}}}",
                         i, kBalance))
                   : KeyOf("doctor", i - kAccounts);
    ASSERT_TRUE(io::BlockOn(io, store.PutItem(put)).ok());
  }
}

void CheckBank(io::Io& io, Bank& bank) {
  io::BlockOn(io, LookTogether(&bank));
  io::BlockOn(io, LookByScan(&bank, true));
  int64_t touched = 0;
  for (int i = 0; i < kAccounts; ++i) {
    GetItemRequest get;
    get.table_name = "T";
    get.key = KeyOf("account", i);
    const auto response = io::BlockOn(io, bank.store->GetItem(get));
    ASSERT_TRUE(response.ok() && response->item);
    touched += NumberIn(*response->item, "touched");
  }
  EXPECT_EQ(touched, bank.touches) << "a plain write was lost to a transaction";
  EXPECT_TRUE(bank.failures.empty()) << bank.failures.size() << ": " << bank.failures[0];
  EXPECT_GT(bank.transfers, 0);
  EXPECT_GT(bank.looks, 0);
}

io::Task<void> AllClients(Bank* bank, uint64_t seed, int clients, int operations) {
  bank->running = clients;
  io::TaskGroup group;
  for (int i = 0; i < clients; ++i) group.Add(Client(bank, seed * 1000 + i, operations));
  co_await group.Wait();
}

TEST(TransactionsConcurrency, KeepTheSumOnTheSimulatedIo) {
  int conflicts = 0;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    io::SimIo io({.seed = seed});
    auto db = engine::Db::Open(io, "/db", {});
    ASSERT_TRUE(db.ok()) << db.status();
    auto store = io::BlockOn(io, Store::Open(io, **db, {}));
    ASSERT_TRUE(store.ok()) << store.status();
    FillBank(io, **store);
    Bank bank;
    bank.store = store->get();
    io::BlockOn(io, AllClients(&bank, seed, 16, 25));
    CheckBank(io, bank);
    conflicts += bank.conflicts;
    if (HasFailure()) {
      ADD_FAILURE() << "seed " << seed;
      break;
    }
  }
  EXPECT_GT(conflicts, 0);
}

TEST(TransactionsConcurrency, KeepTheSumOnRealThreads) {
  const std::string directory = testing::TempDir() + "/varve-transaction-threads";
  std::filesystem::remove_all(directory);
  const std::unique_ptr<io::Io> io = io::NewIo();
  {
    engine::Options options;
    options.durability = engine::Durability::kRelaxed;
    auto db = engine::Db::Open(*io, directory, options);
    ASSERT_TRUE(db.ok()) << db.status();
    auto store = io::BlockOn(*io, Store::Open(*io, **db, {}));
    ASSERT_TRUE(store.ok()) << store.status();
    FillBank(*io, **store);
    Bank bank;
    bank.store = store->get();
    constexpr int kClients = 64;
    bank.running = kClients;
    {
      std::vector<std::unique_ptr<io::Worker>> workers;
      for (int i = 0; i < 4; ++i) workers.push_back(io->StartWorker({.name = "item-test"}));
      for (int i = 0; i < kClients; ++i) {
        workers[i % 4]->executor().Spawn(Client(&bank, i, 200));
      }
      io::BlockOn(*io, WaitForClients(&bank));
    }
    CheckBank(*io, bank);
  }
  std::filesystem::remove_all(directory);
}

// ---- Crashes

// Pays one from account to account, each time with a token of its own, and counts that in the same
// transaction, until the disk is gone.
io::Task<void> PayUntilTheCrash(Bank* bank, int client, int* acknowledged) {
  while (true) {
    TransactWriteItemsRequest request;
    const int from = (client + *acknowledged) % kAccounts;
    AddValue(AddUpdate(request, KeyOf("account", from), "ADD balance :n").expression_parameters,
             ":n", -1);
    AddValue(AddUpdate(request, KeyOf("account", (from + 1) % kAccounts), "ADD balance :n")
                 .expression_parameters,
             ":n", 1);
    AddValue(AddUpdate(request, KeyOf("client", client), "ADD n :n").expression_parameters, ":n",
             1);
    request.client_request_token = fmt::format("{}.{}", client, *acknowledged);
    const auto done = co_await bank->store->TransactWriteItems(request);
    if (done.ok()) {
      ++*acknowledged;
    } else if (TypeOfError(done.status()) == ErrorType::kTransactionCanceledException) {
      bank->Take(done.status());
      co_await io::SleepFor(1000);
    } else {
      co_return;
    }
  }
}

io::Task<void> PayAll(Bank* bank, std::vector<int>* acknowledged) {
  io::TaskGroup group;
  for (size_t i = 0; i < acknowledged->size(); ++i) {
    group.Add(PayUntilTheCrash(bank, static_cast<int>(i), &(*acknowledged)[i]));
  }
  co_await group.Wait();
}

TEST(TransactionsConcurrency, AreWholeAfterACrash) {
  int lives = 0;
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    io::SimIo io({.seed = seed});
    Random random(seed);
    std::vector<int> acknowledged(6);
    std::unique_ptr<engine::Db> db;
    std::unique_ptr<Store> store;
    for (int life = 0; life < 4; ++life) {
      auto opened = engine::Db::Open(io, "/db", {});
      ASSERT_TRUE(opened.ok()) << opened.status();
      db = *std::move(opened);
      auto opened_store = io::BlockOn(io, Store::Open(io, *db, {}));
      ASSERT_TRUE(opened_store.ok()) << opened_store.status();
      store = *std::move(opened_store);
      Bank bank;
      bank.store = store.get();
      if (life == 0) {
        FillBank(io, *store);
      } else {
        io::BlockOn(io, LookTogether(&bank));
        for (size_t i = 0; i < acknowledged.size(); ++i) {
          GetItemRequest get;
          get.table_name = "T";
          get.key = KeyOf("client", i);
          const auto response = io::BlockOn(io, store->GetItem(get));
          ASSERT_TRUE(response.ok()) << response.status();
          const int64_t n = response->item ? NumberIn(*response->item, "n") : 0;
          // What was under way may be there, too. Then its token is, and it is not done again.
          EXPECT_GE(n, acknowledged[i]) << "seed " << seed;
          EXPECT_LE(n, acknowledged[i] + 1) << "seed " << seed;
        }
        EXPECT_TRUE(bank.failures.empty()) << bank.failures[0] << ", seed " << seed;
        ++lives;
      }
      io.ArmCrash(random.OneIn(2) ? io::SimCrash::kPower : io::SimCrash::kProcess,
                  random.Between(1, 120));
      io::BlockOn(io, PayAll(&bank, &acknowledged));
      ASSERT_TRUE(io.crashed());
      store.reset();
      db.reset();
      io.Restart();
    }
    if (HasFailure()) break;
  }
  EXPECT_EQ(lives, 30);
}

// ---- What a conflict is

io::Task<void> HoldThenRelease(KeyLocks* locks, uint64_t hash, bool transaction,
                               io::Event* release) {
  KeyLocks::Guard lock;
  if (transaction) {
    lock = co_await locks->LockForTransaction(hash);
  } else {
    lock = co_await locks->LockUnlessTransaction(hash);
  }
  EXPECT_TRUE(lock.held());
  co_await release->Wait();
}

io::Task<void> Request(KeyLocks* locks, uint64_t hash, int mode, std::string* answer) {
  KeyLocks::Guard lock;
  if (mode == 0) lock = co_await locks->Lock(hash);
  if (mode == 1) lock = co_await locks->LockUnlessTransaction(hash);
  if (mode == 2) lock = co_await locks->LockForTransaction(hash);
  *answer = lock.held() ? "held" : "conflict";
}

io::Task<void> WhoWaitsForWhom() {
  KeyLocks locks;
  for (const bool transaction : {false, true}) {
    io::Event release;
    std::string batch, write, other_transaction, late_write;
    io::TaskGroup group;
    group.Add(HoldThenRelease(&locks, 7, transaction, &release));
    co_await io::SleepFor(1);
    EXPECT_EQ(locks.IsInTransaction(7), transaction);
    EXPECT_FALSE(locks.IsInTransaction(8));
    EXPECT_FALSE(locks.TryLock(7).held());
    group.Add(Request(&locks, 7, 0, &batch));
    group.Add(Request(&locks, 7, 1, &write));
    group.Add(Request(&locks, 7, 2, &other_transaction));
    co_await io::SleepFor(1);
    group.Add(Request(&locks, 7, 1, &late_write));
    co_await io::SleepFor(1);
    EXPECT_EQ(batch, "");
    EXPECT_EQ(write, transaction ? "conflict" : "");
    EXPECT_EQ(other_transaction, transaction ? "conflict" : "");
    // Behind a plain write a transaction may wait, and is one from then on.
    EXPECT_EQ(late_write, "conflict");
    release.Set();
    co_await group.Wait();
    EXPECT_EQ(batch, "held");
    EXPECT_EQ(write, transaction ? "conflict" : "held");
    EXPECT_EQ(other_transaction, transaction ? "conflict" : "held");
    EXPECT_FALSE(locks.IsInTransaction(7));
    EXPECT_TRUE(locks.TryLock(7).held());
  }
}

TEST(TransactionsConcurrency, NobodyWaitsBehindATransactionWhoDoesNotWantTo) {
  io::SimIo io({.seed = 1});
  io::BlockOn(io, WhoWaitsForWhom());
}

}  // namespace
}  // namespace varve::item
