#include "tests/stress/stress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/random.h"
#include "engine/db.h"
#include "tests/stress/chain.h"

namespace varve::stress {
namespace {

using engine::Db;
using engine::Iterator;
using engine::IteratorOptions;
using engine::PinnedValue;
using engine::ReadOptions;
using engine::Snapshot;

template <typename... Arguments>
[[noreturn]] void Complain(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  fmt::print(stderr, "varve_stress: {}\n",
             fmt::format(format, std::forward<Arguments>(arguments)...));
  std::fflush(stderr);
  std::abort();
}

void Must(const Status& status, std::string_view what) {
  if (!status.ok()) Complain("{}: {}", what, Message(status));
}

template <typename T>
T Must(StatusOr<T> result, std::string_view what) {
  Must(result.status(), what);
  return *std::move(result);
}

// Small enough that everything happens many times a second.
engine::Options SmallOptions(engine::Durability durability) {
  engine::Options options;
  options.durability = durability;
  options.memtable_budget_bytes = 4 << 20;
  options.memtable_bytes_max = 256 << 10;
  options.block_cache_bytes = 1 << 20;
  options.table_bytes_target = 64 << 10;
  options.level1_bytes = 256 << 10;
  options.log_segment_bytes = 1 << 20;
  options.log_bytes_max = 8 << 20;
  options.value_separation_bytes = 4 << 10;
  options.open_tables_max = 64;
  options.manifest_bytes_max = 64 << 10;
  options.background_workers = 2;
  options.reserved_disk_bytes = 0;
  return options;
}

// The range that is dropped from time to time: pairs of keys that only change together.
constexpr std::string_view kDroppedBegin = "temporary/";
constexpr std::string_view kDroppedEnd = "temporary0";
constexpr int kPairs = 40;

std::string PairKey(int pair, int side) { return fmt::format("temporary/{}/{:03}", side, pair); }

class Run {
 public:
  Run(io::Io& io, std::string directory, const StressOptions& options)
      : io_(io),
        directory_(std::move(directory)),
        options_(options),
        acknowledged_(options.writers) {}

  Tally Go() {
    db_ = Must(Db::Open(io_, directory_, SmallOptions(options_.durability)), "open");
    std::vector<std::string> cuts;
    for (int place = 1; place < kPlaces; ++place) cuts.push_back(PlacePrefix(place));
    Must(db_->Split(cuts), "split");

    std::vector<std::thread> threads;
    uint64_t seed = options_.seed * 1000;
    for (int chain = 0; chain < options_.writers; ++chain) {
      threads.emplace_back([this, chain] { RunWriter(chain); });
    }
    for (int reader = 0; reader < options_.readers; ++reader) {
      threads.emplace_back([this, seed = ++seed] { RunReader(Random(seed)); });
    }
    threads.emplace_back([this, seed = ++seed] { RunPairWriter(Random(seed)); });
    threads.emplace_back([this, seed = ++seed] { RunMaintenance(Random(seed)); });
    std::this_thread::sleep_for(std::chrono::milliseconds(options_.milliseconds));
    stop_ = true;
    for (std::thread& thread : threads) thread.join();

    CheckEnd(*db_, "at the end");
    const engine::DbStats stats = db_->Stats();
    Must(db_->Close(), "close");
    db_.reset();
    db_ = Must(Db::Open(io_, directory_, SmallOptions(options_.durability)), "reopen");
    CheckEnd(*db_, "after reopening");
    Must(db_->Close(), "close again");
    db_.reset();
    tally_["flushes"] = stats.flushes;
    tally_["compactions"] = stats.compactions;
    tally_["slowed writes"] = stats.slowed_writes;
    return tally_;
  }

 private:
  // ---- Writers

