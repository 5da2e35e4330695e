// Why calls differ or could not be judged: each candidate is found where its cause is made, with its
// evidence.
#include "traces/check/candidates.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <regex>

#include "tests/traces/candidates_support.h"

namespace hmmscope::traces {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class Candidates : public CandidatesOfText {};

/// The kernel with the posted patch, read as one without it.
TEST_F(Candidates, AnotherModelExplainsTheCall) {
  const auto document = open_text(sample_text(samples_dir / "6.12-overlap-4k.trace.txt.xz"), "6.12");
  ASSERT_NE(document, nullptr);
  const CallCheck* check = first_finding(*document);
  ASSERT_NE(check, nullptr);
  const auto trials = try_models(*document);
  ASSERT_TRUE(trials) << trials.error().to_string();
  const auto models = kernel_models();
  const auto no_traces = std::count_if(models.begin(), models.end(), [](const KernelModel& m) { return m.has_driver_format(); });
  EXPECT_EQ(trials->size() + 1 + static_cast<size_t>(no_traces), models.size());
  const auto list = candidates(*document, *check, *trials);
  ASSERT_FALSE(list.empty());
  EXPECT_EQ(list[0].kind, CandidateKind::other_model);
  EXPECT_THAT(list[0].text, HasSubstr("6.12-v9"));
  EXPECT_THAT(list[0].evidence, HasSubstr("agreed 9, diverged 0"));
  const std::string text = full_explanation(*document, *check, *trials);
  EXPECT_THAT(text, HasSubstr("layout  hmm-5.9 of model 6.12"));
  // The rule is the same on both sides: what differs is what a bit means.
  EXPECT_THAT(text, HasSubstr("kernel  as 6.12-v9: layout hmm-v9-posted: only hmm-v9-posted has DMA_MAPPED (bit 57, survives a call)"));
  EXPECT_THAT(text, HasSubstr("rule pte.present: "));
  EXPECT_THAT(text, HasSubstr("observed"));
  EXPECT_THAT(text, HasSubstr("trace.pte_shown"));
  EXPECT_THAT(text, HasSubstr("candidate 1: other layout or rules."));
}

TEST_F(Candidates, ADefectIsWhatIsLeft) {
  const std::string text = sample_text(samples_dir / "6.12-snapshot.trace.txt");
  const auto words = output_words(text);
  const auto document = open_text(with_word(text, words[4], words[4].value ^ 0x10));
  ASSERT_NE(document, nullptr);
  const CallCheck* check = first_finding(*document);
  ASSERT_NE(check, nullptr);
  const auto trials = try_models(*document);
  ASSERT_TRUE(trials);
  EXPECT_EQ(kinds(candidates(*document, *check, *trials)), std::vector{CandidateKind::kernel_defect});
  EXPECT_THAT(full_explanation(*document, *check, *trials), Not(HasSubstr("kernel  as ")));
  const auto list = candidates(*document, *check, *trials);
  EXPECT_THAT(list[0].evidence, HasSubstr("other models agrees here"));
  EXPECT_THAT(list[0].evidence, HasSubstr("no event was lost"));
  EXPECT_THAT(candidates(*document, *check, {})[0].evidence, HasSubstr("not tried"));
}

TEST_F(Candidates, WhatIsNotShownNamesItsProbe) {
  const std::string text = without_counts(sample_text(samples_dir / "6.12-snapshot.trace.txt"));
  const auto document = open_text(without_lines(text, ": mv_"));
  ASSERT_NE(document, nullptr);
  const CallCheck* check = first_finding(*document);
  ASSERT_NE(check, nullptr);
  const auto list = candidates(*document, *check, {});
  EXPECT_EQ(kinds(list), std::vector{CandidateKind::unobserved_state});
  EXPECT_THAT(list[0].evidence, HasSubstr("probe migrate_vma_setup"));
  // A window that is missing: which probe would tell.
  const auto huge = open_document(samples_dir / "6.12-overlap-hugetlb1g.trace.txt.xz");
  ASSERT_TRUE(huge);
  const CallFactCounts facts = count_facts(*(*huge)->recording, (*huge)->recording->checks()[0].call);
  EXPECT_GT(facts.observed.at("trace.array_shown"), 0u);
  EXPECT_GT(facts.unknown.at("trace.array_unknown"), 200000u);
  ASSERT_FALSE(facts.probes.empty());
  EXPECT_THAT(facts.probes[0], HasSubstr("rf_in_b"));
}

TEST_F(Candidates, WhatCannotBeReplayedAgainSaysSo) {
  const auto document = open_text(sample_text(samples_dir / "6.12-snapshot.trace.txt"));
  ASSERT_NE(document, nullptr);
  Document saved = *document;
  saved.kind = SourceKind::recording;
  EXPECT_FALSE(try_models(saved));
  saved.kind = SourceKind::trace;
  saved.path = "-";
  const auto piped = try_models(saved);
  ASSERT_FALSE(piped);
  EXPECT_THAT(piped.error().message, HasSubstr("standard input"));
}

/// A trace that says nothing of its kernel: its words do.
TEST_F(Candidates, TheModelIsDetectedFromTheWords) {
  const auto patched = open_text(without_header(sample_text(samples_dir / "6.12-overlap-4k.trace.txt.xz")));
  ASSERT_NE(patched, nullptr);
  EXPECT_EQ(patched->model.id, "6.12-v9");
  EXPECT_THAT(patched->detected, HasSubstr("9 of 9 calls agree"));
  const auto old = open_text(without_header(sample_text(samples_dir / "6.1-snapshot.trace.txt")));
  const auto newer = open_text(without_header(sample_text(samples_dir / "6.12-snapshot.trace.txt")));
  ASSERT_TRUE(old && newer);
  EXPECT_EQ(count_checks(*old->recording).agreed, 1u);
  EXPECT_EQ(count_checks(*newer->recording).agreed, 1u);
  EXPECT_NE(old->model.types.device_read,
            newer->model.types.device_read);  // the numbering is one lower on 6.1
  const auto said = open_text(sample_text(samples_dir / "6.12-snapshot.trace.txt"));
  EXPECT_EQ(said->detected, "");
}

/// The trace of a 6.1 whose entry types all stand one higher, as without PTE_MARKER.
std::string renumbered(const std::string& text) {
  static const std::regex entry("pte=(0x)?([0-9a-f]{16})");
  std::string out;
  auto at = text.begin();
  for (std::sregex_iterator it(text.begin(), text.end(), entry), end; it != end; ++it) {
    uint64_t pte = std::stoull((*it)[2].str(), nullptr, 16);
    const uint64_t type = pte >> 59;
    if ((pte & 1) == 0 && type >= 20 && type < 30) pte += uint64_t{1} << 59;
    char hex[24];
    std::snprintf(hex, sizeof hex, "%016llx", static_cast<unsigned long long>(pte));
    out.append(at, (*it)[0].first).append("pte=").append((*it)[1].str()).append(hex);
    at = (*it)[0].second;
  }
  return out.append(at, text.end());
}

/// A kernel that names itself but not its configuration: the words tell how entry types are numbered.
TEST_F(Candidates, TheNumberingIsDetectedFromTheWords) {
  std::string text = sample_text(samples_dir / "6.1-snapshot.trace.txt");
  const size_t config = text.find("config=");
  ASSERT_NE(config, std::string::npos);
  text.erase(config, text.find('\n', config) - config);
  const auto usual = open_text(text);
  ASSERT_NE(usual, nullptr);
  EXPECT_EQ(usual->detected, "");
  EXPECT_EQ(count_checks(*usual->recording).agreed, 1u);
  const auto other = open_text(renumbered(text));
  ASSERT_NE(other, nullptr);
  EXPECT_EQ(count_checks(*other->recording).agreed, 1u);
  EXPECT_THAT(other->detected, HasSubstr("entry types numbered as with PTE_MARKER=n"));
  EXPECT_EQ(other->model.id, "6.1");
  EXPECT_FALSE(other->model.config.pte_marker);
  // Neither kernel nor configuration: both are found, or named as possible.
  const auto nameless = open_text(without_header(renumbered(text)));
  ASSERT_NE(nameless, nullptr);
  EXPECT_EQ(count_checks(*nameless->recording).agreed, 1u);
  EXPECT_EQ(nameless->model.types.device_write, other->model.types.device_write);
}

/// Migrations alone show how entry types are numbered, where they rebuild entries of device memory.
TEST_F(Candidates, MigrationsAloneTellTheNumbering) {
  const std::string text = without_counts(without_header(sample_text(samples_dir / "6.12-migrate_fault.trace.txt.xz")));
  const auto opened = open_text(text);
  ASSERT_NE(opened, nullptr);
  EXPECT_EQ(opened->model.id, "6.12");
  EXPECT_THAT(opened->detected, HasSubstr("numbering of rebuilt entries"));
  EXPECT_EQ(count_migrate_checks(*opened->recording).diverged, 0u);
  std::ofstream(file_) << without_lines(text, ": remove_migration_pte: ");
  const auto nothing = open_document(file_);
  ASSERT_FALSE(nothing);
  EXPECT_THAT(nothing.error().to_string(), HasSubstr("--kernel"));
}

}  // namespace
}  // namespace hmmscope::traces
