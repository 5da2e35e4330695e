#include "engine/scenario/mirrored_page.h"

#include "engine/machine/folio.h"
#include "engine/scenario/entry_at.h"

namespace hmmscope::scenario {
namespace {

struct CpuPage {
  uint64_t entry = 0;
  std::optional<uint64_t> pfn;
  bool migrates = false;
  bool writable = false;
};

CpuPage cpu_page(const Machine& machine, const AddressSpace& space, uint64_t addr) {
  const EntryFormat& format = machine.entry_format();
  const EntryAt at = entry_at(machine, space, addr);
  CpuPage page;
  page.entry = at.value;
  if (x86::pte_none(at.value)) return page;
  if (at.present()) {
    page.pfn = at.pfn_of(addr);
    page.writable = format.allows_write(at.value);
    return page;
  }
  const SwapKind kind = format.swap.kind(at.value);
  page.migrates = is_migration(kind);
  page.writable = is_writable(kind);
  if (is_pfn_entry(kind) && kind != SwapKind::hwpoison) page.pfn = format.swap.pfn(at.value) + at.offset_of(addr);
  return page;
}

/// The first pfn of the folio when it is locked; 0 otherwise.
uint64_t locked(Machine& machine, uint64_t pfn) {
  const Folio folio = Folio::of(machine, pfn);
  return folio && folio.locked() ? folio.pfn() : 0;
}

/// The locked folio because of which the device's table may lag behind; 0 when there is none.
uint64_t waits_for(Machine& machine, const Device& device, const CpuPage& cpu, uint64_t pfn) {
  const auto owns = [&](uint64_t page) { return machine.physical().owner_of(page) == std::optional(device.owner()); };
  if (x86::pte_none(cpu.entry) || (cpu.migrates && owns(pfn))) return locked(machine, pfn);
  return cpu.pfn && !cpu.migrates && owns(*cpu.pfn) ? locked(machine, *cpu.pfn) : 0;
}

}  // namespace

MirroredPage mirrored_page(World& world, const Device& device, uint64_t addr, uint64_t entry) {
  Machine& machine = world.machine();
  const CpuPage cpu = cpu_page(machine, device.space(), addr);
  const uint64_t pfn = machine.model().hmm_pfn->field(Role::pfn)->get(entry);
  MirroredPage page;
  page.cpu_entry = cpu.entry;
  page.moves = cpu.migrates || cpu.pfn != pfn;
  if (cpu.pfn == pfn) {
    const bool writes = (entry & machine.pfn_format().write) != 0;
    if (writes && !cpu.writable && !cpu.migrates) page.how = Mirrored::read_only;
    return page;
  }
  page.folio = waits_for(machine, device, cpu, pfn);
  page.how = page.folio != 0 ? Mirrored::lags : Mirrored::taken;
  return page;
}

}  // namespace hmmscope::scenario
