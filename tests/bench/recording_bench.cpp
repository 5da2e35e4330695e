// Recording, seeking, histories and files at the size the program promises: ten million steps.
//
// What to look for: record/* at least 5 million items/s and bytes_per_step at most 64; seek/* p99_ms
// under 16: a seek and the words of a thousand pages, more than all panels of a window look at. seek_all/* brings
// the whole state to the position, which nothing does while somebody waits.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <memory>
#include <random>

#include "engine/recording/cursor.h"
#include "engine/recording/history.h"
#include "engine/recording/recorder.h"
#include "engine/recording/recording_file.h"

namespace hmmscope {
namespace {

constexpr uint32_t million = 1000000;
constexpr uint32_t pfns = 262144;  ///< 1 GiB of 4K pages
constexpr RuleId some_rule = RuleId::unknown_rule;

using Shared = std::shared_ptr<const Recording>;

WordIndex add_words(Memory& memory, RegionKind kind, uint32_t count) {
  Region region;
  region.kind = kind;
  region.count = count;
  return memory.region(memory.add_region(region)).first;
}

/// A walk of 1 GiB of ptes after another: three operands and one write a step, every 512 steps a call.
Recording record_walks(uint32_t steps) {
  Memory memory;
  const WordIndex out = add_words(memory, RegionKind::hmm_pfns, pfns);
  Recorder recorder(memory);
  recorder.enter(Function::hmm_range_fault);
  for (uint32_t i = 0; i < steps; ++i) {
    if (i % 512 == 0) {
      if (i != 0) recorder.leave(0);
      recorder.enter(Function::hmm_vma_walk_pmd, {i, i + 512});
    }
    recorder.step(some_rule, {0x8000000000000025ull + i * 4096ull, 1, 3});
    recorder.write(out + i % pfns, 0xc000000000000000ull | (i * 7ull));
  }
  recorder.leave(0);
  recorder.leave(0);
  return std::move(recorder).finish();
}

/// Faults: each step writes one of several million words (pte, pfn, folio counters), anywhere.
Recording record_scattered(uint32_t steps) {
  Memory memory;
  const WordIndex words = add_words(memory, RegionKind::folio, 4 * million);
  Recorder recorder(memory);
  std::mt19937_64 random(1);
  for (uint32_t i = 0; i < steps; ++i) {
    recorder.step(some_rule, {i, 2});
    recorder.write(words + static_cast<WordIndex>(random() % (4 * million)), random());
  }
  return std::move(recorder).finish();
}

/// Huge leaves: every step fills 512 slots of one of 16 arrays of 1 GiB, and every 512 steps an array is
/// cleared whole.
Recording record_leaves(uint32_t steps) {
  Memory memory;
  const WordIndex words = add_words(memory, RegionKind::hmm_pfns, 16 * pfns + 100);
  Recorder recorder(memory);
  for (uint32_t i = 0; i < steps; ++i) {
    const WordIndex array = words + 37 + i / 512 % 16 * pfns;  // not aligned to anything
    if (i % 512 == 0) {
      recorder.step(some_rule, {i});
      recorder.fill(array, pfns, 0, 0);
    }
    recorder.step(some_rule, {i, 1, 2});
    recorder.fill(array + i % 512 * 512, 512, 0xe000000000000000ull + i * 512ull, 1);
  }
  return std::move(recorder).finish();
}

/// Every 10000th step rewrites 262144 words, the others one, in two million words.
Recording record_long_runs(uint32_t steps) {
  Memory memory;
  const WordIndex words = add_words(memory, RegionKind::hmm_pfns, 8 * pfns);
  Recorder recorder(memory);
  std::mt19937_64 random(1);
  for (uint32_t i = 0; i < steps; ++i) {
    recorder.step(some_rule, {i, 1});
    if (i % 10000 == 0) {
      recorder.fill(words + static_cast<WordIndex>(random() % (7 * pfns)), pfns, i, 1);
    } else {
      recorder.write(words + static_cast<WordIndex>(random() % (8 * pfns)), i);
    }
  }
  return std::move(recorder).finish();
}

using Make = Recording (*)(uint32_t);

void record(benchmark::State& state, Make make) {
  const auto steps = static_cast<uint32_t>(state.range(0));
  size_t bytes = 0;
  for (auto _ : state) {
    const Recording recording = make(steps);
    bytes = recording.bytes() - recording.initial().size_bytes();
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations()) * steps);
  state.counters["bytes_per_step"] = static_cast<double>(bytes) / steps;
}

void build_keyframes(benchmark::State& state, Make make) {
  const Shared recording = std::make_shared<const Recording>(make(static_cast<uint32_t>(state.range(0))));
  for (auto _ : state) {
    const Keyframes keyframes(recording);
    state.counters["stored"] = keyframes.count();
    state.counters["MiB"] = static_cast<double>(keyframes.bytes()) / (1 << 20);
  }
}

/// Time of this thread alone, for machines that are busy with something else.
double cpu_ms() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

double percentile(std::vector<double>& times, size_t percent) {
  std::sort(times.begin(), times.end());
  return times[std::min(times.size() - 1, times.size() * percent / 100)];
}

template <class Read>
void seek_and(benchmark::State& state, Make make, Read read) {
  const Shared recording = std::make_shared<const Recording>(make(static_cast<uint32_t>(state.range(0))));
  Cursor cursor(recording);
  std::mt19937 random(7);
  std::vector<double> times, cpu_times;
  for (auto _ : state) {
    const auto target = static_cast<StepIndex>(random() % (recording->steps() + 1ull));
    const auto start = std::chrono::steady_clock::now();
    const double cpu_start = cpu_ms();
    cursor.seek(target);
    read(cursor);
    cpu_times.push_back(cpu_ms() - cpu_start);
    times.push_back(
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
  }
  state.counters["p50_ms"] = percentile(times, 50);
  state.counters["p99_ms"] = percentile(times, 99);
  state.counters["cpu_p50_ms"] = percentile(cpu_times, 50);
  state.counters["cpu_p99_ms"] = percentile(cpu_times, 99);
}

void seek(benchmark::State& state, Make make) {
  constexpr uint32_t read = 1000;
  seek_and(state, make, [](const Cursor& cursor) {
    const WordIndex words = cursor.recording().word_count();
    for (uint32_t i = 0; i < read; ++i)
      benchmark::DoNotOptimize(cursor.load(static_cast<WordIndex>(uint64_t{words} * i / read)));
  });
}

void seek_all(benchmark::State& state, Make make) {
  seek_and(state, make, [](const Cursor& cursor) { benchmark::DoNotOptimize(cursor.state().data()); });
}

void step_and_hash(benchmark::State& state) {
  Cursor cursor(std::make_shared<const Recording>(record_walks(static_cast<uint32_t>(state.range(0)))));
  for (auto _ : state) {
    if (!cursor.step()) cursor.seek(0);
    benchmark::DoNotOptimize(cursor.hash());
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations()));
}

void build_history(benchmark::State& state, Make make) {
  const Shared recording = std::make_shared<const Recording>(make(static_cast<uint32_t>(state.range(0))));
  for (auto _ : state) {
    const History history(recording);
    state.counters["MiB"] = static_cast<double>(history.bytes()) / (1 << 20);
  }
}

void look_up(benchmark::State& state, Make make) {
  const Shared recording = std::make_shared<const Recording>(make(static_cast<uint32_t>(state.range(0))));
  const History history(recording);
  std::mt19937 random(7);
  for (auto _ : state) {
    const auto word = static_cast<WordIndex>(random() % recording->word_count());
    const auto position = static_cast<StepIndex>(random() % recording->steps());
    benchmark::DoNotOptimize(history.last_write(word, position));
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations()));
}

