#pragma once
/// Operations of the eras: DMA flags in the slots, and the mirror page table of 2015. Part of scenario.h.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/dma_map/dma_map.h"
#include "engine/mirror_table/mirror_iterator.h"

namespace hmmscope::scenario {

/// How the unlocked call of 7.3 goes.
struct UnlockedDecl {
  uint64_t timeout = 0;
  uint64_t collisions = 0;      ///< rounds in which somebody invalidates the range meanwhile
  uint32_t killed_at_round = 0;
  bool oom_reaped = false;
  bool fatal_signal = false;
};

/// hmm_dma_map_pfn or hmm_dma_unmap_pfn for slots of an array.
struct DmaMapOp {
  std::string array;
  uint64_t index = 0, count = 1;
  bool unmap = false;
  P2pdma p2p = P2pdma::none;
  bool use_iova = true, need_unmap = true;   ///< of the map; taken from the first dma-map of the array
  bool fails = false;
  std::optional<uint64_t> mapped;            ///< expected: calls that gave an address, or unmaps that said true
  std::optional<uint64_t> addr;              ///< expected DMA address of slot `index`; following slots count up by pages
};

struct MirrorTableOp {
  std::string table;
  uint64_t last = 0;
  uint32_t page_shift = 12, entry_bytes = 8;
  LastRounding rounding = LastRounding::clear;
  MirrorGeneration generation = MirrorGeneration::first;
  bool keep = false, compare = true, grace = true;
};
struct MirrorProgram {
  std::string iterator;
  std::vector<MirrorAction> actions;
};
struct MirrorRunOp {
  std::string table;
  std::vector<MirrorProgram> programs;
  std::vector<std::string> schedule;    ///< names of iterators, one a turn
  std::optional<uint64_t> seed;         ///< random turns after the schedule; else in rotation
  std::string expect = "ok";            ///< "ok", "lost-directory", "wrong-count", "dangling-entry", "use-after-free", "deadlock"
};
struct MirrorUnmapOp { std::string table; };   ///< hmm_pt_fini
struct ExpectMirrorOp {
  std::string table;
  std::optional<uint64_t> llevel, root_entries;
  std::optional<uint64_t> allocated, freed, grace_periods, live, peak;
  std::optional<uint64_t> at;           ///< an address whose leaf entry is looked at
  std::optional<bool> mapped;
  std::optional<uint64_t> word;
};

}  // namespace hmmscope::scenario
