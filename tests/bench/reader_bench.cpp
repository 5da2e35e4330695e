// Reading ftrace text, beside the physical limit in the same run: a bare mmap + memchr over the same file. The text is
// a sample repeated with shifted times, or the file that HMMSCOPE_BENCH_TRACE names.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include "traces/reader/bytes.h"
#include "traces/reader/source.h"

namespace hmmscope::traces {
namespace {

constexpr size_t wanted_bytes = 192u << 20;

/// The sample's event lines again and again; each round starts where the last one ended.
std::string repeated_sample() {
  const std::filesystem::path sample = HMMSCOPE_SOURCE_DIR "/traces/samples/6.12-migrate_fault.trace.txt.xz";
  const auto packed = open_bytes(sample);
  const auto plain = unpack((*packed)->view(), Packing::xz, sample.string());
  const auto trace = open_trace(sample);
  const std::string_view text = (*plain)->view();
  const int64_t first = (**trace)[0].time_ns(), last = (**trace)[(*trace)->size() - 1].time_ns();
  std::string out;
  out.reserve(wanted_bytes + text.size());
  char time[32];
  for (int64_t round = 0; out.size() < wanted_bytes; ++round) {
    for (const TraceEvent& event : (*trace)->events()) {
      const std::string_view line = text.substr(event.offset, text.find('\n', event.offset) + 1 - event.offset);
      const size_t stamp = line.find_first_of("0123456789", line.find("] ") + 7);
      const size_t colon = line.find(':', stamp);
      const int64_t shifted = event.time_ns + round * (last - first + 1000);
      std::snprintf(time, sizeof time, "%lld.%06lld", static_cast<long long>(shifted / 1000000000),
                    static_cast<long long>(shifted % 1000000000 / 1000));
      out.append(line.substr(0, stamp)).append(time).append(line.substr(colon));
    }
  }
  return out;
}

const std::filesystem::path& big_text() {
  static const std::filesystem::path path = [] {
    if (const char* chosen = std::getenv("HMMSCOPE_BENCH_TRACE"); chosen != nullptr) return std::filesystem::path(chosen);
    auto file = std::filesystem::temp_directory_path() / ("hmmscope-reader-bench-" + std::to_string(::getpid()) + ".txt");
    std::ofstream(file, std::ios::binary) << repeated_sample();
    std::atexit([] { std::filesystem::remove(std::filesystem::temp_directory_path() /
                                             ("hmmscope-reader-bench-" + std::to_string(::getpid()) + ".txt")); });
    return file;
  }();
  return path;
}

void bare_mmap_memchr(benchmark::State& state) {
  const std::string name = big_text().string();
  uint64_t lines = 0, bytes = 0;
  for (auto _ : state) {
    const int fd = ::open(name.c_str(), O_RDONLY);
    struct stat status {};
    ::fstat(fd, &status);
    const auto size = static_cast<size_t>(status.st_size);
    void* const map = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
    const char* at = static_cast<const char*>(map);
    const char* const end = at + size;
    for (lines = 0; at < end; ++lines) {
      const void* newline = std::memchr(at, '\n', static_cast<size_t>(end - at));
      if (newline == nullptr) break;
      at = static_cast<const char*>(newline) + 1;
    }
    benchmark::DoNotOptimize(lines);
    ::munmap(map, size);
    ::close(fd);
    bytes += size;
  }
  state.SetBytesProcessed(static_cast<int64_t>(bytes));
  state.counters["lines/s"] = benchmark::Counter(static_cast<double>(lines), benchmark::Counter::kIsIterationInvariantRate);
}

void index_text(benchmark::State& state) {
  const std::filesystem::path path = big_text();
  uint64_t events = 0;
  double index_bytes = 0;
  for (auto _ : state) {
    const auto trace = open_trace(path);
    if (!trace) return state.SkipWithError(trace.error().to_string().c_str());
    events = (*trace)->size();
    index_bytes = static_cast<double>((*trace)->index_bytes()) / static_cast<double>(events);
  }
  const auto size = std::filesystem::file_size(path);
  state.SetBytesProcessed(static_cast<int64_t>(size) * static_cast<int64_t>(state.iterations()));
  state.counters["events/s"] = benchmark::Counter(static_cast<double>(events), benchmark::Counter::kIsIterationInvariantRate);
  state.counters["index bytes/event"] = index_bytes;
}

/// Every array word of every event: what a check asks of the decoder.
void decode_arrays(benchmark::State& state) {
  const auto trace = open_trace(big_text());
  if (!trace) return state.SkipWithError(trace.error().to_string().c_str());
  uint64_t words[64];
  uint64_t decoded = 0;
  for (auto _ : state) {
    for (size_t i = 0; i < (*trace)->size(); ++i) {
      for (const char* name : {"pfns", "src", "dst"}) {
        if (const auto count = (**trace)[i].array(name, words)) decoded += *count;
      }
    }
    benchmark::DoNotOptimize(decoded);
  }
  state.counters["words/s"] = benchmark::Counter(static_cast<double>(decoded), benchmark::Counter::kIsRate);
}

void decode_numbers(benchmark::State& state) {
  const auto trace = open_trace(big_text());
  if (!trace) return state.SkipWithError(trace.error().to_string().c_str());
  uint64_t sum = 0;
  for (auto _ : state) {
    for (size_t i = 0; i < (*trace)->size(); ++i) {
      for (const char* name : {"addr", "start", "ret"}) sum += (**trace)[i].number(name).value_or(0);
    }
    benchmark::DoNotOptimize(sum);
  }
  state.counters["look-ups/s"] = benchmark::Counter(3.0 * static_cast<double>((*trace)->size()),
                                                    benchmark::Counter::kIsIterationInvariantRate);
}

BENCHMARK(bare_mmap_memchr)->Unit(benchmark::kMillisecond);
BENCHMARK(index_text)->Unit(benchmark::kMillisecond);
BENCHMARK(decode_arrays)->Unit(benchmark::kMillisecond);
BENCHMARK(decode_numbers)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace hmmscope::traces
