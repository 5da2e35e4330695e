// A full check of a capture: every pfn word that the trace shows as an output is computed by the engine from what the
// kernel read, and compared. Beside it, in the same run, what bounds it: one look at every event of the trace. The
// captures are samples, or the one that HMMSCOPE_BENCH_CAPTURE names.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <filesystem>

#include "engine/model/kernel_model.h"
#include "traces/check/summary.h"
#include "traces/reader/source.h"
#include "traces/replay/replay.h"

namespace hmmscope::traces {
namespace {

constexpr const char* samples[] = {"6.12-control-hugetlb1g.trace.txt.xz", "6.12-overlap-thp.trace.txt.xz",
                                   "6.12-anon_write_prot.trace.txt.xz", "6.12-fuzz-1.trace.txt.xz",
                                   "6.12-migrate_fault.trace.txt.xz"};

std::filesystem::path capture(int64_t which) {
  if (const char* chosen = std::getenv("HMMSCOPE_BENCH_CAPTURE"); chosen != nullptr) return chosen;
  return std::filesystem::path(HMMSCOPE_SOURCE_DIR) / "traces" / "samples" / samples[which];
}

std::shared_ptr<const Trace> opened(benchmark::State& state) {
  const auto trace = open_trace(capture(state.range(0)));
  if (!trace) {
    state.SkipWithError(trace.error().to_string().c_str());
    return nullptr;
  }
  state.SetLabel(capture(state.range(0)).filename().string());
  return *trace;
}

benchmark::Counter rate(uint64_t count) {
  return benchmark::Counter(static_cast<double>(count), benchmark::Counter::kIsIterationInvariantRate);
}

/// Every event once, one field each.
void look_at_events(benchmark::State& state) {
  const auto trace = opened(state);
  if (trace == nullptr) return;
  uint64_t sum = 0;
  for (auto _ : state) {
    for (size_t index = 0; index < trace->size(); ++index) sum += (*trace)[index].number("start").value_or(1);
    benchmark::DoNotOptimize(sum);
  }
  state.counters["events/s"] = rate(trace->size());
}

void check(benchmark::State& state) {
  const auto trace = opened(state);
  if (trace == nullptr) return;
  const auto model = detect_model(trace->info().kernel, trace->info().patch, trace->info().config);
  if (!model) return state.SkipWithError(model.error().to_string().c_str());
  CheckCounts counts;
  for (auto _ : state) {
    const auto recording = replay(*trace, {*model, {}});
    if (!recording) return state.SkipWithError(recording.error().to_string().c_str());
    counts = count_checks(*recording);
    counts += count_migrate_checks(*recording);
    if (counts.diverged != 0) return state.SkipWithError("a call diverged");
  }
  state.counters["pfns/s"] = rate(counts.words_compared);
  state.counters["events/s"] = rate(trace->size());
}

void each_sample(benchmark::internal::Benchmark* bench) {
  const bool chosen = std::getenv("HMMSCOPE_BENCH_CAPTURE") != nullptr;
  for (int64_t which = 0; which < (chosen ? 1 : static_cast<int64_t>(std::size(samples))); ++which) bench->Arg(which);
}

BENCHMARK(look_at_events)->Apply(each_sample)->Unit(benchmark::kMillisecond);
BENCHMARK(check)->Apply(each_sample)->Unit(benchmark::kMillisecond)->UseRealTime();   // it has a second thread

}  // namespace
}  // namespace hmmscope::traces
