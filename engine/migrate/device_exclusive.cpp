#include "engine/migrate/device_exclusive.h"

#include <cerrno>

#include "engine/fault/cpu_fault.h"
#include "engine/machine/spin_guard.h"
#include "engine/migrate/entry_conversion.h"
#include "engine/migrate/migrate_internal.h"
#include "engine/migrate/rmap.h"

namespace hmmscope {

namespace {

/// get_user_pages_remote(FOLL_GET | FOLL_WRITE | FOLL_SPLIT_PMD) for one page: the pte, writable; no_word
/// when the fault failed.
WordIndex get_user_page(Machine& m, AddressSpace& space, uint64_t addr) {
  const Vma vma = space.vma_at(addr);
  if (!vma || vma.is_hugetlb()) return no_word;
  constexpr int enough = 8;  // a fault may succeed without allowing the access, but not for ever
  for (int round = 0; round < enough; ++round) {
    if (find_pud_leaf(m, space, addr) != no_word) break;   // stays whole
    const WordIndex pmd = space.find_entry(Level::pmd, addr);
    if (pmd != no_word && x86::pmd_present(m.load(pmd)) && m.entry_format().is_huge(m.load(pmd))) {
      split_huge_pmd(m, space, addr, RuleId::exclusive_split_pmd);
    }
    const WordIndex word = space.find_entry(Level::pte, addr);
    const uint64_t pte = word == no_word ? 0 : m.load(word);
    if ((pte & x86::present.mask()) != 0 && m.entry_format().allows_write(pte)) return word;
    constexpr uint32_t flags = fault_flag::write | fault_flag::remote;
    m.enter(Function::handle_mm_fault, {addr, flags});
    const uint32_t ret = m.fault_handler() == nullptr
                             ? vm_fault::sigbus
                             : m.fault_handler()->handle_mm_fault(m, space, addr, flags);
    m.leave(ret);
    if ((ret & vm_fault::error) != 0) break;
  }
  return no_word;
}

/// folio_make_device_exclusive(): every mapping of the folio becomes an exclusive entry. True when ours did
/// and none is left.
bool make_exclusive(Machine& m, AddressSpace& space, uint64_t addr, const Folio& folio, uint64_t owner) {
  const SwapFormat& format = m.entry_format().swap;
  const bool keeps_mapcount = m.model().exclusive_entries_are_mapped;
  bool ours = false;
  rmap_walk(m, folio.mapping(), folio.index(), 1, [&](const RmapPlace& place) {
    const Invalidation running =
        place.space->notifiers().start({place.addr, place.addr + page_bytes, NotifyEvent::exclusive, owner});
    SpinGuard locked(m, pte_lock(place.space->id(), place.addr));
    const WordIndex word = find_mapping(m, *place.space, place.addr, folio.pfn());
    const uint64_t pte = word == no_word ? 0 : m.load(word);
    if (x86::pte_present(pte)) {
      SwapEntry entry;
      const bool write = m.entry_format().allows_write(pte);
      entry.kind =
          write || keeps_mapcount ? SwapKind::device_exclusive_write : SwapKind::device_exclusive_read;
      entry.pfn = folio.pfn();
      entry.soft_dirty = (pte & x86::soft_dirty.mask()) != 0;
      entry.uffd_wp = (pte & x86::uffd_wp.mask()) != 0;
      const uint64_t encoded = encode_swap(format, entry).value_or(0);
      m.step(write ? RuleId::exclusive_entry_write : RuleId::exclusive_entry_read,
             {place.addr, pte, encoded});
      count_flush(m, *place.space);
      if (entry_dirty(pte)) folio.set_flag(folio_flag::dirty);
      m.store(word, encoded);
      if (!keeps_mapcount) folio.remove_rmap();  // the reference stays with the entry
      if (place.space == &space && place.addr == addr && write) ours = true;
    }
    locked.unlock();
    if (!running.failed) place.space->notifiers().end(running);
    return keeps_mapcount || folio.mapped();
  });
  return ours && (keeps_mapcount || !folio.mapped());
}

bool make_page_exclusive(Machine& m, AddressSpace& space, uint64_t addr, uint64_t owner,
                         const ExclusivePage& program) {
  const WordIndex word = get_user_page(m, space, addr);
  if (word == no_word) {
    m.step(RuleId::exclusive_no_page, {addr});
    return false;
  }
  const uint64_t pfn = x86::pte_pfn(m.load(word));
  const Folio folio = Folio::of(m, pfn);
  {
    const AtomicGuard get_and_trylock(m, AtomicGuard::from_here);
    if (!folio || folio.locked() || folio.pfn() != pfn) {
      m.step(RuleId::exclusive_locked, {addr, pfn});
      return false;
    }
    m.step(RuleId::exclusive_lock, {addr, pfn, folio.refcount()});
    folio.take();
    folio.lock(FolioLocker::driver);
  }
  const bool anon = folio.has(folio_flag::anon);
  if (!anon) m.step(RuleId::exclusive_not_anon, {addr, pfn, folio.mapping()});
  const bool done = anon && make_exclusive(m, space, addr, folio, owner);
  m.step(done ? RuleId::exclusive_done : RuleId::exclusive_failed, {addr, pfn, folio.mapcount()});
  if (done) program(addr, pfn);
  folio.unlock();
  folio.put();
  return done;
}

}  // namespace

int64_t make_device_exclusive_range(Machine& machine, AddressSpace& space, uint64_t start, uint64_t end,
                                    uint64_t owner, const ExclusivePage& program) {
  machine.enter(Function::make_device_exclusive_range, {start, end, owner});
  int64_t made = machine.model().device_exclusive ? 0 : -EINVAL;
  for (uint64_t addr = start; made >= 0 && addr < end; addr += page_bytes) {
    if (make_page_exclusive(machine, space, addr, owner, program)) ++made;
  }
  machine.leave(made);
  return made;
}

bool remove_device_exclusive_entry(Machine& machine, AddressSpace& space, const Vma& vma, uint64_t addr,
                                   WordIndex pte) {
  const EntryFormat& e = machine.entry_format();
  const uint64_t read = machine.load(pte);
  const uint64_t pfn = e.swap.pfn(read);
  const Folio folio = Folio::of(machine, pfn);
  machine.enter(Function::remove_device_exclusive_entry, {addr, pfn});
  if (folio && folio.locked()) {
    machine.step(RuleId::exclusive_wait, {addr, pfn, folio.get(FolioWord::lock_owner)});
    machine.leave(0);
    return false;
  }
  // Owner 0: the device that holds the exclusive access must drop it too.
  const Invalidation running = space.notifiers().start({addr, addr + page_bytes, NotifyEvent::exclusive});
  SpinGuard locked(machine, pte_lock(space.id(), addr));
  const uint64_t old = machine.load(pte);
  if (old != read) {
    machine.step(RuleId::exclusive_raced, {addr, read, old});
    locked.unlock();
    if (!running.failed) space.notifiers().end(running);
    machine.leave(0);
    return false;
  }
  const bool dirty = folio && folio.has(folio_flag::dirty);
  const bool exclusive = !folio || folio.has(folio_flag::anon_exclusive);
  const uint64_t entry = restore_exclusive_entry(machine.model(), e.swap, vma, old, dirty, exclusive);
  machine.step(RuleId::swap_device_exclusive, {addr, old, pfn});
  machine.store(pte, entry);
  if (folio && !machine.model().exclusive_entries_are_mapped) folio.add_rmap();
  locked.unlock();
  if (!running.failed) space.notifiers().end(running);
  machine.leave(0);
  return true;
}

}  // namespace hmmscope
