// dma-map and dma-unmap: what a driver does with the slots between two range faults.

#include "engine/scenario/operations.h"

namespace hmmscope::scenario {

Result<void> Operations::perform(const DmaMapOp& op, Line line) {
  const Array& array = world_.arrays()[op.array];
  if (op.index >= array.pages || array.pages - op.index < op.count) {
    return fail(world_.error(line, "the array has " + std::to_string(array.pages) + " slots"));
  }
  if (machine_.model().hmm_pfn->mask(Role::dma_mapped) == 0) {
    return fail(world_.error(line, "layout " + std::string(machine_.model().hmm_pfn->id) + " of kernel " + machine_.model().id +
                                       " has no flag 'DMA_MAPPED'"));
  }
  const auto [place, fresh] = world_.dma_maps().try_emplace(op.array);
  if (fresh) {
    place->second = make_dma_map(machine_, array.first, static_cast<uint32_t>(array.pages), op.use_iova, op.need_unmap,
                                 op.array + " dma_list");
  }
  uint64_t done = 0;
  std::optional<uint64_t> wrong;
  for (uint64_t k = 0; k < op.count; ++k) {
    const auto idx = static_cast<uint32_t>(op.index + k);
    if (op.unmap) {
      done += hmm_dma_unmap_pfn(machine_, place->second, idx) ? 1 : 0;
      continue;
    }
    const uint64_t addr = hmm_dma_map_pfn(machine_, place->second, idx, op.p2p, op.fails);
    done += addr != dma_mapping_error ? 1 : 0;
    if (op.addr && addr != *op.addr + k * page_bytes && !wrong) wrong = addr;
  }
  if (op.mapped) expect_number(op.unmap ? "unmapped" : "mapped", op.mapped, done, line);
  if (op.addr) expect_number("DMA address", op.addr, wrong.value_or(*op.addr), line);
  return {};
}

}  // namespace hmmscope::scenario
