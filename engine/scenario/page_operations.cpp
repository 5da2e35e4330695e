// Scenario operations on single pages: taking hold of them, forking, and looking at what they are.

#include <fmt/format.h>

#include <cerrno>

#include "engine/machine/spin_guard.h"
#include "engine/migrate/device_migration.h"
#include "engine/migrate/entry_conversion.h"
#include "engine/scenario/entry_at.h"
#include "engine/scenario/fork.h"
#include "engine/scenario/operations.h"
#include "engine/scenario/outcome_name.h"
#include "engine/scenario/task_locks.h"

namespace hmmscope::scenario {

namespace {

uint64_t pfn_of(const Machine& machine, const EntryAt& entry) {
  if (x86::pte_present(entry.value))
    return entry.huge() ? x86::pmd_pfn(entry.value) : x86::pte_pfn(entry.value);
  const SwapFormat& format = machine.entry_format().swap;
  return is_pfn_entry(format.kind(entry.value)) ? format.pfn(entry.value) : 0;
}

std::string_view state_of(const Machine& machine, const EntryAt& entry) {
  if (x86::pte_none(entry.value)) return "none";
  if (x86::pmd_present(entry.value) && entry.huge()) return "thp";
  if (x86::pte_protnone(entry.value)) return "protnone";
  if (x86::pte_present(entry.value)) {
    return machine.physical().is_zero_pfn(x86::pte_pfn(entry.value)) ? "zero-page" : "present";
  }
  const SwapKind kind = machine.entry_format().swap.kind(entry.value);
  if (is_migration(kind)) return entry.huge() ? "migration-thp" : "migration";
  if (is_device_private(kind)) return entry.huge() ? "device-private-thp" : "device-private";
  if (is_device_exclusive(kind)) return "device-exclusive";
  if (kind == SwapKind::swap) return "swapped";
  return kind == SwapKind::hwpoison ? "hwpoison" : "marker";
}

bool writable(const Machine& machine, const EntryAt& entry) {
  return x86::pte_present(entry.value) ? machine.entry_format().allows_write(entry.value)
                                       : is_writable(machine.entry_format().swap.kind(entry.value));
}

/// A bit that present and non-present entries keep in different places.
bool either(const EntryAt& entry, uint64_t present_mask, uint64_t swap_mask) {
  return (entry.value & (x86::pte_present(entry.value) ? present_mask : swap_mask)) != 0;
}

void hold(const Folio& folio, HoldOp::What what) {
  switch (what) {
    case HoldOp::What::pin:
      folio.take(folio.large() ? 1 : Folio::pin_bias);
      if (folio.large()) folio.set(FolioWord::pincount, folio.get(FolioWord::pincount) + 1);
      break;
    case HoldOp::What::get:
      folio.take();
      break;
    case HoldOp::What::lock:
      folio.take();
      folio.lock(FolioLocker::other);
      break;
    case HoldOp::What::isolate:
      folio.take();
      folio.set_flag(folio_flag::lru, false);
      break;
  }
}

void let_go(const Folio& folio, HoldOp::What what) {
  switch (what) {
    case HoldOp::What::pin:
      if (folio.large()) folio.set(FolioWord::pincount, folio.get(FolioWord::pincount) - 1);
      break;
    case HoldOp::What::get:
      break;
    case HoldOp::What::lock:
      folio.unlock();
      break;
    case HoldOp::What::isolate:
      folio.set_flag(folio_flag::lru);
      break;
  }
  folio.put(what == HoldOp::What::pin && !folio.large() ? Folio::pin_bias : 1);
}

}  // namespace

Folio Operations::folio_at(AddressSpace& space, uint64_t addr) {
  const EntryAt entry = entry_at(machine_, space, addr);
  const uint64_t pfn = pfn_of(machine_, entry);
  return pfn == 0 ? Folio() : Folio::of(machine_, pfn);
}

/// A long-term pin moves a device-coherent page to system memory first. 0, -EBUSY, or -EDEADLK when nobody will ever let
/// go of the page's lock.
int Operations::move_for_longterm_pin(AddressSpace& space, uint64_t addr) {
  const Folio folio = folio_at(space, addr);
  if (!folio || !folio.has(folio_flag::device_coherent)) return 0;
  if (folio.locked() && locks_ == nullptr) {
    machine_.step(RuleId::scenario_deadlock, {addr, 0});
    return -EDEADLK;
  }
  machine_.step(RuleId::scenario_hold,
                {addr, folio.pfn(), static_cast<uint64_t>(HoldOp::What::get), folio.refcount()});
  folio.take();
  return migrate_device_coherent_folio(machine_, space, folio.pfn(),
                                       [&](uint32_t order) { return machine_.physical().allocate(order); });
}

/// One page; what is held already stays.
Result<void> Operations::hold_page(const HoldOp& op, AddressSpace& space, uint64_t addr, bool release, Line line) {
  const AtomicGuard whole(machine_);
  const Folio folio = addr < space.tables().limit() ? folio_at(space, addr) : Folio();
  if (!folio || folio.refcount() == 0)
    return fail(world_.error(line, fmt::format("no page is at {:#x}", addr)));
  if (!release && op.what == HoldOp::What::lock && folio.locked() && locks_ != nullptr) {
    locks_->scheduler().wait(schedule::Wait::folio_lock, addr, fmt::format("the lock of the page at {:#x}", addr),
                             [folio] { return !folio.locked(); }, [this, folio] { return locks_->holder_of_folio(folio.pfn()); });
  } else if (!release && op.what == HoldOp::What::lock && folio.locked()) {
    return fail(world_.error(line, fmt::format("the folio at {:#x} is locked already", addr)));
  }
  uint64_t& held = world_.holds(folio.word(FolioWord::pfn), op.what);
  // folio_isolate_lru() takes what is on the LRU; somebody else's, or a device's, page is left where it is.
  if (op.what == HoldOp::What::isolate && (release ? held == 0 : !folio.has(folio_flag::lru))) return {};
  if (release && held == 0)
    return fail(world_.error(line, fmt::format("nobody holds the page at {:#x} so", addr)));
  machine_.step(release ? RuleId::scenario_release : RuleId::scenario_hold,
                {addr, folio.pfn(), static_cast<uint64_t>(op.what), folio.refcount()});
  if (release) {
    --held;
    let_go(folio, op.what);
  } else {
    ++held;
    hold(folio, op.what);
  }
  if (op.what == HoldOp::What::lock && locks_ != nullptr) locks_->holds_folio(folio.pfn(), !release);
  return {};
}

Result<void> Operations::perform(const HoldOp& op, Line line) {
  const auto start = world_.resolve(op.at, line);
  if (!start) return fail(start.error());
  AddressSpace& space = world_.process(op.process);
  machine_.enter(Function::scenario, {*start, op.pages});
  int ret = 0;
  Result<void> ok;
  uint64_t done = 0;
  for (; done < op.pages && ok; ++done) {
    const uint64_t addr = *start + done * page_bytes;
    const bool moves = op.longterm && !op.release && addr < space.tables().limit();
    ret = moves ? move_for_longterm_pin(space, addr) : 0;
    if (ret != 0) break;
    ok = hold_page(op, space, addr, op.release, line);
  }
  // pin_user_pages() gives back what it has when it fails.
  for (uint64_t k = 0; k < done && ok && ret != 0; ++k)
    ok = hold_page(op, space, *start + k * page_bytes, true, line);
  machine_.leave(ret);
  if (!ok) return ok;
  if (op.longterm && !op.release) note(line, "pin " + outcome_name(ret));
  if (op.expect) expect_result(*op.expect, outcome_name(ret), static_cast<uint64_t>(static_cast<int64_t>(ret)), line);
  return {};
}

Result<void> Operations::no_migration_runs(Line line) {
  const std::string running = world_.running_migration();
  if (running.empty() || locks_ != nullptr) return {};   // tasks wait for mmap_lock instead
  return fail(world_.error(line, "migration '" + running + "' holds mmap_lock until its migrate-finalize"));
}

Result<void> Operations::perform(const ForkOp& op, Line line) {
  constexpr size_t most_processes = 16;
  if (auto ok = no_migration_runs(line); !ok) return ok;
  if (world_.process_count() >= most_processes)
    return fail(world_.error(line, "a scenario may have 16 processes"));
  const MmapGuard guard(locks_, world_.process(op.process), true);
  world_.add_process(op.child, fork_space(machine_, world_.process(op.process), op.child));
  return {};
}

Result<void> Operations::perform(const ExpectPageOp& op, Line line) {
  const auto start = world_.resolve(op.at, line);
  if (!start) return fail(start.error());
  AddressSpace& space = world_.process(op.process);
  ++outcome_.expectations;
  for (uint64_t k = 0; k < op.pages; ++k) {
    const uint64_t addr = *start + k * page_bytes;
    if (addr >= space.tables().limit())
      return fail(world_.error(line, "the pages end beyond the address space"));
    const EntryAt entry = entry_at(machine_, space, addr);
    const Folio folio = folio_at(space, addr);
    std::string wrong;
    const auto check = [&](bool holds, std::string_view what, const auto& expected) {
      if (!holds && wrong.empty()) wrong = fmt::format("{} {}", what, expected);
    };
    const auto flag = [&](const std::optional<bool>& expected, bool found, std::string_view what) {
      if (expected) check(*expected == found, what, *expected);
    };
    if (op.state) check(*op.state == state_of(machine_, entry), "state", *op.state);
    if (!op.device.empty()) {
      const uint64_t owner = world_.device(op.device)->owner();
      check(machine_.physical().owner_of(pfn_of(machine_, entry)) == std::optional(owner), "device",
            op.device);
    }
    flag(op.writable, writable(machine_, entry), "writable");
    flag(op.accessed, x86::pte_present(entry.value) && (entry.value & x86::accessed.mask()) != 0, "accessed");
    flag(op.dirty, x86::pte_present(entry.value) && entry_dirty(entry.value), "dirty");
    flag(op.soft_dirty, either(entry, x86::soft_dirty.mask(), x86::swp_soft_dirty.mask()), "soft_dirty");
    flag(op.uffd_wp, either(entry, x86::uffd_wp.mask(), x86::swp_uffd_wp.mask()), "uffd_wp");
    flag(op.exclusive, folio && folio.has(folio_flag::anon_exclusive), "exclusive");
    flag(op.locked, folio && folio.locked(), "locked");
    if (op.refcount) check(folio && folio.refcount() == *op.refcount, "refcount", *op.refcount);
    if (op.mapcount) check(folio && folio.mapcount() == *op.mapcount, "mapcount", *op.mapcount);
    if (wrong.empty()) continue;
    machine_.step(RuleId::expect_page_failed,
                  {addr, entry.value, folio ? folio.refcount() : 0, folio ? folio.mapcount() : 0});
    failed(line, fmt::format("page {:#x}: expected {}, found {} {:#x} (refcount {}, mapcount {})", addr,
                             wrong, state_of(machine_, entry), entry.value, folio ? folio.refcount() : 0,
                             folio ? folio.mapcount() : 0));
    return {};
  }
  machine_.step(RuleId::expect_held, {0, op.pages});
  return {};
}

Result<void> Operations::perform(const ExpectDeviceOp& op, Line line) {
  const auto start = world_.resolve(op.at, line);
  if (!start) return fail(start.error());
  const Device& device = *world_.device(op.device);
  const uint64_t write = machine_.pfn_format().write;
  ++outcome_.expectations;
  for (uint64_t k = 0; k < op.pages; ++k) {
    const uint64_t addr = *start + k * page_bytes, entry = device.entry(addr);
    const bool holds = (entry != 0) == op.mapped && (!op.writable || ((entry & write) != 0) == *op.writable);
    if (holds) continue;
    machine_.step(RuleId::expect_device_failed, {addr, entry});
    failed(line, fmt::format("device {} at {:#x}: expected {}, found {:#x}", op.device, addr,
                             op.mapped ? "a mapping" : "none", entry));
    return {};
  }
  machine_.step(RuleId::expect_held, {0, op.pages});
  return {};
}

}  // namespace hmmscope::scenario
