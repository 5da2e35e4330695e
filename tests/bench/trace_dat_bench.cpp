// Reading trace.dat, beside libtracecmd's own iteration over the same file in the same run, which reads the same of each
// record: its time, cpu, task and event. Where it is installed, also beside libkshark (KernelShark), which loads the same.
// The file is a sample, or the one that HMMSCOPE_BENCH_DAT names.
#include <benchmark/benchmark.h>
#include <fcntl.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#ifdef HMMSCOPE_HAS_KSHARK
#include <malloc.h>
extern "C" {
#include <libkshark.h>
}
#endif

#include "traces/reader/bytes.h"
#include "traces/reader/source.h"
#include "traces/reader/tracecmd_api.h"

namespace hmmscope::traces {
namespace {

const std::filesystem::path& dat_file() {
  static const std::filesystem::path path = [] {
    if (const char* chosen = std::getenv("HMMSCOPE_BENCH_DAT"); chosen != nullptr) return std::filesystem::path(chosen);
    const std::filesystem::path sample = HMMSCOPE_SOURCE_DIR "/traces/samples/dat/6.12-snapshot-v7.dat.xz";
    const auto packed = open_bytes(sample);
    const auto plain = unpack((*packed)->view(), Packing::xz, sample.string());
    auto file = std::filesystem::temp_directory_path() / "hmmscope-trace-dat-bench.dat";
    std::ofstream(file, std::ios::binary) << (*plain)->view();
    return file;
  }();
  return path;
}

struct Seen {
  uint64_t events = 0, sum = 0;
};

int look(tracecmd_input* input, tep_record* record, int cpu, void* data) {
  auto* seen = static_cast<Seen*>(data);
  tep_handle* tep = tracecmd_get_tep(input);
  const tep_event* event = tep_find_event_by_record(tep, record);
  seen->sum += record->ts + static_cast<uint64_t>(cpu) + static_cast<uint64_t>(tep_data_pid(tep, record)) +
               static_cast<uint64_t>(event != nullptr ? event->id : 0);
  ++seen->events;
  return 0;
}

void libtracecmd_iteration(benchmark::State& state) {
  const std::string name = dat_file().string();
  tracecmd_set_loglevel(TEP_LOG_NONE);
  Seen seen;
  for (auto _ : state) {
    seen = {};
    tracecmd_input* input = tracecmd_open_fd(::open(name.c_str(), O_RDONLY | O_CLOEXEC), tracecmd_load_no_plugins);
    if (input == nullptr) return state.SkipWithError("libtracecmd cannot open the file");
    tracecmd_iterate_events(input, nullptr, 0, look, &seen);
    tracecmd_close(input);
    benchmark::DoNotOptimize(seen.sum);
  }
  state.counters["events/s"] = benchmark::Counter(static_cast<double>(seen.events), benchmark::Counter::kIsIterationInvariantRate);
}

void index_trace_dat(benchmark::State& state) {
  double events = 0, index_bytes = 0;
  for (auto _ : state) {
    auto trace = open_trace(dat_file());
    if (!trace) return state.SkipWithError(trace.error().to_string().c_str());
    events = static_cast<double>((*trace)->size());
    index_bytes = static_cast<double>((*trace)->index_bytes()) / events;
    state.PauseTiming();   // as with libkshark
    trace->reset();
    state.ResumeTiming();
  }
  state.counters["events/s"] = benchmark::Counter(events, benchmark::Counter::kIsIterationInvariantRate);
  state.counters["index bytes/event"] = index_bytes;
}

#ifdef HMMSCOPE_HAS_KSHARK
void libkshark_load(benchmark::State& state) {
  double events = 0, entry_bytes = 0;
  for (auto _ : state) {
    kshark_context* context = nullptr;
    if (!kshark_instance(&context)) return state.SkipWithError("libkshark has no context");
    const int stream = kshark_open(context, dat_file().c_str());
    if (stream < 0) return state.SkipWithError("libkshark cannot open the file");
    const size_t before = mallinfo2().uordblks;
    kshark_entry** entries = nullptr;
    const ssize_t count = kshark_load_entries(context, stream, &entries);
    events = static_cast<double>(count);
    entry_bytes = static_cast<double>(mallinfo2().uordblks - before) / events;
    state.PauseTiming();   // what it costs to free entries one by one is not loading
    for (ssize_t k = 0; k < count; ++k) free(entries[k]);
    free(entries);
    kshark_close_all(context);
    kshark_free(context);
    state.ResumeTiming();
  }
  state.counters["events/s"] = benchmark::Counter(events, benchmark::Counter::kIsIterationInvariantRate);
  state.counters["index bytes/event"] = entry_bytes;
}
BENCHMARK(libkshark_load)->Unit(benchmark::kMillisecond)->UseRealTime();
#endif

BENCHMARK(libtracecmd_iteration)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(index_trace_dat)->Unit(benchmark::kMillisecond)->UseRealTime();   // it has a second thread

}  // namespace
}  // namespace hmmscope::traces
