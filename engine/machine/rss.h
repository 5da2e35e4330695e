#pragma once
/// What page-table entries count for in the rss of their mm: MmWord::rss_anon, rss_file and rss_swap, in pages.
///
/// A present entry counts its page as anonymous or as file memory; an entry of a page under migration, of device-private
/// or device-exclusive memory counts as the mapping it stands for; a swap entry counts as swap. Nothing is counted for
/// the zero pages, special ptes, markers, poison and pages that nobody keeps counters for, nor for hugetlb pages, which
/// have a counter of their own. Source: mm_counter() in include/linux/mm.h, zap_*_ptes and copy_*_pte of mm/memory.c,
/// try_to_unmap_one of mm/rmap.c, 6.12.
///
/// A step must be open. Threads: one at a time.

#include <cstdint>

#include "engine/machine/machine.h"

namespace hmmscope {

/// The entry is new in `space`. Call once its page has a folio that says what it is.
void count_entry_added(AddressSpace& space, Level level, uint64_t entry);
/// The entry goes. Call while its page still has its folio. A counter does not go below 0: a kernel trace does not show
/// what was mapped before it began.
void count_entry_removed(AddressSpace& space, Level level, uint64_t entry);
/// `pages` more, or fewer, of one kind.
void add_rss(AddressSpace& space, MmWord kind, uint64_t pages);
void drop_rss(AddressSpace& space, MmWord kind, uint64_t pages);

}  // namespace hmmscope
