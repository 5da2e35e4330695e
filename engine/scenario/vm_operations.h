#pragma once
/// The system calls a scenario can make on its address space: what they do to notifiers, VMAs and page tables.
/// Source: mm/mmap.c, mm/mprotect.c, mm/madvise.c, mm/memory.c (6.12). Calls are recorded under the kernel's names.

#include <cstdint>
#include <deque>

#include "engine/base/result.h"
#include "engine/machine/machine.h"
#include "engine/machine/spin_guard.h"

namespace hmmscope {

/// The page-table locks of [start, end): those of its pmds, then those of its ptes, one a table. The engine changes all
/// entries of a system call in one step, so they are taken together; the kernel takes one after the other. A range
/// whose machine nobody observes needs none.
class PageTableLocks {
 public:
  PageTableLocks(Machine& machine, const AddressSpace& space, uint64_t start, uint64_t end);

 private:
  std::deque<SpinGuard> guards_;
};

/// The page behind an entry that goes away loses a mapping and a reference. A step must be open.
void drop_page(Machine& machine, Level level, uint64_t entry);

/// Addresses are page aligned, start < end. A 2M or 1G leaf or a 2M device-private entry that is only partly inside the
/// range is split first;
/// a hugetlb page that is only partly inside is an error, as in the kernel.
Result<void> munmap(Machine& machine, AddressSpace& space, uint64_t start, uint64_t end);
Result<void> madvise_dontneed(Machine& machine, AddressSpace& space, uint64_t start, uint64_t end);
/// flags: vm::read, write, exec.
Result<void> mprotect(Machine& machine, AddressSpace& space, uint64_t start, uint64_t end, uint64_t flags);

/// The OOM reaper: marks the address space unstable and takes all private memory away, without ever blocking. False: some
/// driver refused, its mappings are left. Source: mm/oom_kill.c.
bool oom_reap(Machine& machine, AddressSpace& space);

/// MADV_FREE: present anonymous pages become clean and old, so that reclaim may drop them; swap entries go; device memory
/// stays as it is.
Result<void> madvise_free(Machine& machine, AddressSpace& space, uint64_t start, uint64_t end);
/// mremap(MREMAP_MAYMOVE | MREMAP_FIXED [| MREMAP_DONTUNMAP]) to new_start, where nothing may be mapped. The moved
/// memory keeps its page offsets. A 2M leaf or device-private entry moves whole when both places are
/// aligned to it, else it is split.
Result<void> mremap(Machine& machine, AddressSpace& space, uint64_t start, uint64_t end, uint64_t new_start, bool dontunmap);

}  // namespace hmmscope
