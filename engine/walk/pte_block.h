#pragma once
/// The fast path of the pte handler: converts runs of plain ptes (present and not special, or empty) of one table
/// without branches. Whatever it does not convert goes to the rules; a property test proves that both agree.

#include <cstdint>

#include "engine/machine/pfn_format.h"

namespace hmmscope {

struct PteBlock {
  uint64_t default_flags = 0;
  uint64_t pfn_flags_mask = 0;
  uint64_t sticky = 0;
  uint32_t valid_shift = 63, write_shift = 62;
  bool can_ask = false;   ///< some request is possible
  bool applies = false;   ///< the layout keeps the pfn at bit 0, as all do since 5.8

  PteBlock(const PfnFormat& format, uint64_t defaults, uint64_t mask);
};

/// Converts ptes[0..count) into slots from the front and returns how many it did: it stops before the first pte that
/// needs a fault or a rule of its own. When nothing can be asked for, slots behind that one may hold junk (their sticky
/// bits are intact): the caller goes on converting them. ptes and slots do not overlap.
uint32_t convert_ptes(const PteBlock& block, const uint64_t* ptes, uint64_t* slots, uint32_t count);

}  // namespace hmmscope
