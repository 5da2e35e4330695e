#pragma once
/// One recorded call of hmm_range_fault, run again by the engine. Before the engine reads an entry the hooks
/// write the one the trace shows; when it enters or leaves a function they compare it with the kernel's own
/// entry or return. What counts as agreement is in traces/check/judge.h.

#include <cerrno>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/walk/hooks.h"
#include "engine/walk/range_fault.h"
#include "traces/check/judge.h"
#include "traces/replay/overtaken_ptes.h"
#include "traces/replay/range_prepare.h"
#include "traces/replay/replayer.h"
#include "traces/replay/running_migration.h"

namespace hmmscope::traces {

class RangeCall final : public WalkHooks {
 public:
  /// `setup` and `asked`: the walk that a unified migrate_vma_setup makes, and what the engine's setup hands
  /// to it; both null for a driver's call.
  RangeCall(Replayer& replayer, uint32_t call, RunningMigration* setup = nullptr,
            const RangeFaultCall* asked = nullptr);
  /// Replays the call and adds its judgement.
  void run();
  /// After run(): what the engine made of it.
  const RangeFaultResult& result() const { return result_; }

  std::optional<bool> sequence_moved(const RangeFaultCall&) override;
  void before_vma(uint64_t addr, uint64_t end) override;
  void before_pgd(uint64_t addr, uint64_t end) override;
  void before_p4d(uint64_t addr, uint64_t end) override;
  void before_pud(uint64_t addr, uint64_t end) override;
  void before_pmd(uint64_t addr, uint64_t end) override;
  void before_pte(uint64_t addr, uint64_t end) override;
  void before_hugetlb(uint64_t addr, uint64_t end, uint64_t page_size) override;
  std::optional<uint32_t> handle_mm_fault(uint64_t addr, uint32_t flags) override;
  uint64_t faults_to_skip(uint64_t addr, uint64_t end) override;
  bool wait_for_migration(uint64_t addr) override;
  void entered(Function function, uint64_t addr, uint64_t end, uint64_t detail) override;
  void left(Function function, uint64_t addr, int64_t ret) override;

 private:
  friend class RangePrepare;

  // range_call_events.cpp: the events of the call
  EventView event(uint32_t index) const { return replayer_.trace()[index]; }
  EventKind kind(uint32_t index) const { return replayer_.kinds().at(replayer_.trace(), index); }
  uint64_t number(uint32_t index, std::string_view field) const {
    return event(index).number(field).value_or(0);
  }
  /// The next event that tells of the walk itself; no_index at the end of the call.
  uint32_t peek();
  /// The same, with the end of the call, or of the trace, for no_index.
  uint32_t next_or_end();
  /// Address of the handle_mm_fault that is next; nothing when another event is.
  std::optional<uint64_t> next_fault();
  bool next_is(EventKind wanted) { return peek() != no_index && kind(peek()) == wanted; }
  /// Replays everything up to and including the event that peek() names, and gives it back.
  uint32_t take();
  /// The same for an own event that is not of the walk.
  uint32_t take(uint32_t wanted);
  /// The first own event of that kind that stands before the one peek() names; no_index when there is none.
  template <class Wanted>
  uint32_t find_before_next(Wanted wanted);
  /// Replays one own event that is not of the walk.
  void pass(uint32_t index);
  void pass_rest();
  std::string describe_next();

  // range_call.cpp: entry and return of the call
  void read_arguments();
  void read_migrate();
  std::string why_not_run();
  bool rolls_back() const;
  bool migrate_range_fits() const;
  void find_damage();
  void show_range();
  void read_array();
  void show_window(uint32_t index, uint64_t first, std::string_view field);
  void run_engine();
  void compare_arguments();
  void run_without_engine(std::string reason);
  void finish(const RangeFaultResult& result);
  void finish_without_return(const RangeFaultResult& result);
  std::string why_no_return() const;
  void compare_array();
  void compare_migrate(const RangeFaultResult& result);
  void keep_kernel_array();
  void tell_mirror();
  template <class Visit>
  void each_result_window(Visit visit);
  void find_written_slots();
  bool requests_can_matter() const;

