#pragma once
/// Failing memory: what memory_failure() does to the page that is mapped at an address. It locks the page, splits a 2M
/// page first, and puts a poison entry into every page table that maps it, whose drivers are told. A hugetlb page fails
/// as a whole; a page of a file that can be read again leaves no entry behind (poison_file.h). Source: mm/memory-failure.c,
/// mm/rmap.c, 6.12.
///
/// Left out: pages that swap still has (swap-cache pages), and the signals to processes. Threads: the machine's.

#include <cstdint>
#include <string_view>

#include "engine/fault/page_cache.h"
#include "engine/machine/address_space.h"
#include "engine/machine/machine.h"

namespace hmmscope::scenario {

/// Why it cannot happen at addr now; empty when it can.
std::string_view poison_obstacle(Machine& machine, const AddressSpace& space, uint64_t addr);

/// The memory at addr fails (no obstacle, no spinlock is held); `cache` is the machine's page cache. `rule` and
/// `occurrence`: the place that asked for it, for the recording. False: somebody took hold of a 2M page while it was being split; nothing has happened.
bool poison_page(Machine& machine, PageCache& cache, AddressSpace& space, uint64_t addr, uint64_t rule, uint64_t occurrence);

}  // namespace hmmscope::scenario
