#include "engine/db.h"

#include "engine/db_impl.h"
#include "engine/iterator.h"

namespace varve::engine {

// ---- Snapshot

Snapshot::~Snapshot() { db_->RemoveSnapshot(sequence_); }

// ---- Iterator

Iterator::Iterator(std::unique_ptr<IteratorImpl> impl)
    : impl_(std::move(impl)), entries_(impl_.get()) {}
Iterator::~Iterator() = default;

void Iterator::Settle() {
  if (impl_->state() == sstable::EntryIterator::State::kWaiting) sstable::SettleNow(*impl_);
}

void Iterator::SeekToFirst() {
  impl_->SeekToFirst();
  Settle();
}
void Iterator::SeekToLast() {
  impl_->SeekToLast();
  Settle();
}
void Iterator::Seek(std::string_view key) {
  impl_->Seek(key, kSequenceMax);
  Settle();
}
void Iterator::SeekForPrev(std::string_view key) {
  impl_->SeekBefore(std::string(key) + '\0', kSequenceMax);
  Settle();
}

io::Task<void> Iterator::SeekToFirstAsync() {
  impl_->SeekToFirst();
  co_await sstable::Settle(*impl_);
}
io::Task<void> Iterator::SeekToLastAsync() {
  impl_->SeekToLast();
  co_await sstable::Settle(*impl_);
}
io::Task<void> Iterator::SeekAsync(std::string_view key) {
  impl_->Seek(key, kSequenceMax);
  co_await sstable::Settle(*impl_);
}
io::Task<void> Iterator::SeekForPrevAsync(std::string_view key) {
  impl_->SeekBefore(std::string(key) + '\0', kSequenceMax);
  co_await sstable::Settle(*impl_);
}
io::Task<void> Iterator::NextAsync() {
  impl_->Next();
  if (impl_->state() == sstable::EntryIterator::State::kWaiting) {
    co_await sstable::Settle(*impl_);
  }
}
io::Task<void> Iterator::PrevAsync() {
  impl_->Prev();
  if (impl_->state() == sstable::EntryIterator::State::kWaiting) {
    co_await sstable::Settle(*impl_);
  }
}
io::Task<void> Iterator::SettleAsync() { return sstable::Settle(*impl_); }

// ---- Db

Db::Db(std::unique_ptr<DbImpl> impl) : impl_(std::move(impl)) {}

Db::~Db() {
  const Status closed = Close();
  (void)closed;  // who wants to know calls Close
}

io::Task<StatusOr<std::unique_ptr<Db>>> Db::OpenAsync(io::Io& io, std::string directory,
                                                      Options options) {
  std::unique_ptr<Db> db(
      new Db(std::make_unique<DbImpl>(io, std::move(directory), std::move(options))));
  const Status opened = co_await db->impl_->Open();
  if (!opened.ok()) {
    const Status closed = co_await db->impl_->Close();
    (void)closed;
    co_return opened;
  }
  co_return db;
}

StatusOr<std::unique_ptr<Db>> Db::Open(io::Io& io, const std::string& directory,
                                       const Options& options) {
  return io::BlockOn(io, OpenAsync(io, directory, options));
}

io::Task<Status> Db::CloseAsync() { return impl_->Close(); }
Status Db::Close() {
  if (impl_->closed()) return absl::OkStatus();
  return io::BlockOn(impl_->io(), impl_->Close());
}

Status Db::Put(std::string_view key, std::string_view value, const WriteOptions& options) {
  WriteBatch batch;
  batch.Put(key, value);
  return Write(batch, options).status();
}

Status Db::Delete(std::string_view key, const WriteOptions& options) {
  WriteBatch batch;
  batch.Delete(key);
  return Write(batch, options).status();
}

StatusOr<SequenceNumber> Db::Write(const WriteBatch& batch, const WriteOptions& options) {
  return impl_->WriteNow(batch, options);
}
io::Task<StatusOr<SequenceNumber>> Db::WriteAsync(const WriteBatch& batch, WriteOptions options) {
  return impl_->Write(batch, options);
}

StatusOr<bool> Db::Get(std::string_view key, PinnedValue* value, const ReadOptions& options) {
  return impl_->GetNow(key, value, options);
}
io::Task<StatusOr<bool>> Db::GetAsync(std::string_view key, PinnedValue* value,
                                      ReadOptions options) {
  return impl_->Get(key, value, options);
}
std::optional<StatusOr<bool>> Db::TryGet(std::string_view key, PinnedValue* value,
                                         const ReadOptions& options) {
  return impl_->TryGet(key, value, options);
}
void Db::TryGet(std::span<Lookup> lookups) { impl_->TryGet(lookups); }
io::Task<Status> Db::MultiGetAsync(std::span<const std::string_view> keys,
                                   std::vector<std::optional<PinnedValue>>* values,
                                   ReadOptions options) {
  return impl_->MultiGet(keys, values, options);
}
Status Db::MultiGet(std::span<const std::string_view> keys,
                    std::vector<std::optional<PinnedValue>>* values, const ReadOptions& options) {
  return impl_->MultiGetNow(keys, values, options);
}

std::unique_ptr<Iterator> Db::NewIterator(const IteratorOptions& options) {
  return std::make_unique<Iterator>(std::make_unique<IteratorImpl>(*impl_, options));
}
std::unique_ptr<Snapshot> Db::GetSnapshot() { return impl_->NewSnapshot(); }
SequenceNumber Db::LastSequence() const { return impl_->visible(); }
Db::DrawnSequence Db::DrawSequence() { return impl_->DrawSequence(); }

io::Task<Status> Db::SplitAsync(std::vector<std::string> keys) {
  return impl_->Split(std::move(keys));
}
Status Db::Split(std::span<const std::string> keys) {
  return io::BlockOn(impl_->io(), impl_->Split({keys.begin(), keys.end()}));
}
io::Task<StatusOr<SequenceNumber>> Db::DropRangeAsync(std::string begin, std::string end) {
  return impl_->DropRange(std::move(begin), std::move(end));
}
StatusOr<SequenceNumber> Db::DropRange(std::string_view begin, std::string_view end) {
  return io::BlockOn(impl_->io(), impl_->DropRange(std::string(begin), std::string(end)));
}
std::vector<PartitionInfo> Db::Partitions() const { return impl_->Partitions(); }
uint64_t Db::ApproximateBytes(std::string_view begin, std::string_view end) const {
  return impl_->ApproximateBytes(begin, end);
}

io::Task<Status> Db::FlushAsync() { return impl_->Flush(); }
Status Db::Flush() { return io::BlockOn(impl_->io(), impl_->Flush()); }
io::Task<Status> Db::CompactAsync(std::string begin, std::string end) {
  return impl_->Compact(std::move(begin), std::move(end));
}
Status Db::Compact(std::string_view begin, std::string_view end) {
  return io::BlockOn(impl_->io(), impl_->Compact(std::string(begin), std::string(end)));
}
io::Task<Status> Db::SettleAsync() { return impl_->Settle(); }
Status Db::Settle() { return io::BlockOn(impl_->io(), impl_->Settle()); }
io::Task<Status> Db::CheckpointAsync(std::string directory) {
  return impl_->Checkpoint(std::move(directory));
}
Status Db::Checkpoint(const std::string& directory) {
  return io::BlockOn(impl_->io(), impl_->Checkpoint(directory));
}
DbStats Db::Stats() const { return impl_->Stats(); }

}  // namespace varve::engine
