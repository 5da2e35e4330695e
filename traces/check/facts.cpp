#include "traces/check/facts.h"

#include <algorithm>
#include <bit>
#include <optional>

#include "engine/encoding/x86_bits.h"
#include "engine/machine/pfn_format.h"
#include "engine/machine/words.h"
#include "traces/replay/world.h"

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
         kind == RegionKind::folio || kind == RegionKind::mm || kind == RegionKind::range ||
         kind == RegionKind::device_table;
}

/// One word means what the others do.
bool is_list(RegionKind kind) {
  return is_table(kind) || kind == RegionKind::hugetlb || kind == RegionKind::hmm_pfns || kind == RegionKind::device_table || kind == RegionKind::migrate_src ||
         kind == RegionKind::migrate_dst;
}

/// The word behind `run` continues it.
bool continues(const Fact& run, const Fact& next, RegionKind kind) {
  if (run.evidence != next.evidence || run.step != next.step || run.not_shown != next.not_shown) return false;
  if (run.evidence == Evidence::unknown) return true;
  if (!is_list(kind)) return false;
  if (run.not_shown != 0) return ((run.value ^ next.value) & ~run.not_shown) == 0;
  // Two words always have a stride; pages that follow each other have one of this kind.
  const uint64_t stride = run.count == 1 ? next.value - run.value : run.stride;
  return (stride == 0 || std::has_single_bit(stride)) && next.value == run.value + run.count * stride;
}

/// A page table or a page that is there, nobody has said where: the bits by which the replay tells it from others.
uint64_t stand_in_bits(const Document& document, RegionKind kind, const Fact& fact) {
  if (fact.evidence != Evidence::inferred) return 0;
  if (kind == RegionKind::hmm_pfns || kind == RegionKind::device_table) {
    const Layout* layout = document.model.hmm_pfn;
    if (layout == nullptr || (fact.value & layout->mask(Role::valid)) == 0) return 0;
    const uint64_t pfn = layout->mask(Role::pfn);
    return World::is_placeholder((fact.value & pfn) >> PfnFormat::from(document.model).pfn_shift) ? pfn : 0;
  }
  if (!is_table(kind) || !x86::pte_present(fact.value)) return 0;
  const bool table = kind < RegionKind::pte && (fact.value & (x86::pse.mask() | x86::devmap.mask())) == 0;
  return table || World::is_placeholder(x86::pte_pfn(fact.value)) ? x86::pfn.mask() : 0;
}

bool of_a_trace(const Recording& recording) { return !recording.events().empty(); }

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
    } else if (run && continues(*run, fact, region.kind)) {
      if (run->count++ == 1 && run->evidence != Evidence::unknown && run->not_shown == 0) run->stride = fact.value - run->value;
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
    case RegionKind::device_table:
      return "mmu_interval_read_begin (mni_rb_r), the driver's interval callback (hc_inv) and the system calls of its tasks (ioctl)";
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
  if (region == no_region) return fact;
  const RegionKind kind = recording.regions()[region].kind;
  if (kind == RegionKind::mm && fact.evidence == Evidence::inferred && of_a_trace(recording)) fact.evidence = Evidence::unknown;
  if (of_a_trace(recording)) fact.not_shown = stand_in_bits(document, kind, fact);
  if (fact.evidence == Evidence::unknown || fact.not_shown != 0) fact.probe = probe_of(kind);
  return fact;
}

std::vector<Fact> facts_at(const Document& document, StepIndex at) {
  std::vector<Fact> facts;
  const bool trace = of_a_trace(*document.recording);
  for (const Region& region : document.recording->regions()) {
    // Counted from a beginning that the trace does not show.
    if (region.kind == RegionKind::mm && trace) continue;
    if (is_state(region.kind) && !is_gone(document, region, at)) add_region(document, region, at, facts);
  }
  return facts;
}

}  // namespace hmmscope::traces
