#include "engine/migrate/rmap.h"

#include "engine/machine/spin_guard.h"
#include "engine/migrate/entry_conversion.h"
#include "engine/migrate/migrate_internal.h"
#include "engine/unified/migrate_prepare.h"

namespace hmmscope {

namespace {

SwapKind kind_of(const Machine& machine, uint64_t pte) { return machine.entry_format().swap.kind(pte); }

bool is_nonpresent_mapping(SwapKind kind) { return is_device_private(kind) || is_device_exclusive(kind); }

bool is_exclusive(const Machine& m, const Folio& folio) {
  return m.model().anon_exclusive_mark && folio.has(folio_flag::anon) && folio.has(folio_flag::anon_exclusive);
}

bool stays_pinned(Machine& m, const RmapPlace& place, uint64_t entry, bool present, const Folio& folio) {
  if (!folio.maybe_dma_pinned()) return false;
  m.step(RuleId::try_to_migrate_pinned, {place.addr, entry, folio.refcount()});
  if (present) count_flush(m, *place.space);
  return true;
}

/// try_to_migrate_one at page `page` of the folio, which the entry at `word` maps. False: the page is pinned and stays
/// mapped.
bool migrate_mapping(Machine& m, const RmapPlace& place, uint64_t page, WordIndex word, const Folio& folio,
                     bool exclusive, MigrateHooks* hooks) {
  const SwapFormat& format = m.entry_format().swap;
  const uint64_t pte = m.load(word), addr = place.addr + (page - place.page) * page_bytes;
  const bool present = x86::pte_present(pte);
  if (exclusive && stays_pinned(m, place, pte, present, folio)) return false;
  const bool write = present ? m.entry_format().allows_write(pte) : format.kind(pte) == SwapKind::device_write;
  const SwapKind kind = migration_kind(format, write, exclusive);
  const uint64_t entry = make_migration_entry(m.model(), format, pte, folio.pfn() + page, kind);
  m.step(present ? RuleId::try_to_migrate_present : RuleId::try_to_migrate_device, {addr, pte, entry});
  if (present) count_flush(m, *place.space);
  if (present && entry_dirty(pte)) folio.set_flag(folio_flag::dirty);
  if (exclusive) folio.set_flag(folio_flag::anon_exclusive, false);
  m.store(word, entry);
  folio.remove_rmap();
  folio.put();
  if (hooks != nullptr) hooks->replaced(*place.space, addr, pte, entry);
  return true;
}

bool migrate_pmd(Machine& m, const RmapPlace& place, WordIndex word, const Folio& folio, MigrateHooks* hooks) {
  const uint64_t pmd = m.load(word);
  const PmdMigration migration = pmd_migration(m, folio, pmd);
  if (migration.exclusive && stays_pinned(m, place, pmd, migration.present, folio)) return false;
  m.step(migration.present ? RuleId::try_to_migrate_pmd_present : RuleId::try_to_migrate_pmd_device,
         {place.addr, pmd, migration.entry});
  set_pmd_migration_entry(m, *place.space, place.addr, word, folio, migration, hooks);
  return true;
}

/// try_to_migrate_one. False: the walk over the mappings ends.
bool migrate_place(Machine& m, const RmapPlace& place, const Folio& folio, MigrateHooks* hooks) {
  SpinGuard pmds(m, pmd_lock(place.space->id(), place.addr), SpinGuard::later);
  if (folio.large()) pmds.lock();
  const WordIndex pmd = folio.large() ? find_pmd_mapping(m, *place.space, place.addr, folio.pfn()) : no_word;
  if (pmd != no_word) return migrate_pmd(m, place, pmd, folio, hooks);
  pmds.unlock();
  SpinGuard ptes(m, pte_lock(place.space->id(), place.addr), SpinGuard::later);
  const bool exclusive = is_exclusive(m, folio);   // of all its pages; the first one that goes takes the mark along
  bool found = false;
  for (uint64_t page = place.page; page < place.page + place.pages; ++page) {
    const uint64_t addr = place.addr + (page - place.page) * page_bytes;
    ptes.change_to(pte_lock(place.space->id(), addr));
    const WordIndex word = find_mapping(m, *place.space, addr, folio.pfn() + page);
    if (word == no_word) continue;
    found = true;
    if (!migrate_mapping(m, place, page, word, folio, exclusive, hooks)) return false;
  }
  if (!found) m.step(RuleId::try_to_migrate_not_here, {place.addr, folio.mapcount()});
  return true;
}

/// remove_migration_pte or remove_migration_pmd at an entry of `from`.
void restore(Machine& m, const RmapPlace& place, uint64_t addr, WordIndex word, uint64_t pfn, bool huge,
             const Folio& to, MigrateHooks* hooks) {
  const uint64_t old = m.load(word);
  const RestoredEntry restored =
      restore_entry(m.model(), m.entry_format().swap, place.vma, old, pfn, to.has(folio_flag::dirty),
                    to.has(folio_flag::anon), to.device_private(), huge);
  const RuleId device = huge ? RuleId::restore_pmd_device : RuleId::restore_device_private;
  const RuleId present = huge ? RuleId::restore_pmd_present : RuleId::restore_present;
  m.step(to.device_private() ? device : present, {addr, old, restored.entry, restored.exclusive});
  to.take();
  to.add_rmap();
  if (restored.exclusive) to.set_flag(folio_flag::anon_exclusive);
  m.store(word, restored.entry);
  if (hooks != nullptr) hooks->replaced(*place.space, addr, old, restored.entry);
}

}  // namespace

WordIndex find_mapping(const Machine& machine, const AddressSpace& space, uint64_t addr, uint64_t pfn) {
  const WordIndex word = space.find_entry(Level::pte, addr);
  if (word == no_word) return no_word;
  const uint64_t pte = machine.load(word);
  if (x86::pte_none(pte)) return no_word;
  if (x86::pte_present(pte)) return x86::pte_pfn(pte) == pfn && !x86::pte_special(pte) ? word : no_word;
  const SwapFormat& format = machine.entry_format().swap;
  return is_nonpresent_mapping(format.kind(pte)) && format.pfn(pte) == pfn ? word : no_word;
}

WordIndex find_migration_entry(const Machine& machine, const AddressSpace& space, uint64_t addr,
                               uint64_t pfn) {
  const WordIndex word = space.find_entry(Level::pte, addr);
  if (word == no_word) return no_word;
  const uint64_t pte = machine.load(word);
  if (x86::pte_none(pte) || x86::pte_present(pte) || !is_migration(kind_of(machine, pte))) return no_word;
  return machine.entry_format().swap.pfn(pte) == pfn ? word : no_word;
}

WordIndex find_pmd_mapping(const Machine& machine, const AddressSpace& space, uint64_t addr, uint64_t pfn) {
  const WordIndex word = space.find_entry(Level::pmd, addr);
  if (word == no_word) return no_word;
  const uint64_t pmd = machine.load(word);
  if (x86::pmd_present(pmd)) {
    return machine.entry_format().is_huge(pmd) && leaf_pfn(Level::pmd, pmd) == pfn ? word : no_word;
  }
  return is_device_private(kind_of(machine, pmd)) && machine.entry_format().swap.pfn(pmd) == pfn ? word : no_word;
}

WordIndex find_pmd_migration_entry(const Machine& machine, const AddressSpace& space, uint64_t addr,
                                   uint64_t pfn) {
  const WordIndex word = space.find_entry(Level::pmd, addr);
  if (word == no_word) return no_word;
  const uint64_t pmd = machine.load(word);
  if (x86::pte_none(pmd) || x86::pmd_present(pmd) || !is_migration(kind_of(machine, pmd))) return no_word;
  return machine.entry_format().swap.pfn(pmd) == pfn ? word : no_word;
}

PmdMigration pmd_migration(const Machine& machine, const Folio& folio, uint64_t pmd) {
  const SwapFormat& format = machine.entry_format().swap;
  const bool present = x86::pmd_present(pmd), exclusive = is_exclusive(machine, folio);
  const bool write = present ? machine.entry_format().allows_write(pmd) : format.kind(pmd) == SwapKind::device_write;
  const SwapKind kind = migration_kind(format, write, exclusive);
  return {make_migration_entry(machine.model(), format, pmd, folio.pfn(), kind), kind, present, exclusive};
}

void set_pmd_migration_entry(Machine& machine, AddressSpace& space, uint64_t addr, WordIndex pmd,
                             const Folio& folio, const PmdMigration& migration, MigrateHooks* hooks) {
  const uint64_t old = machine.load(pmd);
  if (migration.present) count_flush(machine, space);
  if (migration.present && entry_dirty(old)) folio.set_flag(folio_flag::dirty);
  if (migration.exclusive) folio.set_flag(folio_flag::anon_exclusive, false);
  machine.store(pmd, migration.entry);
  folio.remove_rmap();
  folio.put();
  if (hooks != nullptr) hooks->replaced(space, addr, old, migration.entry);
}

void try_to_migrate(Machine& machine, const Folio& folio, MigrateHooks* hooks) {
  machine.enter(Function::try_to_migrate, {folio.pfn()});
  if (hooks != nullptr) hooks->entered(Function::try_to_migrate, folio.pfn(), folio.pfn() + 1, 0);
  rmap_walk(machine, folio.mapping(), folio.index(), folio.pages(), [&](const RmapPlace& place) {
    const Invalidation running = begin_invalidation(
        *place.space, {place.addr, place.addr + place.pages * page_bytes, NotifyEvent::clear, internal_owner(machine)},
        hooks);
    const bool go_on = migrate_place(machine, place, folio, hooks);
    end_invalidation(*place.space, running, hooks);
    return go_on && folio.mapped();
  });
  if (hooks != nullptr) hooks->left(Function::try_to_migrate, folio.pfn(), 0);
  machine.leave();
}

void remove_migration_ptes(Machine& machine, const Folio& from, const Folio& to, MigrateHooks* hooks) {
  machine.enter(Function::remove_migration_ptes, {from.pfn(), to.pfn()});
  if (hooks != nullptr) {
    hooks->entered(Function::remove_migration_ptes, from.pfn(), from.pfn() + 1, to.pfn());
  }
  rmap_walk(machine, to.mapping(), to.index(), to.pages(), [&](const RmapPlace& place) {
    SpinGuard pmds(machine, pmd_lock(place.space->id(), place.addr), SpinGuard::later);
    if (to.large()) pmds.lock();
    const WordIndex pmd =
        to.large() ? find_pmd_migration_entry(machine, *place.space, place.addr, from.pfn()) : no_word;
    if (pmd != no_word) {
      restore(machine, place, place.addr, pmd, to.pfn(), true, to, hooks);
      return true;
    }
    pmds.unlock();
    SpinGuard ptes(machine, pte_lock(place.space->id(), place.addr), SpinGuard::later);
    for (uint64_t page = place.page; page < place.page + place.pages; ++page) {
      const uint64_t addr = place.addr + (page - place.page) * page_bytes;
      ptes.change_to(pte_lock(place.space->id(), addr));
      const WordIndex word = find_migration_entry(machine, *place.space, addr, from.pfn() + page);
      if (word != no_word) restore(machine, place, addr, word, to.pfn() + page, false, to, hooks);
    }
    return true;
  });
  if (hooks != nullptr) hooks->left(Function::remove_migration_ptes, from.pfn(), 0);
  machine.leave();
}

}  // namespace hmmscope
