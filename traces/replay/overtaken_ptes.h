#pragma once
/// Ptes that another CPU changed while a walk was between reading them for its event and using them.
///
/// Where no probe sits at each pte, one event shows up to 64 of them as their table was mapped; the walk
/// reads them again one by one (mm/hmm.c, hmm_vma_handle_pte, 6.12). Until the walk's next event another task
/// may install or remove migration entries there, or zap the range. An event that a filter holds back is
/// stamped when it is let through, later than its words were read: so a change counts from the walk's event
/// before the one that shows the ptes. Each such address has several values the walk may have met; the replay
/// picks the one that the kernel's own result tells of (RangeCall::settle_overtaken).

#include <cstdint>
#include <optional>
#include <vector>

#include "traces/replay/event_kinds.h"

namespace hmmscope::traces {

class OvertakenPtes {
 public:
  /// The call runs in `task`, from the event `begin` on. Both references must outlive the object.
  OvertakenPtes(const Trace& trace, const EventKinds& kinds, uint32_t task, uint32_t begin)
      : trace_(trace), kinds_(kinds), task_(task), scanned_(begin) {}

  /// The ptes shown are those of [addr, end); the walk's events before and after them are `before` and
  /// `after`, which never go back. Reads each event of the call once; what is over by then is forgotten, so
  /// that a call with very many of both takes no longer than its events.
  void show(uint64_t addr, uint64_t end, uint32_t before, uint32_t after);

  /// Another task changed something there in that time.
  bool any() const { return any_; }
  /// The walk may have met an entry other than `shown` at addr: one with the page `pfn` when that is given,
  /// else one without a page. Nothing when `shown` is the answer, or nobody changed the entry.
  std::optional<uint64_t> other(uint64_t addr, uint64_t shown, std::optional<uint64_t> pfn) const;

 private:
  struct Change {
    uint32_t event;
    uint64_t addr, pte;
  };
  struct Zap {
    uint64_t start, end;
    uint32_t task, over = ~uint32_t{0};  ///< event that ends it
  };
  void scan(uint32_t to);

  const Trace& trace_;
  const EventKinds& kinds_;
  uint32_t task_;
  uint32_t scanned_;             ///< events before this one have been read
  std::vector<Change> changes_;  ///< by other tasks, in order, from the walk's event before the ptes on
  std::vector<Zap> zaps_;        ///< invalidations of others, not over by that event; at most max_zaps
  bool any_ = false;
};

}  // namespace hmmscope::traces
