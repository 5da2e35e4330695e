#include <array>

#include "engine/recording/memory.h"

namespace hmmscope {
namespace {

struct KindFacts {
  std::string_view name;
  Family family;
  std::span<const std::string_view> words;
};

using Names = std::string_view[];

// Struct-like kinds list their words in the order in which the machine lays them out
// (engine/machine/words.h).
constexpr Names vma_words = {"vm_start", "vm_end", "vm_flags", "vm_pgoff", "kind", "vm_file", "page_shift"};
constexpr Names folio_words = {"pfn",     "order", "refcount", "mapcount",  "flags",
                               "mapping", "index", "pincount", "lock_owner"};
constexpr Names notifier_words = {"start", "last", "invalidate_seq", "state"};
constexpr Names mm_words = {"invalidate_seq", "active_invalidate_ranges", "rss_anon", "rss_file",
                            "rss_swap",       "tlb_flushes",            "flags"};
constexpr Names range_words = {"start",        "end", "default_flags", "pfn_flags_mask", "dev_private_owner",
                               "notifier_seq", "last"};

constexpr Names mirror_directory_words = {"pfn", "level", "address", "parent", "count", "state"};
constexpr Names mirror_iterator_words = {"cur",  "ptd1", "ptd2", "ptd3",   "ptd4",
                                         "ptd5", "rcu",  "dead", "waiting"};
constexpr Names mirror_counter_words = {"allocated", "freed", "grace_periods", "live", "peak"};

constexpr std::array<KindFacts, static_cast<size_t>(RegionKind::count_)> facts = {{
    {"pgd", Family::x86_table, {}},
    {"p4d", Family::x86_table, {}},
    {"pud", Family::x86_pud, {}},
    {"pmd", Family::x86_pmd, {}},
    {"pte", Family::x86_pte, {}},
    {"hugetlb", Family::x86_pmd, {}},
    {"hmm_pfns", Family::hmm_pfn, {}},
    {"migrate.src", Family::migrate_pfn, {}},
    {"migrate.dst", Family::migrate_pfn, {}},
    {"vma", Family::plain, vma_words},
    {"folio", Family::plain, folio_words},
    {"notifier", Family::plain, notifier_words},
    {"mm", Family::plain, mm_words},
    {"range", Family::plain, range_words},
    {"device_table", Family::hmm_pfn, {}},
    {"mirror_table", Family::mirror_entry, {}},
    {"counters", Family::plain, {}},
    {"mirror_pte", Family::mirror_entry, {}},
    {"mirror_pte_device", Family::mirror_entry, {}},
    {"mirror_pte_select", Family::mirror_entry, {}},
    {"mirror_directory", Family::plain, mirror_directory_words},
    {"mirror_iterator", Family::plain, mirror_iterator_words},
    {"mirror_counters", Family::plain, mirror_counter_words},
}};

const KindFacts& facts_of(RegionKind kind) {
  const auto index = static_cast<size_t>(kind);
  return facts[index < facts.size() ? index : static_cast<size_t>(RegionKind::counters)];
}

}  // namespace

std::span<const std::string_view> word_names(RegionKind kind) { return facts_of(kind).words; }
std::string_view region_kind_name(RegionKind kind) { return facts_of(kind).name; }
Family family_of(RegionKind kind) { return facts_of(kind).family; }

bool region_kind_named(std::string_view name, RegionKind& kind) {
  for (size_t i = 0; i < facts.size(); ++i) {
    if (facts[i].name == name) {
      kind = static_cast<RegionKind>(i);
      return true;
    }
  }
  return false;
}

}  // namespace hmmscope
