#include "engine/migrate/rmap.h"

#include "engine/machine/spin_guard.h"
#include "engine/migrate/entry_conversion.h"
#include "engine/migrate/migrate_internal.h"
#include "engine/unified/migrate_prepare.h"

namespace hmmscope {

namespace {

SwapKind kind_of(const Machine& machine, uint64_t pte) { return machine.entry_format().swap.kind(pte); }

bool is_nonpresent_mapping(SwapKind kind) { return is_device_private(kind) || is_device_exclusive(kind); }

/// try_to_migrate_one at an entry that maps the folio. False: the page is pinned and stays mapped.
bool migrate_mapping(Machine& m, const RmapPlace& place, WordIndex word, const Folio& folio,
                     MigrateHooks* hooks) {
  const SwapFormat& format = m.entry_format().swap;
  const uint64_t pte = m.load(word);
  const bool present = x86::pte_present(pte);
  const bool exclusive = folio.has(folio_flag::anon) && folio.has(folio_flag::anon_exclusive);
  if (exclusive && folio.maybe_dma_pinned()) {
    m.step(RuleId::try_to_migrate_pinned, {place.addr, pte, folio.refcount()});
    if (present) count_flush(m, *place.space);
    return false;
  }
  const bool write = present ? x86::pte_write(pte) : format.kind(pte) == SwapKind::device_write;
  const SwapKind kind = migration_kind(format, write, exclusive);
  const uint64_t entry = make_migration_entry(m.model(), format, pte, folio.pfn(), kind);
  m.step(present ? RuleId::try_to_migrate_present : RuleId::try_to_migrate_device, {place.addr, pte, entry});
  if (present) count_flush(m, *place.space);
  if (present && entry_dirty(pte)) folio.set_flag(folio_flag::dirty);
  if (exclusive) folio.set_flag(folio_flag::anon_exclusive, false);
  m.store(word, entry);
  folio.remove_rmap();
  folio.put();
  if (hooks != nullptr) hooks->replaced(*place.space, place.addr, pte, entry);
  return true;
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

void try_to_migrate(Machine& machine, const Folio& folio, MigrateHooks* hooks) {
  machine.enter(Function::try_to_migrate, {folio.pfn()});
  if (hooks != nullptr) hooks->entered(Function::try_to_migrate, folio.pfn(), folio.pfn() + 1, 0);
  rmap_walk(machine, folio.mapping(), folio.index(), 1, [&](const RmapPlace& place) {
    const Invalidation running = begin_invalidation(
        *place.space, {place.addr, place.addr + page_bytes, NotifyEvent::clear, internal_owner(machine)}, hooks);
    SpinGuard locked(machine, pte_lock(place.space->id(), place.addr));
    const WordIndex word = find_mapping(machine, *place.space, place.addr, folio.pfn());
    bool go_on = true;
    if (word == no_word)
      machine.step(RuleId::try_to_migrate_not_here, {place.addr, folio.mapcount()});
    else
      go_on = migrate_mapping(machine, place, word, folio, hooks);
    locked.unlock();
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
  rmap_walk(machine, to.mapping(), to.index(), 1, [&](const RmapPlace& place) {
    const SpinGuard locked(machine, pte_lock(place.space->id(), place.addr));
    const WordIndex word = find_migration_entry(machine, *place.space, place.addr, from.pfn());
    if (word == no_word) return true;
    const uint64_t old = machine.load(word);
    const RestoredEntry restored =
        restore_entry(machine.model(), machine.entry_format().swap, place.vma, old, to.pfn(),
                      to.has(folio_flag::dirty), to.has(folio_flag::anon), to.device_private());
    machine.step(to.device_private() ? RuleId::restore_device_private : RuleId::restore_present,
                 {place.addr, old, restored.entry, restored.exclusive});
    to.take();
    to.add_rmap();
    if (restored.exclusive) to.set_flag(folio_flag::anon_exclusive);
    machine.store(word, restored.entry);
    if (hooks != nullptr) hooks->replaced(*place.space, place.addr, old, restored.entry);
    return true;
  });
  if (hooks != nullptr) hooks->left(Function::remove_migration_ptes, from.pfn(), 0);
  machine.leave();
}

}  // namespace hmmscope
