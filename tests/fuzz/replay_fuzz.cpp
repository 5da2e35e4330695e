// Any text that reads as a trace: the replay ends in a recording whose judgements and steps point into it.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "engine/model/kernel_model.h"
#include "traces/check/summary.h"
#include "traces/reader/source.h"
#include "traces/replay/replay.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hmmscope;
  const auto trace = traces::read_trace({data, size}, "fuzz");
  if (!trace) return 0;
  const traces::TraceInfo& info = (*trace)->info();
  auto model = detect_model(info.kernel, info.patch, info.config);
  if (!model) model = kernel_model("6.12");
  const auto recording = traces::replay(**trace, {*model, {}});
  if (!recording) {
    if (recording.error().message.empty()) std::abort();
    return 0;
  }
  const traces::CheckCounts counts = traces::count_checks(*recording);
  if (counts.calls != counts.agreed + counts.diverged + counts.unknown) std::abort();
  for (const CallCheck& check : recording->checks()) {
    if (check.call >= recording->calls().size()) std::abort();
    if (check.step != no_step && check.step >= recording->steps()) std::abort();
    if (check.word != no_word && check.word >= recording->word_count()) std::abort();
    if (check.verdict != Verdict::agreed && traces::explanation_text(*recording, *model, check).empty())
      std::abort();
  }
  for (StepIndex step = 0; step < recording->steps(); ++step) {
    if (recording->event_of(step) != no_event && recording->event_of(step) >= recording->events().size())
      std::abort();
    if (recording->call_of(step) != no_call && recording->call_of(step) >= recording->calls().size())
      std::abort();
  }
  return 0;
}
