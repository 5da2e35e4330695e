#include "engine/machine/folio.h"

#include <fmt/format.h>

namespace hmmscope {

namespace {

uint64_t memory_flags(const Machine& machine, uint64_t pfn) {
  const DeviceMemory* device = machine.physical().device_of(pfn);
  if (device == nullptr) return 0;
  if (device->other) return folio_flag::device_other;
  return device->coherent ? folio_flag::device_coherent : folio_flag::device_private;
}

void store_if_changed(const Folio& folio, FolioWord word, uint64_t value) {
  if (folio.get(word) != value) folio.set(word, value);
}

}  // namespace

Folio make_folio(Machine& machine, uint64_t pfn, uint32_t order) {
  PhysicalMemory& physical = machine.physical();
  Folio folio = Folio::of(machine, pfn);
  if (!folio || folio.pfn() != pfn || folio.order() != order) {
    physical.forget_folio(pfn);
    folio = Folio(machine, physical.add_folio(pfn, order, fmt::format("folio {:#x}", pfn)));
  }
  for (const FolioWord word : {FolioWord::refcount, FolioWord::mapcount, FolioWord::mapping, FolioWord::index,
                               FolioWord::pincount, FolioWord::lock_owner}) {
    store_if_changed(folio, word, 0);
  }
  store_if_changed(folio, FolioWord::flags, memory_flags(machine, pfn));
  return folio;
}

Folio make_allocated_folio(Machine& machine, uint64_t pfn, uint32_t order) {
  const Folio folio = make_folio(machine, pfn, order);
  folio.set(FolioWord::refcount, 1);
  return folio;
}

bool Folio::put(uint64_t references) const {
  const uint64_t old = refcount();
  assert(old >= references);
  set(FolioWord::refcount, old - references);
  if (old != references) return false;
  assert(!mapped() && "a mapped folio has references");
  const bool device = zone_device();
  const uint32_t freed_order = static_cast<uint32_t>(order());
  for (const FolioWord w : {FolioWord::mapping, FolioWord::index}) {
    if (get(w) != 0) set(w, 0);
  }
  store_if_changed(*this, FolioWord::flags, memory_flags(*machine_, pfn()));
  // System pages are not handed out again unless the machine was told to, so that a pfn means one page throughout a
  // recording; device memory is small and its driver reuses it.
  if (device) machine_->physical().free_device_page(pfn(), freed_order);
  else machine_->physical().release(pfn(), freed_order);
  return true;
}

}  // namespace hmmscope
