#include "traces/check/detect_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "engine/machine/entry_format.h"
#include "traces/check/summary.h"
#include "traces/replay/event_kinds.h"
#include "traces/replay/replay.h"

namespace hmmscope::traces {
namespace {

/// A configuration that numbers entry types its own way. MEMORY_FAILURE and MIGRATION only move the first of the
/// types, below which are swap files.
struct Numbering {
  std::string_view name;
  bool device_private = true, pte_marker = true;
};
constexpr std::array numberings{
    Numbering{"", true, true},
    Numbering{"DEVICE_PRIVATE=n", false, true},
    Numbering{"PTE_MARKER=n", true, false},
    Numbering{"DEVICE_PRIVATE=n,PTE_MARKER=n", false, false},
};
/// No configuration gives a swap file as many types.
constexpr uint64_t least_special_type = 20;

struct Score {
  uint64_t agreed = 0, diverged = 0, calls = 0;
  bool by_migrations = false;
};

/// Fewer divergences are better, then more agreement.
bool better(const Score& a, const Score& b) {
  return a.diverged != b.diverged ? a.diverged < b.diverged : a.agreed > b.agreed;
}

bool is_plain_release(const KernelModel& model) {
  return model.id.find_first_not_of("0123456789.") == std::string::npos;
}

/// Some entry that the trace shows has a type whose meaning depends on the configuration.
bool shows_special_entries(const Trace& trace) {
  const EventKinds kinds(trace);
  std::array<uint64_t, 64> words{};
  const auto special = [](uint64_t pte) {
    return !x86::pte_none(pte) && !x86::pte_present(pte) && x86::swp_type.get(pte) >= least_special_type;
  };
  for (size_t index = 0; index < trace.size(); ++index) {
    const EventView event = trace[index];
    const EventKind kind = kinds.of(event);
    if (kind == EventKind::h_pte || kind == EventKind::remove_migration_pte || kind == EventKind::set_migration_pte) {
      if (special(event.number("pte").value_or(0))) return true;
    } else if (kind == EventKind::ptes) {
      const uint32_t count = std::min<uint32_t>(event.array("ptes", words).value_or(0), words.size());
      for (uint32_t k = 0; k < count; ++k)
        if (special(words[k])) return true;
    }
  }
  return false;
}

KernelModel numbered(KernelModel model, const Numbering& numbering) {
  model.config.device_private = model.config.device_private && numbering.device_private;
  model.config.pte_marker = model.config.pte_marker && numbering.pte_marker;
  model.types = swap_types(model.version, model.config);
  return model;
}

Result<Score> score(const Trace& trace, const KernelModel& model, const Progress& progress) {
  const auto recording = replay(trace, ReplayOptions{model, progress});
  if (!recording) return tl::unexpected(recording.error());
  const CheckCounts ranges = count_checks(*recording), migrations = count_migrate_checks(*recording);
  if (ranges.calls == 0) return Score{migrations.agreed, migrations.diverged, migrations.calls, true};
  // Migrations say nothing of a layout: beside range faults only their differences count.
  return Score{ranges.agreed, ranges.diverged + migrations.diverged, ranges.calls};
}

}  // namespace

std::string ModelGuess::text() const {
  std::string text = by_migrations
                         ? fmt::format("detected from the numbering of rebuilt entries: {} of {} migrations agree", agreed, calls)
                         : fmt::format("detected from the words: {} of {} calls agree", agreed, calls);
  if (!numbering.empty()) text += fmt::format(", entry types numbered as with {}", numbering);
  for (size_t k = 0; k < also.size(); ++k) text += (k == 0 ? "; as many under " : ", ") + also[k];
  return text;
}

Result<ModelGuess> guess_model(const Trace& trace, const Progress& progress) {
  const std::string unnamed = "the trace does not say which kernel it came from: name one with --kernel";
  const bool has_faults = trace.kind("rf_in") != no_kind && trace.kind("rf_out") != no_kind;
  if (!has_faults && trace.kind("remove_migration_pte") == no_kind)
    return fail(Error{unnamed, trace.info().name, 0, 0, false});
  std::optional<ModelGuess> best;
  Score best_score;
  std::vector<std::string> equals;
  uint64_t worst = 0;
  for (const KernelModel& model : kernel_models()) {
    KernelModel tried = model;
    if (trace.info().page_table_levels != 0)
      tried.config.levels = static_cast<uint8_t>(trace.info().page_table_levels);
    const auto guess = guess_numbering(trace, tried, progress);
    if (!guess) return tl::unexpected(guess.error());
    const Score found{guess->agreed, guess->diverged, guess->calls, guess->by_migrations};
    worst = std::max(worst, found.diverged);
    const bool first = !best, wins = first || better(found, best_score);
    if (!wins && better(best_score, found)) continue;
    if (wins) equals.clear();
    equals.push_back(model.id);
    if (wins || is_plain_release(model)) {
      best = *guess;
      best_score = found;
    }
  }
  if (!best || best_score.agreed == 0 || best_score.diverged * 10 > best_score.calls) {
    const std::string why = trace.info().arrays_reliable ? "its words fit no model known here"
                                                         : std::string(unreliable_arrays);
    return fail(Error{unnamed + " (" + why + ")", trace.info().name, 0, 0, false});
  }
  // Migrations that agree under every model tell nothing of the kernel.
  if (best->by_migrations && worst == best->diverged) return fail(Error{unnamed, trace.info().name, 0, 0, false});
  for (const std::string& id : equals)
    if (id != best->model.id) best->also.push_back(id);
  return std::move(*best);
}

Result<ModelGuess> guess_numbering(const Trace& trace, const KernelModel& model, const Progress& progress) {
  std::optional<ModelGuess> best;
  Score best_score;
  const bool special = shows_special_entries(trace);
  // Only a kernel with device memory migrates to it.
  const EventKinds kinds(trace);
  const bool has_devices = kinds.has(EventKind::mv_setup_in) || kinds.has(EventKind::exclusive_in);
  for (const Numbering& numbering : numberings) {
    const KernelModel tried = numbered(model, numbering);
    if (best && (!special || tried.types == model.types)) continue;
    if (has_devices && !numbering.device_private) continue;
    if (best && best_score.diverged == 0 && best_score.agreed == best_score.calls) break;
    const auto found = score(trace, tried, progress);
    if (!found) return tl::unexpected(found.error());
    if (best && !better(*found, best_score)) continue;
    best = ModelGuess{tried, found->calls, found->agreed, found->diverged, found->by_migrations, std::string(numbering.name), {}};
    best_score = *found;
  }
  return std::move(*best);
}

}  // namespace hmmscope::traces
