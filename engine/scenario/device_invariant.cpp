#include "engine/scenario/device_invariant.h"

#include <fmt/format.h>

#include "engine/machine/folio.h"
#include "engine/machine/spin_guard.h"

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

std::vector<DeviceViolation> find_device_violations(World& world) {
  const Machine& machine = world.machine();
  const Field* pfn_field = machine.model().hmm_pfn->field(Role::pfn);
  std::vector<DeviceViolation> found;
  world.for_each_mirror([&](const Device& device) {
    device.for_each_entry([&](uint64_t addr, uint64_t entry) {
      const CpuPage cpu = cpu_page(machine, device.space(), addr);
      const uint64_t pfn = pfn_field->get(entry);
      if (cpu.pfn == pfn) return;
      const auto owns = [&](uint64_t page) { return machine.physical().owner_of(page) == std::optional(device.owner()); };
      // Cleared under the page-table lock, on its way to a migration entry by whoever has locked the page.
      const Folio folio = Folio::of(world.machine(), pfn);
      if (x86::pte_none(cpu.entry) && folio && folio.locked()) return;
      if (cpu.migrates && owns(pfn)) return;      // it has mapped where the page goes
      if (cpu.pfn && owns(*cpu.pfn)) return;      // it will map where the page went
      found.push_back({&device, addr, entry, cpu.entry});
    });
  });
  return found;
}

void DeviceInvariant::before_step(RuleId rule, std::initializer_list<uint64_t> operands) {
  check();
  if (rule != RuleId::driver_map_thrown_away) return;
  const uint64_t addr = operands.begin()[1], dst = operands.begin()[3];
  mapped_thrown_away_.insert({addr, MigrateFormat::from(world_.machine().model()).pfn(dst)});
}

bool DeviceInvariant::committed() const {
  const Recording& so_far = world_.machine().recorder()->peek();   // tasks may change between a step's call and the step
  if (so_far.steps() == 0) return false;
  const RuleId last = so_far.rule_of(so_far.steps() - 1);
  return last == RuleId::scenario_commit || last == RuleId::dmirror_commit;
}

std::string_view DeviceInvariant::name_of(const DeviceViolation& violation, uint64_t pfn) const {
  if (world_.machine().physical().owner_of(pfn) != std::optional(violation.device->owner())) return {};
  if (mapped_thrown_away_.contains({violation.addr, pfn})) return thrown_away;
  return committed() || committed_on_the_way_.contains({violation.addr, pfn}) ? moved_home : std::string_view();
}

void DeviceInvariant::remember_page_mapped_meanwhile() {
  const Recording& so_far = world_.machine().recorder()->peek();
  if (so_far.steps() == 0 || so_far.rule_of(so_far.steps() - 1) != RuleId::driver_map) return;
  if (world_.space().notifiers().active_invalidate_ranges() == 0) return;
  const auto operands = so_far.operands(so_far.steps() - 1);   // slot, address, dst
  mapped_thrown_away_.insert({operands[1], MigrateFormat::from(world_.machine().model()).pfn(operands[2])});
}

void DeviceInvariant::remember_pages_on_their_way_home() {
  const Machine& machine = world_.machine();
  const Field* pfn_field = machine.model().hmm_pfn->field(Role::pfn);
  world_.for_each_mirror([&](const Device& device) {
    device.for_each_entry([&](uint64_t addr, uint64_t entry) {
      const uint64_t pfn = pfn_field->get(entry);
      if (machine.physical().owner_of(pfn) != std::optional(device.owner())) return;
      const CpuPage cpu = cpu_page(machine, device.space(), addr);
      if (cpu.migrates || cpu.pfn != pfn) committed_on_the_way_.insert({addr, pfn});
    });
  });
}

void DeviceInvariant::check() {
  if (inside_) return;
  Machine& machine = world_.machine();
  AccessLog* running = machine.memory().log_accesses(nullptr);   // looking is not what the task does
  const auto found = find_device_violations(world_);
  if (committed()) remember_pages_on_their_way_home();
  remember_page_mapped_meanwhile();
  machine.memory().log_accesses(running);
  const Field* pfn_field = machine.model().hmm_pfn->field(Role::pfn);
  for (const DeviceViolation& violation : found) {
    const uint64_t pfn = pfn_field->get(violation.entry);
    if (!reported_.insert({violation.device, violation.addr, pfn}).second) continue;
    const std::string_view name = name_of(violation, pfn);
    const std::string text = fmt::format("device {} maps {:#x} with {:#x}, which the CPU has taken away (its entry is {:#x})",
                                         violation.device->name(), violation.addr, violation.entry, violation.cpu_entry);
    const AtomicGuard at_once(machine, AtomicGuard::from_here);
    inside_ = true;
    if (name.empty()) violations_.push_back(text);
    else findings_.push_back({name, std::string(name) + ": " + text});
    machine.step(name == thrown_away ? RuleId::invariant_thrown_away : RuleId::invariant_device,
                 {0, violation.addr, violation.entry, violation.cpu_entry});
    inside_ = false;
  }
}

}  // namespace hmmscope::scenario
