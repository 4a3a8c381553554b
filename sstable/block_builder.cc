#include "sstable/block_builder.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "base/coding.h"

namespace varve::sstable {

void BlockBuilder::Encode(size_t count, std::string& to) const {
  size_t bytes = kBlockHeaderBytes + kEncodeSlackBytes +
                 (count + restart_interval_ - 1) / restart_interval_ * kRestartBytes;
  for (size_t i = 0; i < count; ++i) {
    bytes += 4 * kVarint64BytesMax + entries_[i].key_bytes + entries_[i].value_bytes;
  }
  if (to.size() < bytes) to.resize(bytes);
  to.resize(static_cast<size_t>(EncodeAt(count, to.data()) - to.data()));
}

char* BlockBuilder::EncodeAt(size_t count, char* to) const {
  const size_t restarts = (count + restart_interval_ - 1) / restart_interval_;
  SequenceNumber base = kSequenceMax;
  SequenceNumber high = 0;
  for (size_t i = 0; i < count; ++i) {
    base = std::min(base, entries_[i].sequence);
    high = std::max(high, entries_[i].sequence);
  }
  const size_t common = count == 1 ? 0 : SharedBytes(entry(0).key, entry(count - 1).key);
  const uint32_t sequence_bytes = BytesFor(high - base);

  char* restart = to + kBlockHeaderBytes;
  char* const first = restart + restarts * kRestartBytes;
  char* p = first;
  uint64_t value_offset = 0;
  for (size_t i = 0; i < count; ++i) {
    const Pending& pending = entries_[i];
    const char* key = bytes_.data() + pending.offset;
    uint32_t shared = pending.shared;
    if (i % restart_interval_ == 0) {
      shared = 0;
      StoreFixed<uint16_t>(restart, static_cast<uint16_t>(p - first));
      StoreFixed<uint16_t>(restart + 2, static_cast<uint16_t>(value_offset));
      StoreFixed<uint32_t>(restart + 4, HeadAfter({key, pending.key_bytes}, common));
      restart += kRestartBytes;
    }
    const uint32_t unshared = pending.key_bytes - shared;
    p = StoreVarint(p, shared);
    p = StoreVarint(p, unshared);
    p = StoreVarint(p, uint64_t{pending.value_bytes} * 4 + static_cast<uint64_t>(pending.kind));
    StoreFixed<uint64_t>(p, pending.sequence - base);  // what is too much is overwritten, or slack
    p += sequence_bytes;
    std::memcpy(p, key + shared, unshared);
    p += unshared;
    value_offset += pending.value_bytes;
  }
  StoreFixed<uint16_t>(to, static_cast<uint16_t>(restarts));
  StoreFixed<uint16_t>(to + 2, static_cast<uint16_t>(common));
  StoreFixed<uint32_t>(to + 4, static_cast<uint32_t>(p - to) | sequence_bytes << 24);
  StoreFixed<uint64_t>(to + 8, base);
  for (size_t i = 0; i < count; ++i) {
    const Pending& pending = entries_[i];
    std::memcpy(p, bytes_.data() + pending.offset + pending.key_bytes, pending.value_bytes);
    p += pending.value_bytes;
  }
  return p;
}

void BlockBuilder::Drop(size_t count) {
  const size_t cut = count == entries_.size() ? used_ : entries_[count].offset;
  std::memmove(bytes_.data(), bytes_.data() + cut, used_ - cut);
  used_ -= cut;
  entries_.erase(entries_.begin(), entries_.begin() + static_cast<ptrdiff_t>(count));
  entry_bytes_ = 0;
  sequence_min_ = kSequenceMax;
  sequence_max_ = 0;
  next_restart_ = (entries_.size() + restart_interval_ - 1) / restart_interval_ * restart_interval_;
  for (size_t i = 0; i < entries_.size(); ++i) {
    Pending& pending = entries_[i];
    pending.offset -= cut;
    entry_bytes_ +=
        BytesOf(i % restart_interval_ == 0, pending.shared, pending.key_bytes, pending.value_bytes);
    sequence_min_ = std::min(sequence_min_, pending.sequence);
    sequence_max_ = std::max(sequence_max_, pending.sequence);
  }
}

}  // namespace varve::sstable
