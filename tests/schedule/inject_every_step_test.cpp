// Each kind of failure at every step of several scenarios: whatever happens where, locks are released, no migration entry
// is left, the counters agree with the page tables, no device maps what the CPU has taken away, and the run ends.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "engine/machine/folio.h"
#include "engine/scenario/run.h"
#include "tests/support/end_state.h"

namespace hmmscope::scenario {
namespace {

struct Subject {
  const char* name;
  const char* kernel;
  const char* pages;
  const char* operations;
};

// Two pages at "heap"; what is injected hits the first.
const Subject subjects[] = {
    {"range fault", "6.12", R"({"at": "heap", "state": "present"})",
     R"({"op": "range-fault", "array": "a", "at": "heap", "pages": 2, "device": "gpu0", "default": "REQ_FAULT|REQ_WRITE"},
        {"op": "touch", "at": "heap", "pages": 2, "access": "write"})"},
    {"range fault of 7.3", "7.3", R"({"at": "heap", "pages": 2, "state": "present", "writable": false})",
     R"({"op": "range-fault", "array": "a", "at": "heap", "pages": 2, "device": "gpu0", "default": "REQ_FAULT|REQ_WRITE"})"},
    {"migrate", "6.12", R"({"at": "heap", "state": "present"})",
     R"({"op": "migrate-to-device", "at": "heap", "pages": 2, "device": "gpu0"},
        {"op": "migrate-to-system", "at": "heap", "pages": 2, "device": "gpu0"})"},
    {"migrate a shared page", "6.16", R"({"at": "heap", "state": "present", "writable": false}, {"at": "heap+1", "state": "zero-page"})",
     R"({"op": "migrate-to-device", "at": "heap", "pages": 2, "device": "gpu0"}, {"op": "evict-device", "device": "gpu0"})"},
    {"migrate_to_ram", "6.12", R"({"at": "heap", "pages": 2, "state": "device-private", "device": "gpu0"})",
     R"({"op": "touch", "at": "heap", "pages": 2, "access": "write"})"},
    {"migrate_to_ram of 6.16", "6.16", R"({"at": "heap", "pages": 2, "state": "device-private", "device": "gpu0"})",
     R"({"op": "touch", "at": "heap", "pages": 2, "access": "read"})"},
    {"exclusive", "6.12", R"({"at": "heap", "pages": 2, "state": "present"})",
     R"({"op": "make-exclusive", "at": "heap", "pages": 2, "device": "gpu0"}, {"op": "touch", "at": "heap", "pages": 2, "access": "write"})"},
    {"exclusive of 6.16", "6.16", R"({"at": "heap", "pages": 2, "state": "present"})",
     R"({"op": "make-exclusive", "at": "heap", "pages": 2, "device": "gpu0"}, {"op": "touch", "at": "heap", "access": "read"})"},
    {"unified, as posted", "6.12-unified-rfc", R"({"at": "heap", "state": "present"})",
     R"({"op": "fault-and-migrate", "migration": "m", "at": "heap", "pages": 2, "device": "gpu0"})"},
    {"unified, later", "7.1-unified-later", R"({"at": "heap", "state": "present"})",
     R"({"op": "fault-and-migrate", "migration": "m", "at": "heap", "pages": 2, "device": "gpu0"})"},
    {"copy on write", "6.12", R"({"at": "heap", "state": "present", "writable": false}, {"at": "heap+1", "state": "zero-page"})",
     R"({"op": "touch", "at": "heap", "pages": 2, "access": "write"}, {"op": "madvise-dontneed", "at": "heap", "pages": 2})"},
};

const char* const kinds[] = {"allocation", "folio-lock", "pin", "reference", "poison", "invalidation", "signal"};

Result<Outcome> run_with(const Subject& subject, const std::string& inject) {
  const auto scenario = parse(R"({"hmmscope-scenario": 1, "title": "t", "check_devices": true, "kernel": ")" + std::string(subject.kernel) +
                                  R"(", "inject": [)" + inject + R"(], "devices": [{"name": "gpu0", "pages": 64}],
                                  "vmas": [{"name": "heap", "start": "0x7f0000000000", "size": "8K"}],
                                  "pages": [)" + subject.pages + R"(], "operations": [)" + subject.operations + "]}",
                              "test.json");
  if (!scenario) return fail(scenario.error());
  return run(*scenario);
}

