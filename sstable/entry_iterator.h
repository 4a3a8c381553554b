// EntryIterator: ordered access to entries, of a table, a memtable or a merge of many, that never
// blocks. Where it lacks a block it says so, and its user decides how to wait.
//
//   iterator.Seek(key, snapshot);
//   while (co_await Settle(iterator), iterator.state() == EntryIterator::State::kEntry) {
//     Use(iterator.entry());
//     iterator.Next();
//   }
//   VARVE_CO_RETURN_IF_ERROR(iterator.status());
#pragma once

#include <string_view>
#include <vector>

#include "base/entry.h"
#include "base/status.h"
#include "io/task.h"

namespace varve::sstable {

// A block that an iterator or a lookup waits for. Whoever waits performs it; the one who asked owns
// it and takes the result in Resume. Implemented by the readers of tables and value files.
class BlockFetch {
 public:
  virtual ~BlockFetch() = default;
  // Reads the block, verifies it and keeps the result or the error. On the current executor;
  // several fetches may run side by side.
  virtual io::Task<void> Run() = 0;
  // The same with a blocking read on the calling thread.
  virtual void RunNow() = 0;
};

// Not thread-safe. Starts at the end.
//
// Inside, an iterator shows a window: some entries that follow each other and lie side by side in
// memory, the current one among them. A movement within the window is an increment, without a
// virtual call and without a copy; only one that leaves it asks the implementation. An iterator
// that stands on others shows their windows, or parts of them, so that through any number of layers
// a step costs the same (see MoveTo).
class EntryIterator {
 public:
  enum class State : uint8_t {
    kEntry,    // entry() is there
    kEnd,      // past either end
    kWaiting,  // the last movement needs the blocks of CollectFetches; then call Resume
    kFailed,   // status() says why; a new Seek may be tried
  };

  virtual ~EntryIterator() = default;

  State state() const { return state_; }
  // OK unless kFailed.
  const Status& status() const { return status_; }
  // In kEntry only. Views are valid until the next movement that leaves the window.
  const Entry& entry() const { return *at_; }
  // In kEntry only: whether the entry was found in the block cache. A compaction keeps cached what
  // was (TableBuilder::KeepCached).
  virtual bool from_cache() const { return false; }

  // Movements. Each sets the state. Seek goes to the first entry at or after (key, sequence) in
  // entry order, that is to the newest version of `key` not newer than `sequence`, or else to a
  // later key. SeekBefore goes to the last entry before (key, sequence).
  virtual void SeekToFirst() = 0;
  virtual void SeekToLast() = 0;
  virtual void Seek(std::string_view key, SequenceNumber sequence) = 0;
  virtual void SeekBefore(std::string_view key, SequenceNumber sequence) = 0;
  // Hints of a Seek, or SeekBefore, of the same target, which is the next movement. In two stages,
  // so that several iterators can be brought near their places side by side: each call starts loads
  // from memory that the next one needs. Never waits.
  enum class Target : uint8_t { kAtOrAfter, kBefore };
  virtual void AnnounceSeek(Target target, std::string_view key, SequenceNumber sequence) {}
  virtual void PreloadSeek() {}

  // In kEntry only.
  void Next() {
    if (at_ + 1 != window_end_) {
      ++at_;
    } else {
      NextWindow();
    }
  }
  void Prev() {
    if (at_ != window_begin_) {
      --at_;
    } else {
      PrevWindow();
    }
  }

  // In kWaiting only: appends what must be run before Resume, all of which may run side by side.
  virtual void CollectFetches(std::vector<BlockFetch*>& fetches) {}
  // Continues the movement after every collected fetch has run. May end in kWaiting again.
  virtual void Resume() {}

  // ---- For iterators that stand on this one. In kEntry only.

  // The window: entries at [window_begin, window_end), in entry order, with no other entry of this
  // iterator between them. Valid until a movement leaves it.
  const Entry* at() const { return at_; }
  const Entry* window_begin() const { return window_begin_; }
  const Entry* window_end() const { return window_end_; }
  // Makes `at`, which lies in the window, the current entry.
  void MoveTo(const Entry* at) { at_ = at; }

 protected:
  // Next from the last entry of the window, Prev from the first.
  virtual void NextWindow() = 0;
  virtual void PrevWindow() = 0;

  // Shows the entries at [begin, end), and stands on `at`.
  void ShowWindow(const Entry* begin, const Entry* at, const Entry* end) {
    state_ = State::kEntry;
    at_ = at;
    window_begin_ = begin;
    window_end_ = end;
  }
  void ShowEntry(const Entry& entry) { ShowWindow(&entry, &entry, &entry + 1); }

  State state_ = State::kEnd;
  const Entry* at_ = nullptr;
  const Entry* window_begin_ = nullptr;
  const Entry* window_end_ = nullptr;
  Status status_;
};

// Runs what `iterator` waits for until it waits no more. Does not suspend if it waits for nothing.
io::Task<void> Settle(EntryIterator& iterator);
// The same on the calling thread, with blocking reads one after another.
void SettleNow(EntryIterator& iterator);

}  // namespace varve::sstable
