// The order of commits: which of them took effect, whose each was, and what it made of the items.
#include <algorithm>

#include "base/coding.h"
#include "item/keys.h"
#include "item/transaction_tokens.h"
#include "tests/sim/store_run.h"

namespace varve::sim {

namespace {

constexpr std::string_view kMarkers = "\xf1";
// Of the token's key: its key space, slot and operation (item/transaction_tokens.h).
constexpr size_t kTokenPrefixBytes = 3;

std::string MarkerOf(uint64_t id) {
  std::string key(kMarkers);
  AppendBigU64(key, id);
  return key;
}

}  // namespace

// ---- What is sent

Operation& StoreRun::Begin(std::vector<Part> parts) {
  Operation& operation = operations_.emplace_back();
  operation.id = operations_.size();
  operation.parts = std::move(parts);
  operation.begun_ms = LatestMs();
  // Reads know of them from now on.
  for (const Part& part : operation.parts) part.table->ItemAt(part.key);
  return operation;
}

Attempt& StoreRun::Send(Operation* operation) {
  Attempt& attempt = attempts_.emplace_back();
  attempt.operation = operation;
  attempt.begun = ++tick_;
  operation->under_way = true;
  return attempt;
}

void StoreRun::Failed(Attempt* attempt) {
  attempt->operation->under_way = false;
  attempt->operation->has_failed = true;
  if (!io_.crashed()) attempt->ended = ++tick_;
  Count("failed operation");
}

void StoreRun::Refused(Attempt* attempt) {
  attempt->operation->under_way = false;
  attempt->ended = ++tick_;
  attempt->answer = Attempt::Answer::kRefused;
}

void StoreRun::Done(Attempt* attempt) {
  attempt->operation->under_way = false;
  attempt->ended = ++tick_;
  attempt->answer = Attempt::Answer::kDone;
  if (store_options_.sync_writes) promised_ = tick_;
  for (const Part& part : attempt->operation->parts) {
    const auto writer = part.set.find(std::string(kWriter));
    if (writer != part.set.end()) part.table->writers[part.key] = writer->second;
  }
}

// ---- What is committed

void StoreRun::Record(engine::WriteBatch* batch) {
  if (batch->empty()) return;
  Commit& commit = commits_.emplace_back();
  commit.id = commits_.size();
  commit.life = life_;
  commit.seconds = LatestSeconds();
  commit.begun = ++tick_;
  const size_t prefix = item::KeySpaceBounds(0).begin.size();
  engine::BatchReader reader(batch->payload());
  Entry entry;
  while (reader.Next(&entry)) {
    if (entry.key[0] == item::kTransactionTokenKeySpace) {
      commit.token = entry.key.substr(kTokenPrefixBytes);
    }
    if (entry.key[0] != item::kItemKeySpace || entry.key.size() < prefix) continue;
    ItemWrite& write = commit.writes.emplace_back();
    write.key_space = __builtin_bswap32(LoadU32(entry.key.data() + 1));
    write.place = entry.key.substr(prefix);
    if (entry.kind == EntryKind::kPut) write.value = entry.value;
  }
  batch->Put(MarkerOf(commit.id), "");
  unplaced_.push_back(&commit);
}

// ---- What is there

io::Task<void> StoreRun::ReadMarkers(const engine::Snapshot* snapshot) {
  markers_.clear();
  engine::IteratorOptions options;
  options.snapshot = snapshot;
  options.lower_bound = kMarkers;
  options.upper_bound = item::PrefixEnd(kMarkers);
  options.keys_only = true;
  const std::unique_ptr<engine::Iterator> iterator = db_->NewIterator(options);
  co_await iterator->SeekToFirstAsync();
  while (iterator->Valid()) {
    const std::string_view key = iterator->key();
    markers_[LoadBigU64(key.data() + kMarkers.size())] = iterator->sequence();
    co_await iterator->NextAsync();
  }
  if (!iterator->status().ok()) {
    Complain(fmt::format("reading without a fault: {}", Message(iterator->status())));
  }
}

io::Task<void> StoreRun::ResolveCommits(const engine::Snapshot* snapshot) {
  co_await ReadMarkers(snapshot);
  if (complaint_) co_return;
  ForgetLost();
  ++tick_;
  std::vector<Commit*> found, open;
  for (Commit* commit : unplaced_) {
    const auto marker = markers_.find(commit->id);
    if (marker != markers_.end()) {
      commit->sequence = marker->second;
      found.push_back(commit);
    } else if (commit->life == life_) {
      // It has failed, or is under way: then it is one of the store's own tasks'.
      open.push_back(commit);
    }
  }
  unplaced_ = std::move(open);
  std::sort(found.begin(), found.end(),
            [](const Commit* a, const Commit* b) { return a->sequence < b->sequence; });
  for (Commit* commit : found) {
    if (complaint_) co_return;
    if (!order_.empty() && commit->sequence <= order_.back()->sequence) {
      Complain(fmt::format("commit {} was not there when commit {} was, which came later",
                           commit->id, order_.back()->id));
      co_return;
    }
    Place(commit);
  }
  visible_min_.assign(order_.size(), 0);
  begun_max_.assign(order_.size(), 0);
  for (size_t i = 0; i < order_.size(); ++i) {
    begun_max_[i] = std::max(i > 0 ? begun_max_[i - 1] : 0, order_[i]->begun);
  }
  for (size_t i = order_.size(); i-- > 0;) {
    visible_min_[i] =
        std::min(i + 1 < order_.size() ? visible_min_[i + 1] : kNever, order_[i]->visible);
  }
}

// A power cut may have taken back the end of the order of commits.
void StoreRun::ForgetLost() {
  const auto is_lost = [&](const Commit* commit) { return !markers_.contains(commit->id); };
  const auto lost = std::find_if(order_.begin(), order_.end(), is_lost);
  if (lost == order_.end()) return;
  for (auto it = lost; it != order_.end(); ++it) {
    Commit& commit = **it;
    if (!is_lost(&commit)) {
      Complain(fmt::format("no prefix of the order of commits is left: commit {} is there, {} not",
                           commit.id, (*lost)->id));
    } else if (!may_have_lost_ || commit.visible <= promised_ || commit.begun <= replayed_) {
      Complain(fmt::format("commit {}{} is lost, which was promised to stay", commit.id,
                           commit.operation == nullptr
                               ? ""
                               : fmt::format(" of operation {}", commit.operation->id)));
    }
    if (complaint_) return;
  }
  const SequenceNumber first = (*lost)->sequence;
  for (auto it = lost; it != order_.end(); ++it) (*it)->sequence = 0;
  order_.erase(lost, order_.end());
  for (Operation& operation : operations_) {
    if (operation.commit != nullptr && operation.commit->sequence == 0) operation.commit = nullptr;
  }
  for (const auto& table : tables_) {
    for (auto& [key, history] : table->items) {
      if (history.Truncate(first)) Count("item set back by a power cut");
    }
  }
}

// ---- Whose a commit was

std::optional<std::map<StoreRun::ItemKey, State, InOrder>> StoreRun::ItemsOf(const Commit& commit) {
  std::map<ItemKey, State, InOrder> items;
  for (const ItemWrite& write : commit.writes) {
    for (const auto& table : tables_) {
      if (table->gone || table->key_space != write.key_space) continue;
      if (commit.begun < table->made) continue;
      const auto key = table->keys.find(write.place);
      if (key == table->keys.end()) {
        Complain(fmt::format("commit {} writes to an item of {} that nobody asked for", commit.id,
                             table->name));
        return std::nullopt;
      }
      State& state = items[ItemKey(table.get(), *key->second)];
      if (write.value) state = AttributesOf(item::ItemView(*write.value));
    }
  }
  return items;
}

bool StoreRun::Explains(const Attempt& attempt, const Commit& commit,
                        const std::map<ItemKey, State, InOrder>& items) {
  const Operation& operation = *attempt.operation;
  if (commit.life != life_of_attempts_ || attempt.answer == Attempt::Answer::kRefused ||
      attempt.begun > commit.begun || attempt.ended < commit.begun) {
    return false;
  }
  if (commit.token != operation.token) return false;
  size_t explained = 0;
  for (const Part& part : operation.parts) {
    if (part.table->gone) continue;
    const State& before = part.table->ItemAt(part.key).state();
    const auto written = items.find(ItemKey(part.table, part.key));
    if (!part.condition.Holds(before)) return false;
    if (part.Apply(before) != (written == items.end() ? before : written->second)) return false;
    if (written != items.end()) ++explained;
  }
  for (const Attempt::Seen& seen : attempt.seen) {
    const Part& part = operation.parts[seen.part];
    if (part.table->gone || !seen.state) continue;
    if (*seen.state != part.table->ItemAt(part.key).state()) return false;
  }
  return explained == items.size();
}

void StoreRun::Place(Commit* commit) {
  order_.push_back(commit);
  const auto items = ItemsOf(*commit);
  if (!items) return;
  const Attempt* whose = nullptr;
  if (!items->empty() || !commit->token.empty()) {
    // Of several who would do the same the one that is answered first: until then it has the locks.
    for (const Attempt& attempt : attempts_) {
      if (whose != nullptr && attempt.ended >= whose->ended) continue;
      if (Explains(attempt, *commit, *items)) whose = &attempt;
    }
  }
  bool can_expire = true, changes = false;
  for (const auto& [key, state] : *items) {
    const State& before = key.first->ItemAt(key.second).state();
    const std::optional<uint64_t> expiry = ExpiryOf(before);
    changes = changes || state != before;
    can_expire = can_expire && !state && key.first->expires && expiry && *expiry <= commit->seconds;
  }
  if (whose == nullptr && changes && !can_expire) {
    Complain(Unexplained(*commit, *items));
    return;
  }
  if (whose != nullptr) {
    Operation& operation = *whose->operation;
    commit->operation = &operation;
    if (operation.commit != nullptr) {
      Complain(fmt::format("operation {} was done twice: by commits {} and {}", operation.id,
                           operation.commit->id, commit->id));
    }
    operation.commit = commit;
    if (whose->answer == Attempt::Answer::kDone) commit->visible = whose->ended;
    if (whose->answer == Attempt::Answer::kNone) Count("failed and done");
  }
  commit->visible = std::min(commit->visible, tick_);
  for (const auto& [key, state] : *items) {
    History& history = key.first->ItemAt(key.second);
    if (history.state() == state) continue;
    Version version;
    version.state = state;
    version.commit = commit;
    version.sequence = commit->sequence;
    version.expired = whose == nullptr;
    version.may_have_expired = can_expire;
    history.Add(std::move(version));
  }
}

std::string StoreRun::Unexplained(const Commit& commit,
                                  const std::map<ItemKey, State, InOrder>& items) {
  std::string text =
      fmt::format("commit {} ({}) is what no operation would have done:", commit.id, commit.begun);
  for (const auto& [key, state] : items) {
    text += fmt::format(" {} to be {};", Describe(*key.first, key.second), Show(state));
  }
  text += " there were";
  for (const Attempt& attempt : attempts_) {
    if (attempt.begun > commit.begun || attempt.ended < commit.begun) continue;
    text += fmt::format(" {}", attempt.operation->id);
  }
  return text;
}

std::string StoreRun::Describe(TableModel& table, const Attributes& key) {
  std::string text = fmt::format("{} {}, history", table.name, Show(key));
  const std::vector<Version>& versions = table.ItemAt(key).versions();
  for (size_t i = versions.size() > 5 ? versions.size() - 5 : 0; i < versions.size(); ++i) {
    const Version& version = versions[i];
    std::string whose = "-";
    if (version.commit != nullptr) {
      whose = version.expired ? std::string("expired")
                              : fmt::format("{}", version.commit->operation->id);
      whose += fmt::format(" ({}-{})", version.commit->begun, version.commit->visible);
    }
    text += fmt::format(" | {}: {}", whose, Show(version.state));
  }
  return text;
}

// ---- Moments

StoreRun::Moments StoreRun::MomentsOf(Tick begun, Tick ended) const {
  Moments moments;
  // A commit is visible when any that came after it is.
  const auto visible = static_cast<size_t>(
      std::partition_point(visible_min_.begin(), visible_min_.end(),
                           [&](Tick visible_by) { return visible_by <= begun; }) -
      visible_min_.begin());
  if (visible > 0) moments.first = order_[visible - 1]->sequence;
  const auto hidden =
      static_cast<size_t>(std::partition_point(begun_max_.begin(), begun_max_.end(),
                                               [&](Tick begun_by) { return begun_by < ended; }) -
                          begun_max_.begin());
  if (hidden < order_.size()) moments.last = order_[hidden]->sequence - 1;
  return moments;
}

std::optional<std::string> StoreRun::NoMoment(const std::vector<Fact>& facts, Tick begun,
                                              Tick ended) {
  std::vector<Moments> left = {MomentsOf(begun, ended)};
  for (const Fact& fact : facts) {
    if (fact.table->gone) continue;
    const std::vector<Version>& versions = fact.table->ItemAt(fact.key).versions();
    std::vector<Moments> both;
    for (size_t i = 0; i < versions.size(); ++i) {
      if (!fact.holds(versions[i].state)) continue;
      const SequenceNumber last =
          i + 1 < versions.size() ? versions[i + 1].sequence - 1 : kSequenceMax;
      for (const Moments& moments : left) {
        const Moments overlap{std::max(moments.first, versions[i].sequence),
                              std::min(moments.last, last)};
        if (overlap.first <= overlap.last) both.push_back(overlap);
      }
    }
    if (both.empty()) {
      return fmt::format("{} of {}", fact.what, Describe(*fact.table, fact.key));
    }
    left = std::move(both);
  }
  return std::nullopt;
}

// ---- Answers

void StoreRun::JudgeAttempts() {
  for (const Attempt& attempt : attempts_) {
    if (!complaint_) JudgeAttempt(attempt);
  }
  attempts_.clear();
}

void StoreRun::JudgeAttempt(const Attempt& attempt) {
  const Operation& operation = *attempt.operation;
  const bool done_before = operation.commit != nullptr && operation.commit->begun < attempt.begun;
  std::vector<Fact> facts;
  for (const Attempt::Seen& seen : attempt.seen) {
    const Part& part = operation.parts[seen.part];
    const bool done = attempt.answer == Attempt::Answer::kDone;
    facts.push_back({part.table, part.key, "the condition or the former state",
                     [&part, seen, done](const State& state) {
                       return part.condition.Holds(state) == seen.held &&
                              (!seen.state || *seen.state == state) &&
                              (!done || part.Apply(state) == state);
                     }});
  }
  switch (attempt.answer) {
    case Attempt::Answer::kNone:
      return;
    case Attempt::Answer::kRefused: {
      const bool has_gone = std::any_of(operation.parts.begin(), operation.parts.end(),
                                        [](const Part& part) { return part.table->gone; });
      if (done_before && !has_gone) {
        Complain(fmt::format("operation {} was done, and refused when tried again", operation.id));
        return;
      }
      if (may_have_lost_) return;  // with what it saw
      break;
    }
    case Attempt::Answer::kDone:
      if (attempt.again) {
        Count(!done_before           ? "done when tried again"
              : operation.has_failed ? "failed, done when tried again"
                                     : "token known");
      }
      if (operation.commit != nullptr) return;
      if (may_have_lost_ && attempt.ended > promised_) return;
      break;
  }
  // It changed nothing: so it was when there was nothing to change.
  const auto why = NoMoment(facts, attempt.begun, attempt.ended);
  if (!why) return;
  Complain(fmt::format("operation {} ({}-{}) was {} without effect, against {}", operation.id,
                       attempt.begun, attempt.ended,
                       attempt.answer == Attempt::Answer::kDone ? "done" : "refused", *why));
}

}  // namespace varve::sim
