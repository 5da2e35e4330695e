#pragma once
/// Huge pages for memory that is filled from front to back: they save most of its page faults.

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>

namespace hmmscope::traces {

/// Asks for them where the memory holds whole ones; a kernel without them changes nothing.
inline void use_huge_pages(void* data, size_t bytes) {
  constexpr uintptr_t huge = uintptr_t{2} << 20;
  const uintptr_t begin = (reinterpret_cast<uintptr_t>(data) + huge - 1) & ~(huge - 1);
  const uintptr_t end = (reinterpret_cast<uintptr_t>(data) + bytes) & ~(huge - 1);
  if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
}

}  // namespace hmmscope::traces
