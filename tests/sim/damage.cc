// Damage at rest: found or harmless, never a wrong answer.
#include "tests/sim/run.h"

namespace varve::sim {

void Run::Damage() {
  std::vector<std::string> paths;
  for (const std::string& directory : {std::string(kDirectory), std::string(kDirectory) + "/log"}) {
    auto names = io_.List(directory);
    if (!names.ok()) continue;
    for (const std::string& name : *names) {
      if (name != "LOCK" && name != "log") paths.push_back(directory + "/" + name);
    }
  }
  if (paths.empty()) return;
  const std::string path = paths[random_.Below(paths.size())];
  const auto bytes = io_.FileBytes(path);
  if (!bytes.ok() || *bytes == 0) return;
  const uint64_t offset = random_.Below(*bytes);
  const int bit = static_cast<int>(random_.Below(8));
  Note("damage " + path);
  if (!io_.FlipBit(path, offset, bit).ok()) return;
  auto db = Db::Open(io_, std::string(kDirectory), life_options_);
  if (db.ok()) {
    db_ = *std::move(db);
    io_.Run(ReadThroughDamage());
    const Status closed = db_->Close();
    (void)closed;
    db_.reset();
    if (complaint_)
      complaint_ = fmt::format("{} (bit {} of {}:{})", *complaint_, bit, path, offset);
  } else if (db.status().code() == absl::StatusCode::kDataLoss) {
    Count("damage refused at opening");
  } else {
    Complain(fmt::format("damage to {}:{}: {}", path, offset, db.status().ToString()));
  }
  // Nothing can be promised any more: the run ends here.
  done_ = options_.operations;
}

Task<void> Run::ReadThroughDamage() {
  const auto expected = model_.StateAt(kSequenceMax, model_.drops(), "", "");
  for (const auto& [key, right] : expected) {
    PinnedValue value;
    const auto found = co_await db_->GetAsync(key, &value);
    if (!found.ok()) {
      if (found.status().code() != absl::StatusCode::kDataLoss) {
        Complain(fmt::format("get {}: {}", key, found.status().ToString()));
      }
      Count("damage found by a read");
      continue;
    }
    if (!*found || value.view() != right) {
      Complain(fmt::format("get {} is wrong", key));
      co_return;
    }
  }
}

}  // namespace varve::sim
