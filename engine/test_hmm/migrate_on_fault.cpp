// The ioctl MIGRATE_ON_FAULT_TO_DEV that the unified fault-and-migrate patches add to test_hmm: as posted (RFC PATCH 4/4
// of August 2025) and as the later postings' commit message describes it.
#include <algorithm>
#include <cerrno>

#include "engine/migrate/device_migration.h"
#include "engine/migrate/unmapped_pages.h"
#include "engine/test_hmm/dmirror.h"
#include "engine/unified/migrate_prepare.h"

namespace hmmscope {
namespace {

constexpr uint64_t array_pages = 64;   // PFNS_ARRAY_SIZE

}  // namespace

DmirrorResult Dmirror::migrate_on_fault(uint64_t addr, uint64_t npages, std::span<uint64_t> buffer) {
  mirror_.reserve_table(addr, npages);
  const uint64_t slots = std::min(npages, array_pages);
  // One pair of arrays for every part of the range, as in the driver; src is the hmm_pfns array too.
  const MigrateArrays arrays = add_migrate_arrays(machine_, mirror_.space(), addr, static_cast<uint32_t>(slots),
                                                  mirror_.name() + " on fault");
  DmirrorResult result;
  const uint64_t end = addr + npages * page_bytes;
  for (uint64_t at = addr, next = addr; at < end && result.ret == 0; at = next) {
    next = std::min(end, at + array_pages * page_bytes);
    result.ret = fault_and_migrate(at, next, arrays);
  }
  if (result.ret == 0) result.cpages = copy(addr, npages, buffer, false);
  return result;
}

int Dmirror::fault_and_migrate(uint64_t start, uint64_t end, const MigrateArrays& arrays) {
  const MmapReadGuard locked(mirror_.locks(), mirror_.space());
  MigrateVma args;
  args.src = arrays.src;
  args.dst = arrays.dst;
  args.pgmap_owner = mirror_.owner();
  RangeFaultCall call;
  call.mm = &mirror_.space();
  call.notifier = &mirror_.notifier();
  call.start = start;
  call.end = end;
  call.pfns = arrays.src;
  call.default_flags = machine_.pfn_format().req_fault() | machine_.model().hmm_pfn->mask(Role::migrate);
  call.dev_private_owner = mirror_.owner();
  call.migrate = &args;
  if (unified_policy(machine_.model().unified).driver_checks_late) return fault_later(call, args);
  // The posted driver goes on whatever the fault helper returned.
  const int ret = fault_as_posted(call);
  if (ret == -EDEADLK || !migrate_hmm_range_setup(machine_, arrays.src, args)) return ret == 0 ? -EDEADLK : ret;
  move_to_device(args);
  map_migrated_pages(machine_, args, mirror_);
  migrate_vma_finalize(machine_, args);
  return ret;
}

bool Dmirror::begin_read(RangeFaultCall& call) {
  const auto begun = mirror_.notifier().read_begin();
  call.notifier_seq = begun.seq;
  return !begun.would_sleep ||
         (mirror_.locks() != nullptr && mirror_.locks()->wait_for_notifier(mirror_.notifier()));
}

void Dmirror::move_to_device(const MigrateVma& args) {
  allocate_device_pages(machine_, args, memory_);
  migrate_vma_pages(machine_, args);
}

/// dmirror_range_fault() with the migrating range: takes mmap_lock, which the caller holds, and mirrors what is VALID.
int Dmirror::fault_as_posted(RangeFaultCall& call) {
  DriverLocks* locks = mirror_.locks();
  for (uint64_t round = 1; round <= enough_rounds; ++round) {
    if (!begin_read(call)) return -EDEADLK;
    machine_.step(RuleId::driver_mmap_lock_again, {2, call.start});
    const RangeFaultResult walked = [&] {
      const MmapReadGuard again(locks, mirror_.space());
      return hmm_range_fault(machine_, call, locks == nullptr ? nullptr : locks->walk_hooks(mirror_.space()));
    }();
    if (walked.ret == -EBUSY) {
      machine_.step(RuleId::dmirror_busy, {call.start, round});
      continue;
    }
    if (walked.ret != 0) return walked.ret;
    const DriverLockGuard locked(locks, mirror_.owner());
    if (!mirror_.notifier().read_retry(call.notifier_seq))
      return take_slots(call.start, call.pfns, (call.end - call.start) / page_bytes, false);
    machine_.step(RuleId::dmirror_collided, {call.start, round});
  }
  return -EBUSY;
}

/// Walk, migrate, then look at the sequence: pages that have moved are mapped only when nobody was in between.
int Dmirror::fault_later(RangeFaultCall& call, MigrateVma& args) {
  machine_.step(RuleId::driver_checks_late, {call.start, (call.end - call.start) / page_bytes});
  DriverLocks* locks = mirror_.locks();
  for (uint64_t round = 1; round <= enough_rounds; ++round) {
    if (!begin_read(call)) return -EDEADLK;
    const int ret =
        hmm_range_fault(machine_, call, locks == nullptr ? nullptr : locks->walk_hooks(mirror_.space())).ret;
    if (ret == -EBUSY) {
      machine_.step(RuleId::dmirror_busy, {call.start, round});
      continue;
    }
    if (ret != 0) return ret;
    migrate_hmm_range_setup(machine_, call.pfns, args);
    move_to_device(args);
    const DriverLockGuard locked(locks, mirror_.owner());
    const bool moved = mirror_.notifier().read_retry(call.notifier_seq);
    if (moved) {
      machine_.step(RuleId::driver_not_mapped, {call.notifier_seq, round});
      name_pages_left_unmapped(machine_, args, mirror_);
    } else {
      map_migrated_pages_locked(machine_, args, mirror_);
    }
    migrate_vma_finalize(machine_, args);
    if (!moved) return 0;
  }
  return -EBUSY;
}

}  // namespace hmmscope