  // range_call_state.cpp: what the kernel read
  void show_test(uint32_t index);
  void show_gap_event(uint32_t index, uint64_t end);
  uint32_t hugetlb_shift(uint32_t test, const ShownVma& vma) const;
  uint32_t next_test_at(uint32_t index, uint64_t addr) const;
  /// A hole event with a VMA, at this address and depth, comes next.
  bool hole_next(uint64_t addr, int depth);
  void show_absent(Level level, uint64_t addr, uint64_t end, int depth);
  void show_upper(Level level, uint64_t addr, uint64_t end, int hole_depth);
  void load_ptes();
  void settle_overtaken(uint64_t addr);
  std::optional<uint64_t> result_word(uint64_t slot);
  std::optional<uint64_t> stored_next();
  void note_special(uint64_t addr, uint64_t pte);

  // range_call_check.cpp: comparison with the kernel's own way
  void compare_slot(uint64_t addr, uint64_t kernel);
  uint64_t known_bits(uint64_t slot, bool written) const;
  bool slot_unknown(uint64_t slot) const { return !unknown_in_.empty() && unknown_in_[slot]; }
  WordIndex slot_word(uint64_t slot) const { return call_.pfns + static_cast<WordIndex>(slot); }
  /// The engine is about to look at the requests of these slots.
  void consult(uint64_t addr, uint64_t end);
  /// Engine and kernel part: diverged, or unknown when the trace is incomplete here.
  void part(uint64_t addr, uint64_t kernel, uint64_t engine, std::string reason);
  void expect(uint64_t addr, std::string_view what, uint64_t kernel, uint64_t engine);
  void check_entry(uint32_t index, Function function, uint64_t addr, uint64_t end, uint64_t detail);
  void check_return(uint32_t index, Function function, uint64_t addr, int64_t ret);
  uint32_t shown_fault(uint64_t addr, uint32_t flags);
  uint32_t unseen_fault(uint64_t addr, uint32_t flags);
  bool unseen_fault_fails() { return *helper_result_ != -EBUSY && next_is(EventKind::fault_r); }
  std::optional<int64_t> helper_result();

  Replayer& replayer_;
  World& world_;
  Recorder& recorder_;
  const TracedCall& traced_;
  Judge judge_;
  RangeFaultCall call_;
  AddressSpace* space_ = nullptr;
  uint64_t notifier_ = 0;
  uint64_t pages_ = 0;
  CallId call_id_ = no_call;
  RangeFaultResult result_;

  std::shared_ptr<RunningMigration> held_;  ///< keeps running_ when no setup does
  RunningMigration* running_ = nullptr;     ///< what the range's struct migrate_vma belongs to
  const RangeFaultCall* asked_;
  RangePrepare prepare_;
  std::map<uint64_t, uint64_t> vma_starts_;  ///< by address of struct vm_area_struct, as the walk met them

  uint32_t next_;               ///< next own event, not yet replayed
  uint32_t taken_;              ///< the own event replayed last
  uint32_t peeked_ = no_index;  ///< answer of peek() while peek_valid_
  bool peek_valid_ = false;
  uint32_t next_fault_at_ = no_index;            ///< the event next_fault_ is of
  std::optional<uint64_t> next_fault_;
  CallId floor_ = no_call;  ///< side events must leave this call and those above it open

  std::vector<std::pair<uint64_t, uint64_t>> shown_in_;  ///< slots that events show at entry: first, end
  std::vector<bool> unknown_in_;  ///< slots that no event shows at entry; empty when all are shown
  bool requests_can_matter_ = false;
  std::vector<bool> written_;  ///< of those, the ones the engine wrote
  std::vector<bool> shown_;    ///< functions under way: did the kernel's entry event match?
  uint64_t vm_flags_ = 0;      ///< of the VMA under way
  uint64_t pmd_end_ = 0;
  uint64_t ptes_start_ = 0, ptes_end_ = 0;  ///< ptes that a `ptes` event has shown
  OvertakenPtes overtaken_;                 ///< of these
  bool hung_ = false;                       ///< the engine unwinds from a wait that the kernel never left
  bool faulted_ = false;                    ///< the last function that returned is the fault helper
  bool unseen_noted_ = false;               ///< a fault without event was noted for the helper under way
  std::optional<int64_t> helper_result_;    ///< what that helper returns, once looked up
};

template <class Wanted>
uint32_t RangeCall::find_before_next(Wanted wanted) {
  const uint32_t stop = peek();
  for (uint32_t at = next_; at != stop && at != no_index; at = replayer_.calls().next(at))
    if (wanted(at)) return at;
  return no_index;
}

}  // namespace hmmscope::traces
