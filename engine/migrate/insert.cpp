// migrate_vma_insert_page: a new page where there was none (mm/migrate_device.c).
#include "engine/fault/cpu_fault.h"
#include "engine/machine/rss.h"
#include "engine/machine/spin_guard.h"
#include "engine/migrate/entry_conversion.h"
#include "engine/migrate/migrate_internal.h"

namespace hmmscope {

namespace {

/// The pte word to fill; no_word when something stands in the way. Records why.
WordIndex place_for(Machine& m, AddressSpace& space, uint64_t k, uint64_t addr) {
  const WordIndex pmd_word = space.find_entry(Level::pmd, addr);
  const uint64_t pmd = pmd_word == no_word ? 0 : m.load(pmd_word);
  const EntryFormat& e = m.entry_format();
  if (x86::pmd_none(pmd) || (x86::pmd_present(pmd) && !e.is_huge(pmd))) {
    if (space.find_entry(Level::pte, addr) == no_word) m.step(RuleId::insert_table, {k, addr});
    return space.ensure_entry(Level::pte, addr);
  }
  const bool zero = x86::pmd_present(pmd) && leaf_pfn(Level::pmd, pmd) == m.physical().huge_zero_pfn();
  if (!zero || !m.model().collect_splits_mapped_large) {
    m.step(RuleId::insert_pmd_huge, {k, addr, pmd});
    return no_word;
  }
  split_huge_pmd(m, space, addr, RuleId::insert_split_zero);
  return space.find_entry(Level::pte, addr);
}

bool insert(const Migration& migration, uint64_t k, const Folio& page) {
  Machine& m = migration.machine;
  const MigrateVma& args = *migration.args;
  const uint64_t addr = migration.address(k);
  if (migration.hooks != nullptr) migration.hooks->before_insert(k, addr);
  if (args.vma.kind() != VmaKind::anonymous) {
    m.step(RuleId::insert_not_anonymous, {k, addr});
    return false;
  }
  if (migration.format.is_compound(migration.dst_word(k))) {
    m.enter(Function::migrate_vma_insert_huge_pmd_page, {addr, page.pfn()});
    insert_huge_page(migration, k, page);
    m.leave();
    return true;   // it has cleared MIGRATE itself where it had to
  }
  if (migration.hooks != nullptr && !migration.hooks->has_memory(MigrateMemory::insertion, k, addr)) {
    m.step(RuleId::insert_no_memory, {k, addr});
    return false;
  }
  const WordIndex word = place_for(m, *args.mm, k, addr);
  if (word == no_word) return false;
  if (page.has(folio_flag::device_other)) {
    m.step(RuleId::insert_zone_device, {k, addr, page.pfn()});
    return false;
  }
  const SpinGuard locked(m, pte_lock(args.mm->id(), addr));
  if (args.mm->find_entry(Level::pte, addr) != word) {
    m.step(RuleId::insert_table_gone, {k, addr});
    return false;
  }
  if (args.mm->unstable()) {
    m.step(RuleId::insert_unstable, {k, addr});
    return false;
  }
  const uint64_t old = m.load(word);
  const bool present = x86::pte_present(old);
  if (present && !m.physical().is_zero_pfn(x86::pte_pfn(old))) {
    m.step(RuleId::insert_present, {k, addr, old});
    return false;
  }
  if (!present && !x86::pte_none(old)) {
    m.step(RuleId::insert_not_none, {k, addr, old});
    return false;
  }
  if ((args.vma.flags() & vm::uffd_missing) != 0) {
    m.step(RuleId::insert_uffd, {k, addr, args.vma.flags()});
    return false;
  }
  // WRITE of the dst word is not asked for: the VMA alone decides.
  const bool writable = (args.vma.flags() & vm::write) != 0;
  uint64_t entry = 0;
  if (page.device_private()) {
    entry = make_device_private_entry(m.entry_format().swap, page.pfn(), writable);
    m.step(writable ? RuleId::insert_device_writable : RuleId::insert_device_readable,
           {k, addr, entry, migration.dst_word(k)});
  } else {
    const uint64_t flags = vm_page_prot(args.vma) | (writable ? args.vma.write_bits() : 0);
    entry = EntryFormat::make(page.pfn(), flags);
    m.step(RuleId::insert_mapped, {k, addr, entry, migration.dst_word(k)});
  }
  add_rss(*args.mm, MmWord::rss_anon, 1);
  page.set_flag(folio_flag::anon | folio_flag::anon_exclusive | (page.zone_device() ? 0 : folio_flag::lru));
  page.set(FolioWord::mapping, anon_mapping);
  page.set(FolioWord::index, page_index(args.vma, addr));
  page.add_rmap();
  page.take();
  if (present) count_flush(m, *args.mm);
  m.store(word, entry);
  migration.set_src(k, migration.format.migrate);
  if (migration.hooks != nullptr) migration.hooks->replaced(*args.mm, addr, old, entry);
  return true;
}

}  // namespace

void insert_page(const Migration& migration, uint64_t slot, const Folio& page) {
  Machine& m = migration.machine;
  MigrateHooks* hooks = migration.hooks;
  const uint64_t addr = migration.address(slot);
  m.enter(Function::migrate_vma_insert_page, {addr, page.pfn()});
  if (hooks != nullptr) hooks->entered(Function::migrate_vma_insert_page, addr, addr + page_bytes, 0);
  const bool inserted = insert(migration, slot, page);
  if (!inserted) migration.clear_migrate(slot);
  if (hooks != nullptr) hooks->left(Function::migrate_vma_insert_page, addr, 0);
  m.leave();
}

}  // namespace hmmscope
