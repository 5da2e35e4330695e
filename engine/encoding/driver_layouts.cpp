// 4.17 .. 5.7: the format of the array belonged to the driver, which handed HMM tables of flags and values.
// Values are whole words, tested in the order NONE, ERROR, SPECIAL before any flag.

#include <array>

#include "engine/encoding/layout_tables.h"

namespace hmmscope::tables {

namespace {

constexpr Field valid(unsigned bit) {
  return input(
      flag("VALID", "HMM_PFN_VALID", bit, Role::valid, "the pfn may be used; on input: fault the page in"));
}
constexpr Field write(unsigned bit) {
  return input(
      flag("WRITE", "HMM_PFN_WRITE", bit, Role::write, "the CPU may write; on input: make it writable"));
}
constexpr Field vram =
    flag("VRAM", "HMM_PFN_DEVICE_PRIVATE", 4, Role::device_private, "the page is in this device's memory");
constexpr Field pfn(unsigned shift, unsigned width) {
  return bits("pfn", "", shift, width, Role::pfn, "page frame number");
}

constexpr std::array draft_2018{pfn(8, 56), write(1), valid(0)};
constexpr std::array nouveau_51{pfn(12, 52), vram, write(1), valid(0)};
constexpr std::array nouveau_57{pfn(12, 52), write(1), valid(0)};
constexpr std::array nouveau_own{
    bits("pfn", "NVIF_VMM_PFNMAP_V0_ADDR", 12, 52, Role::pfn, "page frame number in host or device memory"),
    bits("APER", "NVIF_VMM_PFNMAP_V0_APER", 4, 4, Role::device_private, "aperture: 0 host, 1 device memory"),
    flag("A", "NVIF_VMM_PFNMAP_V0_A", 2, Role::none, "atomic access allowed"),
    flag("W", "NVIF_VMM_PFNMAP_V0_W", 1, Role::write, "writes are allowed"),
    flag("V", "NVIF_VMM_PFNMAP_V0_V", 0, Role::valid, "the entry is valid")};
constexpr std::array example_2019{valid(63), write(62), pfn(0, 62)};
constexpr std::array odp_2019{pfn(3, 61),
                              flag("DEVICE", "ODP_DEVICE_BIT", 2, Role::device_private,
                                   "device memory; there only because HMM asks for the flag"),
                              write(1), valid(0)};
constexpr std::array odp_dma{
    bits("pfn", "", 12, 52, Role::pfn, "DMA address without its low bits"),
    flag("WRITE_ALLOWED", "ODP_WRITE_ALLOWED_BIT", 1, Role::write, "the device may write"),
    flag("READ_ALLOWED", "ODP_READ_ALLOWED_BIT", 0, Role::valid, "the device may read")};

constexpr const char* none_text = "nothing is mapped at the address";
constexpr const char* error_text = "the address cannot be accessed";
constexpr const char* special_text = "a special entry, not usable by a device";

constexpr std::array draft_2018_values{
    SpecialWord{"NONE", "HMM_PFN_NONE", 0, none_text},
    SpecialWord{"ERROR", "HMM_PFN_ERROR", ~0ull, error_text},
    SpecialWord{"SPECIAL", "HMM_PFN_SPECIAL", 1ull << 63, special_text},
};
constexpr std::array nouveau_51_values{
    SpecialWord{"NONE", "HMM_PFN_NONE", 0, none_text},
    SpecialWord{"ERROR", "HMM_PFN_ERROR", ~1ull, error_text},
    SpecialWord{"SPECIAL", "HMM_PFN_SPECIAL", ~1ull, special_text},
};
constexpr std::array odp_2019_values{
    SpecialWord{"NONE", "HMM_PFN_NONE", 0, none_text},
    SpecialWord{"ERROR", "HMM_PFN_ERROR", ~0ull, error_text},
    SpecialWord{"SPECIAL", "HMM_PFN_SPECIAL", ~1ull, special_text},
};
constexpr std::array example_values{
    SpecialWord{"NONE", "HMM_PFN_NONE", 0, none_text},
    SpecialWord{"ERROR", "HMM_PFN_ERROR", ~(1ull << 63), error_text},
    SpecialWord{"SPECIAL", "HMM_PFN_SPECIAL", ~(1ull << 63), special_text},
};

constexpr std::array all{
    Layout{"nouveau-2018-draft", "nouveau draft tables of 2018", Family::driver_format, Status::posted,
           "2018, before 4.17", 64, 12, draft_2018, "driver-format series of 2018",
           "SPECIAL is one bit that the pfn field also owns; nothing checked that.", draft_2018_values},
    Layout{"nouveau-5.1", "nouveau tables of 5.1 to 5.6", Family::driver_format, Status::released,
           "5.1 .. 5.6", 64, 12, nouveau_51, "drivers/gpu/drm/nouveau/nouveau_svm.c",
           "ERROR and SPECIAL are the same word: all ones without VALID.", nouveau_51_values},
    Layout{"nouveau-5.7", "nouveau tables of 5.7", Family::driver_format, Status::released, "5.7", 64, 12,
           nouveau_57, "drivers/gpu/drm/nouveau/nouveau_svm.c",
           "Device memory is added by the driver in a second pass.", nouveau_51_values},
    Layout{"nouveau-pfnmap", "nouveau's own entries, 5.8 and later", Family::driver_format, Status::released,
           "5.8 .. 7.3", 64, 12, nouveau_own, "drivers/gpu/drm/nouveau/include/nvif/if000c.h",
           "What nouveau makes of an hmm_pfn for its own page tables."},
    Layout{"driver-2019-example", "example format of the 2019 mask discussion", Family::driver_format,
           Status::draft, "5.2", 64, 12, example_2019, "default_flags and pfn_flags_mask thread, 2019",
           "VALID is bit 63 and WRITE bit 62; the pfn is taken unshifted. The thread names no values: ERROR and "
           "SPECIAL follow nouveau, all ones without VALID.",
           example_values},
    Layout{"odp-2019", "RDMA on-demand paging, conversion of 2019", Family::driver_format, Status::posted,
           "2019, for 5.2", 64, 12, odp_2019, "RDMA/odp: convert to use HMM for ODP, version 4",
           "ERROR and SPECIAL have flag bits set: a driver must compare whole words before it tests VALID.",
           odp_2019_values},
    Layout{"odp-dma-5.10", "RDMA on-demand paging dma_list word", Family::driver_format, Status::released,
           "5.10 .. 6.15", 64, 12, odp_dma, "include/rdma/ib_umem_odp.h",
           "A DMA address with its permissions in the low bits; 6.16 moved the state into the hmm_pfn."},
};

}  // namespace

std::span<const Layout> driver() { return all; }

}  // namespace hmmscope::tables
