// migrate_device_unmap: takes the collected pages off the LRU and out of every other page table, and puts
// back the ones somebody else refers to (mm/migrate_device.c).
#include "engine/machine/spin_guard.h"
#include "engine/migrate/migrate_internal.h"
#include "engine/migrate/rmap.h"

namespace hmmscope {

namespace {

class Unmap {
 public:
  explicit Unmap(const Migration& migration) : migration_(migration), machine_(migration.machine) {}

  uint64_t run() {
    machine_.enter(Function::migrate_device_unmap, {migration_.pages, migration_.fault_page});
    MigrateHooks* hooks = migration_.hooks;
    const uint64_t first = migration_.address(0), end = migration_.address(migration_.pages);
    if (hooks != nullptr) hooks->entered(Function::migrate_device_unmap, first, end, 0);
    for (uint64_t k = 0; k < migration_.pages; k += unmap(k)) {}
    for (uint64_t k = 0; k < migration_.pages && failed_ != 0; ++k) restore(k);
    const auto ready = static_cast<int64_t>(ready_);
    if (hooks != nullptr) hooks->left(Function::migrate_device_unmap, first, ready);
    machine_.leave(ready);
    return ready_;
  }

 private:
  /// Returns how many slots the folio of slot k takes.
  uint64_t unmap(uint64_t k) {
    const uint64_t mpfn = migration_.src_word(k);
    const Folio folio = migration_.folio(mpfn);
    if (!folio) {
      if (!migration_.format.migrates(mpfn)) return 1;
      machine_.step(RuleId::unmap_hole, {k, mpfn});
      ++ready_;
      return 1;
    }
    const bool compound = folio.large() && migration_.format.compound != 0;
    const uint64_t slots = compound ? folio.pages() : 1;
    if (compound) {
      machine_.step(RuleId::unmap_compound, {k, folio.pfn(), slots});
      migration_.set_src(k, mpfn | migration_.format.compound);
    }
    if (folio.zone_device())
      machine_.step(RuleId::unmap_device, {k, folio.pfn(), folio.refcount()});
    else if (!isolate(k, folio))
      return slots;
    if (folio.mapped()) try_to_migrate(machine_, folio, migration_.hooks);
    if (!may_move(k, folio)) {
      // Back on the LRU; the isolation's reference stays until the page is restored.
      if (!folio.zone_device()) folio.set_flag(folio_flag::lru);
      migration_.clear_migrate(k);
      ++failed_;
      return slots;
    }
    ++ready_;
    return slots;
  }

  bool isolate(uint64_t k, const Folio& folio) {
    const AtomicGuard test_and_clear(machine_);
    const bool taken = migration_.hooks != nullptr && migration_.hooks->isolate(k, folio.pfn()) == false;
    if ((taken || !folio.has(folio_flag::lru)) && !drained_) drain_all(k);
    if (taken || !folio.has(folio_flag::lru)) {
      machine_.step(RuleId::unmap_isolate_failed, {k, folio.pfn(), folio.get(FolioWord::flags)});
      migration_.clear_migrate(k);
      ++failed_;
      return false;
    }
    // One reference for being isolated, one less for being collected: the count stays.
    machine_.step(RuleId::unmap_isolate, {k, folio.pfn(), folio.refcount()});
    folio.set_flag(folio_flag::lru, false);
    return true;
  }

  /// lru_add_drain_all: pages that wait in some CPU's batch reach the LRU, and the batch drops its
  /// references.
  void drain_all(uint64_t k) {
    drained_ = true;
    machine_.step(RuleId::unmap_drain_all, {k});
    for (uint64_t i = 0; i < migration_.pages; ++i) {
      const Folio folio = migration_.folio(migration_.src_word(i));
      if (!folio || !folio.has(folio_flag::lru_batch)) continue;
      folio.set_flag(folio_flag::lru_batch, false);
      folio.set_flag(folio_flag::lru);
      folio.put();
    }
  }

  /// folio_mapped() and migrate_vma_check_page().
  bool may_move(uint64_t k, const Folio& folio) {
    if (folio.mapped()) {
      machine_.step(RuleId::unmap_still_mapped, {k, folio.pfn(), folio.mapcount()});
      return false;
    }
    if (folio.large() && migration_.format.compound == 0) {
      machine_.step(RuleId::unmap_large, {k, folio.pfn(), folio.order()});
      return false;
    }
    const uint64_t fault = migration_.fault_page != 0 && folio.pfn() == migration_.fault_page ? 1 : 0;
    const uint64_t device = folio.zone_device() ? 1 : 0;
    const uint64_t cache = folio.in_a_cache() ? 1 + (folio.has(folio_flag::has_private) ? 1 : 0) : 0;
    const uint64_t extra = 1 + fault + device + cache;
    uint64_t refcount = folio.refcount();
    if (migration_.hooks != nullptr) {
      refcount += migration_.hooks->unseen_references(ReferenceCheck::unmap, k, folio.pfn());
    }
    const auto unexplained = static_cast<int64_t>(refcount) - static_cast<int64_t>(extra);
    const bool pinned = unexplained > static_cast<int64_t>(folio.mapcount());
    machine_.step(pinned ? RuleId::unmap_pinned : RuleId::unmap_ready,
                  {k, folio.pfn(), refcount, extra, folio.mapcount(), fault, device, cache});
    return !pinned;
  }

  void restore(uint64_t k) {
    const uint64_t mpfn = migration_.src_word(k);
    const Folio folio = migration_.folio(mpfn);
    if (!folio || migration_.format.migrates(mpfn)) return;
    remove_migration_ptes(machine_, folio, folio, migration_.hooks);
    machine_.step(RuleId::unmap_restore, {k, folio.pfn(), folio.refcount()});
    migration_.set_src(k, 0);
    if (!migration_.lock_is_the_faults(folio)) folio.unlock();
    folio.put();
    --failed_;
  }

  const Migration& migration_;
  Machine& machine_;
  uint64_t ready_ = 0, failed_ = 0;
  bool drained_ = false;
};

}  // namespace

uint64_t unmap_collected(const Migration& migration) { return Unmap(migration).run(); }

}  // namespace hmmscope
