/// xz, gzip and zstd into memory, with one loop and a small decoder for each.
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>
#include <memory>
#include <string>

#include "traces/reader/bytes.h"
#include "traces/reader/grow_buffer.h"

namespace hmmscope::traces {
namespace {

constexpr uint64_t mebi = 1u << 20;
constexpr uint64_t decoder_memory_limit = 256 * mebi;
constexpr uint64_t feed = 4 * mebi;  // bytes of input between two looks at cancel
constexpr uint64_t most_at_once = 16 * mebi;   // of output, likewise

/// What one call of a decoder did.
struct Chunk {
  uint64_t read = 0;      ///< bytes taken from the input
  uint64_t written = 0;
  bool finished = false;  ///< the data is complete and nothing is left to write
  const char* failure = nullptr;
};

class Decoder {
 public:
  virtual ~Decoder() = default;
  /// `last`: the input ends with these bytes.
  virtual Chunk run(std::string_view input, char* output, uint64_t room, bool last) = 0;
};

const uint8_t* as_bytes(std::string_view text) { return reinterpret_cast<const uint8_t*>(text.data()); }

class XzDecoder final : public Decoder {
 public:
  XzDecoder() {
    ready_ = lzma_stream_decoder(&stream_, decoder_memory_limit, LZMA_CONCATENATED) == LZMA_OK;
  }
  ~XzDecoder() override { lzma_end(&stream_); }
  Chunk run(std::string_view input, char* output, uint64_t room, bool last) override {
    if (!ready_) return {0, 0, false, "not enough memory for xz"};
    stream_.next_in = as_bytes(input);
    stream_.avail_in = input.size();
    stream_.next_out = reinterpret_cast<uint8_t*>(output);
    stream_.avail_out = room;
    const lzma_ret ret = lzma_code(&stream_, last ? LZMA_FINISH : LZMA_RUN);
    Chunk chunk{input.size() - stream_.avail_in, room - stream_.avail_out, ret == LZMA_STREAM_END, nullptr};
    if (ret == LZMA_MEMLIMIT_ERROR) chunk.failure = "the xz data needs more than 256 MiB to unpack";
    else if (ret == LZMA_BUF_ERROR) chunk.failure = "the xz data ends too early (truncated file?)";
    else if (ret != LZMA_OK && ret != LZMA_STREAM_END) chunk.failure = "damaged xz data";
    return chunk;
  }

 private:
  lzma_stream stream_ = LZMA_STREAM_INIT;
  bool ready_ = false;
};

class GzipDecoder final : public Decoder {
 public:
  GzipDecoder() { ready_ = inflateInit2(&stream_, 16 + MAX_WBITS) == Z_OK; }
  ~GzipDecoder() override { inflateEnd(&stream_); }
  Chunk run(std::string_view input, char* output, uint64_t room, bool last) override {
    if (!ready_) return {0, 0, false, "not enough memory for gzip"};
    // zlib counts in 32 bits; its type for input is not const in this version's struct
    const uint64_t in_size = std::min<uint64_t>(input.size(), feed);
    const uint64_t out_size = std::min<uint64_t>(room, uint64_t{1} << 30);
    stream_.next_in = const_cast<Bytef*>(as_bytes(input));
    stream_.avail_in = static_cast<uInt>(in_size);
    stream_.next_out = reinterpret_cast<Bytef*>(output);
    stream_.avail_out = static_cast<uInt>(out_size);
    const int ret = inflate(&stream_, Z_NO_FLUSH);
    Chunk chunk{in_size - stream_.avail_in, out_size - stream_.avail_out, false, nullptr};
    const bool used_up = last && chunk.read == input.size();
    if (ret == Z_STREAM_END) {
      chunk.finished = used_up;
      if (!used_up && inflateReset(&stream_) != Z_OK) chunk.failure = "damaged gzip data";
    } else if (ret != Z_OK && ret != Z_BUF_ERROR) {
      chunk.failure = "damaged gzip data";
    } else if (used_up && stream_.avail_out != 0) {
      chunk.failure = "the gzip data ends too early (truncated file?)";
    }
    return chunk;
  }

