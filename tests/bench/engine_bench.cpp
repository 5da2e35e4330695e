// The range-fault engine over 1 GiB: a snapshot (no request, no recording) of 4K ptes, 2M and 1G leaves, each beside a
// plain loop that only writes the same number of output words (the physical limit), and a recorded walk in steps/s.

#include <benchmark/benchmark.h>

#include <memory>
#include <numeric>
#include <optional>

#include "engine/machine/machine.h"
#include "engine/recording/recorder.h"
#include "engine/walk/range_fault.h"

namespace hmmscope {
namespace {

constexpr uint64_t base = 0x7f0000000000, one_gib = 1ull << 30;
constexpr uint32_t pages = one_gib >> page_bits;

/// 1 GiB of memory mapped by entries of one level, and a range over it.
struct Mapped {
  std::unique_ptr<Machine> machine;
  RangeFaultCall call;

  Mapped(const char* model, Level level) {
    machine = Machine::create(kernel_model(model).value()).value();
    AddressSpace& mm = machine->add_address_space("mm");
    VmaSpec spec;
    spec.start = base;
    spec.end = base + one_gib;
    (void)mm.add_vma(spec).value();
    const uint64_t flags = x86::present.mask() | x86::user.mask() | x86::accessed.mask() | x86::dirty.mask() |
                           x86::nx.mask() | (level == Level::pte ? 0 : x86::pse.mask()) |
                           (level == Level::pud && machine->model().devmap ? x86::devmap.mask() : 0);
    uint64_t pfn = 0x100000;
    for (uint64_t at = base; at < base + one_gib; at += level_size(level), pfn += 1ull << level_order(level)) {
      const uint64_t writable = (at >> page_bits) % 3 == 0 ? x86::rw.mask() : 0;
      mm.set_entry(level, at, EntryFormat::make(pfn, flags | writable));
    }
    call.mm = &mm;
    call.start = base;
    call.end = base + one_gib;
    call.pfns = machine->add_hmm_pfns(mm, base, pages);
  }
  uint64_t* slots() { return machine->memory().data() + call.pfns; }
};

void snapshot(benchmark::State& state, const char* model, Level level) {
  Mapped mapped(model, level);
  for (auto _ : state) {
    const RangeFaultResult result = hmm_range_fault(*mapped.machine, mapped.call);
    if (result.ret != 0) state.SkipWithError("the walk failed");
    benchmark::ClobberMemory();
  }
  state.counters["pages/s"] = benchmark::Counter(static_cast<double>(state.iterations()) * pages, benchmark::Counter::kIsRate);
}

void plain_loop(benchmark::State& state) {
  Mapped mapped("6.12", Level::pud);
  uint64_t* out = mapped.slots();
  const uint64_t first = 0xc000000000100000;
  for (auto _ : state) {
    for (uint32_t i = 0; i < pages; ++i) out[i] = first + i;
    benchmark::ClobberMemory();
  }
  state.counters["pages/s"] = benchmark::Counter(static_cast<double>(state.iterations()) * pages, benchmark::Counter::kIsRate);
}

/// As 6.16 must write: each word keeps its sticky bits, so the physical limit reads the words too.
void plain_loop_keeping(benchmark::State& state) {
  Mapped mapped("6.16", Level::pud);
  uint64_t* out = mapped.slots();
  const uint64_t first = 0xc000000000100000, keep = mapped.machine->model().sticky_mask;
  for (auto _ : state) {
    for (uint32_t i = 0; i < pages; ++i) out[i] = (out[i] & keep) | (first + i);
    benchmark::ClobberMemory();
  }
  state.counters["pages/s"] = benchmark::Counter(static_cast<double>(state.iterations()) * pages, benchmark::Counter::kIsRate);
}

void recorded(benchmark::State& state, Level level) {
  Mapped mapped("6.12", level);
  if (level == Level::pte) mapped.call.end = base + (256ull << 20);
  uint64_t steps = 0, bytes = 0;
  for (auto _ : state) {
    Recorder recorder(mapped.machine->memory());
    mapped.machine->set_recorder(&recorder);
    const RangeFaultResult result = hmm_range_fault(*mapped.machine, mapped.call);
    mapped.machine->set_recorder(nullptr);
    if (result.ret != 0) state.SkipWithError("the walk failed");
    steps += recorder.steps();
    state.PauseTiming();
    const Recording recording = std::move(recorder).finish();
    bytes = (recording.bytes() - recording.word_count() * sizeof(uint64_t)) / recording.steps();
    state.ResumeTiming();
  }
  state.counters["steps/s"] = benchmark::Counter(static_cast<double>(steps), benchmark::Counter::kIsRate);
  state.counters["bytes/step"] = static_cast<double>(bytes);
}

BENCHMARK(plain_loop)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(snapshot, 4K_6.12, "6.12", Level::pte)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(snapshot, 2M_6.12, "6.12", Level::pmd)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(snapshot, 1G_6.12, "6.12", Level::pud)->Unit(benchmark::kMicrosecond);
BENCHMARK(plain_loop_keeping)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(snapshot, 4K_6.16, "6.16", Level::pte)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(snapshot, 2M_6.16, "6.16", Level::pmd)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(snapshot, 1G_6.16, "6.16", Level::pud)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(recorded, 4K, Level::pte)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(recorded, 2M, Level::pmd)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(recorded, 1G, Level::pud)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace hmmscope
