// hmm_pfn from 5.8 on: flags at the top of the word, counted downwards from BITS_PER_LONG, so every table
// exists for 64 and for 32 bits. Drafts that were posted and not merged are here beside the merged ones.

#include <array>

#include "engine/encoding/layout_tables.h"

namespace hmmscope::tables {

namespace {

constexpr const char* valid_text = "the pfn may be used; on input: fault the page in (REQ_FAULT)";
constexpr const char* write_text = "the CPU mapping is writable; on input: make it writable (REQ_WRITE)";

constexpr Field valid(unsigned bit) {
  return input(flag("VALID", "HMM_PFN_VALID", bit, Role::valid, valid_text));
}
constexpr Field write(unsigned bit) {
  return input(flag("WRITE", "HMM_PFN_WRITE", bit, Role::write, write_text));
}
constexpr Field error(unsigned bit) {
  return flag("ERROR", "HMM_PFN_ERROR", bit, Role::error, "the address cannot be accessed");
}
constexpr Field order(unsigned shift) {
  return bits("order", "HMM_PFN_ORDER_SHIFT", shift, 5, Role::order,
              "the CPU maps 2^order pages here with one entry");
}
constexpr Field pfn(unsigned width) { return bits("pfn", "", 0, width, Role::pfn, "page frame number"); }
constexpr Field dma_mapped(unsigned bit) {
  return sticky(flag("DMA_MAPPED", "HMM_PFN_DMA_MAPPED", bit, Role::dma_mapped,
                     "the driver has DMA-mapped this page; survives hmm_range_fault"));
}
constexpr Field p2pdma(unsigned bit) {
  return sticky(flag("P2PDMA", "HMM_PFN_P2PDMA", bit, Role::p2pdma,
                     "mapped peer to peer through the host bridge; survives hmm_range_fault"));
}
constexpr Field p2pdma_bus(unsigned bit) {
  return sticky(flag("P2PDMA_BUS", "HMM_PFN_P2PDMA_BUS", bit, Role::p2pdma_bus,
                     "mapped peer to peer with a bus address; survives hmm_range_fault"));
}
constexpr Field migrate(unsigned bit) {
  return input(flag("MIGRATE", "HMM_PFN_MIGRATE", bit, Role::migrate,
                    "the page is prepared for migration; on input: prepare it (REQ_MIGRATE)"));
}
constexpr Field compound(unsigned bit) {
  return flag("COMPOUND", "HMM_PFN_COMPOUND", bit, Role::compound, "the page is part of a larger mapping");
}
constexpr Field device_private(unsigned bit) {
  return flag("DEVICE_PRIVATE", "HMM_PFN_DEVICE_PRIVATE", bit, Role::device_private,
              "the pfn field holds an offset into device memory, not a physical pfn");
}

// B is BITS_PER_LONG.
template <unsigned B>
constexpr std::array e4{valid(B - 1), write(B - 2), error(B - 3), pfn(B - 3)};
template <unsigned B>
constexpr std::array e5{valid(B - 1), write(B - 2), error(B - 3), order(B - 8), pfn(B - 8)};
template <unsigned B>
constexpr std::array compound_2020{valid(B - 1), write(B - 2), error(B - 3), compound(B - 4), pfn(B - 4)};
template <unsigned B>
constexpr std::array v9{valid(B - 1), write(B - 2),      error(B - 3),
                        order(B - 8), dma_mapped(B - 7), pfn(B - 8)};
// Only the flag moves: HMM_PFN_FLAGS stays 0xff << ORDER_SHIFT, so the helpers read bit -9 as pfn.
template <unsigned B>
constexpr std::array first_repair{valid(B - 1), write(B - 2),      error(B - 3),
                                  order(B - 8), dma_mapped(B - 9), pfn(B - 8)};
template <unsigned B>
constexpr std::array e6{valid(B - 1),  write(B - 2),      error(B - 3),  dma_mapped(B - 4),
                        p2pdma(B - 5), p2pdma_bus(B - 6), order(B - 11), pfn(B - 11)};
template <unsigned B>
constexpr std::array unified_rfc{valid(B - 1),      write(B - 2),  error(B - 3),
                                 dma_mapped(B - 4), p2pdma(B - 5), p2pdma_bus(B - 6),
                                 migrate(B - 7),    order(B - 12), pfn(B - 12)};
template <unsigned B>
constexpr std::array unified_later{valid(B - 1),  write(B - 2),      error(B - 3),   dma_mapped(B - 4),
                                   p2pdma(B - 5), p2pdma_bus(B - 6), migrate(B - 7), compound(B - 8),
                                   order(B - 13), pfn(B - 13)};
template <unsigned B>
constexpr std::array devpriv_posted{valid(B - 1),      write(B - 2),          error(B - 3),
                                    dma_mapped(B - 4), p2pdma(B - 5),         p2pdma_bus(B - 6),
                                    order(B - 11),     device_private(B - 7), pfn(B - 11)};
template <unsigned B>
constexpr std::array devpriv_repaired{valid(B - 1),          write(B - 2),  error(B - 3),
                                      dma_mapped(B - 4),     p2pdma(B - 5), p2pdma_bus(B - 6),
                                      device_private(B - 7), order(B - 12), pfn(B - 12)};
// Flags start right above the pfn: START = BITS_PER_LONG - PAGE_SHIFT.
template <unsigned B, unsigned PageShift, unsigned Start = B - PageShift>
constexpr std::array genmask{
    bits("spare", "HMM_PFN_FLAGS", Start + 8, B - Start - 8, Role::none, "flag bits nobody uses yet"),
    order(Start + 3),
    error(Start + 2),
    write(Start + 1),
    valid(Start),
    pfn(Start)};

constexpr std::array genmask_dma{bits("spare", "HMM_PFN_FLAGS", 63, 1, Role::none, "a flag bit nobody uses yet"),
                                 p2pdma_bus(62),
                                 p2pdma(61),
                                 dma_mapped(60),
                                 order(55),
                                 error(54),
                                 write(53),
                                 valid(52),
                                 pfn(52)};

constexpr const char* hmm_h = "include/linux/hmm.h";
constexpr const char* shifted_32 =
    "Flags count down from BITS_PER_LONG, so a 32-bit kernel has 32 fewer pfn bits.";

constexpr std::array all{
    Layout{"hmm-5.8", "hmm_pfn 5.8: fixed high bits", Family::hmm_pfn, Status::released, "5.8", 64, 12,
           e4<64>, hmm_h, "First fixed format. IN and OUT share the bits: VALID is also REQ_FAULT."},
    Layout{"hmm-5.9", "hmm_pfn 5.9 to 6.15: with the map order", Family::hmm_pfn, Status::released,
           "5.9 .. 6.15", 64, 12, e5<64>, hmm_h, "The order is output only."},
    Layout{"hmm-compound-2020", "hmm_pfn June 2020 idea: one COMPOUND bit", Family::hmm_pfn, Status::posted,
           "instead of 5.9", 64, 12, compound_2020<64>, "list posting before commit 3b50a6e536d2",
           "Replaced in review by the order field: one bit cannot say how large the mapping is."},
    Layout{"hmm-v9-posted", "hmm_pfn v9 10/24 as posted: DMA_MAPPED inside the order", Family::hmm_pfn,
           Status::posted, "April 2025, before 6.16", 64, 12, v9<64>,
           "DMA mapping API series v9, patch 10/24",
           "DMA_MAPPED (-7) is bit 1 of the order field (-8 .. -4): two owners of one bit."},
    Layout{"hmm-first-repair", "hmm_pfn v9 10/24, first repair: DMA_MAPPED below the order", Family::hmm_pfn,
           Status::draft, "April 2025, before 6.16", 64, 12, first_repair<64>, "reply to v9 10/24",
           "\"It should be 9 not 7\": the order is safe, but HMM_PFN_FLAGS does not cover the bit, so "
           "hmm_pfn_to_page takes it for part of the pfn (hmm_pfn_to_phys happens to shift it out)."},
    Layout{"hmm-genmask-dma", "hmm_pfn idea: flags right above the pfn, with the DMA flags", Family::hmm_pfn,
           Status::draft, "April 2025, not taken", 64, 12, genmask_dma, "reply to v9 10/24",
           "The reply placed no DMA flags; here they take its spare bits 60, 61 and 62."},
    Layout{"hmm-genmask", "hmm_pfn idea: flags right above the pfn (4K pages)", Family::hmm_pfn,
           Status::draft, "April 2025, not taken", 64, 12, genmask<64, 12>, "reply to v9 10/24",
           "Positions depend on PAGE_SHIFT; VALID leaves the sign bit."},
    Layout{"hmm-genmask-16k", "hmm_pfn idea: flags right above the pfn (16K pages)", Family::hmm_pfn,
           Status::draft, "April 2025, not taken", 64, 14, genmask<64, 14>, "reply to v9 10/24",
           "START is 50 with 16K pages."},
    Layout{"hmm-genmask-64k", "hmm_pfn idea: flags right above the pfn (64K pages)", Family::hmm_pfn,
           Status::draft, "April 2025, not taken", 64, 16, genmask<64, 16>, "reply to v9 10/24",
           "START is 48 with 64K pages."},
    Layout{"hmm-6.16", "hmm_pfn 6.16 and later: sticky DMA flags", Family::hmm_pfn, Status::released,
           "6.16 .. 7.3", 64, 12, e6<64>, hmm_h,
           "DMA_MAPPED, P2PDMA and P2PDMA_BUS survive hmm_range_fault (HMM_PFN_INOUT_FLAGS)."},
    Layout{"hmm-unified-rfc", "hmm_pfn unified fault-and-migrate RFC", Family::hmm_pfn, Status::posted,
           "August 2025, on 6.16", 64, 12, unified_rfc<64>, "unified fault and migrate RFC, patch 2/4",
           "VALID and MIGRATE with pfn 0 stands for a hole or the zero page."},
    Layout{
        "hmm-unified-later", "hmm_pfn later migrate-on-fault revisions", Family::hmm_pfn, Status::posted,
        "2026, in review", 64, 12, unified_later<64>, "migrate-on-fault series, January to May 2026",
        "Bit positions not verified against the header. MIGRATE without VALID is a hole or the zero page."},
    Layout{"hmm-devpriv-posted", "hmm_pfn DEVICE_PRIVATE as first posted: inside the order", Family::hmm_pfn,
           Status::posted, "late 2025, on 6.16", 64, 12, devpriv_posted<64>,
           "device-private pages outside the physical address space, first posting",
           "DEVICE_PRIVATE (-7) is the top bit of the order field (-11 .. -7): the 2025 mistake again."},
    Layout{"hmm-devpriv", "hmm_pfn DEVICE_PRIVATE repaired", Family::hmm_pfn, Status::posted, "2026, on 6.16",
           64, 12, devpriv_repaired<64>,
           "device-private pages outside the physical address space, later postings",
           "The order moved to -12 to make room. Takes the same bit as MIGRATE of the unified series."},
    Layout{"hmm-5.8-32", "hmm_pfn 5.8, 32-bit", Family::hmm_pfn, Status::released, "5.8", 32, 12, e4<32>,
           hmm_h, shifted_32},
    Layout{"hmm-5.9-32", "hmm_pfn 5.9 to 6.15, 32-bit", Family::hmm_pfn, Status::released, "5.9 .. 6.15", 32,
           12, e5<32>, hmm_h, "24 pfn bits: 64 GiB with 4K pages, exactly PAE; LPAE's 40 bits do not fit."},
    Layout{"hmm-compound-2020-32", "hmm_pfn June 2020 idea, 32-bit", Family::hmm_pfn, Status::posted,
           "instead of 5.9", 32, 12, compound_2020<32>, "list posting before commit 3b50a6e536d2",
           shifted_32},
    Layout{"hmm-v9-posted-32", "hmm_pfn v9 10/24 as posted, 32-bit", Family::hmm_pfn, Status::posted,
           "April 2025, before 6.16", 32, 12, v9<32>, "DMA mapping API series v9, patch 10/24", shifted_32},
    Layout{"hmm-genmask-32", "hmm_pfn idea: flags right above the pfn, 32-bit", Family::hmm_pfn,
           Status::draft, "April 2025, not taken", 32, 12, genmask<32, 12>, "reply to v9 10/24",
           "20 pfn bits: 4 GiB with 4K pages."},
    Layout{"hmm-6.16-32", "hmm_pfn 6.16 and later, 32-bit", Family::hmm_pfn, Status::released, "6.16 .. 7.3",
           32, 12, e6<32>, hmm_h, "21 pfn bits: memory above 8 GiB aliases."},
    Layout{"hmm-unified-rfc-32", "hmm_pfn unified fault-and-migrate RFC, 32-bit", Family::hmm_pfn,
           Status::posted, "August 2025, on 6.16", 32, 12, unified_rfc<32>,
           "unified fault and migrate RFC, patch 2/4", "20 pfn bits: no page above 4 GiB."},
    Layout{"hmm-unified-later-32", "hmm_pfn later migrate-on-fault revisions, 32-bit", Family::hmm_pfn,
           Status::posted, "2026, in review", 32, 12, unified_later<32>,
           "migrate-on-fault series, January to May 2026",
           "Bit positions not verified against the header. 19 pfn bits: 2 GiB."},
    Layout{"hmm-devpriv-posted-32", "hmm_pfn DEVICE_PRIVATE as first posted, 32-bit", Family::hmm_pfn,
           Status::posted, "late 2025, on 6.16", 32, 12, devpriv_posted<32>,
           "device-private pages outside the physical address space, first posting", shifted_32},
    Layout{"hmm-devpriv-32", "hmm_pfn DEVICE_PRIVATE repaired, 32-bit", Family::hmm_pfn, Status::posted,
           "2026, on 6.16", 32, 12, devpriv_repaired<32>,
           "device-private pages outside the physical address space, later postings", "20 pfn bits."},
};

}  // namespace

std::span<const Layout> hmm_pfn_current() { return all; }

}  // namespace hmmscope::tables