void save(benchmark::State& state, Make make) {
  const Recording recording = make(static_cast<uint32_t>(state.range(0)));
  size_t size = 0;
  for (auto _ : state) size = RecordingFile::to_bytes(recording)->size();
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * recording.bytes()));
  state.counters["file_MiB"] = static_cast<double>(size) / (1 << 20);
}

void load(benchmark::State& state, Make make) {
  const Recording recording = make(static_cast<uint32_t>(state.range(0)));
  const auto bytes = *RecordingFile::to_bytes(recording);
  for (auto _ : state) benchmark::DoNotOptimize(RecordingFile::from_bytes(bytes, "bench").has_value());
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * recording.bytes()));
}

BENCHMARK_CAPTURE(record, walks, record_walks)->Arg(10 * million)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(record, leaves, record_leaves)->Arg(million)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(build_keyframes, walks, record_walks)->Arg(10 * million)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(build_keyframes, scattered, record_scattered)
    ->Arg(10 * million)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(build_keyframes, leaves, record_leaves)->Arg(10 * million)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(build_keyframes, long_runs, record_long_runs)
    ->Arg(10 * million)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(seek, walks, record_walks)
    ->Arg(10 * million)
    ->Iterations(2000)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(seek, scattered, record_scattered)
    ->Arg(10 * million)
    ->Iterations(1000)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(seek, leaves, record_leaves)
    ->Arg(10 * million)
    ->Iterations(1000)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(seek, long_runs, record_long_runs)
    ->Arg(10 * million)
    ->Iterations(1000)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(seek_all, scattered, record_scattered)
    ->Arg(10 * million)
    ->Iterations(200)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(seek_all, leaves, record_leaves)
    ->Arg(10 * million)
    ->Iterations(200)
    ->Unit(benchmark::kMillisecond);
BENCHMARK(step_and_hash)->Arg(million);
BENCHMARK_CAPTURE(build_history, walks, record_walks)->Arg(10 * million)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(build_history, leaves, record_leaves)->Arg(10 * million)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(look_up, walks, record_walks)->Arg(10 * million);
BENCHMARK_CAPTURE(look_up, leaves, record_leaves)->Arg(10 * million);
BENCHMARK_CAPTURE(save, walks, record_walks)->Arg(10 * million)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(load, walks, record_walks)->Arg(10 * million)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace hmmscope
