#include "traces/check/facts.h"

#include <algorithm>
#include <optional>

#include "engine/machine/words.h"

namespace hmmscope::traces {
namespace {

bool is_table(RegionKind kind) { return kind <= RegionKind::pte; }

/// Words that nothing ever told of are worth a line.
bool lists_untold(RegionKind kind) {
  switch (kind) {
    case RegionKind::pte:
    case RegionKind::hmm_pfns:
    case RegionKind::migrate_src:
    case RegionKind::migrate_dst:
    case RegionKind::notifier:
      return true;
    default:
      return false;
  }
}

/// What replays keep of the machine.
bool is_state(RegionKind kind) {
  return is_table(kind) || lists_untold(kind) || kind == RegionKind::hugetlb || kind == RegionKind::vma ||
         kind == RegionKind::folio || kind == RegionKind::mm || kind == RegionKind::range;
}

bool same_source(const Fact& a, const Fact& b) { return a.evidence == b.evidence && a.step == b.step; }

/// A VMA whose place is gone is none any more.
bool is_gone(const Document& document, const Region& region, StepIndex at) {
  return region.kind == RegionKind::vma &&
         fact_of(document, region.first + static_cast<WordIndex>(VmaWord::end), at).value == 0;
}

void add_region(const Document& document, const Region& region, StepIndex at, std::vector<Fact>& facts) {
  std::optional<Fact> run;
  const auto flush = [&] {
    if (run) facts.push_back(*run);
    run.reset();
  };
  for (uint32_t k = 0; k < region.count; ++k) {
    const Fact fact = fact_of(document, region.first + k, at);
    if (fact.step == no_step && !lists_untold(region.kind)) {
      flush();
    } else if (run && same_source(*run, fact)) {
      ++run->count;
    } else {
      flush();
      run = fact;
    }
  }
  flush();
}

}  // namespace

std::string_view probe_of(RegionKind kind) {
  switch (kind) {
    case RegionKind::pgd:
    case RegionKind::p4d:
    case RegionKind::pud:
      return "hmm_vma_walk_pud (w_pud) and hmm_vma_walk_hole (w_hole)";
    case RegionKind::pmd:
      return "hmm_vma_walk_pmd (w_pmd) and hmm_vma_walk_hole (w_hole)";
    case RegionKind::pte:
      return "hmm_vma_handle_pte (h_pte), or __pte_offset_map (ptes) where it is inlined";
    case RegionKind::hugetlb:
      return "hmm_vma_walk_hugetlb_entry (w_htlb)";
    case RegionKind::vma:
      return "hmm_vma_walk_test (w_test) and the system calls mmap, munmap, mprotect and mremap";
    case RegionKind::hmm_pfns:
      return "hmm_range_fault with further windows of its array (rf_in_b, rf_in_c, rf_out_b, rf_out_c)";
    case RegionKind::migrate_src:
    case RegionKind::migrate_dst:
      return "migrate_vma_setup, migrate_vma_pages and migrate_vma_finalize with their arrays (mv_setup_in and on)";
    case RegionKind::notifier:
      return "mmu_interval_read_begin (mni_rb_r) and the driver's interval callback (hc_inv)";
    case RegionKind::mm:
      return "__mmu_notifier_invalidate_range_start (mn_start) and the driver's interval callback (hc_inv)";
    default:
      return {};
  }
}

Fact fact_of(const Document& document, WordIndex word, StepIndex at) {
  const Recording& recording = *document.recording;
  Fact fact;
  fact.first = word;
  const RegionId region = recording.region_of(word);
  const auto last = document.history->last_write(word, at);
  if (last) {
    fact.value = last->after;
    fact.evidence = last->evidence == Evidence::computed ? Evidence::inferred : last->evidence;
    fact.step = last->step;
    fact.rule = recording.rule_name(last->step);
    fact.statement = rule(recording.rule_of(last->step)).statement;
  } else if (word < recording.initial().size()) {
    fact.value = recording.initial()[word];
  }
  if (fact.evidence == Evidence::unknown && region != no_region)
    fact.probe = probe_of(recording.regions()[region].kind);
  return fact;
}

std::vector<Fact> facts_at(const Document& document, StepIndex at) {
  std::vector<Fact> facts;
  for (const Region& region : document.recording->regions())
    if (is_state(region.kind) && !is_gone(document, region, at)) add_region(document, region, at, facts);
  return facts;
}

}  // namespace hmmscope::traces
