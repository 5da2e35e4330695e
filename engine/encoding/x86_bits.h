#pragma once
/// x86-64 entries: the fields themselves (the layout tables are built from them) and the predicates the walk
/// asks of a word. Everything is constexpr and branch-light: this is the engine's hot path.
///
/// Sources: arch/x86/include/asm/pgtable_types.h, pgtable.h, pgtable_64.h, pgtable-invert.h (6.12).

#include "engine/encoding/layout.h"

namespace hmmscope::x86 {

namespace detail {
constexpr Field one(const char* name, const char* symbol, uint8_t bit, Role role, const char* meaning) {
  return {name, symbol, bit, 1, role, false, false, false, meaning, 0};
}
constexpr Field many(const char* name, const char* symbol, uint8_t shift, uint8_t width, Role role, bool inv,
                     const char* meaning, uint8_t unit = 0) {
  return {name, symbol, shift, width, role, false, false, inv, meaning, unit};
}
}  // namespace detail

// --- present entries
// -------------------------------------------------------------------------------------------
inline constexpr Field present =
    detail::one("P", "_PAGE_PRESENT", 0, Role::present, "the CPU may translate through this entry");
inline constexpr Field rw = detail::one("RW", "_PAGE_RW", 1, Role::write, "writes are allowed");
inline constexpr Field user = detail::one("US", "_PAGE_USER", 2, Role::user, "user mode may use the entry");
inline constexpr Field pwt =
    detail::one("PWT", "_PAGE_PWT", 3, Role::cache, "cache type, low bit: write-through");
inline constexpr Field pcd = detail::one("PCD", "_PAGE_PCD", 4, Role::cache, "cache type: cache disabled");
inline constexpr Field accessed =
    detail::one("A", "_PAGE_ACCESSED", 5, Role::accessed, "set by the CPU when the page is used");
inline constexpr Field dirty =
    detail::one("D", "_PAGE_DIRTY", 6, Role::dirty, "set by the CPU when the page is written");
inline constexpr Field pat =
    detail::one("PAT", "_PAGE_PAT", 7, Role::cache, "cache type, high bit (4K entries)");
inline constexpr Field pse =
    detail::one("PSE", "_PAGE_PSE", 7, Role::huge, "this pmd or pud is a leaf, not a table");
inline constexpr Field global =
    detail::one("G", "_PAGE_GLOBAL", 8, Role::global, "kept in the TLB over address space switches");
inline constexpr Field protnone = detail::one("PROTNONE", "_PAGE_PROTNONE", 8, Role::global,
                                              "with P clear: mapped without access (NUMA hint or mprotect)");
inline constexpr Field special = detail::one("SPECIAL", "_PAGE_SPECIAL", 9, Role::special,
                                             "no ordinary page behind it (zero page, device memory)");
inline constexpr Field uffd_wp =
    detail::one("UFFD_WP", "_PAGE_UFFD_WP", 10, Role::uffd_wp, "userfaultfd write protection");
inline constexpr Field soft_dirty = detail::one("SOFT_DIRTY", "_PAGE_SOFT_DIRTY", 11, Role::soft_dirty,
                                                "written since soft-dirty was cleared");
inline constexpr Field pat_large =
    detail::one("PAT", "_PAGE_PAT_LARGE", 12, Role::cache, "cache type, high bit (2M and 1G leaves)");
inline constexpr Field pfn =
    detail::many("pfn", "", 12, 40, Role::pfn, false, "page frame number of the 4K page");
inline constexpr Field pfn_2m =
    detail::many("pfn", "", 21, 31, Role::pfn, false,
                 "page frame number of the leaf's first 4K page, a multiple of 512", 9);
inline constexpr Field pfn_1g =
    detail::many("pfn", "", 30, 22, Role::pfn, false,
                 "page frame number of the leaf's first 4K page, a multiple of 262144", 18);
inline constexpr Field pfn_inverted =
    detail::many("pfn", "", 12, 40, Role::pfn, true, "page frame number, stored inverted against L1TF");
inline constexpr Field pfn_2m_inverted = detail::many(
    "pfn", "", 21, 31, Role::pfn, true, "page frame number of the leaf, stored inverted against L1TF", 9);
inline constexpr Field pfn_1g_inverted = detail::many(
    "pfn", "", 30, 22, Role::pfn, true, "page frame number of the leaf, stored inverted against L1TF", 18);
inline constexpr Field table_pfn =
    detail::many("table", "", 12, 40, Role::table_address, false, "page frame number of the next table");
inline constexpr Field devmap =
    detail::one("DEVMAP", "_PAGE_DEVMAP", 57, Role::devmap, "page of a ZONE_DEVICE driver (until 6.16)");
inline constexpr Field saved_dirty =
    detail::one("SAVED_DIRTY", "_PAGE_SAVED_DIRTY", 58, Role::saved_dirty,
                "dirty, kept aside so that it does not look like a shadow stack");
inline constexpr Field pkey = detail::many("PKEY", "_PAGE_PKEY", 59, 4, Role::pkey, false, "protection key");
inline constexpr Field nx = detail::one("NX", "_PAGE_NX", 63, Role::no_execute, "no instruction fetch");

// --- non-present entries
// ---------------------------------------------------------------------------------------
inline constexpr Field swp_soft_dirty =
    detail::one("SD", "_PAGE_SWP_SOFT_DIRTY", 1, Role::soft_dirty, "soft-dirty carried over the swap");
inline constexpr Field swp_uffd_wp = detail::one("F", "_PAGE_SWP_UFFD_WP", 2, Role::uffd_wp,
                                                 "userfaultfd write protection carried over the swap");
inline constexpr Field swp_exclusive = detail::one("E", "_PAGE_SWP_EXCLUSIVE", 3, Role::exclusive,
                                                   "the swapped page belonged to this process alone");
inline constexpr Field swp_offset =
    detail::many("offset", "", 9, 50, Role::swap_offset, true,
                 "swap slot, or pfn and A/D of a migration entry; stored inverted");
inline constexpr Field swp_type =
    detail::many("type", "", 59, 5, Role::swap_type, false,
                 "swap file, or which special entry; numbering depends on the kernel");

// --- predicates
// ------------------------------------------------------------------------------------------------
/// A and D are ignored: a CPU may set them in a cleared entry (Knights Landing erratum).
constexpr bool pte_none(uint64_t pte) { return (pte & ~(accessed.mask() | dirty.mask())) == 0; }
constexpr bool pte_present(uint64_t pte) { return (pte & (present.mask() | protnone.mask())) != 0; }
constexpr bool pte_protnone(uint64_t pte) {
  return (pte & (present.mask() | protnone.mask())) == protnone.mask();
}
constexpr bool pte_write(uint64_t pte) { return (pte & rw.mask()) != 0; }
constexpr bool pte_special(uint64_t pte) { return (pte & special.mask()) != 0; }
constexpr bool pte_devmap(uint64_t pte) {
  return (pte & (present.mask() | devmap.mask())) == (present.mask() | devmap.mask());
}
/// All ones where the stored pfn must be flipped to read it: nonzero entries with P clear.
constexpr uint64_t invert_mask(uint64_t entry) {
  return (entry != 0 && (entry & present.mask()) == 0) ? ~0ull : 0ull;
}
constexpr uint64_t pte_pfn(uint64_t pte) { return ((pte ^ invert_mask(pte)) & pfn.mask()) >> pfn.shift; }

constexpr bool pmd_none(uint64_t pmd) { return pte_none(pmd); }
/// PSE alone counts: a leaf being split keeps it while P is clear.
constexpr bool pmd_present(uint64_t pmd) {
  return (pmd & (present.mask() | protnone.mask() | pse.mask())) != 0;
}
constexpr bool pmd_leaf(uint64_t pmd) { return (pmd & pse.mask()) != 0; }
constexpr bool pmd_devmap(uint64_t pmd) { return (pmd & devmap.mask()) != 0; }
/// A transparent huge leaf: PSE without DEVMAP.
constexpr bool pmd_trans_huge(uint64_t pmd) { return (pmd & (pse.mask() | devmap.mask())) == pse.mask(); }
constexpr bool pmd_protnone(uint64_t pmd) { return pte_protnone(pmd); }
constexpr bool pmd_write(uint64_t pmd) { return pte_write(pmd); }
constexpr uint64_t pmd_pfn(uint64_t pmd) { return ((pmd ^ invert_mask(pmd)) & pfn_2m.mask()) >> pfn.shift; }
/// A table as the walker expects it: present, accessed, dirty, writable, user, no leaf bit.
constexpr bool pmd_bad(uint64_t pmd) {
  const uint64_t table_flags = present.mask() | rw.mask() | accessed.mask() | dirty.mask();
  const uint64_t all_flags = ~pfn.mask();
  return (pmd & all_flags & ~(user.mask() | accessed.mask())) != (table_flags & ~accessed.mask());
}
constexpr bool pud_present(uint64_t pud) { return (pud & present.mask()) != 0; }
constexpr bool pud_leaf(uint64_t pud) {
  return (pud & (pse.mask() | present.mask())) == (pse.mask() | present.mask());
}
constexpr uint64_t pud_pfn(uint64_t pud) { return ((pud ^ invert_mask(pud)) & pfn_1g.mask()) >> pfn.shift; }
constexpr uint64_t table_page(uint64_t entry) { return (entry & table_pfn.mask()) >> table_pfn.shift; }

}  // namespace hmmscope::x86
