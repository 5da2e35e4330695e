// Unpacking: round trips, truncation at every kind of place, damage, bombs.
#include <gtest/gtest.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include <random>
#include <string>

#include "traces/reader/bytes.h"
#include "traces/reader/source.h"

namespace hmmscope::traces {
namespace {

std::string pack_xz(const std::string& text) {
  std::string out(lzma_stream_buffer_bound(text.size()), '\0');
  size_t size = 0;
  EXPECT_EQ(lzma_easy_buffer_encode(1, LZMA_CHECK_CRC64, nullptr, reinterpret_cast<const uint8_t*>(text.data()), text.size(),
                                    reinterpret_cast<uint8_t*>(out.data()), &size, out.size()), LZMA_OK);
  out.resize(size);
  return out;
}

std::string pack_gzip(const std::string& text) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, text.size()) + 64, '\0');
  std::string input = text;
  stream.next_in = reinterpret_cast<Bytef*>(input.data());
  stream.avail_in = static_cast<uInt>(input.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string pack_zstd(const std::string& text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
  return out;
}

struct Packer {
  const char* name;
  Packing packing;
  std::string (*pack)(const std::string&);
};

class Unpacking : public testing::TestWithParam<Packer> {
 protected:
  static std::string sample(size_t lines) {
    std::string text;
    for (size_t i = 0; i < lines; ++i) {
      text += "              sh-55      [001] .....    75." + std::to_string(100000 + i % 900000) + ": e: a=" + std::to_string(i * i) + "\n";
    }
    return text;
  }
};

TEST_P(Unpacking, GivesTheTextBack) {
  for (const size_t lines : {1, 2000, 100000}) {
    const std::string text = sample(lines), packed = GetParam().pack(text);
    ASSERT_EQ(detect_packing(packed), GetParam().packing);
    const auto out = unpack(packed, GetParam().packing, "p");
    ASSERT_TRUE(out) << out.error().to_string();
    EXPECT_TRUE((*out)->view() == text);
  }
}

TEST_P(Unpacking, ReadsConcatenatedStreams) {
  const std::string text = sample(10);
  const auto out = unpack(GetParam().pack(text) + GetParam().pack(text), GetParam().packing, "p");
  ASSERT_TRUE(out) << out.error().to_string();
  EXPECT_EQ((*out)->view(), text + text);
}

TEST_P(Unpacking, EveryTruncationIsAnErrorWithItsOffset) {
  const std::string packed = GetParam().pack(sample(200));
  for (size_t size = 0; size < packed.size(); ++size) {
    const auto out = unpack(std::string_view(packed).substr(0, size), GetParam().packing, "p");
    ASSERT_FALSE(out) << size;
    EXPECT_TRUE(out.error().has_offset);
    EXPECT_LE(out.error().offset, size);
    EXPECT_EQ(out.error().file, "p");
  }
}

TEST_P(Unpacking, DamageIsFoundOrHarmless) {
  const std::string text = sample(200), packed = GetParam().pack(text);
  std::mt19937 random(3);
  for (int round = 0; round < 300; ++round) {
    std::string damaged = packed;
    damaged[random() % damaged.size()] = static_cast<char>(random());
    const auto out = unpack(damaged, GetParam().packing, "p");
    // zstd frames made by the one-call interface carry no checksum, so only sizes bound what damage can do there
    if (out) {
      EXPECT_LE((*out)->view().size(), unpack_limit(damaged.size()));
    }
  }
}

TEST_P(Unpacking, StopsAtTheLimit) {
  const std::string packed = GetParam().pack(std::string(3u << 20, 'x'));
  const auto out = unpack(packed, GetParam().packing, "bomb", {}, 1u << 20);
  ASSERT_FALSE(out);
  EXPECT_NE(out.error().to_string().find("bomb: at byte"), std::string::npos);
  EXPECT_NE(out.error().to_string().find("unpacks to more than 1 MiB"), std::string::npos) << out.error().to_string();
  const auto exact = unpack(packed, GetParam().packing, "p", {}, 3u << 20);
  ASSERT_TRUE(exact) << exact.error().to_string();
  EXPECT_EQ((*exact)->view().size(), 3u << 20);
}

TEST_P(Unpacking, HeadStopsQuietly) {
  const std::string text = sample(5000), packed = GetParam().pack(text);
  const auto head = unpack_head(packed, GetParam().packing, "p", 1000);
  ASSERT_TRUE(head);
  EXPECT_GE((*head)->view().size(), 1000u);
  EXPECT_TRUE(text.starts_with((*head)->view()));
  EXPECT_TRUE(unpack_head(std::string_view(packed).substr(0, 20), GetParam().packing, "p", 1000));
}

TEST_P(Unpacking, APackedFileOfSomethingElseIsRefusedByItsHead) {
  const std::string packed = GetParam().pack(std::string(64u << 20, '\0'));
  const auto read = read_trace({reinterpret_cast<const uint8_t*>(packed.data()), packed.size()}, "zeros");
  ASSERT_FALSE(read);
  EXPECT_NE(read.error().to_string().find("is in no trace format"), std::string::npos) << read.error().to_string();
}

TEST_P(Unpacking, ATraceReadsTheSamePackedAndPlain) {
  const std::string text = sample(500), packed = GetParam().pack(text);
  const auto plain = read_trace({reinterpret_cast<const uint8_t*>(text.data()), text.size()}, "t");
  const auto unpacked = read_trace({reinterpret_cast<const uint8_t*>(packed.data()), packed.size()}, "t");
  ASSERT_TRUE(plain && unpacked);
  ASSERT_EQ((*plain)->size(), (*unpacked)->size());
  for (size_t i = 0; i < (*plain)->size(); ++i) EXPECT_EQ((**plain)[i].number("a"), (**unpacked)[i].number("a"));
}

TEST_P(Unpacking, CanBeCancelled) {
  std::atomic<bool> cancel{true};
  Progress progress;
  progress.cancel = &cancel;
  const auto out = unpack(GetParam().pack(sample(10)), GetParam().packing, "p", progress);
  ASSERT_FALSE(out);
  EXPECT_EQ(out.error().to_string(), "cancelled");
}

INSTANTIATE_TEST_SUITE_P(All, Unpacking, testing::Values(Packer{"xz", Packing::xz, pack_xz}, Packer{"gzip", Packing::gzip, pack_gzip},
                                                         Packer{"zstd", Packing::zstd, pack_zstd}),
                         [](const auto& packer) { return packer.param.name; });

TEST(UnpackLimit, GrowsWithThePackedSize) {
  EXPECT_EQ(unpack_limit(0), 256u << 20);
  EXPECT_EQ(unpack_limit(10u << 20), 2000ull << 20);
  EXPECT_EQ(unpack_limit(~0ull), 4096ull << 20);
}

TEST(OpenBytes, SaysWhatIsWrongWithAPath) {
  EXPECT_NE(open_bytes("/nowhere/at/all").error().to_string().find("/nowhere/at/all: cannot be opened"), std::string::npos);
  EXPECT_NE(open_bytes("/").error().to_string().find("is a directory"), std::string::npos);
}

/// A sound frame, as zstd --long=30 writes: its window is larger than what is given to it.
TEST(UnpackZstd, AWindowTooLargeIsNamed) {
  const std::string frame("\x28\xb5\x2f\xfd\x00\xa0\x01\x00\x00", 9);
  const auto bytes = unpack(frame, Packing::zstd, "x.zst");
  ASSERT_FALSE(bytes);
  EXPECT_NE(bytes.error().message.find("needs a window"), std::string::npos) << bytes.error().to_string();
}

}  // namespace
}  // namespace hmmscope::traces
