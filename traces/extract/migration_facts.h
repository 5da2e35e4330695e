#pragma once
/// What a recording shows of one replayed migration: migrate_vma_setup with the migrate_vma_pages and
/// migrate_vma_finalize of the same struct behind it, as far as the trace has them.

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "engine/recording/cursor.h"
#include "traces/extract/call_facts.h"

namespace hmmscope::traces {

/// A CPU fault that brought a device page home; its migration is the driver's answer.
struct FactTouch {
  uint64_t addr = 0;
  bool write = false;
};

/// What another task made of an entry between setup and pages.
struct FactMeanwhile {
  uint64_t addr = 0;
  enum class Did : uint8_t { touched, read, zapped } did = Did::touched;
};

struct MigrationFacts {
  CallFacts pages;  ///< start, end, VMAs, entries as setup found them; no arrays
  uint64_t select = 0, owner = 0;
  int64_t result = 0;                ///< of setup
  std::vector<uint64_t> src;         ///< as setup left it
  std::vector<FactRefusal> refused;  ///< during setup
  bool has_pages = false, has_finalize = false;
  std::vector<uint64_t> dst_in, src_moved;  ///< at entry of pages, and as it left src
  std::vector<FactRefusal> refused_in_pages;
  std::vector<FactMeanwhile> meanwhile;  ///< before pages, in order of address
  std::vector<FactEntry> after;          ///< entries of the range after finalize
  std::optional<FactTouch> touch;        ///< made by a CPU fault
  bool agreed = true;                    ///< else only what setup found and returned is told

  uint64_t npages_of_range() const { return (pages.end - pages.start) >> page_bits; }
};

/// `setup` is a judged call of migrate_vma_setup.
Result<MigrationFacts> facts_of_migration(const Document& document, CallId setup);

}  // namespace hmmscope::traces
