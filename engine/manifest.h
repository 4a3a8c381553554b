// Manifest: the durable log of edits that says which files make up the database. docs/manifest.md
// specifies the format.
//
// A file MANIFEST-<number> holds records, each one edit; the first is a snapshot of everything
// before it. CURRENT names the manifest in force. A manifest that has grown long, or on which a
// write or a sync failed, is replaced by a new one that begins with a snapshot of the state that is
// known to be durable.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "engine/manifest_state.h"
#include "io/io.h"

namespace varve::engine {

// Where things are in a database's directory.
std::string TablePath(const std::string& directory, uint64_t number);      // <number>.sst
std::string ValueFilePath(const std::string& directory, uint64_t number);  // <number>.val
std::string ManifestPath(const std::string& directory, uint64_t number);   // MANIFEST-<number>
std::string CurrentPath(const std::string& directory);                     // CURRENT
std::string LockPath(const std::string& directory);                        // LOCK
std::string LogDirectory(const std::string& directory);                    // log/

// The number in a name "<number><suffix>" or "<prefix><number>"; 0 if it is no such name.
uint64_t NumberOf(std::string_view name, std::string_view prefix, std::string_view suffix);

// Not thread-safe: the engine commits one edit at a time.
class Manifest {
 public:
  // Starts a new database in `directory` with `state` (an edit from nothing).
  static io::Task<StatusOr<std::unique_ptr<Manifest>>> Create(io::Io& io, std::string directory,
                                                              uint64_t database_id, Edit state);
  // Reads the manifest that CURRENT names. NotFound if there is no CURRENT. A torn last record is
  // no edit; a damaged one with a good one behind it is DataLoss. The first commit rotates, so that
  // nothing is appended behind a tail that was found.
  static io::Task<StatusOr<std::unique_ptr<Manifest>>> Recover(io::Io& io, std::string directory);

  // After Recover, before anything relies on what was found: the last edit may stand in the page
  // cache only. Starts a new manifest, so that nothing is appended behind a tail that was found.
  io::Task<Status> Renew() { return Rotate(); }

  // Makes `edit` durable and then part of state(). After an error the edit is not part of the state
  // and will not be, unless the process ends before the next successful commit: then it may be,
  // whole. So while uncertain() what the edit names must not be deleted.
  io::Task<Status> Commit(Edit edit, ManifestState::Unreferenced* unreferenced);

  // Whether a failed commit may still be on disk.
  bool uncertain() const { return failed_; }

  const ManifestState& state() const { return state_; }
  uint64_t database_id() const { return database_id_; }
  uint64_t bytes() const { return end_; }

  // Replaces a manifest longer than this at the next commit.
  void set_bytes_max(uint64_t bytes_max) { bytes_max_ = bytes_max; }

 private:
  Manifest(io::Io& io, std::string directory);

  io::Task<Status> Rotate();
  io::Task<Status> WriteSnapshot(uint64_t number);
  io::Task<Status> PointCurrentAt(uint64_t number);
  io::Task<Status> Append(std::string payload);
  io::Task<Status> Load(uint64_t number);
  void RemoveOldManifests();

  io::Io& io_;
  const std::string directory_;
  uint64_t database_id_ = 0;
  uint64_t bytes_max_ = uint64_t{16} << 20;

  ManifestState state_;
  std::unique_ptr<io::File> file_;
  uint64_t number_ = 0;        // of the newest manifest written, or tried
  uint64_t end_ = 0;           // where the next record goes
  uint64_t snapshot_end_ = 0;  // where the first record ends
  bool failed_ = false;
};

}  // namespace varve::engine
