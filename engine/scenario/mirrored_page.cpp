#include "engine/scenario/mirrored_page.h"

#include "engine/machine/folio.h"

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
  CpuPage page;
  for (const Level level : {Level::pud, Level::pmd, Level::pte}) {
    const WordIndex word = space.find_entry(level, addr);
    if (word == no_word) return page;
    page.entry = machine.load(word);
    if (x86::pte_none(page.entry)) return page;
    const uint64_t offset = (addr & (level_size(level) - 1)) / page_bytes;
    const bool leaf = level == Level::pte || format.is_huge(page.entry);
    const bool present = level == Level::pte ? x86::pte_present(page.entry) : x86::pmd_present(page.entry);
    if (present) {
      if (!leaf) continue;
      page.pfn = level == Level::pte ? x86::pte_pfn(page.entry) : leaf_pfn(level, page.entry) + offset;
      page.writable = format.allows_write(page.entry);
      return page;
    }
    const SwapKind kind = format.swap.kind(page.entry);
    page.migrates = is_migration(kind);
    page.writable = is_writable(kind);
    if (is_pfn_entry(kind) && kind != SwapKind::hwpoison) {
      page.pfn = format.swap.pfn(page.entry) + (level == Level::pte ? 0 : offset);
    }
    return page;
  }
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
