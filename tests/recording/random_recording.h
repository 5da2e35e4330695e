#pragma once
/// Seeded random recordings with everything a recording can hold, and the truth to compare with: the Memory's
/// words after every step, copied while recording.

#include <cstdint>
#include <memory>
#include <random>
#include <vector>

#include "engine/recording/recorder.h"

namespace hmmscope::testing {

struct RandomOptions {
  uint32_t seed = 1;
  uint32_t steps = 600;
  uint32_t first_words = 700;  ///< words before the recording starts
  uint32_t longest_run = 900;
  bool events = false;
};

struct RandomRecording {
  std::shared_ptr<const Recording> recording;
  std::vector<std::vector<uint64_t>> states;  ///< [p] = all words at position p, padded to the final size
};

class RandomRecorder {
 public:
  explicit RandomRecorder(const RandomOptions& options) : options_(options), random_(options.seed) {}

  RandomRecording run() {
    add_region(RegionKind::hmm_pfns, options_.first_words);
    for (WordIndex w = 0; w < memory_.words().size(); ++w) {
      if (below(2) == 0) memory_.store(w, value());
    }
    Recorder recorder(memory_);
    recorder.set_meta("source", "random");
    if (options_.events) declare_tasks(recorder);
    RandomRecording out;
    out.states.emplace_back(memory_.words().begin(), memory_.words().end());
    for (uint32_t i = 0; i < options_.steps; ++i) {
      one_step(recorder);
      out.states.emplace_back(memory_.words().begin(), memory_.words().end());
    }
    add_checks(recorder);
    out.recording = std::make_shared<const Recording>(std::move(recorder).finish());
    for (auto& state : out.states) state.resize(out.recording->word_count(), 0);
    return out;
  }

 private:
  uint32_t below(uint32_t n) { return static_cast<uint32_t>(random_() % n); }
  uint64_t value() {
    static constexpr uint64_t common[] = {0, 1, 0x8000000000000000ull, ~0ull, 0xc000000000012345ull};
    return below(3) == 0 ? common[below(5)] : random_();
  }

  void add_region(RegionKind kind, uint32_t count) {
    Region region;
    region.kind = kind;
    region.count = count;
    region.owner = below(3);
    region.address = 0x7f0000000000 + uint64_t{below(1000)} * 4096;
    region.stride = 4096;
    region.name = std::string(region_kind_name(kind));
    memory_.add_region(region);
  }

  void declare_tasks(Recorder& recorder) {
    recorder.add_task({1, "init"});
    recorder.add_task({4242, "hmm-tests"});
    recorder.add_event_kind("sched_switch");
    recorder.add_event_kind("kprobe");
  }

  void one_step(Recorder& recorder) {
    const uint32_t dice = below(10);
    const auto function = static_cast<Function>(below(static_cast<uint32_t>(Function::count_) - 1));
    if (dice < 2) recorder.enter(function, {value(), value()}, options_.events ? below(2) : 0);
    if (dice == 2) recorder.enter(function);
    if (dice >= 7 && recorder.current_call() != no_call) {
      if (below(2) == 0)
        recorder.leave(-static_cast<int64_t>(below(200)));
      else
        recorder.leave();
    }
    if (below(40) == 0)
      add_region(static_cast<RegionKind>(below(static_cast<uint32_t>(RegionKind::count_))), below(600));
    if (options_.events && recorder.steps() > 5 && below(3) == 0) {
      Event event;
      event.time_ns = 1000 + recorder.steps();
      event.line = recorder.steps() + 1;
      event.task = below(2);
      event.cpu = static_cast<uint16_t>(below(4));
      event.kind = static_cast<uint16_t>(below(2));
      recorder.set_event(recorder.add_event(event));
    }
    const auto rule = static_cast<RuleId>(below(static_cast<uint32_t>(rules().size())));
    std::vector<uint64_t> operands(below(5));
    for (uint64_t& operand : operands) operand = value();
    recorder.step(rule, operands);
    for (uint32_t writes = below(4); writes > 0; --writes) one_write(recorder);
  }

  void one_write(Recorder& recorder) {
    const auto words = static_cast<uint32_t>(memory_.words().size());
    const auto evidence = static_cast<Evidence>(below(4));
    const WordIndex first = below(words);
    const uint32_t room = std::min(words - first, options_.longest_run);
    const uint32_t count = below(4) == 0 ? std::min(room, 1 + below(4)) : 1 + below(room);
    switch (below(7)) {
      case 0:
      case 1:
      case 2:
        recorder.write(first, value(), evidence);
        break;
      case 3:
        recorder.fill(first, count, value(), below(2) == 0 ? 0 : value(), evidence);
        break;
      case 4:
        recorder.fill_keeping(first, count, value(), below(3), value(), evidence);
        break;
      case 5:
        recorder.fill(first, 0, value(), 0, evidence);
        break;
      default: {
        std::vector<uint64_t> values(count);
        for (uint64_t& v : values) v = value();
        recorder.copy(first, values, evidence);
      }
    }
  }

  void add_checks(Recorder& recorder) {
    for (uint32_t i = 0; i < 5; ++i) {
      CallCheck check;
      if (!recorder.peek().calls().empty())
        check.call = below(static_cast<uint32_t>(recorder.peek().calls().size()));
      check.verdict = static_cast<Verdict>(below(3));
      check.step = below(recorder.steps());
      check.word = below(static_cast<uint32_t>(memory_.words().size()));
      check.kernel = value();
      check.engine = value();
      check.known = value();
      check.rule = static_cast<RuleId>(below(static_cast<uint32_t>(rules().size())));
      check.words_compared = below(100);
      check.reason = "because " + std::to_string(i);
      recorder.add_check(check);
    }
  }

  RandomOptions options_;
  std::mt19937_64 random_;
  Memory memory_;
};

inline RandomRecording random_recording(const RandomOptions& options) {
  return RandomRecorder(options).run();
}

}  // namespace hmmscope::testing
