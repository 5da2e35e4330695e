// 2M pages in migrate_vma_pages: inserted into a hole, or split while nobody maps them (mm/migrate_device.c, 7.3).
#include <algorithm>
#include <cerrno>

#include "engine/fault/cpu_fault.h"
#include "engine/machine/rss.h"
#include "engine/machine/spin_guard.h"
#include "engine/migrate/entry_conversion.h"
#include "engine/migrate/migrate_internal.h"
#include "engine/migrate/rmap.h"

namespace hmmscope {

namespace {

/// thp_vma_suitable_order(): the 2M at addr lie in the VMA. (The kernel aligns addr first; no caller gives another.)
bool suitable(const Vma& vma, uint64_t addr) {
  const uint64_t size = level_size(Level::pmd);
  return addr % size == 0 && addr >= vma.start() && addr + size <= vma.end();
}

/// The page table kept for a later split and the charge, which come before the lock.
bool has_memory(const Migration& migration, uint64_t k, uint64_t addr) {
  if (migration.hooks == nullptr || migration.hooks->has_memory(MigrateMemory::insertion, k, addr)) return true;
  migration.machine.step(RuleId::insert_pmd_no_memory, {k, addr});
  return false;
}

/// Under the pmd's lock: records why nothing can be inserted; false when it can.
bool refused(const Migration& migration, uint64_t k, uint64_t addr, uint64_t pmd) {
  Machine& m = migration.machine;
  const Vma& vma = migration.args->vma;
  if (migration.args->mm->unstable()) {
    m.step(RuleId::insert_pmd_unstable, {k, addr});
    return true;
  }
  if ((vma.flags() & vm::uffd_missing) != 0) {
    m.step(RuleId::insert_pmd_uffd, {k, addr, vma.flags()});
    return true;
  }
  const bool zero = x86::pmd_present(pmd) && m.entry_format().is_huge(pmd) &&
                    leaf_pfn(Level::pmd, pmd) == m.physical().huge_zero_pfn();
  if (x86::pmd_none(pmd) || zero) return false;
  m.step(RuleId::insert_pmd_taken, {k, addr, pmd});
  return true;
}

/// What is inserted; opens the step that inserts it.
uint64_t entry_for(const Migration& migration, uint64_t k, uint64_t addr, const Folio& folio, uint64_t pmd) {
  Machine& m = migration.machine;
  const Vma& vma = migration.args->vma;
  const bool writable = (vma.flags() & vm::write) != 0;
  if (folio.device_private()) {
    const uint64_t entry = make_device_private_entry(m.entry_format().swap, folio.pfn(), writable);
    m.step(writable ? RuleId::insert_pmd_device_writable : RuleId::insert_pmd_device_readable,
           {k, addr, entry, pmd});
    return entry;
  }
  const uint64_t flags =
      vm_page_prot(vma) | x86::pse.mask() | (writable ? vma.write_bits() : 0);
  const uint64_t entry = EntryFormat::make(folio.pfn(), flags);
  m.step(RuleId::insert_pmd_mapped, {k, addr, entry, pmd});
  return entry;
}

}  // namespace

void insert_huge_page(const Migration& migration, uint64_t slot, const Folio& folio) {
  Machine& m = migration.machine;
  AddressSpace& space = *migration.args->mm;
  const uint64_t addr = migration.address(slot);
  const Vma& vma = migration.args->vma;
  if (!suitable(vma, addr)) {
    m.step(RuleId::insert_pmd_unsuitable, {slot, addr, vma.start(), vma.end()});
    migration.clear_migrate(slot);
    return;
  }
  const bool memory = has_memory(migration, slot, addr);
  const SpinGuard locked(m, pmd_lock(space.id(), addr));
  const WordIndex found = space.find_entry(Level::pmd, addr);
  const uint64_t pmd = found == no_word ? 0 : m.load(found);
  if (!memory || refused(migration, slot, addr, pmd)) {
    const uint64_t end = std::min<uint64_t>(slot + entries_per_table, migration.pages);
    for (uint64_t k = slot; k < end; ++k) {
      if (migration.format.migrates(migration.src_word(k))) migration.clear_migrate(k);
    }
    return;
  }
  const uint64_t entry = entry_for(migration, slot, addr, folio, pmd);
  add_rss(space, MmWord::rss_anon, entries_per_table);
  folio.set_flag(folio_flag::anon | folio_flag::anon_exclusive | (folio.zone_device() ? 0 : folio_flag::lru));
  folio.set(FolioWord::mapping, anon_mapping);
  folio.set(FolioWord::index, page_index(vma, addr));
  folio.add_rmap();
  folio.take();
  if (!x86::pmd_none(pmd)) count_flush(m, space);   // the zero page goes
  m.store(space.ensure_entry(Level::pmd, addr), entry);
  if (migration.hooks != nullptr) migration.hooks->replaced(space, addr, pmd, entry);
}

bool split_unmapped_folio(const Migration& migration, uint64_t slot, const Folio& folio) {
  Machine& m = migration.machine;
  const MigrateFormat& format = migration.format;
  const uint64_t addr = migration.address(slot), pfn = folio.pfn();
  m.enter(Function::migrate_vma_split_unmapped_folio, {slot, addr, pfn});
  m.step(RuleId::split_unmapped, {slot, pfn, folio.refcount()});
  split_huge_pmd(m, *migration.args->mm, addr, RuleId::split_pmd_migration);
  // split_huge_pmd_address() is called for this VMA alone.
  rmap_walk(m, folio.mapping(), folio.index(), folio.pages(), [&](const RmapPlace& place) {
    const WordIndex other = find_pmd_migration_entry(m, *place.space, place.addr, pfn);
    if (other == no_word) return true;
    m.step(RuleId::split_unmapped_other, {place.addr, m.load(other)});
    split_huge_pmd(m, *place.space, place.addr, RuleId::split_pmd_migration);
    return true;
  });
  const uint64_t callers = 1;
  const AtomicGuard freeze(m);   // folio_ref_freeze
  if (folio.mapped() || folio.refcount() != callers) {
    m.leave(-EAGAIN);
    return false;
  }
  const uint64_t src = migration.src_word(slot) & ~format.compound;
  const uint64_t pages = folio.pages();
  m.step(RuleId::pages_split_done, {slot, pfn, src});
  split_locked_folio(m, folio);
  m.fill_keeping(migration.src + static_cast<WordIndex>(slot), static_cast<uint32_t>(pages), src,
                 1ull << format.shift, 0);
  m.leave(0);
  return true;
}

}  // namespace hmmscope
