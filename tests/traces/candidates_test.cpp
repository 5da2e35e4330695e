// Why calls differ or could not be judged: each candidate is found where its cause is made, with its
// evidence.
#include "traces/check/candidates.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <regex>

#include "tests/traces/replay_support.h"

namespace hmmscope::traces {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class Candidates : public testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(file_); }
  std::shared_ptr<const Document> open_text(const std::string& text, const std::string& kernel = "") {
    std::ofstream(file_, std::ios::binary) << text;
    auto opened = open_document(file_, {kernel, {}});
    EXPECT_TRUE(opened) << (opened ? "" : opened.error().to_string());
    return opened ? *opened : nullptr;
  }
  static const CallCheck* first_finding(const Document& document) {
    for (const CallCheck& check : document.recording->checks())
      if (check.verdict != Verdict::agreed) return &check;
    return nullptr;
  }
  static std::vector<CandidateKind> kinds(const std::vector<Candidate>& list) {
    std::vector<CandidateKind> found;
    for (const Candidate& candidate : list) {
      EXPECT_FALSE(candidate.text.empty());
      EXPECT_FALSE(candidate.evidence.empty());
      found.push_back(candidate.kind);
    }
    return found;
  }
  const std::filesystem::path file_ =
      std::filesystem::temp_directory_path() / ("hmmscope-candidates-" + std::to_string(::getpid()) + ".txt");
};

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
  EXPECT_THAT(text, HasSubstr("kernel  as 6.12-v9: rule "));
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
}

TEST_F(Candidates, LostEventsAndOtherTasksAreNamed) {
  std::string text = without_counts(sample_text(samples_dir / "6.12-snapshot.trace.txt"));
  const auto words = output_words(text);
  text = with_word(text, words[4], words[4].value ^ 0x10);
  const size_t call = text.rfind('\n', text.find(": rf_in: ")) + 1;
  const auto lost = open_text(text.substr(0, call) + "CPU:1 [LOST 5 EVENTS]\n" + text.substr(call));
  ASSERT_NE(lost, nullptr);
  ASSERT_NE(first_finding(*lost), nullptr);
  EXPECT_EQ(kinds(candidates(*lost, *first_finding(*lost), {})), std::vector{CandidateKind::lost_events});

  const size_t inside = text.find('\n', text.find(": rf_in: ")) + 1;
  const std::string line = text.substr(call, inside - call);
  const std::string time = line.substr(line.find("] ") + 8, line.find(": rf_in") - line.find("] ") - 8);
  const std::string other = "         kswapd0-77      [000] ....." + std::string(1, ' ') + time +
                            ": mn_start: (__mmu_notifier_invalidate_range_start+0x4/0x200) mm=0x1 start=0x0 "
                            "end=0x7fffffffffff flags=0x1 event=1 owner=0x0\n";
  const auto concurrent = open_text(text.substr(0, inside) + other + text.substr(inside));
  ASSERT_NE(concurrent, nullptr);
  ASSERT_NE(first_finding(*concurrent), nullptr);
  const auto list = candidates(*concurrent, *first_finding(*concurrent), {});
  ASSERT_FALSE(list.empty());
  EXPECT_EQ(list[0].kind, CandidateKind::concurrent_invalidation);
  EXPECT_THAT(list[0].evidence, HasSubstr("line "));
}

TEST_F(Candidates, WhatIsNotShownNamesItsProbe) {
  const std::string text = without_counts(sample_text(samples_dir / "6.12-snapshot.trace.txt"));
  std::string kept;
  for (size_t at = 0; at < text.size();) {
    const size_t end = text.find('\n', at);
    const std::string_view line = std::string_view(text).substr(at, end - at + 1);
    if (line.find(": mv_") == std::string_view::npos) kept += line;
    at = end + 1;
  }
  const auto document = open_text(kept);
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

std::string without_header(std::string text) {
  while (text.starts_with("# hmmscope-capture")) text.erase(0, text.find('\n') + 1);
  return text;
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

TEST_F(Candidates, WithoutCallsNothingIsDetected) {
  std::ofstream(file_) << without_header(sample_text(samples_dir / "6.12-migrate_fault.trace.txt.xz"));
  const auto opened = open_document(file_);
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().to_string(), HasSubstr("--kernel"));
}

}  // namespace
}  // namespace hmmscope::traces
