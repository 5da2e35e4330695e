#pragma once
/// make_device_exclusive_range: the device alone may use a page for a while, so that it can do atomics on it;
/// the CPU finds a device-exclusive entry and takes the page back by a fault (5.14+; from 6.15 on
/// make_device_exclusive, one page a call and one entry type).
///
/// Source: mm/rmap.c and mm/memory.c of 6.1, 6.12; 6.15 by its commit texts. Threads: one at a time.

#include <cstdint>
#include <functional>

#include "engine/machine/folio.h"

namespace hmmscope {

/// Called for every page that got exclusive, while its folio is locked: the device programs its own table.
using ExclusivePage = std::function<void(uint64_t addr, uint64_t pfn)>;

/// Write-faults and takes every page of [start, end); returns how many are exclusive now, or -EINVAL
/// before 5.14. Folios are unlocked and dropped again.
int64_t make_device_exclusive_range(Machine& machine, AddressSpace& space, uint64_t start, uint64_t end,
                                    uint64_t owner, const ExclusivePage& program);

/// A fault (or fork) ends the device's access: EXCLUSIVE with no owner, then the pte is rebuilt. False when
/// the folio is locked: the kernel waits and the access is tried again.
bool remove_device_exclusive_entry(Machine& machine, AddressSpace& space, const Vma& vma, uint64_t addr,
                                   WordIndex pte);

}  // namespace hmmscope