  void RunWriter(int chain) {
    const int other = (chain + 1) % options_.writers;
    engine::WriteBatch batch;
    SequenceNumber last = 0;
    uint64_t n = 0;
    for (; !stop_; ++n) {
      const Link link{.n = n + 1, .seen = Head(*db_, static_cast<int>(n % kPlaces), other).n};
      FillBatch(chain, link, &batch);
      const engine::WriteOptions write_options{.sync = n % 100 == 99};
      const SequenceNumber sequence = Must(db_->Write(batch, write_options), "write");
      if (sequence <= last) Complain("chain {}: sequence {} after {}", chain, sequence, last);
      last = sequence;
      acknowledged_[chain].store(link.n);
      const uint64_t own = Head(*db_, static_cast<int>((n + 3) % kPlaces), chain).n;
      if (own != link.n) Complain("chain {}: wrote {}, then read {}", chain, link.n, own);
    }
    Count("batches", n);
  }

  // Both keys of a pair in one batch, in a range that is dropped meanwhile.
  void RunPairWriter(Random random) {
    uint64_t n = 0;
    for (; !stop_; ++n) {
      const int pair = static_cast<int>(random.Below(kPairs));
      engine::WriteBatch batch;
      for (const int side : {0, 1}) batch.Put(PairKey(pair, side), LinkValue({.n = n + 1}));
      Must(db_->Write(batch), "write a pair");
    }
    Count("pairs", n);
  }

  // ---- Readers

  void RunReader(Random random) {
    while (!stop_) {
      // Background threads have the lowest priority: readers without pause would starve them.
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
      switch (random.Below(6)) {
        case 0:
          ReadHeadsOneByOne(static_cast<int>(random.Below(options_.writers)));
          break;
        case 1:
          ReadHeadsAtOnce();
          break;
        case 2:
          ReadSnapshot(random);
          break;
        case 3:
          ScanEverything(*db_, nullptr, random.OneIn(2), "scan");
          Count("scans", 1);
          break;
        case 4:
          ReadPair(static_cast<int>(random.Below(kPairs)));
          break;
        case 5:
          Wander(random);
          break;
      }
    }
  }

  // Later reads never see less, and none sees less than was acknowledged before it.
  void ReadHeadsOneByOne(int chain) {
    uint64_t least = acknowledged_[chain].load();
    for (int place = 0; place < kPlaces; ++place) {
      const uint64_t n = Head(*db_, place, chain).n;
      if (n < least) Complain("chain {}: read {} after {}", chain, n, least);
      least = n;
    }
    Count("heads read one by one", kPlaces);
  }

  // A MultiGet sees one moment.
  void ReadHeadsAtOnce() {
    const std::vector<uint64_t> least = Acknowledged();
    CheckHeads(MultiGetHeads(nullptr), least, "MultiGet");
    Count("heads read at once", kPlaces * options_.writers);
  }

  // However long it is held, and however it is read.
  void ReadSnapshot(Random& random) {
    const std::vector<uint64_t> least = Acknowledged();
    const std::unique_ptr<Snapshot> snapshot = db_->GetSnapshot();
    const std::vector<Link> heads = MultiGetHeads(snapshot.get());
    CheckHeads(heads, least, "snapshot");
    for (int round = 0; round < 3; ++round) {
      const std::vector<Link> scanned =
          ScanEverything(*db_, snapshot.get(), random.OneIn(2), "snapshot scan");
      for (int chain = 0; chain < options_.writers; ++chain) {
        if (scanned[chain].n != heads[chain * kPlaces].n) {
          Complain("chain {}: a scan of snapshot {} sees {}, Get saw {}", chain,
                   snapshot->sequence(), scanned[chain].n, heads[chain * kPlaces].n);
        }
      }
      const int chain = static_cast<int>(random.Below(options_.writers));
      const int place = static_cast<int>(random.Below(kPlaces));
      const int slot = static_cast<int>(random.Below(kSlots));
      const std::optional<Link> link = Get(*db_, SlotKey(place, chain, slot), snapshot.get());
      const uint64_t expected = BatchInSlot(heads[chain * kPlaces].n, slot);
      if ((link ? link->n : 0) != expected) {
        Complain("{}: Get at snapshot {} is batch {}, must be {}", SlotKey(place, chain, slot),
                 snapshot->sequence(), link ? link->n : 0, expected);
      }
    }
    Count("snapshots", 1);
  }

