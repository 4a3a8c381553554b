#include "compaction/job.h"

#include <algorithm>
#include <cassert>
#include <deque>
#include <utility>

#include "compaction/clip_iterator.h"
#include "compaction/level_iterator.h"
#include "compaction/merging_iterator.h"
#include "io/sync.h"
#include "sstable/table_builder.h"

namespace varve::compaction {
namespace {

using State = sstable::EntryIterator::State;

// How many values are read side by side, and how many entries wait for them, at most.
constexpr size_t kRewriteReadsMax = 32;
constexpr size_t kRewriteEntriesMax = 1024;
// Every so many entries the job looks whether their block is cached.
constexpr uint64_t kCacheSample = 4;

class Job {
 public:
  Job(JobHost& host, JobRequest request)
      : host_(host),
        request_(std::move(request)),
        rules_(std::move(request_.boundaries), std::move(request_.deeper)) {}

  io::Task<StatusOr<JobResult>> Run() {
    Status status = co_await Merge();
    // Whatever came of it, nothing of the job may be under way when it is destroyed.
    co_await reads_.Wait();
    co_await finishing_.Wait();
    if (status.ok()) status = finish_status_;
    if (!status.ok()) co_return status;
    UpdateBytesWritten();
    result_.stats.dropped_versions = rules_.dropped_versions();
    result_.stats.dropped_tombstones = rules_.dropped_tombstones();
    co_return std::move(result_);
  }

 private:
  // An entry that waits for its value, or behind one that does.
  struct Waiting {
    std::string key;
    SequenceNumber sequence = 0;
    EntryKind kind = EntryKind::kPut;
    std::string value;
    Status status;
  };

  io::Task<Status> Merge() {
    sstable::EntryIterator& input = *request_.input;
    JobProgress& progress = result_.stats.progress;
    input.SeekToFirst();
    uint64_t entries_since_pace = 0;
    uint64_t bytes_since_pace = 0;
    while (true) {
      if (input.state() == State::kWaiting) co_await sstable::Settle(input);
      if (input.state() != State::kEntry) break;
      // A window at a time: nothing moves the input meanwhile.
      const Entry* const end = input.window_end();
      for (const Entry* at = input.at(); at != end; ++at) {
        const Entry& entry = *at;
        const uint64_t bytes = entry.key.size() + entry.value.size();
        ++progress.entries_read;
        progress.bytes_read += bytes;
        const std::span<const Entry> kept = rules_.Add(entry);
        for (const Entry& survivor : kept) {
          if (!TryAdd(survivor)) VARVE_CO_RETURN_IF_ERROR(co_await Add(survivor));
        }
        // A sample of the entries says well enough which blocks are in use.
        const bool sampled = progress.entries_read % kCacheSample == 0;
        if (sampled && request_.cache != nullptr && !kept.empty() && table_ != nullptr &&
            input.from_cache()) {
          table_->KeepCached();
        }
        bytes_since_pace += bytes;
        if (++entries_since_pace >= kPaceEntries || bytes_since_pace >= kPaceBytes) {
          entries_since_pace = bytes_since_pace = 0;
          UpdateBytesWritten();
          VARVE_CO_RETURN_IF_ERROR(co_await host_.Pace(progress));
        }
      }
      input.MoveTo(end - 1);
      input.Next();
    }
    if (input.state() == State::kFailed) co_return input.status();
    const std::span<const Entry> rest = rules_.Finish();
    for (const Entry& survivor : rest) VARVE_CO_RETURN_IF_ERROR(co_await Add(survivor));
    VARVE_CO_RETURN_IF_ERROR(co_await DrainWindow());
    if (table_ != nullptr) VARVE_CO_RETURN_IF_ERROR(co_await FinishTable());
    if (values_ != nullptr) VARVE_CO_RETURN_IF_ERROR(co_await FinishValueFile());
    co_return absl::OkStatus();
  }

  // ---- What happens to an entry that is kept

  bool Separates(const Entry& entry) const {
    return entry.kind == EntryKind::kPut && request_.value_separation_bytes > 0 &&
           entry.value.size() >= request_.value_separation_bytes;
  }

  // Adds an entry that needs nothing but its place in the current table: no coroutine is made for
  // it.
  bool TryAdd(const Entry& entry) {
    return table_ != nullptr && request_.rewrite_value_files.empty() && !Separates(entry) &&
           !Cuts(entry.key) && table_->TryAdd(entry, request_.table_bytes_target);
  }

