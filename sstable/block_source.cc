#include "sstable/block_source.h"

#include <algorithm>

#include "io/executor.h"

namespace varve::sstable {

namespace {

constexpr size_t kWindowBytesFirst = 16 << 10;
constexpr size_t kWindowBytesMax = 256 << 10;
// After so many steps from block to block, a miss reads more than its block.
constexpr uint32_t kStepsBeforeWindow = 2;
// How much of a block that will be needed soon is brought near: the keys of an ordinary one. What
// lies behind is left to the processor, which notices that it is read in order.
constexpr size_t kPreloadBytes = 1024;
// How far ahead of the current block cached blocks are skipped in search of one to read.
constexpr uint32_t kCachedBlocksSkippedMax = 1024;

}  // namespace

BlockSource::Outcome BlockSource::Load() {
  if (loaded_ != nullptr) return Outcome::kReady;
  if (!status_.ok()) return Outcome::kFailed;
  loaded_ = table_.Hold();
  if (loaded_ != nullptr) {
    table_.used_.store(true, std::memory_order_relaxed);
    return Outcome::kReady;
  }
  want_ = Want::kIndex;
  return Outcome::kWaiting;
}

void BlockSource::Reset() {
  status_ = absl::OkStatus();
  ahead_ = kNone;
  ahead_pin_.Release();
  if (window_ != nullptr && !window_->status.ok()) window_ = nullptr;
  chunks_.erase(std::remove_if(chunks_.begin(), chunks_.end(),
                               [](const std::shared_ptr<Chunk>& chunk) {
                                 return chunk->done.IsSet() && !chunk->status.ok();
                               }),
                chunks_.end());
}

BlockSource::Outcome BlockSource::Enter(uint32_t block) {
  if (!status_.ok()) return Outcome::kFailed;
  if (current_ && block == block_) return Outcome::kReady;
  current_ = false;
  const Outcome outcome =
      options_.reading == IteratorOptions::Reading::kScan ? EnterScan(block) : EnterCached(block);
  if (outcome == Outcome::kReady) {
    const int step = StepTo(block);
    steps_ = step == 0 ? 0 : step == step_ ? steps_ + 1 : 1;
    step_ = step;
    block_ = block;
    current_ = true;
  }
  return outcome;
}

void BlockSource::Announce(uint32_t block) const {
  if (options_.reading != IteratorOptions::Reading::kCached) return;
  table_.cache_.Prefetch(loaded_->file_number, loaded_->index.place(block).offset);
}

void BlockSource::Preload(uint32_t block) {
  if (options_.reading != IteratorOptions::Reading::kCached || ahead_ == block) return;
  if (current_ && block_ == block) return;
  ahead_ = block;
  ahead_pin_ = table_.cache_.Lookup(loaded_->file_number, loaded_->index.place(block).offset);
  const std::string_view bytes = ahead_pin_.bytes();
  for (size_t at = 0; at < std::min(bytes.size(), kPreloadBytes); at += 64) {
    __builtin_prefetch(bytes.data() + at);
  }
}

BlockSource::Outcome BlockSource::Fail(Status status) {
  status_ = std::move(status);
  return Outcome::kFailed;
}

int BlockSource::StepTo(uint32_t block) const {
  if (block_ == kNone) return 0;
  return block == block_ + 1 ? 1 : block + 1 == block_ ? -1 : 0;
}

BlockSource::Outcome BlockSource::UsePin(uint32_t block, BlockPin pin, bool from_cache) {
  pin_ = std::move(pin);
  bytes_ = pin_.bytes();
  from_cache_ = from_cache;
  return Outcome::kReady;
}

BlockSource::Outcome BlockSource::EnterCached(uint32_t block) {
  if (ahead_ == block) {
    ahead_ = kNone;
    if (ahead_pin_) return UsePin(block, std::move(ahead_pin_), /*from_cache=*/true);
  }
  const BlockPlace place = loaded_->index.place(block);
  BlockPin pin = table_.cache_.Lookup(loaded_->file_number, place.offset);
  if (pin) return UsePin(block, std::move(pin), /*from_cache=*/true);

  if (window_ != nullptr && window_->first <= block && block < window_->past) {
    if (!window_->status.ok()) return Fail(window_->status);
    StatusOr<BlockBuffer> buffer =
        DecodeBlock(*loaded_, place, {window_->pages.data(), window_->bytes}, window_->offset);
    if (!buffer.ok()) return Fail(buffer.status());
    const auto priority = window_->past - window_->first > 1 ? BlockCache::Priority::kScan
                                                             : BlockCache::Priority::kPoint;
    return UsePin(
        block,
        table_.cache_.Insert(loaded_->file_number, place.offset, std::move(*buffer), priority),
        /*from_cache=*/false);
  }

  window_ = PlanWindow(block);
  want_ = Want::kWindow;
  return Outcome::kWaiting;
}

std::shared_ptr<BlockSource::Chunk> BlockSource::PlanWindow(uint32_t block) {
  const int step = StepTo(block);
  if (step != 0 && step == step_ && steps_ >= kStepsBeforeWindow) {
    window_bytes_ = std::clamp(2 * window_bytes_, kWindowBytesFirst,
                               std::min(kWindowBytesMax, options_.read_bytes_max));
  } else {
    window_bytes_ = 0;
  }
  return step < 0 ? PlanBefore(block, window_bytes_) : Plan(block, window_bytes_);
}

BlockSource::Outcome BlockSource::EnterScan(uint32_t block) {
  DropChunksBefore(block);
  for (const std::shared_ptr<Chunk>* chunk :
       {chunks_.empty() ? nullptr : &chunks_.front(), window_ == nullptr ? nullptr : &window_}) {
    if (chunk == nullptr || block < (*chunk)->first || block >= (*chunk)->past) continue;
    if (!(*chunk)->done.IsSet()) {
      want_ = Want::kChunk;
      return Outcome::kWaiting;
    }
    if (!(*chunk)->status.ok()) return Fail((*chunk)->status);
    const Outcome outcome = UsePages(block, **chunk);
    StartReads(block);
    return outcome;
  }

  const uint64_t offset = loaded_->index.place(block).offset;
  BlockPin pin = table_.cache_.Peek(loaded_->file_number, offset);
  if (pin) {
    StartReads(block);
    return UsePin(block, std::move(pin), /*from_cache=*/true);
  }

  const bool backward = block_ != kNone && block < block_;
  if (io::Executor::Current() == nullptr || backward) {
    // Nobody would run reads in the background, or they would be the wrong ones.
    window_ = backward ? PlanWindow(block) : Plan(block, options_.read_bytes_max);
    want_ = Want::kWindow;
    return Outcome::kWaiting;
  }
  chunks_.clear();
  StartRead(block);
  StartReads(block);
  want_ = Want::kChunk;
  return Outcome::kWaiting;
}

BlockSource::Outcome BlockSource::UsePages(uint32_t block, const Chunk& chunk) {
  const BlockPlace place = loaded_->index.place(block);
  const std::string_view stored(chunk.pages.data() + (place.offset - chunk.offset),
                                place.stored_bytes);
  const StatusOr<StoredBlock> opened =
      OpenStoredBlock(stored, loaded_->file_number, place.offset, loaded_->path());
  if (!opened.ok()) return Fail(opened.status());
  pin_.Release();
  // A large read takes cached blocks along; for who asks they are cached all the same.
  from_cache_ = table_.cache_.Contains(loaded_->file_number, place.offset);
  if (opened->type == BlockType::kRaw) {
    bytes_ = opened->payload;
    return Outcome::kReady;
  }
  if (scratch_.size() < opened->raw_bytes) scratch_.resize(opened->raw_bytes);
  Status status = UnpackBlock(*opened, scratch_.data(), place.offset, loaded_->path());
  if (!status.ok()) return Fail(std::move(status));
  bytes_ = {scratch_.data(), opened->raw_bytes};
  return Outcome::kReady;
}

uint32_t BlockSource::ReadLimit() const {
  const TableIndex& index = loaded_->index;
  return read_until_.empty() ? index.blocks() : index.Find(read_until_, kSequenceMax) + 1;
}

uint32_t BlockSource::ReadFloor() const {
  return read_from_.empty() ? 0 : loaded_->index.Find(read_from_, kSequenceMax);
}

std::shared_ptr<BlockSource::Chunk> BlockSource::PlanBefore(uint32_t last, size_t bytes) {
  const TableIndex& index = loaded_->index;
  const BlockPlace place = index.place(last);
  const uint64_t end = io::PageCeiling(place.offset + place.stored_bytes);
  uint64_t begin = io::PageFloor(place.offset);
  uint32_t first = last;
  const uint32_t floor = std::min(ReadFloor(), last);
  for (; first > floor; --first) {
    const uint64_t before = io::PageFloor(index.place(first - 1).offset);
    // Blocks that begin on the first page come for free.
    if (before < begin && end - before > bytes) break;
    begin = before;
  }
  return NewChunk(begin, end, first, last + 1, bytes);
}

std::shared_ptr<BlockSource::Chunk> BlockSource::Plan(uint32_t first, size_t bytes) {
  const TableIndex& index = loaded_->index;
  const BlockPlace place = index.place(first);
  const uint64_t begin = io::PageFloor(place.offset);
  uint64_t end = io::PageCeiling(place.offset + place.stored_bytes);
  uint32_t past = first + 1;
  const uint32_t limit = std::max(ReadLimit(), past);
  for (; past < limit; ++past) {
    const BlockPlace next = index.place(past);
    const uint64_t next_end = io::PageCeiling(next.offset + next.stored_bytes);
    // Blocks that share the last page come for free.
    if (next_end > end && next_end - begin > bytes) break;
    end = next_end;
  }
  return NewChunk(begin, end, first, past, bytes);
}

std::shared_ptr<BlockSource::Chunk> BlockSource::NewChunk(uint64_t begin, uint64_t end,
                                                          uint32_t first, uint32_t past,
                                                          size_t bytes) {
  auto chunk = std::make_shared<Chunk>();
  chunk->offset = begin;
  chunk->bytes = end - begin;
  chunk->first = first;
  chunk->past = past;
  if (!spare_.empty() && spare_.back().size() >= chunk->bytes) {
    chunk->pages = std::move(spare_.back());
    spare_.pop_back();
  } else {
    // A whole step's worth, so that the buffer serves again; a lone block gets what it needs.
    chunk->pages = PageBuffer(std::max<size_t>(chunk->bytes, io::PageCeiling(bytes)));
  }
  return chunk;
}

void BlockSource::DropChunksBefore(uint32_t block) {
  while (!chunks_.empty() && chunks_.front()->past <= block) {
    std::shared_ptr<Chunk> chunk = std::move(chunks_.front());
    chunks_.erase(chunks_.begin());
    // Whose read is done has no other owner.
    if (chunk->done.IsSet() && spare_.size() < options_.reads_in_flight_max) {
      spare_.push_back(std::move(chunk->pages));
    }
  }
}

void BlockSource::StartReads(uint32_t block) {
  if (io::Executor::Current() == nullptr) return;
  next_read_ = std::max(next_read_, block);
  const uint32_t limit = std::max(ReadLimit(), block + 1);
  while (chunks_.size() < options_.reads_in_flight_max) {
    while (next_read_ < limit && next_read_ - block < kCachedBlocksSkippedMax &&
           table_.cache_.Contains(loaded_->file_number, loaded_->index.place(next_read_).offset)) {
      ++next_read_;
    }
    if (next_read_ >= limit || next_read_ - block >= kCachedBlocksSkippedMax) return;
    StartRead(next_read_);
  }
}

void BlockSource::StartRead(uint32_t first) {
  std::shared_ptr<Chunk> chunk = Plan(first, options_.read_bytes_max);
  next_read_ = chunk->past;
  chunks_.push_back(chunk);
  io::Executor::Current()->Spawn(Read(loaded_, std::move(chunk)));
}

io::Task<void> BlockSource::Read(std::shared_ptr<const LoadedTable> loaded,
                                 std::shared_ptr<Chunk> chunk) {
  const std::span<char> pages = chunk->pages.span().first(chunk->bytes);
  chunk->status = co_await ReadFully(*loaded->file, chunk->offset, pages);
  chunk->done.Set();
}

io::Task<void> BlockSource::Run() {
  switch (want_) {
    case Want::kIndex:
      status_ = co_await table_.Load();
      break;
    case Want::kWindow:
      co_await Read(loaded_, window_);
      break;
    case Want::kChunk: {
      const std::shared_ptr<Chunk> chunk = chunks_.front();
      co_await chunk->done.Wait();
      break;
    }
  }
}

void BlockSource::RunNow() {
  if (want_ == Want::kIndex) {
    status_ = table_.LoadNow();
    return;
  }
  if (want_ == Want::kChunk) {
    // Nobody waits for the reads that were started on an executor: read anew.
    window_ = Plan(chunks_.front()->first, 0);
    next_read_ = chunks_.front()->past;
    chunks_.clear();
  }
  const std::span<char> pages = window_->pages.span().first(window_->bytes);
  window_->status = ReadFullyNow(*loaded_->file, window_->offset, pages);
  window_->done.Set();
}

}  // namespace varve::sstable