  // Both sides or none, of one batch.
  void ReadPair(int pair) {
    const std::string keys[] = {PairKey(pair, 0), PairKey(pair, 1)};
    const std::string_view views[] = {keys[0], keys[1]};
    std::vector<std::optional<PinnedValue>> values;
    Must(db_->MultiGet(views, &values), "MultiGet of a pair");
    const auto text = [](const std::optional<PinnedValue>& value) {
      return value ? value->ToString() : "(absent)";
    };
    if (text(values[0]) != text(values[1])) {
      Complain("pair {}: '{:.40}' and '{:.40}'", pair, text(values[0]), text(values[1]));
    }
    Count("pairs read", 1);
  }

  // An iterator that turns around all the time agrees with itself.
  void Wander(Random& random) {
    const int place = static_cast<int>(random.Below(kPlaces));
    IteratorOptions options;
    options.lower_bound = PlacePrefix(place);
    options.upper_bound = PlacePrefix(place + 1);
    const std::unique_ptr<Iterator> iterator = db_->NewIterator(options);
    std::vector<std::pair<std::string, std::string>> all;
    for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next()) {
      all.emplace_back(iterator->key(), iterator->value());
    }
    Must(iterator->status(), "iterator");
    if (all.empty()) return;
    size_t at = random.Below(all.size());
    iterator->Seek(all[at].first);
    for (int step = 0; step < 200; ++step) {
      if (!iterator->Valid()) Complain("{}: the iterator lost its way", all[at].first);
      if (iterator->key() != all[at].first || iterator->value() != all[at].second) {
        Complain("{}='{:.60}': the iterator is at {}='{:.60}'", all[at].first, all[at].second,
                 iterator->key(), iterator->value());
      }
      const uint64_t move = random.Below(10);
      if (move == 0) {
        at = random.Below(all.size());
        iterator->SeekForPrev(all[at].first);
      } else if (move < 6 && at + 1 < all.size()) {
        iterator->Next();
        ++at;
      } else if (at > 0) {
        iterator->Prev();
        --at;
      }
    }
    Must(iterator->status(), "iterator");
    Count("wanderings", 1);
  }

  // ---- Maintenance

  void RunMaintenance(Random random) {
    while (!stop_) {
      switch (random.Below(8)) {
        case 0:
          Must(db_->Flush(), "flush");
          Count("explicit flushes", 1);
          break;
        case 1: {
          const int place = static_cast<int>(random.Below(kPlaces));
          Must(db_->Compact(PlacePrefix(place), PlacePrefix(place + 1)), "compact");
          Count("explicit compactions", 1);
          break;
        }
        case 2:
        case 3:
          Split(random);
          break;
        case 4:
        case 5:
          Drop();
          break;
        case 6:
          Checkpoint();
          break;
        case 7:
          std::this_thread::sleep_for(std::chrono::milliseconds(random.Below(20)));
          break;
      }
      if (const std::string error = db_->Stats().background_error; !error.empty()) {
        Complain("background work failed: {}", error);
      }
    }
  }

  void Split(Random& random) {
    constexpr size_t kPartitionsMax = 40;
    std::vector<std::string> cuts = {PairKey(static_cast<int>(random.Below(kPairs)), 1)};
    if (db_->Partitions().size() < kPartitionsMax) {
      cuts.push_back(SlotKey(static_cast<int>(random.Below(kPlaces)),
                             static_cast<int>(random.Below(options_.writers)),
                             static_cast<int>(random.Below(kSlots))));
    }
    Must(db_->Split(cuts), "split");
    Count("splits", cuts.size());
  }

