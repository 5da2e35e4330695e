#include "engine/dma_map/dma_map.h"

#include <cassert>
#include <optional>

#include "engine/encoding/hmm_pfn_helpers.h"

namespace hmmscope {

namespace {

constexpr uint64_t first_iova = 0xfff00000000;   // where an IOMMU driver puts ranges: high, far from memory

/// The bits of the model's layout; 0 where it lacks a flag.
struct Flags {
  uint64_t valid, dma_mapped, p2pdma, p2pdma_bus;
  explicit Flags(const Layout& layout)
      : valid(layout.mask(Role::valid)), dma_mapped(layout.mask(Role::dma_mapped)), p2pdma(layout.mask(Role::p2pdma)),
        p2pdma_bus(layout.mask(Role::p2pdma_bus)) {}
};

/// The address of a slot that is mapped already; nothing when it must be mapped (again).
std::optional<uint64_t> existing(Machine& machine, const DmaMap& map, uint32_t idx, uint64_t word, const Flags& flags) {
  if ((word & flags.dma_mapped) == 0 || (word & flags.p2pdma_bus) != 0) return std::nullopt;
  if (map.use_iova) {
    const uint64_t addr = map.iova + idx * DmaMap::entry_bytes;
    machine.step(RuleId::dma_map_existing_iova, {idx, word, addr});
    return addr;
  }
  if (map.need_unmap) {
    const uint64_t addr = machine.load(map.dma_list + idx);
    machine.step(RuleId::dma_map_existing_list, {idx, word, addr});
    return addr;
  }
  machine.step(RuleId::dma_map_remap, {idx, word});
  return std::nullopt;
}

uint64_t map_new(Machine& machine, const DmaMap& map, uint32_t idx, P2pdma p2p, bool link_fails, const Flags& flags) {
  const WordIndex slot = map.pfns + idx;
  const uint64_t phys = hmm_pfn_to_phys(*machine.model().hmm_pfn, machine.load(slot));
  if (p2p == P2pdma::not_supported) {
    machine.step(RuleId::dma_map_p2p_unsupported, {idx, machine.load(slot)});
    return dma_mapping_error;
  }
  if (p2p == P2pdma::bus_address) {
    machine.step(RuleId::dma_map_p2p_bus, {idx, machine.load(slot), phys + bus_offset});
    machine.store(slot, machine.load(slot) | flags.p2pdma_bus | flags.dma_mapped);
    return phys + bus_offset;
  }
  if (p2p == P2pdma::host_bridge) {
    machine.step(RuleId::dma_map_p2p_bridge, {idx, machine.load(slot)});
    machine.store(slot, machine.load(slot) | flags.p2pdma);
  }
  if (link_fails) {
    machine.step(RuleId::dma_map_failed, {idx, machine.load(slot)});
    machine.store(slot, machine.load(slot) & ~flags.p2pdma);
    return dma_mapping_error;
  }
  const uint64_t addr = map.use_iova ? map.iova + idx * DmaMap::entry_bytes : phys;
  const bool keeps = !map.use_iova && map.need_unmap;
  machine.step(map.use_iova ? RuleId::dma_map_iova : keeps ? RuleId::dma_map_list : RuleId::dma_map_direct, {idx, phys, addr});
  if (keeps) machine.store(map.dma_list + idx, addr);
  machine.store(slot, machine.load(slot) | flags.dma_mapped);
  return addr;
}

}  // namespace

DmaMap make_dma_map(Machine& machine, WordIndex pfns, uint32_t count, bool use_iova, bool need_unmap, std::string name) {
  DmaMap map{pfns, count, use_iova, use_iova ? first_iova : 0, need_unmap, no_word};
  if (use_iova || !need_unmap) return map;
  Region region;
  region.kind = RegionKind::counters;
  region.count = count;
  region.name = std::move(name);
  map.dma_list = machine.add_region(std::move(region));
  return map;
}

uint64_t hmm_dma_map_pfn(Machine& machine, const DmaMap& map, uint32_t idx, P2pdma p2p, bool link_fails) {
  assert(idx < map.count);
  const Flags flags(*machine.model().hmm_pfn);
  machine.enter(Function::hmm_dma_map_pfn, {idx, static_cast<uint64_t>(p2p)});
  const std::optional<uint64_t> known = existing(machine, map, idx, machine.load(map.pfns + idx), flags);
  const uint64_t addr = known ? *known : map_new(machine, map, idx, p2p, link_fails, flags);
  machine.leave(static_cast<int64_t>(addr));
  return addr;
}

bool hmm_dma_unmap_pfn(Machine& machine, const DmaMap& map, uint32_t idx) {
  assert(idx < map.count);
  const Flags flags(*machine.model().hmm_pfn);
  const WordIndex slot = map.pfns + idx;
  const uint64_t word = machine.load(slot), valid_dma = flags.valid | flags.dma_mapped;
  machine.enter(Function::hmm_dma_unmap_pfn, {idx});
  const bool mapped = (word & valid_dma) == valid_dma;
  if (!mapped) {
    machine.step(RuleId::dma_unmap_refused, {idx, word});
  } else if ((word & flags.p2pdma_bus) != 0) {
    machine.step(RuleId::dma_unmap_bus, {idx, word});
  } else if (map.use_iova) {
    machine.step(RuleId::dma_unmap_iova, {idx, word, map.iova + idx * DmaMap::entry_bytes});
  } else if (map.need_unmap) {
    machine.step(RuleId::dma_unmap_list, {idx, word, machine.load(map.dma_list + idx)});
  } else {
    machine.step(RuleId::dma_unmap_nothing, {idx, word});
  }
  if (mapped) machine.store(slot, word & ~(flags.dma_mapped | flags.p2pdma | flags.p2pdma_bus));
  machine.leave(mapped);
  return mapped;
}

}  // namespace hmmscope
