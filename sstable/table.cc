#include "sstable/table.h"

#include <algorithm>

#include "sstable/block.h"
#include "sstable/loaded_table.h"
#include "sstable/table_iterator.h"

namespace varve::sstable {

Table::Table(io::Io& io, std::string path, TableInfo info, BlockCache& cache)
    : io_(io), path_(std::move(path)), info_(std::move(info)), cache_(cache) {}

Table::~Table() = default;

std::shared_ptr<const LoadedTable> Table::Hold() const {
  absl::MutexLock lock(&mutex_);
  return owner_;
}

void Table::Install(std::shared_ptr<const LoadedTable> loaded) const {
  absl::MutexLock lock(&mutex_);
  if (owner_ != nullptr) return;  // somebody was faster
  owner_ = std::move(loaded);
  // Release: readers that see the pointer see what it points to.
  loaded_.store(owner_.get(), std::memory_order_release);
}

io::Task<Status> Table::Load() const {
  for (;;) {
    std::shared_ptr<io::Event> event;
    bool leader = false;
    {
      absl::MutexLock lock(&mutex_);
      if (owner_ != nullptr) co_return absl::OkStatus();
      if (loading_ == nullptr) {
        leader = true;
        loading_ = std::make_shared<io::Event>();
      }
      event = loading_;
    }
    if (!leader) {
      co_await event->Wait();
      continue;  // if that one failed, see for yourself
    }
    StatusOr<std::shared_ptr<const LoadedTable>> table =
        co_await LoadTable(io_, path_, info_, cache_);
    if (table.ok()) Install(std::move(*table));
    {
      absl::MutexLock lock(&mutex_);
      loading_ = nullptr;
    }
    event->Set();
    co_return table.status();
  }
}

Status Table::LoadNow() const {
  if (loaded()) return absl::OkStatus();
  StatusOr<std::shared_ptr<const LoadedTable>> table = LoadTableNow(io_, path_, info_, cache_);
  if (!table.ok()) return table.status();
  Install(std::move(*table));
  return absl::OkStatus();
}

std::shared_ptr<const LoadedTable> Table::Unload() const {
  absl::MutexLock lock(&mutex_);
  loaded_.store(nullptr, std::memory_order_release);
  return std::move(owner_);
}

size_t Table::LoadedBytes() const {
  const std::shared_ptr<const LoadedTable> loaded = Hold();
  return loaded == nullptr ? 0 : static_cast<size_t>(loaded->charged_bytes);
}

std::unique_ptr<EntryIterator> Table::NewIterator(const IteratorOptions& options) const {
  return std::make_unique<TableIterator>(*this, options);
}

uint64_t Table::ApproximateBytes(std::string_view begin, std::string_view end) const {
  const std::shared_ptr<const LoadedTable> loaded = Hold();
  if (loaded == nullptr) return info_.EstimateBytes(begin, end);
  if (begin > info_.largest_key || (!end.empty() && (end <= begin || end <= info_.smallest_key))) {
    return 0;
  }
  const TableIndex& index = loaded->index;
  const uint64_t from =
      begin <= info_.smallest_key ? 0 : index.place(index.Find(begin, kSequenceMax)).offset;
  uint64_t to = info_.data_bytes;
  if (!end.empty() && end <= info_.largest_key) {
    // The block that `end` lies in counts, if anything before `end` can lie in it.
    const uint32_t block = index.Find(end, kSequenceMax);
    const bool at_bound = block > 0 && index.bound_key(block) == end;
    if (!at_bound && block + 1 < index.blocks()) to = index.place(block + 1).offset;
    if (at_bound) to = index.place(block).offset;
  }
  if (to <= from) return 0;
  return static_cast<uint64_t>(static_cast<double>(to - from) /
                               static_cast<double>(info_.data_bytes) *
                               static_cast<double>(info_.file_bytes));
}

void Table::EvictBlocks() const {
  const std::shared_ptr<const LoadedTable> loaded = Hold();
  if (loaded == nullptr) return;
  for (uint32_t i = 0; i < loaded->index.blocks(); ++i) {
    cache_.Erase(info_.file_number, loaded->index.place(i).offset);
  }
}

io::Task<StatusOr<TableInfo>> Table::ReadInfo(io::Io& io, std::string path) {
  io::OpenOptions options;
  options.direct = true;
  StatusOr<std::unique_ptr<io::File>> opened = io.Open(path, options);
  if (!opened.ok()) co_return opened.status();
  io::File& file = **opened;
  StatusOr<uint64_t> size = file.Size();
  if (!size.ok()) co_return size.status();
  if (*size < io::kPageBytes || *size % io::kPageBytes != 0) {
    co_return Corruption("{}:0: {} bytes are no table file", path, *size);
  }
  uint64_t offset = *size - io::kPageBytes;
  for (;;) {
    PageBuffer tail(*size - offset);
    VARVE_CO_RETURN_IF_ERROR(co_await ReadFully(file, offset, tail.span()));
    uint64_t wanted;
    StatusOr<TableTail> parsed = ParseTail({tail.data(), tail.size()}, offset, path, &wanted);
    if (!parsed.ok()) co_return parsed.status();
    if (wanted >= offset) co_return std::move(parsed->info);
    offset = wanted;
  }
}

// ---- TableGet

TableGet::State TableGet::Fail(Status status) {
  status_ = std::move(status);
  return Finish(State::kFailed);
}

namespace {

// Asks for the front of a block: where its header and the keys of its entries lie, if values are of
// about a hundred bytes.
inline void PrefetchFront(const char* block) {
  constexpr size_t kFrontBytes = 768;
  if (block == nullptr) return;
  for (size_t i = 0; i < kFrontBytes; i += 64) __builtin_prefetch(block + i);
  asm volatile("");  // GCC drops calls of functions that only prefetch
}

inline void PrefetchValue(std::string_view value) {
  constexpr size_t kPrefetchedMax = 512;
  for (size_t i = 0; i < value.size() && i < kPrefetchedMax; i += 64) {
    __builtin_prefetch(value.data() + i);
  }
  asm volatile("");
}

}  // namespace

TableGet::State TableGet::Advance() {
  switch (stage_) {
    case Stage::kFilter: {
      if (state_ == State::kFailed) return state_;
      if (fetched_) return Search(pin_.bytes());
      loaded_ = table_->TryLoaded();
      if (loaded_ == nullptr) {
        wants_block_ = false;
        return Finish(State::kWaiting);
      }
      if (!table_->used_.load(std::memory_order_relaxed)) {
        table_->used_.store(true, std::memory_order_relaxed);
      }
      if (!loaded_->filter.MayContain(hash_)) return Finish(State::kAbsent);
      search_ = loaded_->index.Begin(key_);
      stage_ = Stage::kIndex;
      return state_ = State::kMore;
    }
    case Stage::kIndex:
      block_ = loaded_->index.Finish(search_, key_, sequence_);
      block_offset_ = loaded_->index.place(block_).offset;
      table_->cache_.Prefetch(loaded_->file_number, block_offset_);
      PrefetchFront(loaded_->index.hint(block_));
      stage_ = Stage::kBlock;
      return state_ = State::kMore;
    default:
      pin_ = table_->cache_.Lookup(loaded_->file_number, block_offset_);
      if (!pin_) {
        wants_block_ = true;
        return Finish(State::kWaiting);
      }
      loaded_->index.SetHint(block_, pin_.bytes().data());
      return Search(pin_.bytes());
  }
}

TableGet::State TableGet::Search(std::string_view block) {
  switch (FindInBlock(block, key_, sequence_, &entry_)) {
    case BlockSearch::kFound:
      PrefetchValue(entry_.value);
      return Finish(State::kFound);
    case BlockSearch::kAbsent:
      pin_.Release();
      return Finish(State::kAbsent);
    case BlockSearch::kMalformed:
      break;
  }
  return Fail(Corruption("{}:{}: malformed block", table_->path(), block_offset_));
}

io::Task<void> TableGet::Run() {
  const std::shared_ptr<const LoadedTable> loaded = table_->Hold();
  if (loaded == nullptr || !wants_block_) {
    Status status = co_await table_->Load();
    if (!status.ok()) Fail(std::move(status));
    co_return;
  }
  const BlockPlace place = loaded->index.place(loaded->index.Find(key_, sequence_));
  const PageSpan span = PagesOf(place.offset, place.stored_bytes);
  PageBuffer pages(span.bytes);
  Status status = co_await ReadFully(*loaded->file, span.offset, pages.span());
  if (!status.ok()) {
    Fail(std::move(status));
    co_return;
  }
  Keep(*loaded, place, {pages.data(), pages.size()}, span.offset);
}

void TableGet::RunNow() {
  const std::shared_ptr<const LoadedTable> loaded = table_->Hold();
  if (loaded == nullptr || !wants_block_) {
    if (Status status = table_->LoadNow(); !status.ok()) Fail(std::move(status));
    return;
  }
  const BlockPlace place = loaded->index.place(loaded->index.Find(key_, sequence_));
  const PageSpan span = PagesOf(place.offset, place.stored_bytes);
  PageBuffer pages(span.bytes);
  if (Status status = ReadFullyNow(*loaded->file, span.offset, pages.span()); !status.ok()) {
    Fail(std::move(status));
    return;
  }
  Keep(*loaded, place, {pages.data(), pages.size()}, span.offset);
}

void TableGet::Keep(const LoadedTable& loaded, BlockPlace place, std::string_view pages,
                    uint64_t pages_offset) {
  StatusOr<BlockBuffer> block = DecodeBlock(loaded, place, pages, pages_offset);
  if (!block.ok()) {
    Fail(block.status());
    return;
  }
  pin_ = table_->cache_.Insert(loaded.file_number, place.offset, std::move(*block));
  fetched_ = true;
}

}  // namespace varve::sstable
