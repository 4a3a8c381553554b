#include "engine/manifest.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <charconv>

#include "base/checksum.h"
#include "base/coding.h"

namespace varve::engine {
namespace {

// A record:
//   0  u64  checksum: XXH3 of everything behind it, seeded with the manifest's number
//   8  u32  length of the payload
//   12 u32  zero
//   16 u64  position of the record in the file
//   24 u64  database id
//   32      payload, then zeros up to a multiple of 8
// The first payload of a file begins with the format version (u32) and continues as an edit.
constexpr size_t kHeaderBytes = 32;
constexpr uint32_t kFormatVersion = 1;
constexpr uint64_t kPayloadBytesMax = uint64_t{1} << 30;

constexpr uint64_t Align8(uint64_t bytes) { return (bytes + 7) & ~uint64_t{7}; }

std::string EncodeRecord(std::string_view payload, uint64_t number, uint64_t position,
                         uint64_t database_id) {
  std::string record;
  record.reserve(Align8(kHeaderBytes + payload.size()));
  AppendU64(record, 0);
  AppendU32(record, static_cast<uint32_t>(payload.size()));
  AppendU32(record, 0);
  AppendU64(record, position);
  AppendU64(record, database_id);
  record.append(payload);
  record.resize(Align8(record.size()));
  StoreFixed(record.data(), Checksum(std::string_view(record).substr(8), number));
  return record;
}

// The record at `position` of `file`; false if there is no good one.
bool DecodeRecord(std::string_view file, uint64_t position, uint64_t number,
                  std::string_view* payload, uint64_t* database_id) {
  if (position + kHeaderBytes > file.size()) return false;
  const char* header = file.data() + position;
  const uint64_t length = LoadU32(header + 8);
  const uint64_t record_bytes = Align8(kHeaderBytes + length);
  if (LoadU64(header + 16) != position || record_bytes > file.size() - position) return false;
  if (LoadU64(header) != Checksum(file.substr(position + 8, record_bytes - 8), number)) {
    return false;
  }
  *payload = file.substr(position + kHeaderBytes, length);
  *database_id = LoadU64(header + 24);
  return true;
}

bool AnyRecordBehind(std::string_view file, uint64_t position, uint64_t number) {
  std::string_view payload;
  uint64_t database_id;
  for (uint64_t p = position + 8; p + kHeaderBytes <= file.size(); p += 8) {
    if (DecodeRecord(file, p, number, &payload, &database_id)) return true;
  }
  return false;
}

io::Task<StatusOr<std::string>> ReadWhole(io::Io& io, std::string path) {
  auto file = io.Open(path, {.mode = io::OpenOptions::Mode::kRead});
  if (!file.ok()) co_return file.status();
  auto size = (*file)->Size();
  if (!size.ok()) co_return size.status();
  std::string content(*size, '\0');
  size_t done = 0;
  while (done < content.size()) {
    std::span<char> rest(content.data() + done, std::min<size_t>(content.size() - done, 1 << 20));
    auto bytes = co_await (*file)->Read(done, rest);
    if (!bytes.ok()) co_return bytes.status();
    if (*bytes == 0) break;
    done += *bytes;
  }
  content.resize(done);
  co_return content;
}

constexpr std::string_view kManifestPrefix = "MANIFEST-";

std::string CurrentContent(uint64_t number, uint64_t database_id) {
  return fmt::format("{}{:06}\n{:016x}\n", kManifestPrefix, number,
                     Checksum(fmt::format("{}", number), number ^ database_id));
}

}  // namespace

std::string TablePath(const std::string& directory, uint64_t number) {
  return fmt::format("{}/{:06}.sst", directory, number);
}
std::string ValueFilePath(const std::string& directory, uint64_t number) {
  return fmt::format("{}/{:06}.val", directory, number);
}
std::string ManifestPath(const std::string& directory, uint64_t number) {
  return fmt::format("{}/{}{:06}", directory, kManifestPrefix, number);
}
std::string CurrentPath(const std::string& directory) { return directory + "/CURRENT"; }
std::string LockPath(const std::string& directory) { return directory + "/LOCK"; }
std::string LogDirectory(const std::string& directory) { return directory + "/log"; }

uint64_t NumberOf(std::string_view name, std::string_view prefix, std::string_view suffix) {
  if (!name.starts_with(prefix) || !name.ends_with(suffix) ||
      name.size() <= prefix.size() + suffix.size()) {
    return 0;
  }
  name.remove_prefix(prefix.size());
  name.remove_suffix(suffix.size());
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  return error == std::errc() && end == name.data() + name.size() ? number : 0;
}

Manifest::Manifest(io::Io& io, std::string directory) : io_(io), directory_(std::move(directory)) {}

io::Task<StatusOr<std::unique_ptr<Manifest>>> Manifest::Create(io::Io& io, std::string directory,
                                                               uint64_t database_id, Edit state) {
  std::unique_ptr<Manifest> manifest(new Manifest(io, std::move(directory)));
  manifest->database_id_ = database_id;
  VARVE_CO_RETURN_IF_ERROR(manifest->state_.Apply(state));
  VARVE_CO_RETURN_IF_ERROR(co_await manifest->Rotate());
  co_return manifest;
}

io::Task<StatusOr<std::unique_ptr<Manifest>>> Manifest::Recover(io::Io& io, std::string directory) {
  std::unique_ptr<Manifest> manifest(new Manifest(io, std::move(directory)));
  const std::string current_path = CurrentPath(manifest->directory_);
  if (!io.Exists(current_path)) co_return NotFound("{}: no such file", current_path);
  auto current = co_await ReadWhole(io, current_path);
  if (!current.ok()) co_return current.status();
  const std::string_view name = std::string_view(*current).substr(0, current->find('\n'));
  const uint64_t number = NumberOf(name, kManifestPrefix, "");
  if (number == 0) co_return Corruption("{}: does not name a manifest", current_path);
  VARVE_CO_RETURN_IF_ERROR(co_await manifest->Load(number));
  if (*current != CurrentContent(number, manifest->database_id_)) {
    co_return Corruption("{}: checksum mismatch", current_path);
  }
  co_return manifest;
}

io::Task<Status> Manifest::Load(uint64_t number) {
  const std::string path = ManifestPath(directory_, number);
  auto content = co_await ReadWhole(io_, path);
  if (!content.ok()) co_return content.status();
  uint64_t position = 0;
  std::string_view payload;
  uint64_t database_id = 0;
  while (DecodeRecord(*content, position, number, &payload, &database_id)) {
    std::string_view encoded = payload;
    if (position == 0) {
      uint32_t version = 0;
      if (!TakeFixed(encoded, &version) || version != kFormatVersion) {
        co_return Corruption("{}: format version {}; this program reads {}", path, version,
                             kFormatVersion);
      }
      database_id_ = database_id;
    }
    auto edit = Edit::Decode(encoded);
    Status applied = edit.status();
    if (applied.ok() && database_id != database_id_) {
      applied = Corruption("record of another database");
    }
    if (applied.ok()) applied = state_.Apply(*edit);
    if (!applied.ok()) co_return Corruption("{}:{}: {}", path, position, Message(applied));
    position += Align8(kHeaderBytes + payload.size());
    if (snapshot_end_ == 0) snapshot_end_ = position;
  }
  if (position == 0 || AnyRecordBehind(*content, position, number)) {
    co_return Corruption("{}:{}: damaged record", path, position);
  }
  if (const Status invariants = state_.CheckInvariants(); !invariants.ok()) {
    co_return Corruption("{}: {}", path, Message(invariants));
  }
  number_ = number;
  end_ = position;
  // Manifests that were begun and never came into force have taken the numbers in between.
  auto names = io_.List(directory_);
  if (!names.ok()) co_return names.status();
  for (const std::string& name : *names) {
    number_ = std::max(number_, NumberOf(name, kManifestPrefix, ""));
  }
  co_return absl::OkStatus();
}

io::Task<Status> Manifest::Append(std::string payload) {
  if (payload.size() > kPayloadBytesMax) {
    co_return ResourceExhausted("{}: edit of {} bytes", file_->path(), payload.size());
  }
  const std::string record = EncodeRecord(payload, number_, end_, database_id_);
  VARVE_CO_RETURN_IF_ERROR(co_await file_->Write(end_, record));
  VARVE_CO_RETURN_IF_ERROR(co_await file_->Sync());
  end_ += record.size();
  co_return absl::OkStatus();
}

io::Task<Status> Manifest::WriteSnapshot(uint64_t number) {
  const std::string path = ManifestPath(directory_, number);
  auto file = io_.Open(path, {.mode = io::OpenOptions::Mode::kReplace});
  if (!file.ok()) co_return file.status();
  file_ = std::move(*file);
  number_ = number;
  end_ = 0;
  std::string payload;
  AppendU32(payload, kFormatVersion);
  payload += state_.Snapshot().Encode();
  VARVE_CO_RETURN_IF_ERROR(co_await Append(std::move(payload)));
  snapshot_end_ = end_;
  co_return io_.SyncDirectory(directory_);
}

io::Task<Status> Manifest::PointCurrentAt(uint64_t number) {
  const std::string path = CurrentPath(directory_);
  const std::string temporary_path = path + ".new";
  auto file = io_.Open(temporary_path, {.mode = io::OpenOptions::Mode::kReplace});
  if (!file.ok()) co_return file.status();
  const std::string content = CurrentContent(number, database_id_);
  VARVE_CO_RETURN_IF_ERROR(co_await (*file)->Write(0, content));
  VARVE_CO_RETURN_IF_ERROR(co_await (*file)->Sync());
  VARVE_CO_RETURN_IF_ERROR(io_.Rename(temporary_path, path));
  co_return io_.SyncDirectory(directory_);
}

io::Task<Status> Manifest::Rotate() {
  // Whatever fails below, what CURRENT names afterwards is unknown; but until the next commit all
  // the manifests that it may name say the same, except for an edit that failed.
  failed_ = true;
  const uint64_t number = number_ + 1;
  number_ = number;
  VARVE_CO_RETURN_IF_ERROR(co_await WriteSnapshot(number));
  VARVE_CO_RETURN_IF_ERROR(co_await PointCurrentAt(number));
  failed_ = false;
  RemoveOldManifests();
  co_return absl::OkStatus();
}

void Manifest::RemoveOldManifests() {
  auto names = io_.List(directory_);
  if (!names.ok()) return;  // the next rotation tries again
  for (const std::string& name : *names) {
    const uint64_t number = NumberOf(name, kManifestPrefix, "");
    if (number == 0 || number == number_) continue;
    const Status removed = io_.Remove(directory_ + "/" + name);
    if (!removed.ok()) spdlog::warn("old manifest stays: {}", Message(removed));
  }
}

io::Task<Status> Manifest::Commit(Edit edit, ManifestState::Unreferenced* unreferenced) {
  const bool long_enough = end_ > bytes_max_ && end_ > 2 * snapshot_end_;
  if (failed_ || long_enough) VARVE_CO_RETURN_IF_ERROR(co_await Rotate());
  Status appended = co_await Append(edit.Encode());
  if (!appended.ok()) {
    failed_ = true;
    // Settle at once what the disk says, if it lets us.
    const Status rotated = co_await Rotate();
    if (!rotated.ok()) spdlog::error("manifest is uncertain: {}", Message(rotated));
    co_return appended;
  }
  co_return state_.Apply(edit, unreferenced);
}

}  // namespace varve::engine
