// What the answer to an operation says of the histories of its items.
#include <algorithm>

#include "tests/sim/store_run.h"

namespace varve::sim {

namespace {
using Fate = Operation::Outcome;
}

Operation& StoreRun::Begin(std::vector<Part> parts) {
  Operation& operation = operations_.emplace_back();
  operation.id = operations_.size();
  operation.parts = std::move(parts);
  operation.begun = ++tick_;
  operation.begun_ms = LatestMs();
  // Reads know of them from now on.
  for (const Part& part : operation.parts) part.table->ItemAt(part.key);
  return operation;
}

Operation& StoreRun::BeginSingle(Part part) {
  std::vector<Part> parts;
  parts.push_back(std::move(part));
  return Begin(std::move(parts));
}

std::string StoreRun::Describe(TableModel& table, const Attributes& key) {
  std::string text = fmt::format("{} {}, history", table.name, Show(key));
  const std::vector<Version> versions = table.ItemAt(key).Versions();
  for (size_t i = versions.size() > 5 ? versions.size() - 5 : 0; i < versions.size(); ++i) {
    const Version& version = versions[i];
    text += fmt::format(" | {}{}: {}",
                        version.operation != nullptr ? fmt::format("{}", version.operation->id)
                                                     : (i == 0 ? "-" : "expired"),
                        version.maybe ? "?" : "", Show(version.state));
  }
  for (const auto& [operation, part] : table.ItemAt(key).failed()) {
    text += fmt::format(" | {} failed{}", operation->id,
                        operation->outcome == Fate::kDone      ? ", but was done"
                        : operation->outcome == Fate::kNotDone ? " and was not done"
                                                               : "");
  }
  return text;
}

void StoreRun::Narrow(TableModel& table, const Attributes& key, const std::vector<Path>& paths,
                      std::string_view what) {
  if (paths.empty()) {
    Complain(fmt::format("{}; {}", what, Describe(table, key)));
    return;
  }
  table.ItemAt(key).Keep(paths, tick_);
}

void StoreRun::Decide(Operation* operation, Operation::Outcome outcome, std::string_view evidence) {
  if (operation->outcome == outcome) return;
  if (operation->outcome != Fate::kOpen) {
    Complain(fmt::format("operation {}, which failed, was done in part: by {} it was {}",
                         operation->id, evidence, outcome == Fate::kDone ? "done" : "not done"));
    return;
  }
  operation->outcome = outcome;
  Note(fmt::format("{}, which failed, was {}done: {}", operation->id,
                   outcome == Fate::kDone ? "" : "not ", evidence));
  if (outcome == Fate::kDone) Count("failed and done");
}

void StoreRun::DecideFailed(History& history, const std::vector<Path>& paths,
                            std::string_view evidence) {
  for (const auto& [operation, part] : history.failed()) {
    const auto is_done = [op = operation](const Path& path) {
      return std::any_of(path.tail.begin(), path.tail.end(), [&](const Version& version) {
        return version.operation == op && !version.maybe;
      });
    };
    const auto has = [op = operation](const Path& path) { return Has(path, op); };
    const auto changes = [p = part](const Path& path) {
      return p->Apply(path.state) != path.state;
    };
    if (std::all_of(paths.begin(), paths.end(), is_done)) {
      Decide(operation, Fate::kDone, evidence);
    } else if (std::none_of(paths.begin(), paths.end(), has) &&
               std::all_of(paths.begin(), paths.end(), changes) &&
               operation->outcome == Fate::kOpen) {
      Decide(operation, Fate::kNotDone, evidence);
    }
  }
}

void StoreRun::Done(Operation& operation, const std::vector<Seen>& seen) {
  operation.ended = ++tick_;
  operation.under_way = false;
  operation.outcome = Fate::kDone;
  if (store_options_.sync_writes) promised_ = tick_;
  for (size_t i = 0; i < operation.parts.size(); ++i) {
    const Part& part = operation.parts[i];
    if (part.table->gone) continue;
    History& history = part.table->ItemAt(part.key);
    if (part.table->may_be_gone) {
      // Perhaps it was done on what is being dropped.
      if (part.kind != Part::Kind::kCheck) history.AddFailed(&operation, &part);
      continue;
    }
    std::vector<Path> paths = history.Possible(LatestSeconds(), tick_);
    std::erase_if(paths, [&](const Path& path) {
      return !part.condition.Holds(path.state) || (seen[i] && *seen[i] != path.state);
    });
    if (paths.empty()) {
      Complain(fmt::format("operation {} was done on what cannot have been there{}{}; {}",
                           operation.id, seen[i] ? ": " : "", seen[i] ? Show(*seen[i]) : "",
                           Describe(*part.table, part.key)));
      return;
    }
    bool changes = true;
    std::vector<Path> after;
    for (const Path& path : paths) {
      State state = part.Apply(path.state);
      Path next = path;
      if (state == path.state) {
        changes = false;
      } else {
        next.state = state;
        next.tail.push_back({&operation, std::move(state), false, operation.begun, tick_});
      }
      after.push_back(std::move(next));
    }
    if (changes) {
      DecideFailed(history, paths, fmt::format("operation {}", operation.id));
      history.ForgetFailed();
    }
    Join(&after);
    history.Keep(std::move(after), tick_);
  }
}

void StoreRun::DoneAgain(Operation& operation) {
  operation.under_way = false;
  if (operation.outcome == Fate::kDone) {
    ++tick_;
    Count("token known");
    return;
  }
  if (operation.outcome == Fate::kNotDone) {
    Done(operation, std::vector<Seen>(operation.parts.size()));
    Count("done when tried again");
    return;
  }
  // Done now, or done before.
  operation.ended = ++tick_;
  operation.outcome = Fate::kDone;
  for (const Part& part : operation.parts) {
    if (part.table->gone) continue;
    History& history = part.table->ItemAt(part.key);
    const bool was_open =
        std::any_of(history.failed().begin(), history.failed().end(),
                    [&](const auto& failed) { return failed.first == &operation; });
    std::vector<Path> paths = history.Possible(LatestSeconds(), tick_);
    if (!was_open) {
      const size_t count = paths.size();
      for (size_t i = 0; i < count; ++i) {
        if (!part.condition.Holds(paths[i].state) || Has(paths[i], &operation)) continue;
        Path next = paths[i];
        next.state = part.Apply(paths[i].state);
        if (next.state == paths[i].state) continue;
        next.tail.push_back({&operation, next.state, false, operation.begun, tick_});
        paths.push_back(std::move(next));
      }
      Join(&paths);
    }
    Narrow(*part.table, part.key, paths,
           fmt::format("operation {} was done when tried again", operation.id));
  }
  Count("failed, done when tried again");
}

void StoreRun::Failed(Operation& operation) {
  ++tick_;
  operation.under_way = false;
  if (operation.outcome == Fate::kDone) return;  // tried again, for nothing
  operation.outcome = Fate::kOpen;
  for (const Part& part : operation.parts) {
    if (part.kind == Part::Kind::kCheck || part.table->gone) continue;
    History& history = part.table->ItemAt(part.key);
    const auto is_this = [&](const auto& failed) { return failed.first == &operation; };
    if (std::none_of(history.failed().begin(), history.failed().end(), is_this)) {
      history.AddFailed(&operation, &part);
    }
  }
  Count("failed operation");
}

void StoreRun::Refused(Operation& operation) {
  ++tick_;
  operation.under_way = false;
  operation.outcome = Fate::kNotDone;
}

void StoreRun::Checked(Operation& operation, size_t i, bool held, const Seen& seen) {
  const Part& part = operation.parts[i];
  if (part.table->gone || part.table->may_be_gone) return;
  History& history = part.table->ItemAt(part.key);
  std::vector<Path> paths = history.Possible(LatestSeconds(), tick_);
  std::erase_if(paths, [&](const Path& path) {
    return part.condition.Holds(path.state) != held || (seen && *seen != path.state);
  });
  Narrow(*part.table, part.key, paths,
         fmt::format("the condition of operation {} {}, seeing {}", operation.id,
                     held ? "held" : "failed", seen ? Show(*seen) : "what it did not tell"));
}

}  // namespace varve::sim