  // What a drop took stays gone: all that is there afterwards is newer.
  void Drop() {
    const SequenceNumber dropped = Must(db_->DropRange(kDroppedBegin, kDroppedEnd), "drop");
    IteratorOptions options;
    options.lower_bound = kDroppedBegin;
    options.upper_bound = kDroppedEnd;
    const std::unique_ptr<Iterator> iterator = db_->NewIterator(options);
    for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next()) {
      if (iterator->sequence() < dropped) {
        Complain("{} of batch {} outlived the drop {}", iterator->key(), iterator->sequence(),
                 dropped);
      }
    }
    Must(iterator->status(), "iterator");
    Count("drops", 1);
  }

  // A checkpoint is a database with all that was acknowledged before it.
  void Checkpoint() {
    const std::vector<uint64_t> least = Acknowledged();
    const std::string directory = directory_ + ".checkpoint";
    Must(db_->Checkpoint(directory), "checkpoint");
    {
      const std::unique_ptr<Db> copy =
          Must(Db::Open(io_, directory, SmallOptions(options_.durability)), "open the checkpoint");
      const std::vector<Link> heads = ScanEverything(*copy, nullptr, false, "checkpoint");
      for (int chain = 0; chain < options_.writers; ++chain) {
        if (heads[chain].n < least[chain]) {
          Complain("chain {}: the checkpoint has {}, acknowledged was {}", chain, heads[chain].n,
                   least[chain]);
        }
      }
    }
    std::filesystem::remove_all(directory);
    Count("checkpoints", 1);
  }

  // ---- Reading and checking

  std::vector<uint64_t> Acknowledged() const {
    std::vector<uint64_t> all;
    for (const std::atomic<uint64_t>& n : acknowledged_) all.push_back(n.load());
    return all;
  }

  static std::optional<Link> Parse(std::string_view key, std::string_view value) {
    const std::optional<Link> link = ParseLinkValue(value);
    if (!link) Complain("{} is garbage: '{:.60}'", key, value);
    return link;
  }

  static std::optional<Link> Get(Db& db, std::string_view key, const Snapshot* snapshot) {
    PinnedValue value;
    ReadOptions options;
    options.snapshot = snapshot;
    if (!Must(db.Get(key, &value, options), "Get")) return std::nullopt;
    return Parse(key, value.view());
  }

  static Link Head(Db& db, int place, int chain) {
    return Get(db, HeadKey(place, chain), nullptr).value_or(Link{});
  }

  // Chain by chain, place by place.
  std::vector<Link> MultiGetHeads(const Snapshot* snapshot) {
    std::vector<std::string> keys;
    for (int chain = 0; chain < options_.writers; ++chain) {
      for (int place = 0; place < kPlaces; ++place) keys.push_back(HeadKey(place, chain));
    }
    const std::vector<std::string_view> views(keys.begin(), keys.end());
    std::vector<std::optional<PinnedValue>> values;
    ReadOptions options;
    options.snapshot = snapshot;
    Must(db_->MultiGet(views, &values, options), "MultiGet");
    std::vector<Link> links;
    for (size_t i = 0; i < keys.size(); ++i) {
      links.push_back(values[i] ? *Parse(keys[i], values[i]->view()) : Link{});
    }
    return links;
  }

  void CheckHeads(const std::vector<Link>& heads, const std::vector<uint64_t>& least,
                  std::string_view what) const {
    std::vector<Link> chains;
    for (int chain = 0; chain < options_.writers; ++chain) {
      const Link& first = heads[chain * kPlaces];
      for (int place = 1; place < kPlaces; ++place) {
        const Link& link = heads[chain * kPlaces + place];
        if (link.n != first.n || link.seen != first.seen) {
          Complain("{}: chain {} is at {} in place 0 and at {} in place {}", what, chain, first.n,
                   link.n, place);
        }
      }
      if (first.n < least[chain]) {
        Complain("{}: chain {} is at {}, acknowledged was {}", what, chain, first.n, least[chain]);
      }
      chains.push_back(first);
    }
    CheckSeen(chains, what);
  }

