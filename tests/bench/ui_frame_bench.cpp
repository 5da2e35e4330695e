/// CPU time of one frame of each panel at 1680x400: the draw list, and the software raster of it.

#include <benchmark/benchmark.h>

#include "tests/ui/stage.h"

namespace hmmscope::ui::test {
namespace {

constexpr const char* panels[] = {"walk", "bits", "decision", "history", "timeline"};

std::unique_ptr<Stage> stage_of(int64_t panel, bool large) {
  const auto document = large ? overlap_document() : walk_document(true);
  auto stage = std::make_unique<Stage>(panels[panel], document, large ? 2 : diverged_position(*document));
  stage->size = {1680, 400, 1};
  stage->frame();
  return stage;
}

void name(benchmark::State& state) { state.SetLabel(panels[state.range(0)]); }

void draw_list(benchmark::State& state) {
  const auto stage = stage_of(state.range(0), false);
  name(state);
  for (auto _ : state) benchmark::DoNotOptimize(stage->frame());
}

/// The array of 262 144 entries is classified anew whenever the cursor moves.
void draw_list_after_seek(benchmark::State& state) {
  const auto stage = stage_of(state.range(0), true);
  name(state);
  StepIndex position = 2;
  for (auto _ : state) {
    position = position == 2 ? 3 : 2;
    stage->cursor().seek(position);
    benchmark::DoNotOptimize(stage->frame());
  }
}

void raster(benchmark::State& state) {
  const auto stage = stage_of(state.range(0), false);
  name(state);
  Image image;
  for (auto _ : state) {
    stage->canvas().rasterise(image);
    benchmark::DoNotOptimize(image.pixels.data());
  }
}

void timeline_of_ten_million_steps(benchmark::State& state) {
  Stage stage("timeline", long_document(10'000'000, 7'654'321), 5'000'000);
  stage.size = {1680, 400, 1};
  stage.frame();
  for (auto _ : state) benchmark::DoNotOptimize(stage.frame());
}

void font_atlas(benchmark::State& state) {
  for (auto _ : state) {
    FontCache cache;
    benchmark::DoNotOptimize(cache.at(static_cast<float>(state.range(0))));
  }
}

BENCHMARK(draw_list)->DenseRange(0, 4)->Unit(benchmark::kMillisecond);
BENCHMARK(draw_list_after_seek)->DenseRange(0, 4)->Unit(benchmark::kMillisecond);
BENCHMARK(raster)->DenseRange(0, 4)->Unit(benchmark::kMillisecond);
BENCHMARK(timeline_of_ten_million_steps)->Unit(benchmark::kMillisecond);
BENCHMARK(font_atlas)->Arg(1)->Arg(2)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace hmmscope::ui::test
