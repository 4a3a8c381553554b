#include "sstable/entry_iterator.h"

#include "io/sync.h"

namespace varve::sstable {

io::Task<void> Settle(EntryIterator& iterator) {
  std::vector<BlockFetch*> fetches;
  while (iterator.state() == EntryIterator::State::kWaiting) {
    fetches.clear();
    iterator.CollectFetches(fetches);
    if (fetches.size() == 1) {
      co_await fetches.front()->Run();
    } else {
      io::TaskGroup group;
      for (BlockFetch* fetch : fetches) group.Add(fetch->Run());
      co_await group.Wait();
    }
    iterator.Resume();
  }
}

void SettleNow(EntryIterator& iterator) {
  std::vector<BlockFetch*> fetches;
  while (iterator.state() == EntryIterator::State::kWaiting) {
    fetches.clear();
    iterator.CollectFetches(fetches);
    for (BlockFetch* fetch : fetches) fetch->RunNow();
    iterator.Resume();
  }
}

}  // namespace varve::sstable
