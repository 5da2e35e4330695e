#include "engine/scenario/reclaim.h"

#include "engine/machine/folio.h"
#include "engine/machine/page_data.h"
#include "engine/machine/rss.h"
#include "engine/machine/spin_guard.h"
#include "engine/migrate/entry_conversion.h"

namespace hmmscope::scenario {

namespace {

Folio mapped_folio(Machine& m, uint64_t pte) {
  return x86::pte_present(pte) && !x86::pte_special(pte) ? Folio::of(m, x86::pte_pfn(pte)) : Folio();
}

/// An anonymous page of one process that nobody but its mapping, the swap cache and `own` references hold.
bool nobody_else_holds(const Folio& folio, uint64_t own) {
  const bool ordinary = folio && folio.has(folio_flag::anon) && !folio.large() && !folio.zone_device();
  if (!ordinary || folio.mapcount() != 1) return false;
  const uint64_t cache = folio.has(folio_flag::swapcache) ? 1 : 0;
  return folio.refcount() == folio.mapcount() + cache + own;
}

/// The page stays. Reclaim looked at `pte`.
void page_stays(Machine& m, uint64_t addr, uint64_t pte) {
  const Folio folio = mapped_folio(m, pte);
  m.step(RuleId::pageout_busy, {addr, pte, folio ? folio.refcount() : 0});
}

/// Takes the page off the LRU and locks it: from here no migration can take it. Empty when it stays where it is.
Folio isolate_for_reclaim(Machine& m, AddressSpace& space, uint64_t addr) {
  const SpinGuard locked(m, pte_lock(space.id(), addr));
  const AtomicGuard trylock_and_isolate(m);
  const WordIndex word = space.find_entry(Level::pte, addr);
  const uint64_t pte = word == no_word ? 0 : m.load(word);
  const Folio folio = mapped_folio(m, pte);
  if (!nobody_else_holds(folio, 0) || folio.locked() || !folio.has(folio_flag::lru)) {
    page_stays(m, addr, pte);
    return {};
  }
  m.step(RuleId::pageout_isolated, {addr, pte, folio.pfn()});
  folio.take();
  folio.set_flag(folio_flag::lru, false);
  folio.lock(FolioLocker::reclaim);
  return folio;
}

/// Unlocks the page and lets go of it, which frees a page that nobody maps any more.
void reclaim_lets_go(const Folio& folio) {
  folio.unlock();
  if (folio.mapped()) folio.set_flag(folio_flag::lru);
  folio.put();
}

/// try_to_unmap and the removal from the swap cache.
PagedOut unmap_for_reclaim(Machine& m, AddressSpace& space, uint64_t addr, const Folio& folio) {
  const SpinGuard locked(m, pte_lock(space.id(), addr));
  const AtomicGuard unmap_and_freeze(m);
  const WordIndex word = space.find_entry(Level::pte, addr);
  const uint64_t pte = word == no_word ? 0 : m.load(word);
  if (mapped_folio(m, pte) != folio || !nobody_else_holds(folio, 1)) {   // something came in while devices were told
    page_stays(m, addr, pte);
    reclaim_lets_go(folio);
    return {};
  }
  const bool cached = folio.has(folio_flag::swapcache);
  const bool clean = cached && !entry_dirty(pte) && !folio.has(folio_flag::dirty);
  m.step(clean ? RuleId::pageout_unwritten : RuleId::pageout_written, {addr, pte, folio.pfn()});
  const uint64_t slot = cached ? m.physical().swap_cache_slot(folio.pfn()) : 0;
  SwapEntry entry;
  entry.kind = SwapKind::swap;
  entry.offset = slot != 0 ? slot : m.physical().allocate_swap_slot();
  if (PageData* data = m.page_data(); data != nullptr && !clean) data->write_swap(entry.offset, folio.pfn());
  entry.exclusive = folio.has(folio_flag::anon_exclusive);
  if (const auto swapped = encode_swap(m.entry_format().swap, entry)) m.store(word, *swapped);
  if (cached) {
    folio.set_flag(folio_flag::swapcache, false);
    folio.put();
  }
  drop_rss(space, MmWord::rss_anon, 1);
  add_rss(space, MmWord::rss_swap, 1);
  folio.remove_rmap();
  folio.put();
  reclaim_lets_go(folio);
  return {true, clean};
}

}  // namespace

PagedOut page_out(Machine& machine, AddressSpace& space, uint64_t addr) {
  const Folio folio = isolate_for_reclaim(machine, space, addr);
  if (!folio) return {};
  const Invalidation running = space.notifiers().start({addr, addr + page_bytes});
  const PagedOut result = unmap_for_reclaim(machine, space, addr, folio);
  if (!running.failed) space.notifiers().end(running);
  return result;
}

}  // namespace hmmscope::scenario