 private:
  z_stream stream_{};
  bool ready_ = false;
};

class ZstdDecoder final : public Decoder {
 public:
  ZstdDecoder() : stream_(ZSTD_createDStream()) {}
  ~ZstdDecoder() override { ZSTD_freeDStream(stream_); }
  Chunk run(std::string_view input, char* output, uint64_t room, bool last) override {
    if (stream_ == nullptr) return {0, 0, false, "not enough memory for zstd"};
    ZSTD_inBuffer in{input.data(), input.size(), 0};
    ZSTD_outBuffer out{output, room, 0};
    const size_t ret = ZSTD_decompressStream(stream_, &out, &in);
    Chunk chunk{in.pos, out.pos, false, nullptr};
    const bool used_up = last && in.pos == in.size;
    if (ZSTD_isError(ret)) {
      const bool window = ZSTD_getErrorCode(ret) == ZSTD_error_frameParameter_windowTooLarge;
      chunk.failure = window ? "the zstd data needs a window of more than 128 MiB: unpack it with zstd -d --long=31" : "damaged zstd data";
    }
    else if (ret == 0) chunk.finished = used_up;
    else if (used_up && out.pos < out.size) chunk.failure = "the zstd data ends too early (truncated file?)";
    return chunk;
  }

 private:
  ZSTD_DStream* stream_;
};

std::unique_ptr<Decoder> make_decoder(Packing packing) {
  switch (packing) {
    case Packing::xz: return std::make_unique<XzDecoder>();
    case Packing::gzip: return std::make_unique<GzipDecoder>();
    case Packing::zstd: return std::make_unique<ZstdDecoder>();
    case Packing::none: break;
  }
  return nullptr;
}

std::string size_text(uint64_t bytes) {
  return bytes % mebi == 0 ? std::to_string(bytes / mebi) + " MiB" : std::to_string(bytes) + " bytes";
}

struct Job {
  std::string_view packed;
  std::string name;
  const Progress& progress;
  uint64_t limit;
  bool head_only;  ///< stop quietly at the limit and at damage
};

Result<std::shared_ptr<const Bytes>> run(Decoder& decoder, const Job& job) {
  // One byte more than the limit is the proof that the limit is passed.
  auto buffer = std::make_shared<GrowBuffer>(job.limit + 1);
  uint64_t at = 0;
  while (true) {
    if (job.progress.cancelled()) return fail("cancelled");
    if (!buffer->reserve_more(1)) {
      if (job.head_only) break;
      if (buffer->size() <= job.limit) return fail(job.name + ": not enough memory to unpack");
      return fail(Error::at_offset(job.name, at, "unpacks to more than " + size_text(job.limit) +
                                   ", which no trace of this packed size does; unpack it by hand if it is meant"));
    }
    const std::string_view input = job.packed.substr(at, feed);
    const Chunk chunk = decoder.run(input, buffer->tail(), std::min(buffer->room(), most_at_once), at + input.size() == job.packed.size());
    at += chunk.read;
    buffer->added(chunk.written);
    if (chunk.finished || (chunk.failure != nullptr && job.head_only)) break;
    if (chunk.failure != nullptr) return fail(Error::at_offset(job.name, at, chunk.failure));
    job.progress.at("unpacking", at, job.packed.size());
  }
  buffer->finish();
  return buffer;
}

}  // namespace

Packing detect_packing(std::string_view head) {
  using namespace std::string_view_literals;
  if (head.starts_with("\xfd\x37zXZ\0"sv)) return Packing::xz;
  if (head.starts_with("\x1f\x8b\x08"sv)) return Packing::gzip;
  if (head.starts_with("\x28\xb5\x2f\xfd"sv)) return Packing::zstd;
  return Packing::none;
}

uint64_t unpack_limit(uint64_t packed_size) {
  constexpr uint64_t least = 256 * mebi, most = 4096 * mebi;
  return packed_size > most / 200 ? most : std::max(least, packed_size * 200);
}

Result<std::shared_ptr<const Bytes>> unpack(std::string_view packed, Packing packing, std::string_view name,
                                            const Progress& progress, uint64_t limit) {
  const auto decoder = make_decoder(packing);
  if (decoder == nullptr) return copy_bytes(packed, name);
  return run(*decoder, {packed, std::string(name), progress, limit == 0 ? unpack_limit(packed.size()) : limit, false});
}

Result<std::shared_ptr<const Bytes>> unpack_head(std::string_view packed, Packing packing, std::string_view name,
                                                 uint64_t size) {
  const auto decoder = make_decoder(packing);
  if (decoder == nullptr) return copy_bytes(packed.substr(0, size), name);
  return run(*decoder, {packed, std::string(name), Progress{}, size, true});
}

}  // namespace hmmscope::traces
