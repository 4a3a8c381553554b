// MemtableIterator: a memtable as an EntryIterator. Never waits, never fails.
#pragma once

#include <memory>
#include <utility>

#include "memtable/memtable.h"
#include "sstable/entry_iterator.h"

namespace varve::compaction {

class MemtableIterator final : public sstable::EntryIterator {
 public:
  // The memtable must outlive the iterator; `keep_alive`, if given, sees to that.
  explicit MemtableIterator(const memtable::Memtable& memtable,
                            std::shared_ptr<const void> keep_alive = nullptr)
      : keep_alive_(std::move(keep_alive)), iterator_(memtable) {}

  void SeekToFirst() override {
    iterator_.SeekToFirst();
    Follow();
  }
  void SeekToLast() override {
    iterator_.SeekToLast();
    Follow();
  }
  void Seek(std::string_view key, SequenceNumber sequence) override {
    iterator_.Seek(key, sequence);
    Follow();
  }
  void SeekBefore(std::string_view key, SequenceNumber sequence) override {
    iterator_.SeekBefore(key, sequence);
    Follow();
  }

 protected:
  void NextWindow() override {
    iterator_.Next();
    Follow();
  }
  void PrevWindow() override {
    iterator_.Prev();
    Follow();
  }

 private:
  void Follow() {
    if (iterator_.Valid()) {
      ShowEntry(iterator_.entry());
    } else {
      state_ = State::kEnd;
    }
  }

  const std::shared_ptr<const void> keep_alive_;
  memtable::Memtable::Iterator iterator_;
};

}  // namespace varve::compaction
