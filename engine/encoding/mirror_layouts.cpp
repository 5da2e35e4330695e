// The 2015 mirror page table (hmm_pt, never merged): address-style entries with flags in the low bits. Three
// stages of the same series moved the bits.

#include <array>

#include "engine/encoding/layout_tables.h"

namespace hmmscope::tables {

namespace {

constexpr Field address(const char* symbol) {
  return bits("pfn", symbol, 12, 52, Role::pfn, "page frame number, or a DMA address without its low bits");
}
constexpr Field valid_dev =
    flag("VALID_DEV", "HMM_PTE_VALID_DEV", 0, Role::device_private, "the page is in device memory");
constexpr Field valid_dma(unsigned bit) {
  return flag("VALID_DMA", "HMM_PTE_VALID_DMA", bit, Role::dma_mapped, "the entry holds a DMA address");
}
constexpr Field valid_pfn(unsigned bit) {
  return flag("VALID_PFN", "HMM_PTE_VALID_PFN", bit, Role::valid, "the entry holds a pfn");
}
constexpr Field select =
    flag("SELECT", "HMM_PTE_SELECT", 3, Role::select, "picked for the operation in progress");
constexpr Field write(unsigned bit) {
  return flag("WRITE", "HMM_PTE_WRITE", bit, Role::write, "writes are allowed");
}
constexpr Field dirty(unsigned bit) {
  return flag("DIRTY", "HMM_PTE_DIRTY", bit, Role::dirty, "written by the device; set atomically");
}
constexpr Field driver_bits(unsigned shift) {
  return bits("HW", "HMM_PTE_HW_SHIFT", shift, 12 - shift, Role::hw, "free for the driver");
}

constexpr std::array pde{address("HMM_PDE_PFN_MASK"),
                         flag("VALID", "HMM_PDE_VALID", 0, Role::valid, "the entry points to a directory")};
constexpr std::array first{
    address("HMM_PTE_PFN_MASK"), driver_bits(4), dirty(3), write(2), valid_pfn(1), valid_dma(0)};
constexpr std::array with_device{
    address("HMM_PTE_PFN_MASK"), driver_bits(8), dirty(4), write(3), valid_pfn(2), valid_dma(1), valid_dev};
constexpr std::array with_select{address("HMM_PTE_PFN_MASK"),
                                 driver_bits(8),
                                 dirty(5),
                                 write(4),
                                 select,
                                 valid_pfn(2),
                                 valid_dma(1),
                                 valid_dev};

constexpr const char* hmm_pt = "HMM series of 2015, include/linux/hmm_pt.h";
constexpr const char* alternatives =
    "VALID_PFN and VALID_DMA are alternatives: a pfn entry is transient while HMM maps the page for DMA.";

constexpr std::array all{
    Layout{"mirror-pde-2015", "2015 mirror directory entry", Family::mirror_entry, Status::posted,
           "2015, never merged", 64, 12, pde, hmm_pt, ""},
    Layout{"mirror-pte-2015", "2015 mirror entry, first form", Family::mirror_entry, Status::posted,
           "2015, never merged", 64, 12, first, hmm_pt, alternatives},
    Layout{"mirror-pte-2015-device", "2015 mirror entry, after the device-entry patch", Family::mirror_entry,
           Status::posted, "2015, never merged", 64, 12, with_device, hmm_pt, alternatives},
    Layout{"mirror-pte-2015-select", "2015 mirror entry, after the select-flag patch", Family::mirror_entry,
           Status::posted, "2015, never merged", 64, 12, with_select, hmm_pt, alternatives},
};

}  // namespace

std::span<const Layout> mirror() { return all; }

}  // namespace hmmscope::tables
