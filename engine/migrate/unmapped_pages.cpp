#include "engine/migrate/unmapped_pages.h"

#include "engine/machine/spin_guard.h"
#include "engine/migrate/migrate_internal.h"

namespace hmmscope {

void name_pages_left_unmapped(Machine& machine, const MigrateVma& args, const DeviceDriver& driver) {
  const MigrateFormat format = MigrateFormat::from(machine.model());
  for (uint64_t k = 0; k < args.npages; ++k) {
    const uint64_t src = machine.load(args.src + static_cast<WordIndex>(k));
    const uint64_t dst = machine.load(args.dst + static_cast<WordIndex>(k));
    if (!format.migrates(src) || !format.has_page(dst)) continue;
    const uint64_t addr = args.start + k * page_bytes;
    const AtomicGuard whole(machine);   // so that the rule says what is so when the driver decides
    if (thrown_away(machine, args, addr, format.has_page(src) ? format.pfn(src) : 0, format.pfn(dst))) continue;
    const uint64_t pages = format.is_compound(dst) ? level_size(Level::pmd) / page_bytes : 1;
    for (uint64_t j = 0; j < pages; ++j) {
      const auto kept = driver.mapped_pfn(*args.mm, addr + j * page_bytes);
      if (kept && *kept != format.pfn(dst) + j) machine.step(RuleId::driver_keeps_old, {k + j, addr + j * page_bytes, *kept, dst});
    }
  }
}

}  // namespace hmmscope
