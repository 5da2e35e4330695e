#include "engine/unified/unified_policy.h"

namespace hmmscope {

namespace {

constexpr UnifiedPolicy plain{};

constexpr UnifiedPolicy posted{
    .patched = true,
    .fault_bit = 3,
    .current_owns = true,
    .hole_is_valid = true,
};

constexpr UnifiedPolicy later{
    .patched = true,
    .fault_bit = 4,
    .write_bit = 5,
    .dst_cleared = true,
    .array_cleared = true,
    .refuses_lock_drop = true,
    .carries_bits = true,
    .flushes_per_part = true,
    .one_lock = true,
    .faults_one_page = true,
    .anonymous_only = true,
    .splits_mapped_large = true,
    .huge_keeps_pfns = true,
    .takes_huge = true,
    .keeps_fault_lock = true,
    .rolls_back = true,
    .driver_checks_late = true,
};

}  // namespace

const UnifiedPolicy& unified_policy(UnifiedStyle style) {
  switch (style) {
    case UnifiedStyle::rfc:
      return posted;
    case UnifiedStyle::later:
      return later;
    case UnifiedStyle::none:
      break;
  }
  return plain;
}

}  // namespace hmmscope
