#pragma once
/// The question the unified fault-and-migrate thread left open, "do you have any numbers": the sequences S1, S2 and S3
/// run over page-state mixes and range sizes, on a kernel with the old collector and on the posted patches, and what
/// each makes the kernel do is counted.
///
/// The counts are those of the kernel's own functions; a test compares them with counts taken on real kernels
/// (6.12.117 with the merged layout, with and without the patches; two devices mirror the process there too).
/// Deterministic. Threads: none of its own.

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"

namespace hmmscope::scenario {

/// State of the pages before a sequence runs.
enum class PageMix : uint8_t { present, none, zero, swapped, half };   ///< half: even pages present, odd ones swapped
inline constexpr std::array<std::string_view, 5> page_mix_names = {"present", "none", "zero", "swapped", "half"};

/// The kernel and the sequence: S3 exists with the patches only.
enum class Contender : uint8_t { control_s1, control_s2, rfc_s1, rfc_s2, rfc_s3 };
inline constexpr std::array<std::string_view, 5> contender_names = {"control S1", "control S2", "RFC S1", "RFC S2",
                                                                    "RFC S3"};

/// What one sequence did. The first group has the names of the counts taken on real kernels.
struct SequenceCounts {
  uint64_t migrated_slots = 0, walk_page_range = 0, hmm_vma_walk_test = 0, pmd_entry_calls = 0, hole_calls = 0;
  uint64_t pte_visits_hmm = 0, pte_visits_prepare_locked = 0, prepare_calls_returning_at_once = 0;
  uint64_t pte_visits_old_collector = 0;
  uint64_t handle_mm_fault = 0, flush_tlb_mm_range = 0, notifier_starts = 0, driver_invalidate_calls = 0;
  uint64_t hmm_range_fault_calls = 0, migrate_vma_setup_calls = 0, migrate_hmm_range_setup_calls = 0;

  uint64_t restarts = 0;          ///< walks begun again inside hmm_range_fault, and calls repeated after -EBUSY
  uint64_t zero_page_faults = 0, new_page_faults = 0, copy_faults = 0, swap_ins = 0;
  uint64_t pages_home = 0;        ///< device pages that a CPU fault brought back
  uint64_t pages_moved = 0, pages_inserted = 0;
  uint64_t page_tables_made = 0;  ///< faults and insertions that found no table of ptes
  uint64_t anon_vmas_made = 0;    ///< mappings that had no page of their own before (anon_vma_prepare)
  uint64_t dirty_bits_kept = 0;   ///< dirty ptes whose folio the old collector marks; the posted patches lose the bit

  uint64_t pte_visits() const { return pte_visits_hmm + pte_visits_prepare_locked + pte_visits_old_collector; }
};

/// Every count by name, in the order of the struct.
struct CountColumn {
  std::string_view name;
  uint64_t SequenceCounts::*value;
};
std::span<const CountColumn> count_columns();

struct SequenceCell {
  PageMix mix = PageMix::present;
  bool write = false;             ///< WRITE is requested when faulting
  uint64_t pages = 0;
  Contender contender = Contender::control_s1;
  SequenceCounts counts;          ///< up to its end, or to where it hangs
  std::string outcome = "0";      ///< what the driver got; "deadlock": it hangs, "BUG", "oops", ...
  std::string hang = {};          ///< the rule that names what waits for what ("stuck.own_entry"); empty: none does

  bool ended() const { return outcome == "0"; }
};

inline constexpr uint64_t max_compared_pages = 16384;

/// One cell, also of a sequence that hangs. 1 <= pages <= max_compared_pages.
Result<SequenceCell> run_sequence(PageMix mix, bool write, uint64_t pages, Contender contender);
/// All contenders and both intents, mix by mix, size by size.
Result<std::vector<SequenceCell>> compare_sequences(std::span<const PageMix> mixes, std::span<const uint64_t> sizes);

}  // namespace hmmscope::scenario
