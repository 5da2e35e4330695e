#pragma once
/// The part of a RangeCall that concerns the pages it prepares for migration (unified fault-and-migrate
/// patches): what the kernel found under the page-table lock, what it left alone, which announcements it
/// made.
///
/// Two outcomes are the kernel's to choose, and its choice is followed: a page that could be prepared may be
/// left alone (a busy lock, a large folio, a pin), and a huge page may not be split. The word that the choice
/// leaves is shown twice, at the return of the handler and at the return of the call, so that a choice no
/// other event agrees with is found. One object belongs to one RangeCall. Threads: one.

#include <cstdint>
#include <optional>

#include "engine/migrate/hooks.h"
#include "traces/replay/folio_facts.h"

namespace hmmscope::traces {

class RangeCall;

class RangePrepare final : public MigrateHooks {
 public:
  explicit RangePrepare(RangeCall& walk);

  std::optional<bool> trylock(uint64_t addr, uint64_t pfn) override;
  std::optional<bool> maybe_pinned(uint64_t addr, uint64_t pfn) override;
  std::optional<bool> split(uint64_t index, uint64_t pfn) override;
  void invalidating(AddressSpace& space, const InvalidateRange& range) override;
  void invalidated(AddressSpace& space, const InvalidateRange& range) override;
  void replaced(AddressSpace& space, uint64_t addr, uint64_t old, uint64_t now) override;
  void entered(Function function, uint64_t addr, uint64_t end, uint64_t detail) override;
  void left(Function function, uint64_t addr, int64_t ret) override;

  /// An own event of the call is replayed beside the walk: it must not be an announcement of the call's own.
  void passing(uint32_t index);
  /// MIGRATE of this slot of the result was taken from the result itself; nothing else shows it.
  bool undecided(uint64_t slot) const { return undecided_.contains(slot); }

 private:
  bool wanted() const;
  void show_pte(uint64_t addr);
  void show_folio(uint64_t addr);
  bool left_alone(uint64_t addr);
  void show_huge(uint64_t addr);
  bool leaves_special(uint32_t event) const;
  uint64_t fault_page() const;

  RangeCall& walk_;
  FolioFacts folios_;
  std::set<uint64_t> undecided_;
  bool page_left_ = false;  ///< the kernel left the page under way alone
  /// The huge page under way: could the kernel lock and split it?
  bool splitting_ = false, huge_locked_ = true, huge_split_ = true;
};

}  // namespace hmmscope::traces
