#pragma once
/// The inline helpers of include/linux/hmm.h, for any layout of a slot. Like the kernel's they ask nothing: the caller
/// has tested VALID. Total and constant: any thread.

#include <cstdint>

#include "engine/encoding/layout.h"

namespace hmmscope {

/// hmm_pfn_to_phys (6.16): the word without HMM_PFN_FLAGS, as an address. What a layout leaves outside its flags mask is
/// taken for part of the pfn.
uint64_t hmm_pfn_to_phys(const Layout& layout, uint64_t word, uint32_t page_shift = 12);
/// hmm_pfn_to_map_order (5.9); 0 in layouts without an order.
uint64_t hmm_pfn_to_map_order(const Layout& layout, uint64_t word);

}  // namespace hmmscope
