// What the table tests share: the three Ios, a random table with its model, and reading it back.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/checksum.h"
#include "base/random.h"
#include "io/io.h"
#include "io/sim.h"
#include "sstable/block_cache.h"
#include "sstable/entry_iterator.h"
#include "sstable/table.h"
#include "sstable/table_builder.h"
#include "sstable/value_file.h"

namespace varve::sstable {

// An Io and an empty directory on it.
class TestWorld {
 public:
  explicit TestWorld(std::string_view name) {
    if (name == "simulated") {
      io_ = std::make_unique<io::SimIo>(io::SimOptions{});
      directory_ = "/tables";
    } else {
      if (name == "posix") {
        io_ = io::NewPosixIo();
      } else if (auto uring = io::NewUringIo(); uring.ok()) {
        io_ = std::move(*uring);
      }
      if (io_ == nullptr) return;
      char name_template[] = "/tmp/varve-sstable-XXXXXX";
      directory_ = mkdtemp(name_template);
    }
    EXPECT_TRUE(io_->CreateDirectory(directory_).ok());
  }
  ~TestWorld() {
    if (io_ == nullptr || io_->name() == "simulated") return;
    if (auto names = io_->List(directory_); names.ok()) {
      for (const std::string& name : *names) io_->Remove(directory_ + "/" + name).IgnoreError();
    }
    io_->RemoveDirectory(directory_).IgnoreError();
  }

  bool available() const { return io_ != nullptr; }
  io::Io& io() { return *io_; }
  io::SimIo& sim() { return static_cast<io::SimIo&>(*io_); }
  std::string Path(uint64_t number, std::string_view kind = "sst") const {
    return fmt::format("{}/{}.{}", directory_, number, kind);
  }

  std::shared_ptr<io::File> Create(uint64_t number, std::string_view kind = "sst") {
    io::OpenOptions options;
    options.mode = io::OpenOptions::Mode::kReplace;
    options.direct = true;
    auto file = io_->Open(Path(number, kind), options);
    EXPECT_TRUE(file.ok()) << file.status();
    return std::move(*file);
  }

  std::string ReadFile(const std::string& path) {
    auto file = io_->Open(path, {});
    EXPECT_TRUE(file.ok()) << file.status();
    std::string bytes(*(*file)->Size(), '\0');
    EXPECT_TRUE((*file)->ReadNow(0, bytes).ok());
    return bytes;
  }

  void WriteFile(const std::string& path, std::string_view bytes) {
    io::OpenOptions options;
    options.mode = io::OpenOptions::Mode::kReplace;
    auto file = io_->Open(path, options);
    EXPECT_TRUE(file.ok()) << file.status();
    EXPECT_TRUE(io::BlockOn(*io_, (*file)->Write(0, bytes)).ok());
  }

 private:
  std::unique_ptr<io::Io> io_;
  std::string directory_;
};

struct Position {
  std::string key;
  SequenceNumber sequence;

  bool operator<(const Position& other) const {
    return CompareEntries(key, sequence, other.key, other.sequence) < 0;
  }
};
struct Contents {
  EntryKind kind;
  std::string value;
};
using Model = std::map<Position, Contents>;

inline Entry EntryOf(const Model::value_type& row) {
  return {row.first.key, row.first.sequence, row.second.kind, row.second.value};
}

struct ModelShape {
  size_t keys = 1000;
  size_t key_bytes_max = 24;
  size_t value_bytes_max = 100;
  size_t versions_max = 3;
  size_t alphabet = 4;       // few letters make long common prefixes
  bool compressible = true;  // half of each value repeats
};

inline std::string RandomBytes(Random& random, size_t bytes, size_t alphabet) {
  std::string text(bytes, '\0');
  for (char& c : text) {
    c = alphabet == 256 ? static_cast<char>(random.Next())
                        : static_cast<char>('a' + random.Below(alphabet));
  }
  return text;
}

inline Model RandomModel(Random& random, const ModelShape& shape) {
  Model model;
  for (size_t i = 0; i < shape.keys; ++i) {
    const std::string key =
        RandomBytes(random, random.Between(0, shape.key_bytes_max), shape.alphabet);
    const size_t versions = random.Between(1, shape.versions_max);
    for (size_t v = 0; v < versions; ++v) {
      Contents contents = {EntryKind::kPut, {}};
      if (random.OneIn(8)) {
        contents.kind = EntryKind::kDelete;
      } else {
        const size_t bytes = random.Between(0, shape.value_bytes_max);
        contents.value = RandomBytes(random, shape.compressible ? (bytes + 1) / 2 : bytes, 256);
        if (shape.compressible) contents.value += contents.value;
      }
      // Small numbers collide and make several versions; large ones look like clock times.
      const SequenceNumber sequence =
          random.OneIn(2) ? random.Between(1, 50)
                          : (uint64_t{1'700'000'000'000} << 16) + random.Below(1 << 20);
      model[{key, sequence}] = std::move(contents);
    }
  }
  return model;
}

inline io::Task<StatusOr<TableInfo>> BuildTable(std::shared_ptr<io::File> file, uint64_t number,
                                                const TableOptions& options, const Model& model,
                                                BlockCache* cache = nullptr) {
  TableBuilder builder(std::move(file), number, options, cache);
  for (const auto& row : model) {
    builder.Add(EntryOf(row));
    if (cache != nullptr) builder.KeepCached();
    if (builder.wants_flush()) VARVE_CO_RETURN_IF_ERROR(co_await builder.Flush());
  }
  co_return co_await builder.Finish();
}

inline TableInfo MustBuild(TestWorld& world, uint64_t number, const TableOptions& options,
                           const Model& model, BlockCache* cache = nullptr) {
  auto info =
      io::BlockOn(world.io(), BuildTable(world.Create(number), number, options, model, cache));
  EXPECT_TRUE(info.ok()) << info.status();
  return info.ok() ? *info : TableInfo();
}

// Performs a lookup to its end, waiting as a task would.
inline io::Task<void> Finish(TableGet& get) {
  while (get.Step() == TableGet::State::kWaiting) co_await get.Run();
}
inline void FinishNow(TableGet& get) {
  while (get.Step() == TableGet::State::kWaiting) get.RunNow();
}

// What the model says of a point read.
inline const Model::value_type* Expected(const Model& model, const std::string& key,
                                         SequenceNumber sequence) {
  const auto at = model.lower_bound({key, sequence});
  return at != model.end() && at->first.key == key ? &*at : nullptr;
}

inline std::string Show(const Entry& entry) {
  return fmt::format("{}@{} {} {} bytes {:x}", entry.key.substr(0, 40), entry.sequence,
                     static_cast<int>(entry.kind), entry.value.size(), Hash(entry.value));
}

}  // namespace varve::sstable
