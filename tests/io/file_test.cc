// What every Io's files do.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "base/coding.h"
#include "base/random.h"
#include "io/io.h"
#include "tests/support/io_fixture.h"

namespace varve::io {
namespace {

using ::testing::ElementsAre;
using Mode = OpenOptions::Mode;

class FileTest : public varve::testing::IoTest {
 protected:
  std::unique_ptr<File> Open(std::string_view name, const OpenOptions& options) {
    StatusOr<std::unique_ptr<File>> file = io().Open(Path(name), options);
    EXPECT_TRUE(file.ok()) << file.status();
    return std::move(file).value();
  }
  absl::StatusCode OpenFailure(std::string_view name, const OpenOptions& options) {
    return io().Open(Path(name), options).status().code();
  }
  void Write(File& file, uint64_t offset, std::string_view bytes) {
    const Status status = Await(file.Write(offset, bytes));
    ASSERT_TRUE(status.ok()) << status;
  }
  std::string Read(File& file, uint64_t offset, size_t size) {
    std::string into(size, '?');
    const StatusOr<size_t> got = Await(file.Read(offset, into));
    EXPECT_TRUE(got.ok()) << got.status();
    into.resize(got.value_or(0));
    return into;
  }
};
VARVE_ON_EVERY_IO(FileTest);

TEST_P(FileTest, ReadsBackWhatWasWritten) {
  const auto file = Open("a", {.mode = Mode::kCreate});
  Write(*file, 0, "hello");
  Write(*file, 5, " world");
  EXPECT_EQ(Read(*file, 0, 11), "hello world");
  EXPECT_EQ(Read(*file, 6, 3), "wor");
}

TEST_P(FileTest, ReadsFewerBytesOnlyAtTheEnd) {
  const auto file = Open("a", {.mode = Mode::kCreate});
  Write(*file, 0, std::string(10000, 'x'));
  EXPECT_EQ(Read(*file, 0, 10001).size(), 10000u);
  EXPECT_EQ(Read(*file, 9990, 100).size(), 10u);
  EXPECT_EQ(Read(*file, 10000, 100).size(), 0u);
  EXPECT_EQ(Read(*file, 20000, 100).size(), 0u);
}

TEST_P(FileTest, FillsGapsWithZeros) {
  const auto file = Open("a", {.mode = Mode::kCreate});
  Write(*file, 5000, "end");
  EXPECT_EQ(*file->Size(), 5003u);
  EXPECT_EQ(Read(*file, 0, 5000), std::string(5000, '\0'));
}

TEST_P(FileTest, ReadsOnTheCallingThread) {
  const auto file = Open("a", {.mode = Mode::kCreate});
  Write(*file, 0, "hello");
  std::string into(10, '?');
  const StatusOr<size_t> got = file->ReadNow(1, into);
  ASSERT_TRUE(got.ok());
  EXPECT_EQ(into.substr(0, *got), "ello");
}

TEST_P(FileTest, OpensByMode) {
  EXPECT_EQ(OpenFailure("a", {.mode = Mode::kRead}), absl::StatusCode::kNotFound);
  EXPECT_EQ(OpenFailure("a", {.mode = Mode::kReadWrite}), absl::StatusCode::kNotFound);
  Write(*Open("a", {.mode = Mode::kCreate}), 0, "first");
  EXPECT_EQ(OpenFailure("a", {.mode = Mode::kCreate}), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(Read(*Open("a", {.mode = Mode::kRead}), 0, 10), "first");
  EXPECT_EQ(Read(*Open("a", {.mode = Mode::kReadWrite}), 0, 10), "first");
  EXPECT_EQ(Read(*Open("a", {.mode = Mode::kReplace}), 0, 10), "");
}

TEST_P(FileTest, RefusesToWriteWhatIsOpenForReading) {
  Open("a", {.mode = Mode::kCreate});
  const auto file = Open("a", {.mode = Mode::kRead});
  const Status status = Await(file->Write(0, "x"));
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(Message(status)), ::testing::HasSubstr(Path("a") + ":0: write"));
}

TEST_P(FileTest, TransfersDirectly) {
  const std::unique_ptr<BufferRegion> buffers = io().AllocateBuffers(4 * kPageBytes);
  const auto file = Open("a", {.mode = Mode::kCreate, .direct = true, .durable_writes = true});
  std::memset(buffers->data(), 'd', 2 * kPageBytes);
  const std::string_view pages(buffers->data(), 2 * kPageBytes);
  const Status written = Await(file->Write(kPageBytes, pages, buffers.get()));
  ASSERT_TRUE(written.ok()) << written;
  EXPECT_EQ(*file->Size(), 3 * kPageBytes);
  const std::span<char> into(buffers->data() + 2 * kPageBytes, kPageBytes);
  const StatusOr<size_t> got = Await(file->Read(2 * kPageBytes, into));
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(*got, kPageBytes);
  EXPECT_EQ(std::string(into.data(), into.size()), std::string(kPageBytes, 'd'));
}

TEST_P(FileTest, WritesFromManyRegions) {
  const auto file = Open("a", {.mode = Mode::kCreate, .direct = true});
  std::vector<std::unique_ptr<BufferRegion>> regions;
  for (int i = 0; i < 100; ++i) {
    regions.push_back(io().AllocateBuffers(kPageBytes));
    std::memset(regions.back()->data(), 'a' + i % 26, kPageBytes);
    const std::string_view page(regions.back()->data(), kPageBytes);
    const Status status = Await(file->Write(i * kPageBytes, page, regions.back().get()));
    ASSERT_TRUE(status.ok()) << status;
  }
  const auto reader = Open("a", {});
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(Read(*reader, i * kPageBytes, 2), std::string(2, 'a' + i % 26));
  }
}

TEST_P(FileTest, PreallocatesZeros) {
  const auto file = Open("a", {.mode = Mode::kCreate});
  Write(*file, 0, "kept");
  ASSERT_TRUE(file->Preallocate(100000).ok());
  EXPECT_EQ(*file->Size(), 100000u);
  EXPECT_EQ(Read(*file, 0, 6), std::string("kept\0\0", 6));
  EXPECT_EQ(Read(*file, 99990, 100), std::string(10, '\0'));
  ASSERT_TRUE(file->Preallocate(10).ok());
  EXPECT_EQ(*file->Size(), 100000u) << "never shrinks";
}

TEST_P(FileTest, TruncatesBothWays) {
  const auto file = Open("a", {.mode = Mode::kCreate});
  Write(*file, 0, std::string(9000, 'x'));
  ASSERT_TRUE(file->Truncate(4500).ok());
  EXPECT_EQ(*file->Size(), 4500u);
  ASSERT_TRUE(file->Truncate(9000).ok());
  EXPECT_EQ(Read(*file, 4499, 3), std::string("x\0\0", 3)) << "what was cut is gone";
}

TEST_P(FileTest, MapsSharedWithReads) {
  const auto file = Open("a", {.mode = Mode::kCreate});
  ASSERT_TRUE(file->Preallocate(2 * kPageBytes).ok());
  auto mapping = file->Map(2 * kPageBytes);
  ASSERT_TRUE(mapping.ok()) << mapping.status();
  std::memcpy((*mapping)->bytes().data() + 4090, "through the map", 15);
  EXPECT_EQ(Read(*file, 4090, 15), "through the map");
  Write(*file, 100, "through the file");
  EXPECT_EQ(std::string((*mapping)->bytes().data() + 100, 16), "through the file");
  EXPECT_TRUE(Await(file->Sync()).ok());
  mapping->reset();
  EXPECT_EQ(Read(*file, 4090, 15), "through the map");
}

TEST_P(FileTest, ReadsManyAtOnce) {
  const auto file = Open("a", {.mode = Mode::kCreate});
  constexpr uint64_t kPages = 256;
  std::string content;
  Random random(1);
  while (content.size() < kPages * kPageBytes) AppendFixed(content, random.Next());
  Write(*file, 0, content);
  const auto reader = Open("a", {.direct = true});
  const auto buffers = io().AllocateBuffers(content.size());
  struct ReadOne {
    static Task<void> Run(File* file, uint64_t offset, std::span<char> into, int* good) {
      const StatusOr<size_t> got = co_await file->Read(offset, into);
      if (got.ok() && *got == into.size()) ++*good;
    }
    static Task<void> RunAll(File* file, std::span<char> into, int* good) {
      TaskGroup group;
      for (uint64_t i = 0; i < kPages; ++i) {
        group.Add(Run(file, i * kPageBytes, into.subspan(i * kPageBytes, kPageBytes), good));
      }
      co_await group.Wait();
    }
  };
  int good = 0;
  BlockOn(io(), ReadOne::RunAll(reader.get(), {buffers->data(), content.size()}, &good));
  EXPECT_EQ(good, static_cast<int>(kPages));
  EXPECT_EQ(std::string_view(buffers->data(), content.size()), content);
}

TEST_P(FileTest, StaysReadableAfterRemoval) {
  const auto file = Open("a", {.mode = Mode::kCreate});
  Write(*file, 0, "still here");
  ASSERT_TRUE(io().Remove(Path("a")).ok());
  EXPECT_FALSE(io().Exists(Path("a")));
  EXPECT_EQ(Read(*file, 0, 20), "still here");
  EXPECT_EQ(OpenFailure("a", {}), absl::StatusCode::kNotFound);
}

TEST_P(FileTest, FollowsARename) {
  const auto file = Open("a", {.mode = Mode::kCreate});
  Write(*file, 0, "moved");
  Write(*Open("b", {.mode = Mode::kCreate}), 0, "replaced");
  ASSERT_TRUE(io().Rename(Path("a"), Path("b")).ok());
  EXPECT_FALSE(io().Exists(Path("a")));
  EXPECT_EQ(Read(*Open("b", {}), 0, 20), "moved");
  Write(*file, 5, "!");
  EXPECT_EQ(Read(*Open("b", {}), 0, 20), "moved!");
}

TEST_P(FileTest, LinksShareTheFile) {
  const auto file = Open("a", {.mode = Mode::kCreate});
  Write(*file, 0, "one");
  EXPECT_EQ(*io().LinkCount(Path("a")), 1u);
  ASSERT_TRUE(io().Link(Path("a"), Path("b")).ok());
  EXPECT_EQ(*io().LinkCount(Path("a")), 2u);
  Write(*file, 0, "two");
  EXPECT_EQ(Read(*Open("b", {}), 0, 20), "two");
  EXPECT_EQ(io().Link(Path("a"), Path("b")).code(), absl::StatusCode::kAlreadyExists);
  ASSERT_TRUE(io().Remove(Path("a")).ok());
  EXPECT_EQ(*io().LinkCount(Path("b")), 1u);
  EXPECT_EQ(Read(*Open("b", {}), 0, 20), "two");
}

TEST_P(FileTest, ListsNamesInOrder) {
  for (const char* name : {"b", "c", "a"}) Open(name, {.mode = Mode::kCreate});
  ASSERT_TRUE(io().CreateDirectory(Path("d/e/f")).ok());
  ASSERT_TRUE(io().CreateDirectory(Path("d/e/f")).ok()) << "fine if it exists";
  EXPECT_THAT(*io().List(directory()), ElementsAre("a", "b", "c", "d"));
  EXPECT_THAT(*io().List(Path("d/e")), ElementsAre("f"));
  EXPECT_EQ(io().List(Path("none")).status().code(), absl::StatusCode::kNotFound);
  EXPECT_FALSE(io().RemoveDirectory(Path("d")).ok()) << "not empty";
  ASSERT_TRUE(io().RemoveDirectory(Path("d/e/f")).ok());
  EXPECT_THAT(*io().List(Path("d/e")), ElementsAre());
}

TEST_P(FileTest, RefusesMissingNames) {
  EXPECT_EQ(io().Remove(Path("none")).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(io().Rename(Path("none"), Path("b")).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(io().Link(Path("none"), Path("b")).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(io().FileBytes(Path("none")).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(io().LinkCount(Path("none")).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(OpenFailure("no/directory", {.mode = Mode::kCreate}), absl::StatusCode::kNotFound);
  EXPECT_FALSE(io().SyncDirectory(Path("none")).ok());
}

TEST_P(FileTest, KnowsSizesAndSpace) {
  Write(*Open("a", {.mode = Mode::kCreate}), 0, "12345");
  EXPECT_EQ(*io().FileBytes(Path("a")), 5u);
  EXPECT_GT(*io().FreeBytes(directory()), uint64_t{1} << 20);
  EXPECT_TRUE(io().SyncDirectory(directory()).ok());
}

TEST_P(FileTest, LocksOnce) {
  auto lock = io().Lock(Path("LOCK"));
  ASSERT_TRUE(lock.ok()) << lock.status();
  EXPECT_EQ(io().Lock(Path("LOCK")).status().code(), absl::StatusCode::kFailedPrecondition);
  lock->reset();
  EXPECT_TRUE(io().Lock(Path("LOCK")).ok());
}

TEST_P(FileTest, SyncsOnAWorker) {
  const auto file = Open("a", {.mode = Mode::kCreate});
  const auto worker = io().StartWorker({.name = "syncer", .background = true});
  struct WriteAndSync {
    static Task<Status> Run(Executor* executor, File* file) {
      co_await SwitchTo(*executor);
      VARVE_CO_RETURN_IF_ERROR(co_await file->Write(0, "abc"));
      co_return co_await file->Sync();
    }
  };
  EXPECT_TRUE(Await(WriteAndSync::Run(&worker->executor(), file.get())).ok());
  EXPECT_EQ(Read(*file, 0, 10), "abc");
}

}  // namespace
}  // namespace varve::io
