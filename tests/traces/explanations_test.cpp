// What is offered as the reason of a difference, and what is not: other models, lost events, invalidations by others.
#include <gmock/gmock.h>

#include <algorithm>
#include <cstdio>

#include "tests/traces/candidates_support.h"
#include "traces/check/model_trials.h"
#include "traces/check/named_model.h"
#include "traces/reader/trace_info.h"

namespace hmmscope::traces {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class Explanations : public CandidatesOfText {
 protected:
  std::vector<CandidateKind> kinds_of(const std::string& text) {
    const auto document = open_text(text);
    const CallCheck* check = document == nullptr ? nullptr : first_finding(*document);
    if (check == nullptr) return {};
    list_ = candidates(*document, *check, {});
    return kinds(list_);
  }
  std::vector<Candidate> list_;
};

/// The capture of a snapshot with one word of its output altered: the page at slot 3.
class AlteredSnapshot {
 public:
  AlteredSnapshot() {
    const std::string plain = without_counts(sample_text(samples_dir / "6.12-snapshot.trace.txt"));
    const auto words = output_words(plain);
    page_ = words[3].start + 3 * 4096;
    text_ = with_word(plain, words[3], words[3].value ^ (uint64_t{1} << 62));
  }
  const std::string& text() const { return text_; }
  uint64_t page() const { return page_; }
  /// Whose address space it is.
  std::string mm() const {
    const size_t at = text_.find(" mm=0x", text_.find(": mni_insert: ")) + 4;
    return text_.substr(at, text_.find(' ', at) - at);
  }
  /// With other lines behind the one of the first event `name` (at `what`) of the call.
  std::string with(std::string_view name, const std::string& what, const std::string& lines) const {
    size_t at = text_.find(name, text_.find(": rf_in: "));
    at = text_.find(what, at);
    const size_t end = text_.find('\n', at) + 1;
    return text_.substr(0, end) + lines + text_.substr(end);
  }
  /// An announcement by another task at the time of that event.
  std::string invalidation(std::string_view name, const std::string& what, const std::string& mm, uint64_t start,
                           bool ends) const {
    const size_t at = text_.find(what, text_.find(name, text_.find(": rf_in: ")));
    const size_t begin = text_.rfind('\n', at) + 1, colon = text_.find(": ", begin);
    const size_t time = text_.rfind(' ', colon) + 1;
    const std::string when = text_.substr(time, colon - time);
    const auto line = [&](const char* event) {
      char text[300];
      std::snprintf(text, sizeof text,
                    "         kswapd0-77      [000] .....  %s: %s: (f+0x4/0x200) mm=%s start=0x%llx end=0x%llx flags=0x1 "
                    "event=1 owner=0x0\n",
                    when.c_str(), event, mm.c_str(), static_cast<unsigned long long>(start),
                    static_cast<unsigned long long>(start + 4096));
      return std::string(text);
    };
    return line("mn_start") + (ends ? line("mn_end") : "");
  }

