// A write to a present, read-only mapping: reuse the page or copy it.
#include "engine/fault/cpu_fault.h"
#include "engine/machine/rss.h"
#include "engine/migrate/entry_conversion.h"
#include "engine/unified/migrate_prepare.h"

namespace hmmscope {

namespace {

struct Users {
  uint64_t refcount = 0, mapcount = 0;
  bool exclusive = false;
};

/// A page nobody keeps counters for is taken as this process's own.
Users users_of(const Machine& machine, uint64_t pfn) {
  const WordIndex folio = machine.physical().folio_of(pfn);
  if (folio == no_word) return {1, 1, true};
  return {machine.load(word_of(folio, FolioWord::refcount)), machine.load(word_of(folio, FolioWord::mapcount)),
          (machine.load(word_of(folio, FolioWord::flags)) & folio_flag::anon_exclusive) != 0};
}

void mark_exclusive(Machine& machine, uint64_t pfn) {
  const WordIndex folio = machine.physical().folio_of(pfn);
  if (folio == no_word) return;
  const WordIndex flags = word_of(folio, FolioWord::flags);
  machine.store(flags, machine.load(flags) | folio_flag::anon_exclusive);
}

}  // namespace

namespace {

/// A device-private entry leaves its folio whole, with 512 mappings; a migration entry counts none.
void split_absent_pmd(Machine& machine, AddressSpace& space, uint64_t base, uint64_t pmd) {
  const SwapFormat& format = machine.entry_format().swap;
  SwapEntry entry = decode_swap(format, pmd);
  const bool device = is_device_private(entry.kind);
  machine.step(device ? RuleId::split_pmd_device : RuleId::split_pmd_migration, {base, pmd});
  const uint64_t pfn = entry.pfn;
  ++entry.pfn;
  const uint64_t stride = encode_swap(format, entry).value_or(pmd) - pmd;
  machine.fill_keeping(space.ensure_entry(Level::pte, base), entries_per_table, pmd, stride, 0);
  const Folio folio = device ? Folio::of(machine, pfn) : Folio();
  if (!folio) return;
  folio.take(entries_per_table - 1);
  folio.add_rmap(entries_per_table - 1);
}

}  // namespace

bool is_whole_pmd(const Machine& machine, uint64_t pmd) {
  if (x86::pmd_none(pmd)) return false;
  if (x86::pmd_present(pmd)) return machine.entry_format().is_huge(pmd);
  const SwapKind kind = machine.entry_format().swap.kind(pmd);
  return is_device_private(kind) || is_migration(kind);
}

void split_huge_pmd(Machine& machine, AddressSpace& space, uint64_t addr, RuleId rule) {
  const EntryFormat& e = machine.entry_format();
  const uint64_t base = addr & ~(level_size(Level::pmd) - 1);
  const Invalidation running = space.notifiers().start(
      {base, base + level_size(Level::pmd), NotifyEvent::clear, internal_owner(machine)});
  SpinGuard locked(machine, pmd_lock(space.id(), base));
  const WordIndex word = space.find_entry(Level::pmd, base);
  const uint64_t pmd = machine.load(word);
  if (!is_whole_pmd(machine, pmd) || !x86::pmd_present(pmd)) {
    // Neither, when somebody was faster while devices were told.
    if (is_whole_pmd(machine, pmd)) split_absent_pmd(machine, space, base, pmd);
    locked.unlock();
    if (!running.failed) space.notifiers().end(running);
    return;
  }
  const uint64_t pfn = leaf_pfn(Level::pmd, pmd);
  const bool zero = pfn == machine.physical().huge_zero_pfn();
  machine.step(rule, {base, pmd});
  // The pmd must stop being a leaf before the table below it is reachable; ensure_entry replaces it.
  const WordIndex first = space.ensure_entry(Level::pte, base);
  const uint64_t flags = (pmd & ~x86::pfn.mask() & ~bit::huge) | (zero ? bit::special : 0);
  const uint64_t start = e.make(zero ? machine.physical().zero_pfn() : pfn, flags);
  // The pfn of a PROTNONE entry is stored inverted: it counts down.
  const uint64_t stride = x86::invert_mask(start) != 0 ? 0 - page_bytes : page_bytes;
  machine.fill_keeping(first, entries_per_table, start, zero ? 0 : stride, 0);
  // One mapping of the whole becomes one of each page.
  const Folio folio = zero ? Folio() : Folio::of(machine, pfn);
  if (folio && folio.large()) {
    folio.take(entries_per_table - 1);
    folio.add_rmap(entries_per_table - 1);
  }
  locked.unlock();
  if (!running.failed) space.notifiers().end(running);
}

uint32_t CpuFault::do_wp_huge(Fault& fault, WordIndex pmd) {
  Machine& m = fault.machine;
  SpinGuard locked(m, pmd_lock(fault.space.id(), fault.addr));
  const uint64_t old = m.load(pmd);
  if (!x86::pmd_present(old) || !fault.entry.is_huge(old)) return vm_fault::fallback;   // split meanwhile
  const uint64_t pfn = leaf_pfn(Level::pmd, old);
  const bool zero = pfn == m.physical().huge_zero_pfn();
  if (!zero && users_of(m, pfn).exclusive) {
    m.step(RuleId::thp_wp_reuse, {fault.addr, old});
    m.store(pmd, made_writable(m.model(), fault.vma, old));
    return 0;
  }
  locked.unlock();
  split_huge_pmd(m, fault.space, fault.addr, RuleId::thp_wp_split);
  return vm_fault::fallback;
}

uint32_t CpuFault::do_wp_page(Fault& fault, WordIndex pte) {
  Machine& m = fault.machine;
  const EntryFormat& e = fault.entry;
  const uint64_t old = m.load(pte);
  const uint64_t pfn = x86::pte_pfn(old);
  if ((old & bit::uffd_wp) != 0 && (fault.flags & fault_flag::allow_retry) == 0) {
    m.step(RuleId::wp_uffd_wp, {fault.addr, old});
    return vm_fault::sigbus;
  }
  const bool zero = m.physical().is_zero_pfn(pfn);
  if (!zero && (fault.vma.flags() & vm::shared) != 0) {
    m.step(RuleId::wp_unsharable_file, {fault.addr, old});
    m.store(pte, made_writable(m.model(), fault.vma, old));
    return 0;
  }
  const Users users = users_of(m, pfn);
  const bool file_page = fault.vma.kind() == VmaKind::file_private &&
                         cache_.find(fault.vma.file(), fault.vma.pgoff() + (fault.addr - fault.vma.start()) / page_bytes) == pfn;
  if (!zero && !file_page && (users.exclusive || (users.refcount == 1 && users.mapcount == 1))) {
    m.step(RuleId::wp_reuse, {fault.addr, old, users.refcount, users.mapcount});
    m.store(pte, made_writable(m.model(), fault.vma, old));
    mark_exclusive(m, pfn);
    return 0;
  }
  const uint64_t copy = allocate(fault, 0);
  if (copy == 0) {
    m.step(RuleId::anon_oom, {fault.addr});
    return vm_fault::oom;
  }
  fault.ptl->unlock();
  const Invalidation running = fault.space.notifiers().start({fault.addr, fault.addr + page_bytes});
  fault.ptl->lock();
  if (m.load(pte) != old) {   // pte_same: somebody was faster while devices were told
    m.step(RuleId::wp_raced, {fault.addr, old, m.load(pte)});
    m.physical().free(copy, 0);
    fault.ptl->unlock();
    if (!running.failed) fault.space.notifiers().end(running);
    return 0;
  }
  if (zero) {
    m.step(RuleId::wp_zero_page, {fault.addr, old, copy});
  } else {
    m.step(RuleId::wp_copy, {fault.addr, old, users.refcount, users.mapcount, copy});
    unmap_folio(m, pfn);
  }
  add_anon_folio(m, fault.vma, fault.addr, copy, 0, true);
  if (!zero) copy_page_data(m, pfn, copy);
  // ptep_clear_flush() of the old mapping.
  const WordIndex flushes = fault.space.word(MmWord::tlb_flushes);
  m.store(flushes, m.load(flushes) + 1);
  if (zero || file_page) {
    add_rss(fault.space, MmWord::rss_anon, 1);
    if (file_page) drop_rss(fault.space, MmWord::rss_file, 1);
  }
  m.store(pte, e.make(copy, mapping_flags(fault.vma, true)));
  fault.ptl->unlock();
  if (!running.failed) fault.space.notifiers().end(running);
  return 0;
}

}  // namespace hmmscope
