// migrate_vma_setup: the checks, then collect and unmap (mm/migrate_device.c).
#include <cassert>
#include <cerrno>
#include <initializer_list>

#include "engine/machine/machine.h"
#include "engine/migrate/migrate_internal.h"
#include "engine/unified/migrate_prepare.h"

namespace hmmscope {

namespace {

/// VM_SPECIAL
constexpr uint64_t special_flags = vm::io | vm::dontexpand | vm::pfnmap | vm::mixedmap;

/// Records the first check that fails; false when all hold.
bool refused(Machine& m, const MigrateVma& args, uint64_t unmasked_pages) {
  const Vma vma = args.vma;
  const auto no = [&](RuleId rule, std::initializer_list<uint64_t> operands) {
    m.step(rule, operands);
    return true;
  };
  if (!vma) return no(RuleId::setup_no_vma, {args.start, args.end});
  if (vma.is_hugetlb()) return no(RuleId::setup_hugetlb, {args.start, vma.flags()});
  if ((vma.flags() & special_flags) != 0) return no(RuleId::setup_special, {args.start, vma.flags()});
  if (unmasked_pages == 0) return no(RuleId::setup_empty, {args.start, args.end});
  if (args.start < vma.start() || args.start >= vma.end()) {
    return no(RuleId::setup_start_outside, {args.start, vma.start(), vma.end()});
  }
  if (args.end <= vma.start() || args.end > vma.end()) {
    return no(RuleId::setup_end_outside, {args.end, vma.start(), vma.end()});
  }
  if (args.src == no_word || args.dst == no_word) return no(RuleId::setup_no_arrays, {args.start, args.end});
  if (args.fault_page == 0) return false;
  const DeviceMemory* device = m.physical().device_of(args.fault_page);
  if (device == nullptr || device->coherent) return no(RuleId::setup_fault_page_kind, {args.fault_page});
  if (!m.model().fault_page_locked) return false;
  const Folio folio = Folio::of(m, args.fault_page);
  if (folio && folio.locked()) return false;
  return no(RuleId::setup_fault_page_unlocked, {args.fault_page});
}

int setup(Machine& m, MigrateVma& args) {
  // Unsigned, as the kernel's: a reversed range has very many pages. The count comes from the ends as given.
  const uint64_t pages = (args.end - args.start) >> page_bits;
  args.start &= ~(page_bytes - 1);
  args.end &= ~(page_bytes - 1);
  if (args.hooks != nullptr) args.hooks->before_vma(args.start, args.end);
  if (refused(m, args, pages)) return -EINVAL;
  if (args.end < args.start) {
    m.step(RuleId::setup_reversed, {args.start, args.end, pages});
    return -EFAULT;
  }

  m.step(RuleId::setup_begin, {args.start, args.end, args.select, args.pgmap_owner, args.fault_page});
  m.fill_keeping(args.src, static_cast<uint32_t>(pages), 0, 0, 0);
  args.cpages = args.npages = 0;
  if (m.model().unified != UnifiedStyle::none) return setup_by_range_fault(m, args);
  if (!collect(m, args)) return -EDEADLK;
  if (args.cpages == 0) {
    m.step(RuleId::setup_nothing, {args.npages});
    return 0;
  }
  const Migration migration{
      m, MigrateFormat::from(m.model()), args.src, args.dst, args.npages, args.fault_page, &args, args.hooks};
  const uint64_t collected = args.cpages;
  args.cpages = unmap_collected(migration);
  m.step(RuleId::setup_done, {args.npages, collected, args.cpages});
  return 0;
}

WordIndex add_array(Machine& machine, RegionKind kind, const AddressSpace& space, uint64_t start,
                    uint32_t pages, std::string name) {
  Region region;
  region.kind = kind;
  region.owner = space.id();
  region.count = pages;
  region.address = start;
  region.stride = page_bytes;
  region.name = std::move(name);
  return machine.add_region(std::move(region));
}

}  // namespace

MigrateFormat MigrateFormat::from(const KernelModel& model) {
  assert(model.migrate_pfn != nullptr);
  const Layout& layout = *model.migrate_pfn;
  const Field* pfn = layout.field(Role::pfn);
  assert(pfn != nullptr);
  return {layout.mask(Role::valid), layout.mask(Role::migrate), layout.mask(Role::write),
          model.compound_migration ? layout.mask(Role::compound) : 0, pfn->shift};
}

MigrateArrays add_migrate_arrays(Machine& machine, const AddressSpace& space, uint64_t start, uint32_t pages,
                                 const std::string& name) {
  return {add_array(machine, RegionKind::migrate_src, space, start, pages, name + ".src"),
          add_array(machine, RegionKind::migrate_dst, space, start, pages, name + ".dst")};
}

int migrate_vma_setup(Machine& machine, MigrateVma& args) {
  machine.enter(Function::migrate_vma_setup,
                {args.start, args.end, args.select, args.pgmap_owner, args.fault_page});
  const uint64_t start = args.start;
  if (args.hooks != nullptr) args.hooks->entered(Function::migrate_vma_setup, start, args.end, 0);
  const int ret = setup(machine, args);
  if (args.hooks != nullptr) args.hooks->left(Function::migrate_vma_setup, start, ret);
  machine.leave(ret);
  return ret;
}

}  // namespace hmmscope