 private:
  std::string text_;
  uint64_t page_ = 0;
};

std::string hex_text(uint64_t value) {
  char text[24];
  std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
  return text;
}

TEST_F(Explanations, OnlyWhatWasLostBeforeTheEndOfTheCallCounts) {
  const AlteredSnapshot snapshot;
  const std::string& text = snapshot.text();
  const size_t call = text.rfind('\n', text.find(": rf_in: ")) + 1;
  EXPECT_THAT(kinds_of(text.substr(0, call) + "CPU:1 [LOST 5 EVENTS]\n" + text.substr(call)),
              ElementsAre(CandidateKind::lost_events, CandidateKind::kernel_defect));
  EXPECT_THAT(list_[0].evidence, HasSubstr("one gap before the end of the call"));
  EXPECT_THAT(list_[0].evidence, HasSubstr("s before the call"));
  EXPECT_THAT(list_[0].evidence, HasSubstr("against it: line "));  // shows the entry
  EXPECT_THAT(list_[1].evidence, HasSubstr("Against it: events were lost"));
  const size_t behind = text.rfind('\n', text.find(": sys_munmap", text.find(": rf_out: "))) + 1;
  const size_t after = text.find('\n', behind) + 1;
  EXPECT_THAT(kinds_of(text.substr(0, after) + "CPU:1 [LOST 5 EVENTS]\n" + text.substr(after)),
              ElementsAre(CandidateKind::kernel_defect));
  EXPECT_THAT(list_[0].evidence, HasSubstr("no event was lost before the end of the call"));
}

TEST_F(Explanations, AnInvalidationCountsWhereAndWhenItMayHaveChangedTheEntry) {
  const AlteredSnapshot snapshot;
  const std::string mm = snapshot.mm(), read = "addr=" + hex_text(snapshot.page());
  const auto with = [&](std::string_view event, const std::string& what, const std::string& whose, uint64_t start, bool ends) {
    return snapshot.with(event, what, snapshot.invalidation(event, what, whose, start, ends));
  };
  // Between the read and the return, or still open then.
  EXPECT_THAT(kinds_of(with(": h_pte: ", read, mm, snapshot.page(), true)),
              ElementsAre(CandidateKind::concurrent_invalidation, CandidateKind::kernel_defect));
  EXPECT_THAT(list_[0].evidence, HasSubstr("1 of them, the first at step "));
  EXPECT_THAT(kinds_of(with(": w_test: ", "w_test", mm, snapshot.page(), false)),
              ElementsAre(CandidateKind::concurrent_invalidation, CandidateKind::kernel_defect));
  // Over before the kernel read the entry; another page; another address space.
  EXPECT_THAT(kinds_of(with(": w_test: ", "w_test", mm, snapshot.page(), true)), ElementsAre(CandidateKind::kernel_defect));
  EXPECT_THAT(list_[0].evidence, HasSubstr("nobody else is seen to invalidate this page between the read of the entry (line "));
  EXPECT_THAT(kinds_of(with(": h_pte: ", read, mm, snapshot.page() + 3 * 4096, true)), ElementsAre(CandidateKind::kernel_defect));
  EXPECT_THAT(kinds_of(with(": h_pte: ", read, "0xffff88810aaaaaaa", snapshot.page(), true)),
              ElementsAre(CandidateKind::kernel_defect));
}

/// The owner's device page returned as 0: kernels that number entry types otherwise would do that, this one not.
TEST_F(Explanations, AModelThatTheTraceContradictsIsNoStrongCandidate) {
  std::string text = sample_text(samples_dir / "6.12-snapshot.trace.txt");
  const auto words = output_words(text);
  text = with_word(text, words[5], 0);
  text = with_replaced(text, ": rf_in: ", "pfn=" + hex_text(words[5].value), "pfn=0x0");  // as the pte handler stored it, too
  const auto document = open_text(text);
  ASSERT_NE(document, nullptr);
  const CallCheck* check = first_finding(*document);
  ASSERT_NE(check, nullptr);
  const auto trials = try_models(*document);
  ASSERT_TRUE(trials);
  const auto list = candidates(*document, *check, *trials);
  ASSERT_THAT(kinds(list), ElementsAre(CandidateKind::other_model, CandidateKind::kernel_defect));
  EXPECT_THAT(list[0].text, HasSubstr("but the trace says that it is of kernel 6.12.117"));
  EXPECT_THAT(list[1].evidence, HasSubstr("are not that of the kernel that the trace names"));
  EXPECT_THAT(list[1].evidence, Not(HasSubstr("Against it")));
  EXPECT_THAT(full_explanation(*document, *check, *trials), HasSubstr("which is not the kernel that the trace names"));
}

/// Rebuilt entries whose types are numbered as another kernel does.
TEST_F(Explanations, MigrationsAreTriedUnderOtherModels) {
  const auto document = open_text(sample_text(samples_dir / "6.12-migrate_fault.trace.txt.xz"), "6.16");
  ASSERT_NE(document, nullptr);
  const CallCheck* check = first_finding(*document);
  ASSERT_NE(check, nullptr);
  EXPECT_EQ(count_checks(*document->recording).diverged, 0u);
  const auto trials = try_models(*document);
  ASSERT_TRUE(trials);
  const auto list = candidates(*document, *check, *trials);
  ASSERT_THAT(kinds(list), ElementsAre(CandidateKind::other_model, CandidateKind::kernel_defect));
  EXPECT_THAT(list[0].text, HasSubstr("of 6.12: there this call agrees"));
  EXPECT_THAT(list[0].evidence, HasSubstr("6.12: migrate calls 1632, agreed 1632"));
  EXPECT_THAT(kernel_side(*document, *check, *trials), HasSubstr("it reads device-private write"));
  // The difference itself is no fact of the call.
  const CallFactCounts facts = count_facts(*document->recording, check->call);
  EXPECT_TRUE(facts.unknown.empty());
  EXPECT_FALSE(facts.observed.contains("check.diverged"));
}

/// One entry rebuilt wrong beside many that only another model numbers otherwise.
TEST_F(Explanations, AWordMayAgreeWhereItsCallDoesNot) {
  std::string text = sample_text(samples_dir / "6.12-migrate_fault.trace.txt.xz");
  size_t at = text.find(": remove_migration_pte: ", text.find(": mv_fin_in"));
  at = text.find(" pte=df", text.find('\n', at));  // the second entry of the call
  ASSERT_NE(at, std::string::npos);
  text.replace(at, 7, " pte=e7");
  const uint64_t line = 1 + static_cast<uint64_t>(std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n'));
  const auto document = open_text(text, "6.16");
  ASSERT_NE(document, nullptr);
  const CallCheck* check = first_finding(*document);
  ASSERT_NE(check, nullptr);
  const auto trials = try_models(*document);
  ASSERT_TRUE(trials);
  const auto list = candidates(*document, *check, *trials);
  ASSERT_EQ(list.size(), 2u);
  EXPECT_THAT(list[0].text, HasSubstr("of 6.12: there this word agrees"));
  EXPECT_THAT(list[0].evidence, HasSubstr("one other word of this call differs there, the first at line " + std::to_string(line)));
  // By its own kernel only that entry is wrong, and 6.16 explains it at the cost of all others.
  const auto own = open_text(text);
  ASSERT_NE(own, nullptr);
  EXPECT_EQ(count_migrate_checks(*own->recording).diverged, 1u);
  const auto others = try_models(*own);
  ASSERT_TRUE(others);
  const auto of_own = candidates(*own, *first_finding(*own), *others);
  ASSERT_THAT(kinds(of_own), ElementsAre(CandidateKind::other_model, CandidateKind::kernel_defect));
  EXPECT_THAT(of_own[0].text, HasSubstr("calls that agree under 6.12 diverge there"));
  EXPECT_THAT(of_own[0].text, HasSubstr("hardly that kernel"));
}

TEST(LayoutDifferences, AreFieldsOfOneSideAndFieldsThatMoved) {
  const Layout &old = *find_layout("hmm-5.9"), &merged = *find_layout("hmm-6.16");
  EXPECT_EQ(layout_difference(old, old), "");
  EXPECT_THAT(layout_difference(old, merged), HasSubstr("order is bits 60..56 in hmm-5.9 and bits 57..53 in hmm-6.16"));
  EXPECT_THAT(layout_difference(old, merged), HasSubstr("only hmm-6.16 has DMA_MAPPED (bit 60, survives a call)"));
}

TEST(DifferenceTexts, ResultsAndWordsThatTheEngineLeavesAlone) {
  const std::string text = sample_text(samples_dir / "6.12-snapshot.trace.txt");
  const auto reason_of = [](const std::string& changed) -> std::pair<std::string, RuleId> {
    const auto recording = replay_text(changed);
    if (!recording) return {recording.error().to_string(), RuleId{}};
    for (const CallCheck& check : recording->checks())
      if (check.verdict == Verdict::diverged) return {check.reason, check.rule};
    return {};
  };
  EXPECT_EQ(reason_of(with_replaced(text, ": mv_setup_out: ", "ret=0", "ret=-22")).first,
            "the kernel returned -22 (-EINVAL), the engine 0");
  // migrate_vma_pages keeps src: what it rests on is the array as shown before, which is no hmm_pfns.
  std::string changed = sample_text(samples_dir / "6.12-migrate_fault.trace.txt.xz");
  const size_t out = changed.find(": mv_pages_out: "), src = changed.find("src={", out) + 5;
  const size_t end = changed.find_first_of(",}", src);
  const uint64_t word = std::stoull(changed.substr(src, end - src), nullptr, 16);
  changed.replace(src, end - src, hex_text(word ^ 2));
  const auto [reason, rule] = reason_of(changed);
  EXPECT_THAT(reason, HasSubstr("the engine leaves the word as it was before"));
  EXPECT_EQ(rule, RuleId::trace_migrate_src);
}

TEST(ForeignTraces, AnotherMachineIsRefusedAndANewerKernelIsNoted) {
  std::string text = sample_text(samples_dir / "6.12-snapshot.trace.txt");
  const auto foreign = trace_of_text(with_replaced(text, "# hmmscope-capture", "arch=x86_64", "arch=aarch64"), "x.txt");
  ASSERT_FALSE(foreign);
  EXPECT_THAT(foreign.error().to_string(), HasSubstr("x.txt:1: the trace is of a machine of architecture aarch64"));
  TraceInfo info;
  const auto meta = read_meta(R"({"arch": "ppc64le"})", "meta.json", info);
  ASSERT_FALSE(meta);
  EXPECT_THAT(meta.error().to_string(), HasSubstr("meta.json: the trace is of a machine of architecture ppc64le"));
  EXPECT_EQ(model_note(*kernel_model("6.12")), "");
  EXPECT_EQ(model_note(*kernel_model("7.3")), "");
  EXPECT_THAT(model_note(*kernel_model("9.9")), HasSubstr("9.9 is newer than the newest model, 7.3"));
}

}  // namespace
}  // namespace hmmscope::traces
