#include "traces/check/detect_model.h"

#include <fmt/format.h>

#include <optional>

#include "traces/check/summary.h"
#include "traces/replay/replay.h"

namespace hmmscope::traces {
namespace {

/// Fewer divergences are better, then more agreement.
bool better(const CheckCounts& a, const CheckCounts& b) {
  return a.diverged != b.diverged ? a.diverged < b.diverged : a.agreed > b.agreed;
}

bool is_plain_release(const KernelModel& model) {
  return model.id.find_first_not_of("0123456789.") == std::string::npos;
}

}  // namespace

std::string ModelGuess::text() const {
  std::string text = fmt::format("detected from the words: {} of {} calls agree", agreed, calls);
  for (size_t k = 0; k < also.size(); ++k) text += (k == 0 ? "; as many under " : ", ") + also[k];
  return text;
}

Result<ModelGuess> guess_model(const Trace& trace, const Progress& progress) {
  const std::string unnamed = "the trace does not say which kernel it came from: name one with --kernel";
  if (trace.kind("rf_in") == no_kind || trace.kind("rf_out") == no_kind)
    return fail(Error{unnamed, trace.info().name, 0, 0, false});
  std::optional<ModelGuess> best;
  CheckCounts best_counts;
  std::vector<std::string> equals;
  for (const KernelModel& model : kernel_models()) {
    KernelModel tried = model;
    if (trace.info().page_table_levels != 0)
      tried.config.levels = static_cast<uint8_t>(trace.info().page_table_levels);
    const auto recording = replay(trace, ReplayOptions{tried, progress});
    if (!recording) return tl::unexpected(recording.error());
    const CheckCounts counts = count_checks(*recording);
    const bool first = !best, wins = first || better(counts, best_counts);
    if (!wins && better(best_counts, counts)) continue;
    if (wins) equals.clear();
    equals.push_back(model.id);
    if (wins || is_plain_release(model)) {
      best = ModelGuess{model, counts.calls, counts.agreed, {}};
      best_counts = counts;
    }
  }
  if (!best || best_counts.agreed == 0 || best_counts.diverged * 10 > best_counts.calls) {
    return fail(Error{unnamed + " (its words fit no model known here)", trace.info().name, 0, 0, false});
  }
  for (const std::string& id : equals)
    if (id != best->model.id) best->also.push_back(id);
  return std::move(*best);
}

}  // namespace hmmscope::traces
