#include "engine/machine/pfn_format.h"

#include <cassert>
#include <string_view>

namespace hmmscope {

namespace {

/// The word of a driver's values[] entry; 0 when the layout has none.
uint64_t special_word(const Layout& layout, std::string_view name) {
  for (const SpecialWord& special : layout.specials)
    if (special.name == name) return special.word;
  return 0;
}

}  // namespace

PfnFormat PfnFormat::from(const KernelModel& model) {
  assert(model.hmm_pfn != nullptr);
  const Layout& layout = *model.hmm_pfn;
  PfnFormat format;
  format.valid = layout.mask(Role::valid);
  format.write = layout.mask(Role::write);
  format.error = layout.mask(Role::error);
  format.special = format.error;
  format.sticky = model.sticky_mask;
  if (layout.family == Family::driver_format) {
    format.error = special_word(layout, "ERROR");
    format.special = special_word(layout, "SPECIAL");
    if (format.special == 0) format.special = format.error;
    format.from_pfn = format.valid;
    format.error_is_word = true;
  } else if (!model.has_driver_format()) {
    format.device_private = layout.mask(Role::device_private);
  }
  const Field* order = layout.field(Role::order);
  format.reports_order = model.reports_order && order != nullptr;
  if (order != nullptr) format.order_shift = order->shift;
  if (const Field* pfn = layout.field(Role::pfn)) format.pfn_shift = pfn->shift;
  return format;
}

}  // namespace hmmscope
