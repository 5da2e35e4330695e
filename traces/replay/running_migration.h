#pragma once
/// A struct migrate_vma between the first call that fills it and its finalize.

#include <cstdint>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "engine/migrate/migrate_vma.h"
#include "traces/replay/gap_index.h"

namespace hmmscope::traces {

struct RunningMigration {
  MigrateVma args;
  const TraceGap* gap = nullptr;        ///< events were lost since its last call
  bool followed = false;                ///< the engine has kept up with the kernel so far
  /// By address: migration entries of mappings elsewhere that only set_migration_pte told of.
  std::map<uint64_t, std::vector<uint64_t>> unseen;

  // with the unified fault-and-migrate patches
  WordIndex hmm_pfns = no_word;    ///< the array of the range fault that prepared the pages
  uint64_t hmm_pages = 0;          ///< its length
  bool range_known = false;        ///< start, end and vma in args are the kernel's
  std::set<uint64_t> prepared;     ///< addresses whose pages the task has locked and put under migration
  std::vector<uint64_t> src, dst;  ///< as the engine left them when the last call ended
  std::vector<uint64_t> left_src;  ///< as the kernel did, as far as its return shows

  /// A new setup with the same struct: what the task has prepared stays prepared.
  void begin() {
    RunningMigration fresh;
    fresh.prepared.swap(prepared);
    *this = std::move(fresh);
  }
};

}  // namespace hmmscope::traces
