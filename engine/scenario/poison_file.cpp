#include "engine/scenario/poison_file.h"

#include "engine/fault/cpu_fault.h"
#include "engine/machine/spin_guard.h"
#include "engine/migrate/rmap.h"

namespace hmmscope::scenario {

namespace {

/// page_mkclean_one(): the pte of one shared mapping. True: somebody may have written through it.
bool write_protect(Machine& m, AddressSpace& space, uint64_t addr, uint64_t pfn) {
  const Invalidation running =
      space.notifiers().start({addr, addr + page_bytes, NotifyEvent::protection_page, 0, true});
  bool written = false;
  {
    const SpinGuard locked(m, pte_lock(space.id(), addr));
    const WordIndex word = find_mapping(m, space, addr, pfn);
    const uint64_t pte = word == no_word ? 0 : m.load(word);
    written = x86::pte_present(pte) && (pte & (bit::rw | bit::dirty)) != 0;
    if (written) {
      m.step(RuleId::poison_mkclean, {addr, pte, pfn});
      m.store(word, pte & ~(bit::rw | bit::dirty));
    }
  }
  if (!running.failed) space.notifiers().end(running);
  return written;
}

}  // namespace

std::optional<CachedPage> cached_page(const Machine& machine, const Folio& folio) {
  if (folio.mapping() == 0 || folio.has(folio_flag::anon | folio_flag::hugetlb)) return std::nullopt;
  std::optional<CachedPage> found;
  rmap_walk(machine, folio.mapping(), folio.index(), 1, [&](const RmapPlace& place) {
    if (place.vma.is_hugetlb()) return true;
    found = CachedPage{place.vma.file(), folio.index(), place.vma.kind() == VmaKind::shmem};
    return false;
  });
  return found;
}

bool is_clean(Machine& machine, const Folio& folio, const CachedPage& page) {
  if (page.shmem || folio.has(folio_flag::dirty)) return false;   // of shmem nothing is ever written back
  bool written = false;
  rmap_walk(machine, folio.mapping(), folio.index(), 1, [&](const RmapPlace& place) {
    // A private mapping cannot dirty the file's page: a write copies it.
    const bool shared = (place.vma.flags() & vm::shared) != 0;
    if (shared && write_protect(machine, *place.space, place.addr, folio.pfn())) written = true;
    return true;
  });
  machine.step(written ? RuleId::poison_dirty : RuleId::poison_clean, {folio.pfn(), page.index});
  if (written) folio.set_flag(folio_flag::dirty);
  return !written;
}

void leave_page_cache(Machine& machine, PageCache& cache, const Folio& folio, const CachedPage& page) {
  if (page.shmem && machine.model().shmem_keeps_poison) {
    machine.step(RuleId::poison_kept, {folio.pfn(), page.index});
    return;
  }
  machine.step(RuleId::poison_truncated, {folio.pfn(), page.index, folio.has(folio_flag::dirty)});
  if (cache.drop(page.file, page.index, folio.pfn())) folio.put();
  folio.set_flag(folio_flag::lru | folio_flag::dirty, false);
  folio.set(FolioWord::mapping, 0);
  folio.set(FolioWord::index, 0);
}

}  // namespace hmmscope::scenario