  // Who sees a batch sees what its writer had seen.
  static void CheckSeen(const std::vector<Link>& chains, std::string_view what) {
    for (size_t chain = 0; chain < chains.size(); ++chain) {
      const Link& other = chains[(chain + 1) % chains.size()];
      if (other.n < chains[chain].seen) {
        Complain("{}: batch {} of chain {} had seen {} of the next chain, which is at {}", what,
                 chains[chain].n, chain, chains[chain].seen, other.n);
      }
    }
  }

  // Walks all places, checks them, and returns how far each chain is.
  std::vector<Link> ScanEverything(Db& db, const Snapshot* snapshot, bool backward,
                                   std::string_view what) const {
    IteratorOptions options;
    options.snapshot = snapshot;
    options.lower_bound = PlacePrefix(0);
    options.upper_bound = PlacePrefix(kPlaces);
    options.fill_cache = !backward;
    const std::vector<uint64_t> least =
        snapshot == nullptr && &db == db_.get() ? Acknowledged() : std::vector<uint64_t>();
    const std::unique_ptr<Iterator> iterator = db.NewIterator(options);
    std::vector<View> views(static_cast<size_t>(options_.writers) * kPlaces);
    std::string last;
    const auto visit = [&]() {
      const std::string_view key = iterator->key();
      if (!last.empty() && (backward ? key >= last : key <= last)) {
        Complain("{}: {} after {}", what, key, last);
      }
      last = key;
      const int place = key[5] - '0';
      const int chain = key[12] - '0';
      if (snapshot != nullptr && iterator->sequence() > snapshot->sequence()) {
        Complain("{}: {} is of batch {}, the snapshot is {}", what, key, iterator->sequence(),
                 snapshot->sequence());
      }
      views[chain * kPlaces + place].emplace(key.substr(14), iterator->value());
    };
    if (backward) {
      for (iterator->SeekToLast(); iterator->Valid(); iterator->Prev()) visit();
    } else {
      for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next()) visit();
    }
    Must(iterator->status(), what);
    std::vector<Link> chains;
    for (int chain = 0; chain < options_.writers; ++chain) {
      Link first;
      for (int place = 0; place < kPlaces; ++place) {
        Link head;
        if (auto complaint = CheckView(views[chain * kPlaces + place], &head)) {
          Complain("{}: chain {} in place {}: {}", what, chain, place, *complaint);
        }
        if (place == 0) first = head;
        if (head.n != first.n) {
          Complain("{}: chain {} is at {} in place 0 and at {} in place {}", what, chain, first.n,
                   head.n, place);
        }
      }
      if (!least.empty() && first.n < least[chain]) {
        Complain("{}: chain {} is at {}, acknowledged was {}", what, chain, first.n, least[chain]);
      }
      chains.push_back(first);
    }
    CheckSeen(chains, what);
    return chains;
  }

  // Nobody writes any more: each chain is exactly where its writer left it.
  void CheckEnd(Db& db, std::string_view when) const {
    for (const bool backward : {false, true}) {
      const std::vector<Link> chains = ScanEverything(db, nullptr, backward, when);
      for (int chain = 0; chain < options_.writers; ++chain) {
        if (chains[chain].n != acknowledged_[chain].load()) {
          Complain("{}: chain {} is at {}, acknowledged was {}", when, chain, chains[chain].n,
                   acknowledged_[chain].load());
        }
      }
    }
  }

  void Count(const std::string& what, uint64_t n) {
    const std::lock_guard<std::mutex> lock(tally_mutex_);
    tally_[what] += n;
  }

  io::Io& io_;
  const std::string directory_;
  const StressOptions options_;
  std::unique_ptr<Db> db_;
  std::atomic<bool> stop_ = false;
  std::vector<std::atomic<uint64_t>> acknowledged_;  // the last batch of each chain that returned
  std::mutex tally_mutex_;
  Tally tally_;
};

}  // namespace

Tally Stress(io::Io& io, const std::string& directory, const StressOptions& options) {
  return Run(io, directory, options).Go();
}

}  // namespace varve::stress
