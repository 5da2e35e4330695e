#pragma once
/// What a migration asks of the world around it. A live run passes no hooks: the machine's own words (page
/// tables, folios, locks, references) are the truth. A replay of a kernel trace and the injection of failures
/// override them: an answer stands for what somebody else did at that moment (a busy lock, a page isolated by
/// reclaim, a reference taken by a reader, no memory left).
///
/// All calls come on the engine's thread, in the order the kernel would do the same things. Inside a hook the
/// machine may be changed (entries, folios, VMAs; with recorder steps of its own): the engine keeps no copies
/// over a hook. An answer of "nothing" lets the words decide, so changing the words is as good as answering.
///
/// Where hooks go in: MigrateVma::hooks for the three calls of a driver, a parameter of the functions of
/// device_migration.h, CpuFault::set_migrate_hooks for pages that a CPU fault brings home.
/// Ownership: the caller's; must outlive the call. Null: nothing is asked.

#include <cstdint>
#include <optional>

#include "engine/mirror/interval_notifier.h"
#include "engine/rules/rule.h"

namespace hmmscope {

class AddressSpace;
struct MigrateVma;
struct RangeFaultCall;
struct RangeFaultResult;

/// Where references are counted.
enum class ReferenceCheck : uint8_t {
  unmap,  ///< migrate_vma_check_page, in setup
  pages,  ///< folio_migrate_mapping, in pages
};

/// What memory is asked for.
enum class MigrateMemory : uint8_t {
  device_page,  ///< the driver's destination in device memory
  system_page,  ///< the driver's destination in system memory
  insertion,    ///< tables, anon_vma and the memcg charge of migrate_vma_insert_page
};

class MigrateHooks {
 public:
  virtual ~MigrateHooks() = default;

  /// migrate_vma_setup is about to look at args.vma, for [start, end) as given by the caller.
  virtual void before_vma(uint64_t /*start*/, uint64_t /*end*/) {}
  /// collect is about to read the entry of that level for [addr, end) (the part inside one entry); `pgd` only
  /// with five levels. before_pte comes once a page, also when the page's folio has just been split.
  virtual void before_pgd(uint64_t /*addr*/, uint64_t /*end*/) {}
  virtual void before_p4d(uint64_t /*addr*/, uint64_t /*end*/) {}
  virtual void before_pud(uint64_t /*addr*/, uint64_t /*end*/) {}
  virtual void before_pmd(uint64_t /*addr*/, uint64_t /*end*/) {}
  virtual void before_pte(uint64_t /*addr*/, uint64_t /*end*/) {}
  /// migrate_vma_insert_page is about to look at what stands at addr.
  virtual void before_insert(uint64_t /*slot*/, uint64_t /*addr*/) {}

  /// collect, or a range fault that prepares or splits, tries the folio's lock. False: somebody holds it, the
  /// page is left alone. Not asked when the words already say that it is locked, nor for the page whose lock
  /// the fault path holds.
  virtual std::optional<bool> trylock(uint64_t /*addr*/, uint64_t /*pfn*/) { return std::nullopt; }
  /// collect looks whether an exclusive page may be pinned for DMA. True: it is left alone.
  virtual std::optional<bool> maybe_pinned(uint64_t /*addr*/, uint64_t /*pfn*/) { return std::nullopt; }
  /// A large folio is to be split. False: it cannot be.
  virtual std::optional<bool> split(uint64_t /*index*/, uint64_t /*pfn*/) { return std::nullopt; }
  /// unmap isolates the page from the LRU. False: somebody else has isolated it.
  virtual std::optional<bool> isolate(uint64_t /*slot*/, uint64_t /*pfn*/) { return std::nullopt; }
  /// References beyond those in the folio's words that the check finds.
  virtual uint64_t unseen_references(ReferenceCheck, uint64_t /*slot*/, uint64_t /*pfn*/) { return 0; }
  /// False: there is no memory.
  virtual bool has_memory(MigrateMemory, uint64_t /*slot*/, uint64_t /*addr*/) { return true; }

  /// Devices are about to be told of an invalidation of `space`, and that it is over.
  virtual void invalidating(AddressSpace& /*space*/, const InvalidateRange&) {}
  virtual void invalidated(AddressSpace& /*space*/, const InvalidateRange&) {}
  /// The entry at addr is `now`: a mapping became a migration entry, a migration entry a mapping (`now` is
  /// what remove_migration_pte wrote), or a page was inserted. For a 2M page it is the pmd, once for all of it.
  virtual void replaced(AddressSpace& /*space*/, uint64_t /*addr*/, uint64_t /*old*/, uint64_t /*now*/) {}
  /// Splitting a folio has put `now` back at addr. (The kernel unmaps a folio that it splits, and remaps it after.)
  virtual void remapped(AddressSpace& /*space*/, uint64_t /*addr*/, uint64_t /*now*/) {}

  /// Kernels with the unified fault-and-migrate patches: the walk that migrate_vma_setup makes instead of
  /// collecting, and the migrate_hmm_range_setup after it. An answer says that it has been run already.
  virtual std::optional<RangeFaultResult> range_fault(const RangeFaultCall&);
  virtual bool range_setup(MigrateVma&) { return false; }

  /// A kernel function was entered or has returned: migrate_vma_setup, _collect, _collect_pmd, _collect_hole,
  /// migrate_device_unmap, try_to_migrate and remove_migration_ptes (addr = pfn), migrate_vma_pages,
  /// migrate_vma_insert_page, migrate_vma_finalize; hmm_vma_handle_migrate_prepare and hmm_vma_walk_split
  /// (before they read the entry; ret of the split: 0 or -EBUSY). detail: hole: depth as int64; remove_migration_ptes: the
  /// new pfn. ret: what the function returns (0 for void ones; unmap: pages that can migrate).
  virtual void entered(Function, uint64_t /*addr*/, uint64_t /*end*/, uint64_t /*detail*/) {}
  virtual void left(Function, uint64_t /*addr*/, int64_t /*ret*/) {}
};

}  // namespace hmmscope
