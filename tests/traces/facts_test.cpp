// What is listed as known at a moment: each word's own value, no page that nobody has named, no counter from an unseen start.
#include <gtest/gtest.h>

#include <algorithm>

#include "engine/encoding/x86_bits.h"
#include "engine/machine/words.h"
#include "tests/traces/trace_text.h"
#include "traces/check/facts.h"

namespace hmmscope::traces {
namespace {

std::shared_ptr<const Document> document_of_sample(const std::string& name) { return document_of(sample_text(samples_dir / name)); }

TEST(Facts, SayOfEveryWordWhatItIs) {
  for (const char* name : {"6.12-anon_write_huge.trace.txt.xz", "6.12-migrate_fault.trace.txt.xz", "6.12-anon_write_prot.trace.txt.xz"}) {
    const auto document = document_of_sample(name);
    ASSERT_NE(document, nullptr) << name;
    const StepIndex steps = document->recording->steps();
    size_t runs = 0, words = 0;
    for (const StepIndex at : {steps / 3, steps / 2, steps}) {
      for (const Fact& fact : facts_at(*document, at)) {
        runs += fact.count > 1 && fact.evidence != Evidence::unknown;
        for (uint32_t k = 0; k < fact.count; ++k, ++words) {
          const Fact one = fact_of(*document, fact.first + k, at);
          ASSERT_EQ(one.evidence, fact.evidence);
          ASSERT_EQ(one.step, fact.step);
          ASSERT_EQ(one.not_shown, fact.not_shown);
          if (fact.evidence == Evidence::unknown) continue;
          ASSERT_EQ(one.value & ~one.not_shown, (fact.value + k * fact.stride) & ~fact.not_shown) << document->recording->word_name(fact.first + k);
        }
      }
    }
    EXPECT_GT(runs, 10u) << name;
    EXPECT_GT(words, 1000u) << name;
  }
}

TEST(Facts, OfAPageThatOnlyFaultsTellOfLeaveItsPfnOpen) {
  const auto document = document_of_sample("6.12-anon_write_prot.trace.txt.xz");
  ASSERT_NE(document, nullptr);
  size_t pages = 0, tables = 0, named = 0;
  for (const Fact& fact : facts_at(*document, document->recording->steps() / 2)) {
    const RegionKind kind = document->recording->regions()[document->recording->region_of(fact.first)].kind;
    if (kind > RegionKind::pte || fact.evidence == Evidence::unknown || !x86::pte_present(fact.value)) continue;
    if (fact.not_shown == 0) {
      ++named;
      EXPECT_LT(x86::pte_pfn(fact.value), uint64_t{1} << 33);
      continue;
    }
    ++(kind == RegionKind::pte ? pages : tables);
    EXPECT_EQ(fact.not_shown, x86::pfn.mask());
    EXPECT_EQ(fact.evidence, Evidence::inferred);
    EXPECT_FALSE(fact.probe.empty());
  }
  EXPECT_GT(pages, 0u);
  EXPECT_GT(tables, 0u);
  EXPECT_GT(named, 0u) << "those that the walks have shown";
}

TEST(Facts, CountNothingFromABeginningThatIsNotShown) {
  const auto document = document_of_sample("6.12-anon_write_prot.trace.txt.xz");
  ASSERT_NE(document, nullptr);
  for (const Fact& fact : facts_at(*document, document->recording->steps()))
    EXPECT_NE(document->recording->regions()[document->recording->region_of(fact.first)].kind, RegionKind::mm);
}

/// Who else maps a page that this task has unmapped, no event tells.
TEST(Facts, CountNoMappingsOfAPageThatWasUnmapped) {
  const auto document = document_of_sample("6.12-snapshot.trace.txt");
  ASSERT_NE(document, nullptr);
  const Recording& recording = *document->recording;
  const auto counts = [&](StepIndex at) {
    size_t mapped = 0;
    for (const Region& region : recording.regions()) {
      if (region.kind != RegionKind::folio) continue;
      const Fact mapcount = fact_of(*document, word_of(region.first, FolioWord::mapcount), at);
      mapped += mapcount.evidence != Evidence::unknown && mapcount.value != 0;
    }
    return mapped;
  };
  size_t most = 0;
  for (StepIndex at = 0; at < recording.steps(); ++at)
    if (recording.rule_of(at) == RuleId::trace_munmap || recording.rule_of(at) == RuleId::trace_range_shown) most = std::max(most, counts(at));
  EXPECT_GT(most, 0u);
  EXPECT_EQ(counts(recording.steps()), 0u) << "all is unmapped at the end";
}

}  // namespace
}  // namespace hmmscope::traces