  void AddNow(const Entry& entry) { table_->Add(entry); }

  io::Task<Status> Add(const Entry& entry) {
    if (request_.rewrite_value_files.empty()) return Emit(entry);
    return AddToWindow(entry);
  }

  bool Cuts(std::string_view key) const {
    return next_cut_ < request_.cuts.size() && key >= request_.cuts[next_cut_];
  }

  // Whether `key` begins a new table.
  bool EndsTable(std::string_view key) const {
    const bool reached = table_->EstimatedBytes() >= request_.table_bytes_target;
    return (reached || Cuts(key)) && key != table_->last_key();
  }

  io::Task<Status> Emit(const Entry& entry) {
    if (table_ != nullptr && EndsTable(entry.key)) {
      VARVE_CO_RETURN_IF_ERROR(co_await FinishTable());
    }
    if (table_ == nullptr) VARVE_CO_RETURN_IF_ERROR(StartTable(entry.key));
    if (Separates(entry)) {
      VARVE_CO_RETURN_IF_ERROR(co_await Separate(entry));
      ++result_.stats.separated_values;
    } else {
      AddNow(entry);
    }
    if (table_->wants_flush()) VARVE_CO_RETURN_IF_ERROR(co_await table_->Flush());
    co_return absl::OkStatus();
  }

  // ---- Tables

  Status StartTable(std::string_view first_key) {
    while (next_cut_ < request_.cuts.size() && first_key >= request_.cuts[next_cut_]) ++next_cut_;
    VARVE_ASSIGN_OR_RETURN(JobFile made, host_.NewTableFile());
    table_ = std::make_unique<sstable::TableBuilder>(std::move(made.file), made.number,
                                                     request_.table_options, request_.cache);
    return absl::OkStatus();
  }

  // Writes the rest of the current table while the merge goes on; one at a time.
  io::Task<Status> FinishTable() {
    co_await finishing_.Wait();
    if (!finish_status_.ok()) co_return finish_status_;
    finishing_.Add(FinishInBackground(std::move(table_)));
    co_return absl::OkStatus();
  }

  io::Task<void> FinishInBackground(std::unique_ptr<sstable::TableBuilder> table) {
    finishing_bytes_ = table->EstimatedBytes();
    StatusOr<sstable::TableInfo> info = co_await table->Finish();
    finishing_bytes_ = 0;
    if (info.ok()) {
      finished_bytes_ += info->file_bytes;
      result_.tables.push_back(*std::move(info));
    } else {
      finish_status_ = info.status();
    }
  }

  // ---- Values

  io::Task<Status> Separate(const Entry& entry) {
    if (values_ != nullptr && values_->EstimatedBytes() >= request_.value_file_bytes_target) {
      VARVE_CO_RETURN_IF_ERROR(co_await FinishValueFile());
    }
    if (values_ == nullptr) {
      VARVE_ASSIGN_OR_CO_RETURN(JobFile made, host_.NewValueFile());
      values_ = std::make_unique<sstable::ValueFileWriter>(std::move(made.file), made.number,
                                                           request_.table_options);
    }
    reference_.clear();
    values_->Add(entry.value).AppendTo(reference_);
    AddNow({entry.key, entry.sequence, EntryKind::kPutReference, reference_});
    if (values_->wants_flush()) VARVE_CO_RETURN_IF_ERROR(co_await values_->Flush());
    co_return absl::OkStatus();
  }

  io::Task<Status> FinishValueFile() {
    VARVE_ASSIGN_OR_CO_RETURN(const sstable::ValueFileInfo info, co_await values_->Finish());
    values_.reset();
    finished_bytes_ += info.file_bytes;
    result_.value_files.push_back(info);
    co_return absl::OkStatus();
  }

  // ---- Values that are copied out of other value files. Entries pass through a window, so that
  // many values are read side by side.

  io::Task<Status> AddToWindow(const Entry& entry) {
    Waiting& waiting = window_.emplace_back();
    waiting.key.assign(entry.key);
    waiting.sequence = entry.sequence;
    waiting.kind = entry.kind;
    waiting.value.assign(entry.value);
    window_bytes_ += entry.key.size() + entry.value.size();
    if (entry.kind == EntryKind::kPutReference) {
      sstable::ValueReference reference;
      if (!sstable::ValueReference::Parse(entry.value, &reference)) {
        co_return Corruption("the value reference of sequence number {} is malformed",
                             entry.sequence);
      }
      if (std::binary_search(request_.rewrite_value_files.begin(),
                             request_.rewrite_value_files.end(), reference.file_number)) {
        window_bytes_ += reference.raw_bytes;
        ++result_.stats.rewritten_values;
        reads_.Add(ReadInto(waiting, reference));
      }
    }
    if (window_.size() < kRewriteEntriesMax && window_bytes_ < kRewriteBytesMax &&
        reads_.running() < kRewriteReadsMax) {
      co_return absl::OkStatus();
    }
    co_return co_await DrainWindow();
  }