/// What the injected failure itself leaves behind: a hold that nobody lets go of.
struct Held {
  uint64_t pfn = 0, references = 0;
  bool locked = false;
};

std::optional<Held> held_by(const Outcome& outcome) {
  for (StepIndex step = 0; step < outcome.recording.steps(); ++step) {
    const RuleId id = outcome.recording.rule_of(step);
    const auto operands = outcome.recording.operands(step);
    if (id == RuleId::inject_pin) return Held{operands[3], Folio::pin_bias, false};
    if (id == RuleId::inject_reference) return Held{operands[3], 1, false};
    if (id == RuleId::inject_folio_lock) return Held{operands[3], 1, true};
    if (id == RuleId::inject_poison) return Held{operands[3], 1, false};
  }
  return std::nullopt;
}

bool fired(const Outcome& outcome, std::string_view prefix) {
  for (StepIndex step = 0; step < outcome.recording.steps(); ++step) {
    if (rule(outcome.recording.rule_of(step)).id.starts_with(prefix)) return true;
  }
  return false;
}

/// The run says of its injection that it did not happen, and why.
bool says_it_did_not_happen(const Outcome& outcome) {
  return std::any_of(outcome.failures.begin(), outcome.failures.end(), [](const Failure& failure) {
    return failure.text.find("injection never") != std::string::npos;
  });
}

std::string wrong_with(const Outcome& outcome) {
  for (const Failure& failure : outcome.failures) {
    if (failure.text.find("injection never") == std::string::npos) return failure.text;
  }
  // The RFC's own defects: named by a rule, they leave what they are named for.
  if (fired(outcome, "stuck.")) return {};
  const auto held = held_by(outcome);
  if (!held) return complaint(outcome);
  return complaint(outcome, {{held->pfn, {held->references, held->locked}}});
}

class EveryStep : public testing::TestWithParam<Subject> {};

TEST_P(EveryStep, LeavesEverythingInOrder) {
  const auto undisturbed = run_with(GetParam(), "");
  ASSERT_TRUE(undisturbed) << undisturbed.error().to_string();
  ASSERT_EQ(wrong_with(*undisturbed), "");
  const StepIndex steps = undisturbed->recording.steps();
  ASSERT_GT(steps, 5u);
  for (const char* kind : kinds) {
    uint64_t happened = 0;
    for (StepIndex step = 1; step <= steps; ++step) {
      const std::string place = R"({"what": ")" + std::string(kind) + R"(", "step": )" + std::to_string(step) + R"(, "at": "heap"})";
      const auto outcome = run_with(GetParam(), place);
      ASSERT_TRUE(outcome) << outcome.error().to_string() << " " << place;
      const std::string complaint = wrong_with(*outcome);
      ASSERT_EQ(complaint, "") << GetParam().name << ": " << place;
      const bool did = fired(*outcome, "inject.");
      ASSERT_NE(did, says_it_did_not_happen(*outcome)) << GetParam().name << ": " << place;
      happened += did ? 1 : 0;
    }
    EXPECT_GT(happened, 0u) << kind << " never happened in " << GetParam().name;
    const std::string_view name = kind;
    const bool always = name == "allocation" || name == "signal";
    EXPECT_TRUE(!always || happened == steps) << kind << " " << happened << " of " << steps;
    RecordProperty(std::string(kind) == "folio-lock" ? "folio_lock" : kind, static_cast<int>(happened));
  }
}

INSTANTIATE_TEST_SUITE_P(Inject, EveryStep, testing::ValuesIn(subjects), [](const auto& subject) {
  std::string name;
  for (const char c : std::string(subject.param.name)) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0) name += c;
  }
  return name;
});

}  // namespace
}  // namespace hmmscope::scenario
