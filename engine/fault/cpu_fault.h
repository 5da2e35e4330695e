#pragma once
/// The CPU fault path: what handle_mm_fault does to page tables, folios and notifiers, as far as hmm_range_fault and
/// a touching CPU can see it. Rules: engine/rules/cpu_fault.def.
///
/// Source: mm/memory.c, mm/huge_memory.c, mm/hugetlb.c of 6.12; the outcomes agree with the captures of 6.1 and 6.12.
/// Ownership: keeps the page cache and the hugetlb pools; refers to nothing. Threads: one at a time.

#include <cstdint>
#include <optional>

#include "engine/fault/handle_mm_fault.h"
#include "engine/fault/page_cache.h"
#include "engine/machine/folio.h"
#include "engine/machine/machine.h"
#include "engine/machine/spin_guard.h"

namespace hmmscope {

class MigrateHooks;  // engine/migrate/hooks.h

/// The bits a fault sets or tests, as masks.
namespace bit {
inline constexpr uint64_t present = x86::present.mask(), rw = x86::rw.mask(), user = x86::user.mask(),
                          accessed = x86::accessed.mask(), dirty = x86::dirty.mask(), huge = x86::pse.mask(),
                          special = x86::special.mask(), uffd_wp = x86::uffd_wp.mask(),
                          no_execute = x86::nx.mask(), swp_exclusive = x86::swp_exclusive.mask();
}

struct CpuFaultOptions {
  bool huge_zero_page = true;        ///< a THP read fault may map the shared 2M zero page
  uint64_t hugetlb_2m_pages = 64;    ///< free pages of each pool
  uint64_t hugetlb_1g_pages = 4;
  uint64_t pages_until_oom = ~0ull;  ///< allocations that succeed before memory runs out
  bool keeps_swap_cache = false;     ///< a page read in from swap stays in the swap cache and keeps its slot, as it does
                                     ///< while swap is far from full (should_try_to_free_swap of mm/memory.c)
};

/// One fault being handled; passed down the path by reference.
struct Fault {
  Machine& machine;
  AddressSpace& space;
  const EntryFormat& entry;
  Vma vma;
  uint64_t addr;     ///< page aligned
  uint32_t flags;    ///< fault_flag bits
  SpinGuard* ptl = nullptr;   ///< the pte's lock; held while what was read there is acted on
  bool write() const { return (flags & fault_flag::write) != 0; }
};

class CpuFault final : public FaultHandler {
 public:
  explicit CpuFault(CpuFaultOptions options = {}) : options_(options) {}

  /// Does not enter a call of its own: the caller records handle_mm_fault around it.
  uint32_t handle_mm_fault(Machine& machine, AddressSpace& space, uint64_t addr, uint32_t flags) override;

  PageCache& page_cache() { return cache_; }
  /// Asked when a fault brings a device page home; not owned, null for none.
  void set_migrate_hooks(MigrateHooks* hooks) { migrate_hooks_ = hooks; }
  uint64_t free_hugetlb_pages(uint32_t page_shift) const;

 private:
  bool handle_pud(Fault& fault);   ///< true: a 1G leaf answered the fault
  uint32_t handle_pmd(Fault& fault);
  uint32_t handle_pte(Fault& fault);
  /// Under the lock: is the pmd no longer the one that was read (nothing: no longer none)? Says so.
  bool pmd_raced(Fault& fault, std::optional<uint64_t> read);
  // anonymous.cpp
  uint32_t do_anonymous_page(Fault& fault, WordIndex pte);
  uint32_t do_huge_pmd_anonymous_page(Fault& fault);
  bool thp_fits(const Fault& fault) const;
  // write_protect.cpp
  uint32_t do_wp_page(Fault& fault, WordIndex pte);
  uint32_t do_wp_huge(Fault& fault, WordIndex pmd);
  // swap.cpp
  uint32_t do_swap_page(Fault& fault, WordIndex pte);
  uint32_t swap_in(Fault& fault, WordIndex pte);
  uint32_t bring_home(Fault& fault, WordIndex pte, const SwapEntry& entry);
  uint32_t end_exclusive(Fault& fault, WordIndex pte);
  uint32_t do_huge_pmd_device_private(Fault& fault, WordIndex pmd, uint64_t read);
  // file.cpp
  uint32_t do_fault(Fault& fault, WordIndex pte);
  /// The page is in the cache and its memory has failed: how the fault ends. Nothing: it is an ordinary page.
  std::optional<uint32_t> fault_on_poison(Fault& fault, uint64_t pfn);
  void fault_around(Fault& fault);
  // hugetlb.cpp
  uint32_t hugetlb_fault(Fault& fault);

  /// A pfn of `order`, or 0 when memory has run out.
  uint64_t allocate(Fault& fault, uint32_t order);
  uint64_t* hugetlb_pool(uint32_t page_shift);

  CpuFaultOptions options_;
  MigrateHooks* migrate_hooks_ = nullptr;
  PageCache cache_;
};

/// Present flags of a new mapping in the VMA: P US A (NX unless VM_EXEC), and RW D when `writable`
/// (D alone in a VMA without VM_WRITE, as maybe_mkwrite has it). No P but PROTNONE in a VMA that allows nothing.
uint64_t mapping_flags(const Vma& vma, bool writable);
/// Makes the folio of a zeroed anonymous page newly mapped at addr: one reference, one mapping, exclusive; or, not
/// exclusive, with a second mapping in a process that is not part of the machine. A step must be open.
void add_anon_folio(Machine& machine, const Vma& vma, uint64_t addr, uint64_t pfn, uint32_t order, bool exclusive);
/// Copies what the pages hold, when the machine keeps it (Machine::keep_page_data). A step must be open.
void copy_page_data(Machine& machine, uint64_t from, uint64_t to, uint32_t order = 0);
/// Makes the folio of a page of the page cache: one reference, the cache's.
void add_file_folio(Machine& machine, uint64_t file, uint64_t index, uint64_t pfn);
/// One mapping of the page more or less, with its reference; the last reference frees the folio. Nothing happens when
/// nobody keeps counters for the page. A step must be open.
void map_folio(Machine& machine, uint64_t pfn);
void unmap_folio(Machine& machine, uint64_t pfn);
/// The pmd stands for one 2M page: a leaf, or a device-private or migration entry.
bool is_whole_pmd(const Machine& machine, uint64_t pmd);
/// Splits what stands for 2M at addr (is_whole_pmd) into 512 ptes, the huge zero page into zero pages. Opens `rule` as its
/// step for a leaf and split_pmd.* for other entries, and tells the notifiers (CLEAR over the 2M part).
void split_huge_pmd(Machine& machine, AddressSpace& space, uint64_t addr, RuleId rule);
/// The pud word of the 1G leaf (not hugetlb's own kind of entry) that maps `addr`; no_word when none does.
WordIndex find_pud_leaf(const Machine& machine, const AddressSpace& space, uint64_t addr);
/// Takes out the 1G leaf that maps `addr`, with its mapping and reference, after telling the notifiers of all it maps: the
/// split of a huge pud leaves an empty entry (__split_huge_pud of mm/huge_memory.c; the memory is a driver's or a file's,
/// which a fault maps again). The step is made in between; nothing is taken out when somebody else was faster.
void split_huge_pud(Machine& machine, AddressSpace& space, uint64_t addr, RuleId rule, std::initializer_list<uint64_t> operands);

}  // namespace hmmscope
