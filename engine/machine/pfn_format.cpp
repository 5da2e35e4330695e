#include "engine/machine/pfn_format.h"

#include <cassert>

namespace hmmscope {

PfnFormat PfnFormat::from(const KernelModel& model) {
  assert(model.hmm_pfn != nullptr);
  const Layout& layout = *model.hmm_pfn;
  PfnFormat format;
  format.valid = layout.mask(Role::valid);
  format.write = layout.mask(Role::write);
  format.error = layout.mask(Role::error);
  format.sticky = model.sticky_mask;
  const Field* order = layout.field(Role::order);
  format.reports_order = model.reports_order && order != nullptr;
  if (order != nullptr) format.order_shift = order->shift;
  if (const Field* pfn = layout.field(Role::pfn)) format.pfn_shift = pfn->shift;
  return format;
}

}  // namespace hmmscope
