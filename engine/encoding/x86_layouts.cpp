// x86-64 entries: present leaves of three levels, tables, PROT_NONE leaves, and non-present entries.

#include <array>

#include "engine/encoding/layout_tables.h"
#include "engine/encoding/x86_bits.h"

namespace hmmscope::tables {

namespace {

using namespace x86;

// Three eras of the software bits: DEVMAP until 6.16, SAVED_DIRTY from 6.6 (shadow stacks).
constexpr std::array pte_59{nx,  pkey,  devmap,   x86::pfn, soft_dirty, uffd_wp, special, global,
                            pat, dirty, accessed, pcd,      pwt,        user,    rw,      present};
constexpr std::array pte_66{nx,  pkey,  saved_dirty, devmap, x86::pfn, soft_dirty, uffd_wp, special, global,
                            pat, dirty, accessed,    pcd,    pwt,      user,       rw,      present};
constexpr std::array pte_617{nx,  pkey,  saved_dirty, x86::pfn, soft_dirty, uffd_wp, special, global,
                             pat, dirty, accessed,    pcd,      pwt,        user,    rw,      present};
constexpr std::array pte_none_prot{nx,      pkey,    saved_dirty, devmap, pfn_inverted, soft_dirty,
                                   uffd_wp, special, protnone,    pat,    dirty,        accessed,
                                   pcd,     pwt,     user,        rw,     present};

constexpr std::array pmd_59{nx,  pkey,  devmap,   pfn_2m, pat_large, soft_dirty, uffd_wp, special, global,
                            pse, dirty, accessed, pcd,    pwt,       user,       rw,      present};
constexpr std::array pmd_66{nx,         pkey,    saved_dirty, devmap, pfn_2m, pat_large,
                            soft_dirty, uffd_wp, special,     global, pse,    dirty,
                            accessed,   pcd,     pwt,         user,   rw,     present};
constexpr std::array pmd_617{nx,  pkey,  saved_dirty, pfn_2m, pat_large, soft_dirty, uffd_wp, special, global,
                             pse, dirty, accessed,    pcd,    pwt,       user,       rw,      present};
constexpr std::array pmd_none_prot{nx,        pkey,       saved_dirty, devmap,  pfn_2m_inverted,
                                   pat_large, soft_dirty, uffd_wp,     special, protnone,
                                   pse,       dirty,      accessed,    pcd,     pwt,
                                   user,      rw,         present};

constexpr std::array pud_59{nx,  pkey,  devmap,   pfn_1g, pat_large, soft_dirty, uffd_wp, special, global,
                            pse, dirty, accessed, pcd,    pwt,       user,       rw,      present};
constexpr std::array pud_66{nx,         pkey,    saved_dirty, devmap, pfn_1g, pat_large,
                            soft_dirty, uffd_wp, special,     global, pse,    dirty,
                            accessed,   pcd,     pwt,         user,   rw,     present};
constexpr std::array pud_617{nx,  pkey,  saved_dirty, pfn_1g, pat_large, soft_dirty, uffd_wp, special, global,
                             pse, dirty, accessed,    pcd,    pwt,       user,       rw,      present};
constexpr std::array pud_none_prot{nx,        pkey,       saved_dirty, devmap,  pfn_1g_inverted,
                                   pat_large, soft_dirty, uffd_wp,     special, protnone,
                                   pse,       dirty,      accessed,    pcd,     pwt,
                                   user,      rw,         present};

constexpr std::array table{nx, table_pfn, pse, dirty, accessed, pcd, pwt, user, rw, present};

constexpr std::array swap_fields{swp_type,    swp_offset,     protnone, swp_exclusive,
                                 swp_uffd_wp, swp_soft_dirty, present};
constexpr std::array swap_fields_59{swp_type, swp_offset, protnone, swp_uffd_wp, swp_soft_dirty, present};

constexpr const char* pgtable_types = "arch/x86/include/asm/pgtable_types.h";
constexpr const char* pgtable_64 = "arch/x86/include/asm/pgtable_64.h, include/linux/swap.h";
constexpr const char* invert_note =
    "Present for the walker although P is clear; the pfn is stored inverted (pgtable-invert.h).";

constexpr Layout row(const char* id, const char* title, Family family, const char* versions,
                     std::span<const Field> fields, const char* source, const char* note) {
  return {id, title, family, Status::released, versions, 64, 12, fields, source, note, {}};
}

constexpr std::array all{
    row("pte-x86-64", "x86-64 pte, 6.6 to 6.16", Family::x86_pte, "6.6 .. 6.16", pte_66, pgtable_types, ""),
    row("pte-x86-64-5.9", "x86-64 pte, 5.9 to 6.5", Family::x86_pte, "5.9 .. 6.5", pte_59, pgtable_types,
        "No SAVED_DIRTY before shadow stacks."),
    row("pte-x86-64-6.17", "x86-64 pte, 6.17 and later", Family::x86_pte, "6.17 .. 7.3", pte_617,
        pgtable_types, "DEVMAP is gone."),
    row("pte-x86-64-protnone", "x86-64 pte without access (NUMA hint)", Family::x86_pte, "5.9 .. 7.3",
        pte_none_prot, pgtable_types, invert_note),
    row("pmd-x86-64", "x86-64 pmd leaf (2M), 6.6 to 6.16", Family::x86_pmd, "6.6 .. 6.16", pmd_66,
        pgtable_types, ""),
    row("pmd-x86-64-5.9", "x86-64 pmd leaf (2M), 5.9 to 6.5", Family::x86_pmd, "5.9 .. 6.5", pmd_59,
        pgtable_types, ""),
    row("pmd-x86-64-6.17", "x86-64 pmd leaf (2M), 6.17 and later", Family::x86_pmd, "6.17 .. 7.3", pmd_617,
        pgtable_types, "DEVMAP is gone."),
    row("pmd-x86-64-protnone", "x86-64 pmd leaf without access (NUMA hint)", Family::x86_pmd, "5.9 .. 7.3",
        pmd_none_prot, pgtable_types, invert_note),
    row("pud-x86-64", "x86-64 pud leaf (1G), 6.6 to 6.16", Family::x86_pud, "6.6 .. 6.16", pud_66,
        pgtable_types, ""),
    row("pud-x86-64-5.9", "x86-64 pud leaf (1G), 5.9 to 6.5", Family::x86_pud, "5.9 .. 6.5", pud_59,
        pgtable_types, ""),
    row("pud-x86-64-6.17", "x86-64 pud leaf (1G), 6.17 and later", Family::x86_pud, "6.17 .. 7.3", pud_617,
        pgtable_types, "DEVMAP is gone."),
    row("pud-x86-64-protnone", "x86-64 pud leaf without access", Family::x86_pud, "5.9 .. 7.3", pud_none_prot,
        pgtable_types, invert_note),
    row("table-x86-64", "x86-64 table entry (pgd, p4d, pud, pmd)", Family::x86_table, "5.9 .. 7.3", table,
        pgtable_types, "PSE clear: the entry points to the next table."),
    row("swap-x86-64-5.9", "x86-64 non-present entry, 5.9 to 5.13", Family::x86_swap, "5.9 .. 5.13",
        swap_fields_59, pgtable_64, "Two migration and two device types; no exclusive bit."),
    row("swap-x86-64-5.14", "x86-64 non-present entry, 5.14 to 5.18", Family::x86_swap, "5.14 .. 5.18",
        swap_fields_59, pgtable_64, "Device-exclusive types appear."),
    row("swap-x86-64-6.1", "x86-64 non-present entry, 5.19 to 6.1", Family::x86_swap, "5.19 .. 6.1",
        swap_fields, pgtable_64,
        "Exclusive migration entries, optional markers, and a swap-in error type at the top."),
    row("swap-x86-64-6.12", "x86-64 non-present entry, 6.2 to 6.14", Family::x86_swap, "6.2 .. 6.14",
        swap_fields, pgtable_64, "Markers are always compiled in; swap-in errors became markers."),
    row("swap-x86-64-6.15", "x86-64 non-present entry, 6.15 and later", Family::x86_swap, "6.15 .. 7.3",
        swap_fields, pgtable_64, "One device-exclusive type: device types are one higher than in 6.12."),
};

}  // namespace

std::span<const Layout> x86() { return all; }

}  // namespace hmmscope::tables
