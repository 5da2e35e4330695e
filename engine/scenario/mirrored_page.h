#pragma once
/// One page of a device's table against the CPU's entry for it. Source: Documentation/mm/hmm.rst (a device's table
/// mirrors the CPU's), and lib/test_hmm.c for the moments at which it lags behind. Threads: the running task's.

#include <cstdint>

#include "engine/scenario/world.h"

namespace hmmscope::scenario {

enum class Mirrored : uint8_t {
  agrees,
  lags,        ///< not what the CPU's entry says, and may be so as long as a page is locked for a migration
  taken,       ///< the device maps a page that the CPU's entry does not name
  read_only,   ///< the page is the same, but the device may write to it and the CPU may not
};

struct MirroredPage {
  Mirrored how = Mirrored::agrees;
  uint64_t cpu_entry = 0;
  bool moves = false;   ///< the CPU's entry is a migration entry, or names another page, or none
  uint64_t folio = 0;   ///< lags: first pfn of the folio whose lock it is about
};

/// `entry` is what `device` maps `addr` with.
///
/// A device's own migration is told to it by itself, not by a callback. So its table lags
/// - while the CPU's entry is empty and the page is locked: it is on its way to a migration entry;
/// - while the CPU's entry is a migration entry and the device maps the locked page of its own memory that the page
///   moves to;
/// - while the CPU's entry names a locked page of the device's memory: migrate_vma_pages has put it there, and the
///   driver, which holds the lock until migrate_vma_finalize, maps it next.
/// Permissions are compared where both name the same page and no migration is under way: an entry under migration says
/// what it will be, not what it is.
MirroredPage mirrored_page(World& world, const Device& device, uint64_t addr, uint64_t entry);

}  // namespace hmmscope::scenario
