/// CPU time of one frame of each panel at 1680x400: the draw list, and the software raster of it; and of the
/// timeline of ten million steps while it is panned and zoomed (at most 4 ms for the draw list, 8 ms in all).

#include <benchmark/benchmark.h>

#include "engine/recording/recorder.h"
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

/// Ten million steps of calls that fault, migrate and notify, every call judged: each lane has hundreds of
/// thousands of stretches, and a divergence and an unknown call every so often.
std::shared_ptr<const traces::Document> busy_document(StepIndex steps) {
  Memory memory;
  Region array;
  array.kind = RegionKind::hmm_pfns;
  array.count = 512;
  array.stride = 4096;
  array.name = "hmm_pfns";
  memory.add_region(array);
  Recorder recorder(memory);
  recorder.set_meta("model", "6.12");
  const RuleId walk = rules_of(Function::hmm_range_fault).front(), fault = rules_of(Function::handle_mm_fault).front(),
               notify = rules_of(Function::mmu_interval_read_begin).front(),
               migrate = rules_of(Function::migrate_vma_setup).front();
  const auto call = [&](Function function, RuleId id, int length) {
    const CallId entered = recorder.enter(function, {});
    for (int i = 0; i < length; ++i) {
      recorder.step(id, {});
      recorder.write(static_cast<WordIndex>(recorder.steps() % 512), recorder.steps());
    }
    return entered;
  };
  for (uint32_t round = 0; recorder.steps() + 24 < steps; ++round) {
    call(Function::mmu_interval_read_begin, notify, 1);
    recorder.leave(0);
    const CallId entered = call(Function::hmm_range_fault, walk, 10);
    call(Function::handle_mm_fault, fault, 3);
    recorder.leave(0);
    recorder.leave(0);
    if (round % 3 == 0) {
      call(Function::migrate_vma_setup, migrate, 6);
      recorder.leave(0);
    }
    CallCheck check;
    check.call = entered;
    check.step = recorder.steps() - 4;
    check.verdict = round % 5003 == 0 ? Verdict::diverged : round % 1009 == 0 ? Verdict::unknown : Verdict::agreed;
    recorder.add_check(check);
  }
  auto document = std::make_shared<traces::Document>();
  document->model = kernel_model("6.12").value();
  document->recording = std::make_shared<const Recording>(std::move(recorder).finish());
  document->keyframes = Keyframes::build(document->recording, {});
  return document;
}

Stage& busy_timeline() {
  static Stage stage("timeline", busy_document(10'000'000), 5'000'000);
  stage.size = {1680, 400, 1};
  return stage;
}

/// One frame of a hand that zooms in and out with the wheel and drags in between.
CanvasInput moving_hand(int frame) {
  CanvasInput input;
  input.mouse_x = 900 + static_cast<float>(frame % 40) * 6;
  input.mouse_y = 120;
  const bool zooming = frame / 40 % 2 == 0;
  if (zooming) input.wheel_y = frame / 80 % 2 == 0 ? 1.0f : -1.0f;
  input.button[0] = !zooming;
  return input;
}

void pan_and_zoom_draw_list(benchmark::State& state) {
  Stage& stage = busy_timeline();
  stage.frame();
  int frame = 0;
  for (auto _ : state) benchmark::DoNotOptimize(stage.frame(moving_hand(frame++)));
}

/// The whole frame of the software path: the draw list, and its pixels.
void pan_and_zoom_software(benchmark::State& state) {
  Stage& stage = busy_timeline();
  stage.frame();
  Image image;
  int frame = 0;
  for (auto _ : state) {
    stage.frame(moving_hand(frame++));
    stage.canvas().rasterise(image);
    benchmark::DoNotOptimize(image.pixels.data());
  }
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
BENCHMARK(pan_and_zoom_draw_list)->Unit(benchmark::kMillisecond)->Iterations(800);
BENCHMARK(pan_and_zoom_software)->Unit(benchmark::kMillisecond)->Iterations(800);
BENCHMARK(font_atlas)->Arg(1)->Arg(2)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace hmmscope::ui::test
