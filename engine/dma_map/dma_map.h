#pragma once
/// hmm_dma_map_pfn and hmm_dma_unmap_pfn: a driver's DMA mapping of the pages in an hmm_pfns array, one flag per slot
/// saying that it was done. Nothing ties the flag to the page: that is what the sticky flags are about.
///
/// Source: include/linux/hmm-dma.h and mm/hmm.c, 6.16 to 7.2. Rules: engine/rules/dma_map.def.
/// Ownership: none; refers to words of the machine. Writes open steps of their own. Threads: one.

#include <cstdint>
#include <string>

#include "engine/machine/machine.h"

namespace hmmscope {

/// What pci_p2pdma_state says of the page and the device.
enum class P2pdma : uint8_t { none, host_bridge, bus_address, not_supported };

/// struct hmm_dma_map and what the device needs.
struct DmaMap {
  WordIndex pfns = no_word;       ///< pfn_list: the array of the range calls
  uint32_t count = 0;
  bool use_iova = true;           ///< one IOVA range was allocated for all entries
  uint64_t iova = 0;              ///< its address
  bool need_unmap = true;         ///< the device's mappings are not stateless
  WordIndex dma_list = no_word;   ///< one address an entry; only without an IOVA range and with need_unmap

  static constexpr uint64_t entry_bytes = 4096;   ///< dma_entry_size
};

/// hmm_dma_map_alloc for an existing array.
DmaMap make_dma_map(Machine& machine, WordIndex pfns, uint32_t count, bool use_iova, bool need_unmap, std::string name);

inline constexpr uint64_t dma_mapping_error = ~0ull;
/// What is added to a physical address to make a bus address, so that the two can be told apart.
inline constexpr uint64_t bus_offset = 0x4000000000;

/// The DMA address, or dma_mapping_error. `link_fails`: the IOMMU or the DMA layer refuses.
uint64_t hmm_dma_map_pfn(Machine& machine, const DmaMap& map, uint32_t idx, P2pdma p2p, bool link_fails = false);
/// True when the slot was mapped and now is not.
bool hmm_dma_unmap_pfn(Machine& machine, const DmaMap& map, uint32_t idx);

}  // namespace hmmscope
