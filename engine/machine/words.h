#pragma once
/// Which word of a struct-like region holds what. The order here is the order of word_names() for the kind.

#include <cstdint>

#include "engine/recording/memory.h"

namespace hmmscope {

enum class VmaWord : uint32_t { start, end, flags, pgoff, kind, file, page_shift, count_ };
enum class FolioWord : uint32_t {
  pfn, order, refcount, mapcount, flags,
  mapping,      ///< 0: nobody's; bit 0 set: anonymous; else the file's number << 1
  index,        ///< page offset of the first page in its mapping: where the rmap looks for it
  pincount,     ///< FOLL_PIN references of a large folio; a small one counts them as 1024 references each
  lock_owner,   ///< FolioLocker; 0 when flags has no `locked`
  count_
};
enum class NotifierWord : uint32_t { start, last, invalidate_seq, state, count_ };
enum class MmWord : uint32_t {
  invalidate_seq,            ///< mmu notifier subscriptions: starts at 2, odd while an interval is being invalidated
  active_invalidate_ranges,
  rss_anon, rss_file, rss_swap,
  tlb_flushes,               ///< flush_tlb_range and ptep_clear_flush of accessible entries, by migration and by
                             ///< faults that copy a page
  flags,                     ///< mm_flag
  count_
};
enum class RangeWord : uint32_t {
  start, end, default_flags, pfn_flags_mask, dev_private_owner, notifier_seq,
  last,                      ///< hmm_vma_walk.last: slots below are outputs, slots at and above still inputs
  count_
};

/// A directory of the 2015 mirror page table (engine/mirror_table).
enum class MirrorDirectoryWord : uint32_t {
  pfn, level, address,
  parent,                    ///< pfn of the directory above; 0: the root
  count,                     ///< references, kept in _mapcount
  state,                     ///< MirrorDirectoryState
  count_
};
enum class MirrorIteratorWord : uint32_t {
  cur, ptd1, ptd2, ptd3, ptd4, ptd5,   ///< pfn of the directory protected at each level; 0: none
  rcu,                       ///< inside an RCU read section
  dead,                      ///< directories waiting on this iterator's list
  waiting,                   ///< in synchronize_rcu
  count_
};
enum class MirrorCounterWord : uint32_t { allocated, freed, grace_periods, live, peak, count_ };

/// Bits of MmWord::flags.
namespace mm_flag {
inline constexpr uint64_t unstable = 1;   ///< MMF_UNSTABLE: the OOM reaper has been at it (check_stable_address_space)
}

/// What backs a VMA (word `kind`).
enum class VmaKind : uint64_t { anonymous, file_private, file_shared, shmem, hugetlb, special };

/// Linux VM_* bits the engine looks at (include/linux/mm.h).
namespace vm {
inline constexpr uint64_t read = 0x1, write = 0x2, exec = 0x4, shared = 0x8;
inline constexpr uint64_t may_access = 0x70;   ///< VM_MAYREAD, VM_MAYWRITE, VM_MAYEXEC
inline constexpr uint64_t pfnmap = 0x400, uffd_wp = 0x1000, uffd_missing = 0x200, io = 0x4000, dontexpand = 0x40000,
                          hugetlb = 0x400000, mixedmap = 0x10000000, hugepage = 0x20000000, nohugepage = 0x40000000;
inline constexpr uint64_t shadow_stack = 1ull << 37;   ///< VM_HIGH_ARCH_5 (6.6+)
}  // namespace vm

/// Folio flags of the engine (word `flags`); not the kernel's page-flag numbers.
namespace folio_flag {
inline constexpr uint64_t anon = 1, anon_exclusive = 2, dirty = 4, lru = 8, locked = 16, swapcache = 32,
                          hwpoison = 64, device_private = 128, device_coherent = 256, hugetlb = 512, zero = 1024,
                          swap_shared = 2048,   ///< another process still has an entry for the slot: the cache stays
                          has_private = 4096,   ///< buffer heads or the like: one more reference
                          lru_batch = 8192,     ///< waits in a CPU's batch for the LRU; the batch holds a reference
                          device_other = 16384;   ///< ZONE_DEVICE memory that is neither private nor coherent
}

/// Who holds a folio's lock (word `lock_owner`).
enum class FolioLocker : uint64_t { nobody, migration, fault, driver, other, reclaim };

template <class W>
constexpr WordIndex word_of(WordIndex first, W word) { return first + static_cast<WordIndex>(word); }

}  // namespace hmmscope
