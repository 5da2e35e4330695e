#pragma once
/// Reclaim of one anonymous page, as madvise(MADV_PAGEOUT) does it: off the LRU and locked, out of the page table with
/// devices told, to swap. Source: mm/madvise.c (madvise_pageout), mm/vmscan.c (shrink_folio_list), 6.12.
///
/// Simplified: a page that others refer to stays mapped (the kernel would take it out of the page table and keep it in
/// the swap cache). Threads: the machine's.

#include "engine/machine/address_space.h"
#include "engine/machine/machine.h"

namespace hmmscope::scenario {

struct PagedOut {
  bool taken = false;       ///< the page went to swap; else somebody holds it, or it is none that reclaim takes
  bool unwritten = false;   ///< without being written, because it looked clean
};

/// The page at addr goes to swap unless somebody else holds it.
PagedOut page_out(Machine& machine, AddressSpace& space, uint64_t addr);

}  // namespace hmmscope::scenario
