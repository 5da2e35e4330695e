#pragma once
/// What the parts of the migration share. Internal to engine/migrate.

#include <cstdint>
#include <initializer_list>

#include "engine/machine/folio.h"
#include "engine/migrate/hooks.h"
#include "engine/migrate/migrate_vma.h"

namespace hmmscope {

/// One running migrate_vma call (or migrate_device call: then args has no mm).
struct Migration {
  Machine& machine;
  MigrateFormat format;
  WordIndex src, dst;
  uint64_t pages;
  uint64_t fault_page = 0;
  const MigrateVma* args = nullptr;
  MigrateHooks* hooks = nullptr;

  uint64_t src_word(uint64_t k) const { return machine.load(src + static_cast<WordIndex>(k)); }
  uint64_t dst_word(uint64_t k) const { return machine.load(dst + static_cast<WordIndex>(k)); }
  void set_src(uint64_t k, uint64_t value) const { machine.store(src + static_cast<WordIndex>(k), value); }
  void clear_migrate(uint64_t k) const { set_src(k, src_word(k) & ~format.migrate); }
  void clear_migrate_and_compound(uint64_t k) const {
    set_src(k, src_word(k) & ~(format.migrate | format.compound));
  }
  /// The folio of a word with VALID; empty otherwise.
  Folio folio(uint64_t mpfn) const {
    return format.has_page(mpfn) ? Folio::of(machine, format.pfn(mpfn)) : Folio();
  }
  uint64_t address(uint64_t k) const { return args == nullptr ? 0 : args->start + k * page_bytes; }
  /// 6.15+: the fault path holds this folio's lock, so migration neither takes nor drops it.
  bool lock_is_the_faults(const Folio& f) const {
    return machine.model().fault_page_locked && f.holds(fault_page);
  }
};

/// migrate_vma_collect: false when the walk spins for ever (args.stuck_at says where).
bool collect(Machine& machine, MigrateVma& args);
/// migrate_device_unmap: returns how many slots still have MIGRATE.
uint64_t unmap_collected(const Migration& migration);
/// migrate_vma_insert_page. The notifier has been told.
void insert_page(const Migration& migration, uint64_t slot, const Folio& page);
/// migrate_vma_insert_huge_pmd_page for a 2M folio: inserts it (src keeps MIGRATE and COMPOUND) or clears MIGRATE.
void insert_huge_page(const Migration& migration, uint64_t slot, const Folio& folio);
/// migrate_vma_split_unmapped_folio: the folio of the slot becomes 512 small ones with a slot each. False: it stays
/// whole, though its migration entry is split.
bool split_unmapped_folio(const Migration& migration, uint64_t slot, const Folio& folio);

/// After migrate_vma_pages nothing of the CPU's table refers to the page any more: MADV_DONTNEED, which needs mmap_lock for
/// reading only, was faster. `from`: 0 for a page that was put into a hole.
bool thrown_away(const Machine& machine, const MigrateVma& args, uint64_t addr, uint64_t from, uint64_t to);

/// mmu_notifier_invalidate_range_start and _end, of which the hooks hear too.
inline Invalidation begin_invalidation(AddressSpace& space, const InvalidateRange& range,
                                       MigrateHooks* hooks) {
  if (hooks != nullptr) hooks->invalidating(space, range);
  return space.notifiers().start(range);
}
inline void end_invalidation(AddressSpace& space, const Invalidation& running, MigrateHooks* hooks) {
  if (hooks != nullptr) hooks->invalidated(space, running.range);
  if (!running.failed) space.notifiers().end(running);
}

/// split_folio() for a 2M anonymous folio: its huge mappings become pte mappings and the folio 512 small
/// ones, the first of which keeps lock and the caller's reference. False when somebody else refers to it.
bool split_folio(Machine& machine, const Folio& folio, MigrateHooks* hooks);
/// folio_split_unmapped(): 512 small folios, each locked and with one reference; nobody maps them. A step is open.
void split_locked_folio(Machine& machine, const Folio& folio);

/// One TLB flush more in mm's counter. A step must be open.
inline void count_flush(Machine& machine, const AddressSpace& space) {
  const WordIndex word = space.word(MmWord::tlb_flushes);
  machine.store(word, machine.load(word) + 1);
}

}  // namespace hmmscope
