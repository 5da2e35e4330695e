#pragma once
/// What a recording shows of one replayed call, in the order in which the kernel met it.

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "engine/machine/entry_format.h"
#include "engine/machine/words.h"
#include "traces/document.h"
#include "traces/export/call_array.h"

namespace hmmscope::traces {

/// An entry and what it holds; `hugetlb`: of a hugetlb VMA.
struct FactEntry {
  Level level = Level::pte;
  uint64_t addr = 0;  ///< first address the entry covers
  uint64_t value = 0;
  bool hugetlb = false;
};

struct FactVma {
  uint64_t start = 0, end = 0, flags = 0, file = 0;
  VmaKind kind = VmaKind::anonymous;
  uint32_t page_shift = 12;
};

/// Faults that follow each other without a look at the tables between them, or one wait for a migration.
struct FactBatch {
  bool wait = false;
  uint64_t start = 0, end = 0;  ///< addresses faulted
  uint32_t result = 0;          ///< of all of them
  bool invalidates = false;     ///< the sequence had moved afterwards
  std::vector<FactEntry> then;  ///< entries first seen, or seen changed, afterwards
};

/// A page that the kernel left alone although it could have been taken: what the replay made of it.
struct FactRefusal {
  uint64_t start = 0, end = 0;  ///< addresses
  uint64_t why = 0;             ///< see trace.migrate_refused
};

struct CallFacts {
  uint64_t start = 0, end = 0, default_flags = 0, mask = 0, owner = 0;
  int64_t result = 0;
  bool stale = false;  ///< the sequence had moved before the first walk
  bool splits_pud = false;   ///< the walk split a 1G leaf, of which the notifiers are told: its driver walks again
  std::vector<FactVma> vmas;
  std::vector<FactEntry> entries;  ///< at the beginning
  std::vector<FactBatch> batches;
  std::optional<uint64_t> huge_zero_pfn;      ///< when a 2M entry shows it
  std::map<uint64_t, bool> own_device_pages;  ///< device pfn -> belongs to the caller
  std::vector<uint64_t> in, out;              ///< the array
  std::vector<bool> shown_out;                ///< the words of `out` that the kernel is known to have left; empty: all
  /// With the unified fault-and-migrate patches: flags of the struct migrate_vma that the range names.
  std::optional<uint64_t> prepares;
  std::vector<FactRefusal> refused;           ///< pages it could have prepared
};

/// Where the engine did not follow the kernel to the end, what was shown up to there; the results are the kernel's.
Result<CallFacts> facts_of_call(const Document& document, CallId call);

}  // namespace hmmscope::traces
