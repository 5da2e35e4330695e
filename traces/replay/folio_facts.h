#pragma once
/// The folios behind entries that a trace shows, made what they must be: every mapping that events have told
/// of counts, nobody else holds a reference. Where the kernel found a folio busy, its own events say so.
///
/// One object serves one call (a folio is made once, then it is the engine's). A step is opened for each
/// folio. Threads: one.

#include <cstdint>
#include <set>

#include "engine/machine/folio.h"
#include "traces/replay/world.h"

namespace hmmscope::traces {

class FolioFacts {
 public:
  explicit FolioFacts(World& world) : world_(world) {}

  /// The folio of one page, mapped at addr of `space` in vma by the entry in the table. `fault_page`: the
  /// page a CPU fault is about (one reference more; where the fault path locks it, it stays locked), 0 =
  /// none. False: a made-up trace asks for more address spaces, VMAs and pages than can be replayed.
  bool page(const AddressSpace& space, const Vma& vma, uint64_t addr, uint64_t pfn, uint64_t fault_page);
  /// The 2M folio that begins at `base`, mapped by the pmd of `addr` in vma.
  void large(const Vma& vma, uint64_t addr, uint64_t base);

 private:
  World& world_;
  std::set<uint64_t> made_;  ///< pfns
};

/// The facts of an entry that the engine wrote: everything, but for a page that nothing has named.
uint8_t facts_of_entry(uint64_t pte);

inline void set_if_changed(const Folio& folio, FolioWord word, uint64_t value) {
  if (folio.get(word) != value) folio.set(word, value);
}

inline void hold_lock(const Folio& folio, FolioLocker owner) {
  if (!folio.locked()) folio.lock(owner);
}

}  // namespace hmmscope::traces
