#include "engine/scenario/device_invariant.h"

#include <fmt/format.h>

#include "engine/machine/folio.h"

namespace hmmscope::scenario {
namespace {

struct CpuPage {
  uint64_t entry = 0;
  std::optional<uint64_t> pfn;
  bool migrates = false;
};

CpuPage cpu_page(const Machine& machine, const AddressSpace& space, uint64_t addr) {
  CpuPage page;
  for (const Level level : {Level::pud, Level::pmd, Level::pte}) {
    const WordIndex word = space.find_entry(level, addr);
    if (word == no_word) return page;
    page.entry = machine.load(word);
    if (x86::pte_none(page.entry)) return page;
    const uint64_t offset = (addr & (level_size(level) - 1)) / page_bytes;
    const bool leaf = level == Level::pte || machine.entry_format().is_huge(page.entry);
    const bool present = level == Level::pte ? x86::pte_present(page.entry) : x86::pmd_present(page.entry);
    if (present) {
      if (!leaf) continue;
      page.pfn = level == Level::pte ? x86::pte_pfn(page.entry) : leaf_pfn(level, page.entry) + offset;
      return page;
    }
    const SwapFormat& format = machine.entry_format().swap;
    const SwapKind kind = format.kind(page.entry);
    page.migrates = is_migration(kind);
    if (is_pfn_entry(kind) && kind != SwapKind::hwpoison) page.pfn = format.pfn(page.entry) + (level == Level::pte ? 0 : offset);
    return page;
  }
  return page;
}

}  // namespace

std::optional<DeviceViolation> find_device_violation(World& world) {
  const Machine& machine = world.machine();
  const Field* pfn_field = machine.model().hmm_pfn->field(Role::pfn);
  std::optional<DeviceViolation> found;
  world.for_each_mirror([&](const Device& device) {
    device.for_each_entry([&](uint64_t addr, uint64_t entry) {
      if (found) return;
      const CpuPage cpu = cpu_page(machine, device.space(), addr);
      const uint64_t pfn = pfn_field->get(entry);
      if (cpu.pfn == pfn) return;
      const auto owns = [&](uint64_t page) { return machine.physical().owner_of(page) == std::optional(device.owner()); };
      // Cleared under the page-table lock, on its way to a migration entry by whoever has locked the page.
      const Folio folio = Folio::of(world.machine(), pfn);
      if (x86::pte_none(cpu.entry) && folio && folio.locked()) return;
      if (cpu.migrates && owns(pfn)) return;      // it has mapped where the page goes
      if (cpu.pfn && owns(*cpu.pfn)) return;      // it will map where the page went
      found = DeviceViolation{&device, addr, entry, cpu.entry};
    });
  });
  return found;
}

void DeviceInvariant::check() {
  if (inside_) return;
  const auto violation = find_device_violation(world_);
  if (!violation || !reported_.insert({violation->device, violation->addr}).second) return;
  inside_ = true;
  violations_.push_back(fmt::format("device {} maps {:#x} with {:#x}, which the CPU has taken away (its entry is {:#x})",
                                    violation->device->name(), violation->addr, violation->entry, violation->cpu_entry));
  world_.machine().step(RuleId::invariant_device, {0, violation->addr, violation->entry, violation->cpu_entry});
  inside_ = false;
}

}  // namespace hmmscope::scenario
