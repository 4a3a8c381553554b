// MemtableIterator, FrozenIterator: a memtable as an EntryIterator. They never wait and never fail.
#pragma once

#include <memory>
#include <optional>
#include <span>
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

// A memtable that nobody adds to any more, for who reads it from beginning to end, as a flush does:
// it shows windows of many entries. Any other movement is possible, one entry at a time.
class FrozenIterator final : public sstable::EntryIterator {
 public:
  explicit FrozenIterator(const memtable::Memtable& memtable,
                          std::shared_ptr<const void> keep_alive = nullptr)
      : keep_alive_(std::move(keep_alive)), memtable_(memtable), iterator_(memtable) {}

  void SeekToFirst() override {
    scan_.emplace(memtable_);
    FollowScan();
  }
  void SeekToLast() override {
    iterator_.SeekToLast();
    FollowIterator();
  }
  void Seek(std::string_view key, SequenceNumber sequence) override {
    iterator_.Seek(key, sequence);
    FollowIterator();
  }
  void SeekBefore(std::string_view key, SequenceNumber sequence) override {
    iterator_.SeekBefore(key, sequence);
    FollowIterator();
  }

 protected:
  void NextWindow() override {
    if (scan_) return FollowScan();
    iterator_.Next();
    FollowIterator();
  }
  void PrevWindow() override {
    if (scan_) {
      iterator_.SeekBefore(at_->key, at_->sequence);
    } else {
      iterator_.Prev();
    }
    FollowIterator();
  }

 private:
  void FollowScan() {
    const std::span<const Entry> entries = scan_->Next();
    if (entries.empty()) {
      state_ = State::kEnd;
    } else {
      ShowWindow(entries.data(), entries.data(), entries.data() + entries.size());
    }
  }
  void FollowIterator() {
    scan_.reset();
    if (iterator_.Valid()) {
      ShowEntry(iterator_.entry());
    } else {
      state_ = State::kEnd;
    }
  }

  const std::shared_ptr<const void> keep_alive_;
  const memtable::Memtable& memtable_;
  std::optional<memtable::Memtable::Scan> scan_;  // while it goes through all from the first on
  memtable::Memtable::Iterator iterator_;
};

}  // namespace varve::compaction
