#pragma once
/// What a scenario says about the faults inside one range-fault: how they end, what they leave in the page tables, and
/// whom they invalidate. Faults it does not name go to the engine's own CPU faults.
///
/// Each list is used in order: a fault takes the first item, not before the one used last, that covers its address. A
/// page that faults again takes a later item that covers it, and the same one when there is none.
/// Ownership: refers to the world and the operation. Threads: one.

#include <optional>

#include "engine/scenario/world.h"
#include "engine/walk/hooks.h"

namespace hmmscope::scenario {

class FaultScript final : public WalkHooks {
 public:
  /// `otherwise`: asked about waits that the script does not name; null when nobody else could end one.
  FaultScript(World& world, const RangeFaultOp& op, WalkHooks* otherwise) : world_(world), op_(op), otherwise_(otherwise) {}

  bool empty() const { return op_.faults.empty() && op_.waits.empty(); }
  /// A mistake of the scenario that came to light inside the call; the call has ended in an error then.
  const std::optional<Error>& failure() const { return failure_; }
  void invalidate(uint64_t start, uint64_t end);

  std::optional<uint32_t> handle_mm_fault(uint64_t addr, uint32_t flags) override;
  bool wait_for_migration(uint64_t addr) override;
  /// Items that have come to their turn change what the next round does, as other tasks do.
  std::optional<uint64_t> turns_of_others() const override;

 private:
  /// Where a list stands: the item used last, and whether its pages have been set.
  struct Place {
    size_t item = 0;
    bool used = false;
    uint64_t last = 0;    ///< address it answered for last
  };
  struct Match {
    const FaultDecl* decl = nullptr;
    bool first = false;   ///< its pages have not been set yet
  };
  Match take(const std::vector<FaultDecl>& items, Place& place, uint64_t addr);
  bool covers(const FaultDecl& decl, uint64_t addr);
  void happen(const FaultDecl& decl, uint64_t addr);
  Invalidation begin_invalidation(uint64_t start, uint64_t end);
  Result<void> replace_pages(const PageDecl& page);

  World& world_;
  const RangeFaultOp& op_;
  WalkHooks* otherwise_;
  Place fault_, wait_;
  std::optional<Error> failure_;
};

}  // namespace hmmscope::scenario