  io::Task<void> ReadInto(Waiting& waiting, sstable::ValueReference reference) {
    StatusOr<std::string> value = co_await host_.ReadValue(reference);
    if (value.ok()) {
      waiting.kind = EntryKind::kPut;
      waiting.value = *std::move(value);
    } else {
      waiting.status = value.status();
    }
  }

  io::Task<Status> DrainWindow() {
    co_await reads_.Wait();
    while (!window_.empty()) {
      const Waiting waiting = std::move(window_.front());
      window_.pop_front();
      if (!waiting.status.ok()) co_return waiting.status;
      const Entry entry{waiting.key, waiting.sequence, waiting.kind, waiting.value};
      VARVE_CO_RETURN_IF_ERROR(co_await Emit(entry));
    }
    window_bytes_ = 0;
    co_return absl::OkStatus();
  }

  void UpdateBytesWritten() {
    result_.stats.progress.bytes_written = finished_bytes_ + finishing_bytes_ +
                                           (table_ != nullptr ? table_->EstimatedBytes() : 0) +
                                           (values_ != nullptr ? values_->EstimatedBytes() : 0);
  }

  JobHost& host_;
  JobRequest request_;
  DropRules rules_;
  JobResult result_;

  std::unique_ptr<sstable::TableBuilder> table_;
  size_t next_cut_ = 0;  // the first cut that lies behind the beginning of table_
  std::unique_ptr<sstable::ValueFileWriter> values_;
  std::string reference_;

  io::TaskGroup finishing_;
  Status finish_status_;
  uint64_t finishing_bytes_ = 0;
  uint64_t finished_bytes_ = 0;

  std::deque<Waiting> window_;
  uint64_t window_bytes_ = 0;
  io::TaskGroup reads_;
};

}  // namespace

io::Task<StatusOr<JobResult>> RunJob(JobHost& host, JobRequest request) {
  Job job(host, std::move(request));
  co_return co_await job.Run();
}

namespace {

std::unique_ptr<sstable::EntryIterator> OpenClipped(const JobTable& table,
                                                    sstable::IteratorOptions options) {
  options.read_until = table.clip_end;
  auto iterator = table.table->NewIterator(options);
  const sstable::TableInfo& info = table.table->info();
  const bool clipped = table.clip_begin > info.smallest_key ||
                       (!table.clip_end.empty() && table.clip_end <= info.largest_key);
  if (!clipped) return iterator;
  return std::make_unique<ClipIterator>(std::move(iterator), table.clip_begin, table.clip_end);
}

KeyInterval KeysOf(const JobTable& table) {
  const sstable::TableInfo& info = table.table->info();
  return Intersection({info.smallest_key, info.largest_key, true},
                      {table.clip_begin, table.clip_end, false});
}

}  // namespace

std::unique_ptr<sstable::EntryIterator> NewTableInput(std::vector<std::vector<JobTable>> runs) {
  sstable::IteratorOptions options;
  options.reading = sstable::IteratorOptions::Reading::kScan;
  const uint64_t share = kInputBytesMax / std::max<size_t>(runs.size(), 1);
  options.reads_in_flight_max = share >= (1 << 20) ? 4 : 2;
  options.read_bytes_max = std::clamp<size_t>(io::PageFloor(share / options.reads_in_flight_max),
                                              size_t{64} << 10, size_t{512} << 10);

  MergingIterator::Children children;
  for (std::vector<JobTable>& run : runs) {
    if (run.empty()) continue;
    if (run.size() == 1) {
      children.push_back(OpenClipped(run.front(), options));
      continue;
    }
    std::vector<KeyInterval> intervals;
    for (const JobTable& table : run) intervals.push_back(KeysOf(table));
    children.push_back(std::make_unique<LevelIterator>(
        std::move(intervals),
        [run = std::move(run), options](size_t i) { return OpenClipped(run[i], options); }));
  }
  if (children.size() == 1) return std::move(children.front());
  return std::make_unique<MergingIterator>(std::move(children));
}

}  // namespace varve::compaction
