// The rules that a run may take away.
#include "tests/sim/simulation.h"

namespace varve::sim {

const std::vector<Sabotage>& AllSabotage() {
  using engine::Rule;
  using Kind = io::SimAccess::Kind;
  static const auto* const all = new std::vector<Sabotage>{
      {.name = "log-before-table",
       .what = "a table is installed although the log is not durable up to it",
       .rule = Rule::kLogBeforeTable},
      {.name = "forget-before-recycle",
       .what = "a log segment is recycled before the manifest forgets it",
       .rule = Rule::kForgetBeforeRecycle},
      {.name = "forget-before-delete",
       .what = "a table is deleted before the manifest forgets it",
       .rule = Rule::kForgetBeforeDelete},
      {.name = "sequence-ceiling",
       .what = "the manifest knows no ceiling of sequence numbers",
       .rule = Rule::kSequenceCeiling},
      {.name = "seal-log-end",
       .what = "recovery appends without sealing the end it found",
       .rule = Rule::kSealLogEnd},
      {.name = "sync-table",
       .what = "tables are not synced",
       .sync = Kind::kSync,
       .path_contains = ".sst"},
      {.name = "sync-value-file",
       .what = "value files are not synced",
       .sync = Kind::kSync,
       .path_contains = ".val"},
      {.name = "sync-directory",
       .what = "directories are not synced",
       .sync = Kind::kSyncDirectory,
       .path_contains = ""},
      {.name = "sync-manifest",
       .what = "manifest edits are not synced",
       .sync = Kind::kSync,
       .path_contains = "MANIFEST-"},
      {.name = "sync-current",
       .what = "CURRENT is not synced before it is renamed",
       .sync = Kind::kSync,
       .path_contains = "CURRENT"},
      {.name = "sync-log-write",
       .what = "writes of the durable log are not durable",
       .sync = Kind::kDurableWrite,
       .path_contains = "/log"},
      {.name = "sync-relaxed-log",
       .what = "syncs of the relaxed log do nothing",
       .sync = Kind::kSync,
       .path_contains = "/log"},
  };
  return *all;
}

}  // namespace varve::sim
