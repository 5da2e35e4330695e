#include "traces/check/summary.h"

#include <fmt/format.h>

#include <iterator>
#include <set>

#include "engine/encoding/layout.h"
#include "engine/model/word_layout.h"

namespace hmmscope::traces {
namespace {

/// The fields of the array's layout in which two words differ, as far as they could be compared.
std::vector<std::string> differing_fields(const Layout& layout, const CallCheck& check) {
  std::vector<std::string> fields;
  for (const Field& field : layout.fields) {
    if (((check.kernel ^ check.engine) & check.known & field.mask()) == 0) continue;
    const uint64_t kernel = field.get(check.kernel), engine = field.get(check.engine);
    fields.push_back(field.role == Role::pfn
                         ? fmt::format("{}: kernel {:#x}, engine {:#x}", field.name, kernel, engine)
                         : fmt::format("{}: kernel {}, engine {}", field.name, kernel, engine));
  }
  return fields;
}

std::string call_text(const Recording& recording, CallId call) {
  if (call == no_call) return "a call";
  const auto arguments = recording.arguments(call);
  const std::string_view name = function_name(recording.calls()[call].function);
  return arguments.size() < 2 ? std::string(name)
                              : fmt::format("{} {:#x}-{:#x}", name, arguments[0], arguments[1]);
}

}  // namespace

CheckCounts& CheckCounts::operator+=(const CheckCounts& other) {
  calls += other.calls;
  agreed += other.agreed;
  diverged += other.diverged;
  unknown += other.unknown;
  words_compared += other.words_compared;
  words_unknown += other.words_unknown;
  return *this;
}

namespace {

bool is_migration(const Recording& recording, const CallCheck& check) {
  if (check.call == no_call) return false;
  const Function function = recording.calls()[check.call].function;
  return function == Function::migrate_vma_setup || function == Function::migrate_vma_pages ||
         function == Function::migrate_vma_finalize || function == Function::migrate_hmm_range_setup;
}

CheckCounts count(const Recording& recording, bool migrations) {
  CheckCounts counts;
  CallId last = no_call;
  for (const CallCheck& check : recording.checks()) {
    if (is_migration(recording, check) != migrations) continue;
    if (counts.calls != 0 && check.call == last) continue;
    last = check.call;
    ++counts.calls;
    counts.words_compared += check.words_compared;
    counts.words_unknown += check.words_unknown;
    switch (check.verdict) {
      case Verdict::agreed:
        ++counts.agreed;
        break;
      case Verdict::diverged:
        ++counts.diverged;
        break;
      case Verdict::unknown:
        ++counts.unknown;
        break;
    }
  }
  return counts;
}

}  // namespace

CheckCounts count_checks(const Recording& recording) { return count(recording, false); }

CheckCounts count_migrate_checks(const Recording& recording) { return count(recording, true); }

MigrateFacts& MigrateFacts::operator+=(const MigrateFacts& other) {
  busy_lock += other.busy_lock;
  off_lru += other.off_lru;
  referenced += other.referenced;
  unsplit += other.unsplit;
  rebuilt += other.rebuilt;
  rebuilt_unseen += other.rebuilt_unseen;
  return *this;
}

MigrateFacts count_migrate_facts(const Recording& recording) {
  MigrateFacts facts;
  for (StepIndex step = 0; step < recording.steps(); ++step) {
    switch (recording.rule_of(step)) {
      case RuleId::trace_migrate_refused: {
        constexpr uint64_t MigrateFacts::*why[] = {&MigrateFacts::busy_lock, &MigrateFacts::off_lru,
                                                   &MigrateFacts::referenced, &MigrateFacts::unsplit};
        const uint64_t operand = recording.operands(step)[2];
        if (operand < std::size(why)) ++(facts.*why[operand]);
        break;
      }
      case RuleId::restore_present:
      case RuleId::restore_device_private:
      case RuleId::restore_pmd_present:
      case RuleId::restore_pmd_device:
        ++facts.rebuilt;
        break;
      case RuleId::trace_migration_removed:
        ++facts.rebuilt_unseen;
        break;
      default:
        break;
    }
  }
  return facts;
}

std::string facts_text(const MigrateFacts& facts) {
  return fmt::format("left alone {} (lock {}, LRU {}, reference {}, split {}), entries rebuilt {}, of unseen mappings {}",
                     facts.left_alone(), facts.busy_lock, facts.off_lru, facts.referenced, facts.unsplit, facts.rebuilt,
                     facts.rebuilt_unseen);
}

std::string counts_text(const CheckCounts& counts) {
  return fmt::format("calls {}, agreed {}, diverged {}, unknown {}", counts.calls, counts.agreed,
                     counts.diverged, counts.unknown);
}

std::vector<Hang> hangs(const Recording& recording) {
  // A replay that lost the kernel's way may end in a wait of its own.
  std::set<CallId> agreed;
  for (const CallCheck& check : recording.checks())
    if (check.verdict == Verdict::agreed) agreed.insert(check.call);
  std::vector<Hang> found;
  for (StepIndex step = 0; step < recording.steps(); ++step) {
    const RuleId why = recording.rule_of(step);
    if (why != RuleId::stuck_own_entry && why != RuleId::stuck_notifier) continue;
    Hang hang;
    hang.call = recording.call_of(step);
    hang.step = step;
    hang.line = recording.line_of(step);
    hang.text = why == RuleId::stuck_own_entry
                    ? fmt::format("waits for its own migration entry at {:#x}: ", recording.operands(step)[0])
                    : std::string("sleeps for ever: ");
    hang.text += rule(why).statement;
    for (CallId above = hang.call; above != no_call; above = recording.calls()[above].parent)
      if (recording.calls()[above].function == Function::hmm_range_fault) hang.call = above;
    if (why == RuleId::stuck_own_entry && !agreed.contains(hang.call)) continue;
    found.push_back(std::move(hang));
  }
  return found;
}

std::string hang_text(const Recording& recording, const Hang& hang) {
  std::string text = "hung ";
  if (hang.line != 0) text += fmt::format("line {} ", hang.line);
  return text + fmt::format("step {} {}: {}", hang.step + 1, call_text(recording, hang.call), hang.text);
}

CheckExplanation explain(const Recording& recording, const KernelModel& model, const CallCheck& check) {
  CheckExplanation text;
  text.check = &check;
  text.line = recording.line_of(check.step);
  text.what = check.word == no_word ? call_text(recording, check.call) : recording.word_name(check.word);
  if (check.verdict != Verdict::diverged || check.word == no_word) return text;
  const RegionKind kind = recording.regions()[recording.region_of(check.word)].kind;
  text.kernel = describe_word(model, kind, check.kernel);
  text.engine = describe_word(model, kind, check.engine);
  const Layout& layout = word_layout(model, kind, check.kernel);
  if (&layout == &word_layout(model, kind, check.engine)) text.fields = differing_fields(layout, check);
  return text;
}

std::string explanation_text(const Recording& recording, const KernelModel& model, const CallCheck& check) {
  const CheckExplanation shown = explain(recording, model, check);
  std::string text;
  const auto out = std::back_inserter(text);
  fmt::format_to(out, "  {} ", check.verdict == Verdict::diverged ? "diverged" : "unknown");
  if (shown.line != 0) fmt::format_to(out, "line {} ", shown.line);
  if (check.step != no_step) fmt::format_to(out, "step {} ", check.step + 1);
  fmt::format_to(out, "{}: {}\n", shown.what, check.reason);
  if (check.word != no_word && check.verdict == Verdict::diverged) {
    fmt::format_to(out, "    in      {}\n", call_text(recording, check.call));
    fmt::format_to(out, "    kernel  {:#018x}  {}\n", check.kernel, shown.kernel);
    fmt::format_to(out, "    engine  {:#018x}  {}\n", check.engine, shown.engine);
    for (const std::string& field : shown.fields) fmt::format_to(out, "    differs {}\n", field);
    if (check.known != ~uint64_t{0}) fmt::format_to(out, "    known   {:#018x}\n", check.known);
  }
  if (check.verdict == Verdict::diverged) {
    const Rule& fired = rule(check.rule);
    fmt::format_to(out, "    rule    {}: {}\n", fired.id, fired.statement);
  }
  return text;
}

}  // namespace hmmscope::traces
