#include "server/gzip.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "base/random.h"

namespace varve::server {
namespace {

std::string Packed(std::string_view plain) {
  std::string packed;
  GzipWriter writer(plain, &packed);
  while (!writer.Step()) {
  }
  return packed;
}

// What comes out, and whether it ended well.
std::pair<std::string, bool> Unpacked(std::string_view packed) {
  GzipReader reader(packed);
  std::string plain;
  std::string_view piece;
  while (true) {
    const GzipReader::Result result = reader.Step(&piece);
    EXPECT_LE(piece.size(), kGzipStepBytes);
    plain.append(piece);
    if (result != GzipReader::Result::kMore) {
      return {std::move(plain), result == GzipReader::Result::kDone};
    }
  }
}

std::string Noise(size_t bytes, uint64_t seed) {
  Random random(seed);
  std::string noise(bytes, '\0');
  for (char& byte : noise) byte = static_cast<char>(random.Next());
  return noise;
}

TEST(Gzip, GivesBackWhatItPacked) {
  for (const size_t bytes : {size_t{0}, size_t{1}, size_t{1000}, kGzipStepBytes - 1, kGzipStepBytes,
                             kGzipStepBytes + 1, 5 * kGzipStepBytes}) {
    for (const std::string& plain : {std::string(bytes, 'x'), Noise(bytes, bytes)}) {
      const auto [unpacked, ok] = Unpacked(Packed(plain));
      EXPECT_TRUE(ok) << bytes;
      EXPECT_EQ(unpacked, plain) << bytes;
    }
  }
}

TEST(Gzip, JoinsMembers) {
  std::string packed;
  for (int i = 0; i < 10'000; ++i) packed += Packed("");
  packed += Packed("one, ") + Packed("") + Packed("two");
  const auto [plain, ok] = Unpacked(packed);
  EXPECT_TRUE(ok);
  EXPECT_EQ(plain, "one, two");
}

TEST(Gzip, NoticesDamageAnywhere) {
  const std::string whole = Packed("some text, some more text, some text") + Packed("and more");
  for (size_t bytes = 1; bytes < whole.size(); ++bytes) {
    const auto [plain, ok] = Unpacked(whole.substr(0, bytes));
    // Cut between the two members it is a body of one.
    EXPECT_EQ(ok, plain == "some text, some more text, some text" && bytes == whole.size() - 28)
        << bytes;
  }
  EXPECT_FALSE(Unpacked("plain text").second);
  EXPECT_FALSE(Unpacked(whole + "tail").second);
  std::string flipped = whole;
  flipped[flipped.size() - 6] ^= 1;  // in the checksum
  EXPECT_FALSE(Unpacked(flipped).second);
  for (int i = 0; i < 2000; ++i) Unpacked(Noise(100, static_cast<uint64_t>(i)));
}

TEST(AcceptsGzip, ReadsListsAndWeights) {
  for (const std::string_view yes :
       {"gzip", "GZIP", "x-gzip", "deflate, gzip", "gzip;q=1.0, identity; q=0.5", "gzip;q=0.001",
        "*", "br;q=1.0, *;q=0.1", "identity,gzip", "*;q=0, gzip"}) {
    EXPECT_TRUE(AcceptsGzip(yes)) << yes;
  }
  for (const std::string_view no : {"", "identity", "deflate, br", "gzip;q=0", "gzip; q=0.000",
                                    "*;q=0", "gzip;q=0, *", "gzipped", ",,;", "identity;q=1"}) {
    EXPECT_FALSE(AcceptsGzip(no)) << no;
  }
}

}  // namespace
}  // namespace varve::server
