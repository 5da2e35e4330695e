// arm64 entries with 4K pages. The offset of non-present entries is not inverted.

#include <array>

#include "engine/encoding/layout_tables.h"

namespace hmmscope::tables {

namespace {

constexpr Field valid_bit =
    flag("VALID", "PTE_VALID", 0, Role::present, "the CPU may translate through this entry");
constexpr Field type =
    flag("PAGE", "PTE_TYPE_PAGE", 1, Role::hw, "a page (level 3) or table entry, not a block");
constexpr Field attr = bits("ATTR", "PTE_ATTRINDX", 2, 3, Role::cache, "memory attribute index");
constexpr Field user = flag("USER", "PTE_USER", 6, Role::user, "EL0 may use the entry");
constexpr Field rdonly = flag("RDONLY", "PTE_RDONLY", 7, Role::hw, "AP[2]: hardware refuses writes");
constexpr Field shared = bits("SH", "PTE_SHARED", 8, 2, Role::hw, "shareability");
constexpr Field af = flag("AF", "PTE_AF", 10, Role::accessed, "access flag");
constexpr Field ng =
    flag("NG", "PTE_NG", 11, Role::global,
         "not global; with VALID clear the same bit means present without access (PROT_NONE)");
constexpr Field frame = bits("pfn", "", 12, 38, Role::pfn, "page frame number");
constexpr Field dbm = flag("WRITE", "PTE_WRITE", 51, Role::write, "writable (DBM)");
constexpr Field cont = flag("CONT", "PTE_CONT", 52, Role::hw, "one of a run of contiguous entries");
constexpr Field pxn = flag("PXN", "PTE_PXN", 53, Role::hw, "privileged execute never");
constexpr Field uxn = flag("UXN", "PTE_UXN", 54, Role::no_execute, "user execute never");
constexpr Field dirty = flag("DIRTY", "PTE_DIRTY", 55, Role::dirty, "software dirty");
constexpr Field special = flag("SPECIAL", "PTE_SPECIAL", 56, Role::special, "no ordinary page behind it");
constexpr Field devmap =
    flag("DEVMAP", "PTE_DEVMAP", 57, Role::devmap, "page of a ZONE_DEVICE driver (until 6.16)");
constexpr Field uffd_wp = flag("UFFD_WP", "PTE_UFFD_WP", 58, Role::uffd_wp, "userfaultfd write protection");

constexpr std::array pte_612{uffd_wp, devmap, special, dirty,  uxn,  pxn,  cont, dbm,      frame,
                             ng,      af,     shared,  rdonly, user, attr, type, valid_bit};
constexpr std::array pte_617{uffd_wp, special, dirty,  uxn,    pxn,  cont, dbm,  frame,
                             ng,      af,      shared, rdonly, user, attr, type, valid_bit};

constexpr Field swp_offset = bits("offset", "", 12, 50, Role::swap_offset, "swap slot, or pfn; not inverted");
constexpr Field swp_present_invalid = flag("PROTNONE", "PTE_PRESENT_INVALID", 11, Role::global,
                                           "0 here: set, the entry would be present without access");
constexpr Field swp_type = bits("type", "", 6, 5, Role::swap_type,
                                "swap file, or which special entry; numbering depends on the kernel");
constexpr Field swp_uffd_wp =
    flag("F", "PTE_SWP_UFFD_WP", 3, Role::uffd_wp, "userfaultfd write protection carried over the swap");
constexpr Field swp_exclusive =
    flag("E", "PTE_SWP_EXCLUSIVE", 2, Role::exclusive, "the swapped page belonged to this process alone");
constexpr Field swp_valid = bits("VALID", "PTE_TYPE_MASK", 0, 2, Role::present, "0: not present");

constexpr std::array swap_fields{swp_offset,  swp_present_invalid, swp_type,
                                 swp_uffd_wp, swp_exclusive,       swp_valid};

constexpr const char* pgtable_h = "arch/arm64/include/asm/pgtable-prot.h, pgtable-hwdef.h";
constexpr const char* swap_h = "arch/arm64/include/asm/pgtable.h, include/linux/swap.h";
constexpr const char* swap_note =
    "Bit positions as in 6.12; the type numbering is that of the versions named.";

constexpr Layout swap_row(const char* id, const char* title, const char* versions) {
  return {id,        title, Family::arm64_swap, Status::released, versions, 64, 12, swap_fields, swap_h,
          swap_note, {}};
}

constexpr std::array all{
    Layout{"pte-arm64", "arm64 pte (4K pages), until 6.16", Family::arm64_pte, Status::released, ".. 6.16",
           64, 12, pte_612, pgtable_h,
           "The contiguous bit is invisible to HMM: such a pte is reported with order 0."},
    Layout{"pte-arm64-6.17", "arm64 pte (4K pages), 6.17 and later", Family::arm64_pte, Status::released,
           "6.17 .. 7.3", 64, 12, pte_617, pgtable_h, "DEVMAP is gone."},
    swap_row("swap-arm64-5.9", "arm64 non-present entry, 5.9 to 5.13", "5.9 .. 5.13"),
    swap_row("swap-arm64-5.14", "arm64 non-present entry, 5.14 to 5.18", "5.14 .. 5.18"),
    swap_row("swap-arm64-6.1", "arm64 non-present entry, 5.19 to 6.1", "5.19 .. 6.1"),
    swap_row("swap-arm64-6.12", "arm64 non-present entry, 6.2 to 6.14", "6.2 .. 6.14"),
    swap_row("swap-arm64-6.15", "arm64 non-present entry, 6.15 and later", "6.15 .. 7.3"),
};

}  // namespace

std::span<const Layout> arm64() { return all; }

}  // namespace hmmscope::tables
