#pragma once
/// Facts that hold for a whole trace and that a single event does not show: who owns device memory, and which
/// page is the zero page. Gathered in one pass before the replay, because the event that tells may come after
/// the one that needs it. Immutable after construction.

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "engine/machine/entry_format.h"
#include "engine/machine/physical_memory.h"
#include "traces/replay/event_kinds.h"

namespace hmmscope::traces {

class TraceFacts {
 public:
  TraceFacts(const Trace& trace, const EventKinds& kinds, const EntryFormat& entries);

  /// One for each 256 MiB piece of device memory whose owner some migration shows (drivers of this size of
  /// chunk: lib/test_hmm.c), coherent where its pages are mapped by present ptes or the kernel knows no other.
  /// A piece that two owners claim is left out.
  std::vector<DeviceMemory> devices() const;
  bool owner_known(uint64_t pfn) const;
  /// The pfn of special ptes in VMAs that may not hold any other special page.
  std::optional<uint64_t> zero_pfn() const { return zero_pfn_; }

 private:
  struct Owner {
    uint64_t token = 0;
    bool disputed = false;
  };
  void add_owner(uint64_t pfn, uint64_t token);
  void scan(const Trace& trace, const EventKinds& kinds, const EntryFormat& entries);
  void see_pte(uint64_t pte, uint64_t vm_flags, const EntryFormat& entries);

  std::map<uint64_t, Owner> chunks_;  ///< by pfn / chunk_pages
  /// Pieces with pages that a migration mapped by a present pte: device-coherent, if a device's at all.
  std::set<uint64_t> present_chunks_;
  std::optional<uint64_t> zero_pfn_;
  bool has_private_memory_;   ///< the kernel is configured for device-private pages
};

}  // namespace hmmscope::traces
