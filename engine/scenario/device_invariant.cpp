#include "engine/scenario/device_invariant.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/machine/spin_guard.h"

namespace hmmscope::scenario {
namespace {

uint64_t device_pfn(const Machine& machine, uint64_t entry) {
  return machine.model().hmm_pfn->field(Role::pfn)->get(entry);
}

bool decides(RegionKind kind) { return kind <= RegionKind::hugetlb || kind == RegionKind::device_table; }

/// An entry that was used (once a page of a huge one's range) names the same page as before.
bool says_the_same(const WriteView& write) {
  return write.count == 1 && ((write.old_at(0) ^ write.new_at(0)) & ~x86::accessed.mask()) == 0;
}

bool is_violation(Mirrored how) { return how == Mirrored::taken || how == Mirrored::read_only; }

}  // namespace

std::vector<DeviceViolation> find_device_violations(World& world) {
  std::vector<DeviceViolation> found;
  world.for_each_mirror([&](const Device& device) {
    device.for_each_entry([&](uint64_t addr, uint64_t entry) {
      const MirroredPage page = mirrored_page(world, device, addr, entry);
      if (!is_violation(page.how)) return;
      found.push_back({&device, addr, entry, page.cpu_entry, page.how == Mirrored::read_only});
    });
  });
  return found;
}

const Recording& DeviceInvariant::so_far() const { return world_.machine().recorder()->peek(); }

void DeviceInvariant::before_step(RuleId rule, std::initializer_list<uint64_t> operands) {
  check();
  const uint64_t* operand = operands.begin();
  if (rule == RuleId::driver_map_thrown_away) {   // slot, address, src, dst
    mapped_thrown_away_.insert({operand[1], MigrateFormat::from(world_.machine().model()).pfn(operand[3])});
  } else if (rule == RuleId::driver_map_exclusive_gone) {   // address, pfn
    mapped_thrown_exclusive_.insert({operand[0], operand[1]});
  } else if (rule == RuleId::callback_skip_current) {   // start, end
    remember_pages_kept(operand[0], operand[1]);
  } else if (rule == RuleId::driver_keeps_old) {   // slot, address, pfn, dst
    remember_page_left_unmapped(operand[1], operand[2], operand[3]);
  }
}

void DeviceInvariant::remember_pages_kept(uint64_t start, uint64_t end) {
  const Machine& machine = world_.machine();
  world_.for_each_mirror([&](const Device& device) {
    device.for_each_entry_in(start, end, [&](uint64_t addr, uint64_t entry) { kept_.insert({addr, device_pfn(machine, entry)}); });
  });
}

void DeviceInvariant::remember_page_left_unmapped(uint64_t addr, uint64_t kept, uint64_t dst) {
  const Machine& machine = world_.machine();
  const auto owner = machine.physical().owner_of(MigrateFormat::from(machine.model()).pfn(dst));
  world_.for_each_mirror([&](const Device& device) {
    if (owner != std::optional(device.owner())) return;
    device.for_each_entry_in(addr, addr + page_bytes, [&](uint64_t, uint64_t entry) {
      if (device_pfn(machine, entry) == kept) left_unmapped_.insert({{&device, addr}, kept});
    });
  });
}

void DeviceInvariant::forget_pages_mapped_anew() {
  if (left_unmapped_.empty()) return;
  const Machine& machine = world_.machine();
  std::set<std::pair<Place, uint64_t>> still;
  world_.for_each_mirror([&](const Device& device) {
    for (const auto& page : left_unmapped_) {
      const auto& [place, pfn] = page;
      if (place.first == &device && device_pfn(machine, device.entry(place.second)) == pfn) still.insert(page);
    }
  });
  left_unmapped_ = std::move(still);
}

std::pair<uint64_t, uint64_t> DeviceInvariant::committed() const {
  // Tasks may change between a step's call and the step: the recording knows which one was the last.
  const Recording& recording = so_far();
  if (recording.steps() == 0) return {};
  const RuleId last = recording.rule_of(recording.steps() - 1);
  const auto operands = recording.operands(recording.steps() - 1);
  if (last == RuleId::scenario_commit) return {operands[1], operands[1] + operands[2] * page_bytes};
  if (last == RuleId::dmirror_commit) return {operands[0], operands[0] + operands[1] * page_bytes};
  if (last == RuleId::driver_mirror_page || last == RuleId::driver_mirror_placeholder) return {operands[1], operands[1] + page_bytes};
  return {};
}

std::string_view DeviceInvariant::name_of(const DeviceViolation& violation, uint64_t pfn) const {
  const Machine& machine = world_.machine();
  const bool now = violation.addr >= last_commit_.first && violation.addr < last_commit_.second;
  const bool on_the_way = now || committed_on_the_way_.contains({violation.addr, pfn});
  const bool old = machine.model().range_api < RangeApi::interval_5_5;
  if (old && (on_the_way || committed_late_.contains({violation.addr, pfn}))) return not_noticed;
  if (violation.read_only) return {};
  if (mapped_thrown_exclusive_.contains({violation.addr, pfn})) return thrown_exclusive;
  if (kept_.contains({violation.addr, pfn})) return skipped_current;
  if (left_unmapped_.contains({{violation.device, violation.addr}, pfn})) return kept_unmapped;
  if (pfn == 0 && machine.model().unified == UnifiedStyle::rfc) return page_zero;
  if (machine.physical().owner_of(pfn) != std::optional(violation.device->owner()))
    return on_the_way && is_ours_now(violation) ? moved_away : std::string_view();
  if (mapped_thrown_away_.contains({violation.addr, pfn})) return thrown_away;
  return on_the_way ? moved_home : std::string_view();
}

/// The CPU's entry is a migration's, or of a page in the device's own memory.
bool DeviceInvariant::is_ours_now(const DeviceViolation& violation) const {
  const Machine& machine = world_.machine();
  const SwapFormat& format = machine.entry_format().swap;
  const uint64_t entry = violation.cpu_entry;
  if (x86::pte_none(entry)) return false;
  const bool present = x86::pte_present(entry);
  const SwapKind kind = present ? SwapKind::swap : format.kind(entry);
  if (is_migration(kind)) return true;
  const uint64_t pfn = present ? x86::pte_pfn(entry) : is_device_private(kind) ? format.pfn(entry) : 0;
  return machine.physical().owner_of(pfn) == std::optional(violation.device->owner());
}

void DeviceInvariant::remember_page_mapped_meanwhile() {
  const Recording& recording = so_far();
  if (recording.steps() == 0 || world_.space().notifiers().active_invalidate_ranges() == 0) return;
  const RuleId last = recording.rule_of(recording.steps() - 1);
  const auto operands = recording.operands(recording.steps() - 1);
  if (last == RuleId::driver_map) {   // slot, address, dst
    mapped_thrown_away_.insert({operands[1], MigrateFormat::from(world_.machine().model()).pfn(operands[2])});
  } else if (last == RuleId::driver_map_exclusive) {   // address, pfn
    mapped_thrown_exclusive_.insert({operands[0], operands[1]});
  }
}

void DeviceInvariant::remember_pages_committed_late() {
  const auto [start, end] = last_commit_;
  if (start == end) return;
  const Machine& machine = world_.machine();
  world_.for_each_mirror([&, start = start, end = end](const Device& device) {
    device.for_each_entry_in(start, end, [&](uint64_t addr, uint64_t entry) {
      const uint64_t pfn = device_pfn(machine, entry);
      const MirroredPage page = mirrored_page(world_, device, addr, entry);
      if (page.moves) committed_on_the_way_.insert({addr, pfn});
      const bool inside = world_.space().notifiers().active_invalidate_ranges() != 0;
      if (inside || page.how != Mirrored::agrees) committed_late_.insert({addr, pfn});
    });
  });
}

DeviceInvariant::Changed DeviceInvariant::changed() {
  Changed changed;
  const Recording& recording = so_far();
  const std::span<const Region> regions = world_.machine().memory().regions();
  for (; seen_writes_ < recording.writes(); ++seen_writes_) {
    const WriteView write = recording.write_at(seen_writes_);
    const RegionId id = find_region(regions, write.first);
    if (id == no_region) continue;
    const Region& region = regions[id];
    if (region.kind == RegionKind::folio && !lagging_.empty()) {
      const auto first = lagging_.lower_bound({region.address, {}});
      auto last = first;
      for (; last != lagging_.end() && last->first == region.address; ++last) changed.lagging.insert(last->second);
      lagging_.erase(first, last);
    }
    if (!decides(region.kind) || says_the_same(write)) continue;
    const uint64_t start = region.address + (write.first - region.first) * region.stride;
    changed.ranges.emplace_back(start, start + write.count * region.stride);
  }
  return changed;
}

void DeviceInvariant::look_at(const Device& device, uint64_t addr, uint64_t entry, std::vector<DeviceViolation>& found) {
  const MirroredPage page = mirrored_page(world_, device, addr, entry);
  if (page.how == Mirrored::lags) lagging_.insert({page.folio, {&device, addr}});
  if (is_violation(page.how)) found.push_back({&device, addr, entry, page.cpu_entry, page.how == Mirrored::read_only});
}

std::vector<DeviceViolation> DeviceInvariant::look() {
  std::vector<DeviceViolation> found;
  const Changed since = changed();
  if (since.lagging.empty() && since.ranges.empty()) return found;
  forget_pages_mapped_anew();
  world_.for_each_mirror([&](const Device& device) {
    const auto visit = [&](uint64_t addr, uint64_t entry) { look_at(device, addr, entry, found); };
    for (const auto& [start, end] : since.ranges) device.for_each_entry_in(start, end, visit);
    for (const auto& [who, addr] : since.lagging) {
      if (who == &device) device.for_each_entry_in(addr, addr + page_bytes, visit);
    }
  });
  return found;
}

void DeviceInvariant::check() {
  if (inside_) return;
  Machine& machine = world_.machine();
  AccessLog* running = machine.memory().log_accesses(nullptr);   // looking is not what the task does
  const auto found = look();
  last_commit_ = committed();   // before a violation's own step is the last
  remember_pages_committed_late();
  remember_page_mapped_meanwhile();
  machine.memory().log_accesses(running);
  for (const DeviceViolation& violation : found) report(violation);
}

void DeviceInvariant::check_everything() {
  check();
  for (const DeviceViolation& violation : find_device_violations(world_)) report(violation);
}

void DeviceInvariant::report(const DeviceViolation& violation) {
  Machine& machine = world_.machine();
  const uint64_t pfn = device_pfn(machine, violation.entry);
  if (!reported_.insert({violation.device, violation.addr, pfn, violation.read_only}).second) return;
  const std::string_view name = name_of(violation, pfn);
  const std::string text = fmt::format(
      "device {} maps {:#x} with {:#x}, which the CPU {} (its entry is {:#x})", violation.device->name(), violation.addr,
      violation.entry, violation.read_only ? "may only read" : "has taken away", violation.cpu_entry);
  const AtomicGuard at_once(machine, AtomicGuard::from_here);
  inside_ = true;
  if (name.empty()) violations_.push_back(text);
  else findings_.push_back({name, std::string(name) + ": " + text});
  const RuleId rule = violation.read_only                            ? RuleId::invariant_read_only
                      : name == thrown_away || name == thrown_exclusive ? RuleId::invariant_thrown_away
                                                                        : RuleId::invariant_device;
  machine.step(rule, {0, violation.addr, violation.entry, violation.cpu_entry});
  inside_ = false;
}

}  // namespace hmmscope::scenario
