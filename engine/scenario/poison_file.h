#pragma once
/// Failing memory of files: whether the page can be read again, and what becomes of the page cache. A page of a file on disk
/// that nobody has written to is replaced: its mappings go and leave no poison entry, and the next access reads it again.
/// A dirty one leaves the page cache too, but poison entries tell those who had it mapped that something is lost. shmem has
/// no disk: until 5.15 its page leaves the cache (what comes next is a page of zeros), from 5.16 on it stays there, and
/// faults that find it fail. Source: mm/memory-failure.c, mm/rmap.c (page_mkclean), mm/shmem.c, 4.14 to 6.12.
///
/// The page is locked by the caller. Threads: the machine's.

#include <cstdint>
#include <optional>

#include "engine/fault/page_cache.h"
#include "engine/machine/folio.h"

namespace hmmscope::scenario {

/// Where a page of the page cache belongs.
struct CachedPage {
  uint64_t file = 0, index = 0;
  bool shmem = false;
};
/// Nothing for anonymous and hugetlb pages. Asks the VMAs that map the file: call it while the page is mapped.
std::optional<CachedPage> cached_page(const Machine& machine, const Folio& folio);

/// The disk has all that is in the page. To find out, shared mappings lose their write permission and their dirty bits, which
/// devices are told of; a page one of them wrote to becomes dirty.
bool is_clean(Machine& machine, const Folio& folio, const CachedPage& page);

/// The page that failed leaves the page cache, or stays there.
void leave_page_cache(Machine& machine, PageCache& cache, const Folio& folio, const CachedPage& page);

}  // namespace hmmscope::scenario
