// migrate_vma_finalize: migration entries become mappings again, of the new page or of the old one
// (mm/migrate_device.c).
#include <algorithm>

#include "engine/machine/spin_guard.h"
#include "engine/migrate/migrate_internal.h"
#include "engine/migrate/rmap.h"

namespace hmmscope {

namespace {

/// A destination that was in use already (pages.dst_in_use) is nobody's to unlock. The kernel drops a reference of its
/// mappings here and its counts are wrong from then on; the machine's stay those of the page tables.
void let_go(const Folio& target) {
  if (!target.locked()) return;
  target.unlock();
  target.put();
}

void drop_target(Machine& machine, const Folio& target, RuleId rule,
                 std::initializer_list<uint64_t> operands) {
  machine.step(rule, operands);
  let_go(target);
}

void finalize_slot(const Migration& migration, uint64_t k) {
  Machine& m = migration.machine;
  const uint64_t src = migration.src_word(k), dst = migration.dst_word(k);
  const Folio folio = migration.folio(src);
  Folio target = migration.folio(dst);
  if (!folio) {
    if (target) drop_target(m, target, RuleId::finalize_no_src, {k, src, dst});
    return;
  }
  const bool failed = !migration.format.migrates(src) || !target;
  if (failed) {
    if (target) drop_target(m, target, RuleId::finalize_drop_dst, {k, src, dst});
    target = folio;
  }
  m.step(failed ? RuleId::finalize_back : RuleId::finalize_moved, {k, folio.pfn(), target.pfn()});
  if (!target.zone_device()) target.set_flag(folio_flag::lru);
  remove_migration_ptes(m, folio, target, migration.hooks);
  m.step(RuleId::finalize_unlock, {k, folio.pfn(), folio.refcount()});
  if (!migration.lock_is_the_faults(folio)) folio.unlock();
  folio.put();
  if (failed) return;
  let_go(target);
}

void run(const Migration& migration) {
  for (uint64_t k = 0; k < migration.pages; ++k) finalize_slot(migration, k);
}

}  // namespace

void migrate_vma_finalize(Machine& machine, const MigrateVma& args) {
  machine.enter(Function::migrate_vma_finalize, {args.start, args.end, args.cpages, args.npages});
  if (args.hooks != nullptr) args.hooks->entered(Function::migrate_vma_finalize, args.start, args.end, 0);
  run({machine, MigrateFormat::from(machine.model()), args.src, args.dst, args.npages, args.fault_page, &args,
       args.hooks});
  if (args.hooks != nullptr) args.hooks->left(Function::migrate_vma_finalize, args.start, 0);
  machine.leave();
}

void migrate_device_finalize(Machine& machine, WordIndex src, WordIndex dst, uint64_t pages,
                             MigrateHooks* hooks) {
  machine.enter(Function::migrate_device_finalize, {pages});
  run({machine, MigrateFormat::from(machine.model()), src, dst, pages, 0, nullptr, hooks});
  machine.leave();
}

namespace {

/// Marks the slot of a 2M folio's first page; returns the slots the folio takes.
uint64_t skip_tails(Machine& machine, WordIndex src, uint64_t k, uint64_t pages, const Folio& folio,
                    const MigrateFormat& format) {
  const WordIndex word = src + static_cast<WordIndex>(k);
  machine.step(RuleId::device_range_compound, {k, folio.pfn(), folio.pages()});
  machine.store(word, machine.load(word) | format.compound);
  const uint64_t slots = std::min(folio.pages(), pages - k);
  if (slots > 1) machine.fill_keeping(word + 1, static_cast<uint32_t>(slots - 1), 0, 0, 0);
  return slots;
}

}  // namespace

uint64_t migrate_device_range(Machine& machine, WordIndex src, uint64_t first_pfn, uint64_t pages,
                              MigrateHooks* hooks) {
  machine.enter(Function::migrate_device_range, {first_pfn, pages});
  const MigrateFormat format = MigrateFormat::from(machine.model());
  for (uint64_t k = 0; k < pages; ++k) {
    const AtomicGuard trylock(machine);
    const Folio folio = Folio::of(machine, first_pfn + k);
    const bool in_use = folio && folio.refcount() != 0;
    const bool compound = in_use && folio.large() && format.compound != 0;
    const bool taken = in_use && !folio.locked() &&
                       !(hooks != nullptr && hooks->trylock(0, first_pfn + k) == false);
    machine.step(taken    ? RuleId::device_range_lock
                 : in_use ? RuleId::device_range_locked
                          : RuleId::device_range_free,
                 {k, first_pfn + k});
    machine.store(src + static_cast<WordIndex>(k), taken ? format.make(first_pfn + k) | format.migrate : 0);
    if (taken) {
      folio.take();
      folio.lock(FolioLocker::migration);
    }
    if (compound) k += skip_tails(machine, src, k, pages, folio, format) - 1;
  }
  const uint64_t ready = unmap_collected({machine, format, src, no_word, pages, 0, nullptr, hooks});
  machine.leave(0);
  return ready;
}

}  // namespace hmmscope
