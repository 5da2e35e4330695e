#include "engine/encoding/hmm_pfn_helpers.h"

namespace hmmscope {

uint64_t hmm_pfn_to_phys(const Layout& layout, uint64_t word, uint32_t page_shift) {
  const Field* pfn = layout.field(Role::pfn);
  return pfn == nullptr ? 0 : pfn->get(word) << page_shift;
}

uint64_t hmm_pfn_to_map_order(const Layout& layout, uint64_t word) {
  const Field* order = layout.field(Role::order);
  return order == nullptr ? 0 : order->get(word);
}

}  // namespace hmmscope
