// The part of MigrateCall that concerns the unified fault-and-migrate patches: a setup walks by a range
// fault, and migrate_hmm_range_setup makes src words of what that left.
#include <fmt/format.h>

#include <algorithm>

#include "engine/unified/migrate_prepare.h"
#include "traces/replay/migrate_call.h"
#include "traces/replay/range_call.h"
#include "traces/replay/replayer.h"

namespace hmmscope::traces {

/// Whose address space it is the announcement says that the walk makes first of all.
AddressSpace* MigrateCall::space_of_walk() {
  const CallIndex& calls = replayer_.calls();
  uint32_t own = calls.calls()[calls.call_at(traced_.walk)].first;
  for (int looked = 0; own != no_index && looked < 16; ++looked, own = calls.next(own))
    if (kind(own) == EventKind::mn_start) return world_.space_of_mm(number(own, "mm"));
  return nullptr;
}

std::optional<RangeFaultResult> MigrateCall::range_fault(const RangeFaultCall& asked) {
  RangeFaultResult nowhere;
  nowhere.stuck = Stuck::migration_wait;
  nowhere.stuck_at = asked.start;
  if (!judge_.in_step()) return nowhere;
  if (traced_.walk == no_index) {
    part(asked.start, 0, static_cast<uint64_t>(Function::hmm_range_fault),
         "the engine walks by hmm_range_fault, the kernel makes no such call");
    return nowhere;
  }
  take(traced_.walk);
  RangeCall walk(replayer_, replayer_.calls().call_at(traced_.walk), &running_, &asked);
  walk.run();
  if (!running_.followed && walk.result().stuck == Stuck::no) {
    judge_.lost(asked.start, "the walk of this setup could not be followed to its end");
    return nowhere;
  }
  return walk.result();
}

bool MigrateCall::range_setup(MigrateVma& migrate) {
  if (!judge_.in_step()) return true;
  if (traced_.child == no_index) {
    if (replayer_.kinds().has(EventKind::hmm_setup_in)) {
      part(migrate.start, 0, static_cast<uint64_t>(Function::migrate_hmm_range_setup),
           "the engine calls migrate_hmm_range_setup, the kernel does not");
      return true;
    }
    if (pages_ > running_.hmm_pages) {
      judge_.lost(migrate.start, "the range is longer than the array that was walked");
      return true;
    }
    find_refusals();
    if (!migrate_hmm_range_setup(world_.machine(), running_.hmm_pfns, migrate))
      judge_.lost(migrate.start, "a slot names physical page 0 as a page to migrate");
    return true;
  }
  take(replayer_.migrations().calls()[traced_.child].in);
  MigrateCall child(replayer_, traced_.child, running_);
  child.run();
  migrate.hooks = this;
  known_ = child.known_;
  known_dst_ = child.known_dst_;
  if (!running_.followed)
    judge_.lost(migrate.start, "its migrate_hmm_range_setup could not be followed to its end");
  return true;
}

/// The hmm words as the caller hands them in; where no probe shows them they are as the walk left them.
void MigrateCall::show_hmm_words() {
  Shown words = shown(traced_.in, "pfns");
  words.count = static_cast<uint32_t>(std::min<uint64_t>(words.count, running_.hmm_pages));
  if (words.count == 0) return;
  recorder_.step(RuleId::trace_array_shown, {0, words.count});
  recorder_.copy(running_.hmm_pfns, std::span(words.words).first(words.count), Evidence::observed);
}

/// On its own the call shows dst only at its return, and it clears only the slots that cannot migrate.
void MigrateCall::show_unknown_dst() {
  const auto count = static_cast<uint32_t>(pages_);
  recorder_.step(RuleId::trace_dst_unknown, {args().start, count});
  recorder_.fill(args().dst, count, 0, 0, Evidence::unknown);
  const Machine& machine = world_.machine();
  const PfnFormat& pfn = machine.pfn_format();
  const uint64_t prepared = pfn.valid | machine.model().hmm_pfn->mask(Role::migrate);
  for (uint64_t k = 0; k < pages_; ++k)
    if ((machine.load(running_.hmm_pfns + static_cast<WordIndex>(k)) & prepared) == prepared)
      known_dst_[k] = 0;
}

/// A page that setup gives back gets its mapping back inside the call; without events of that the words tell.
void MigrateCall::find_refusals() {
  const bool shown = replayer_.kinds().has(EventKind::remove_migration_pte);
  for (uint64_t k = 0; k < pages_; ++k) {
    const auto word = src_out_.at(k);
    refused_[k] = shown ? restored_in_setup(address(k)).has_value()
                        : word == uint64_t{0} && later_.at(k).value_or(0) == 0;
  }
}

/// The page of this slot is one that setup puts back after it has tried to take it.
bool MigrateCall::given_back(uint64_t slot) const {
  if (!refused_[slot]) return false;
  return restored_in_setup(address(slot)) ||
         (unified() && !replayer_.kinds().has(EventKind::remove_migration_pte));
}

void MigrateCall::run_range_setup() {
  if (traced_.parent == no_index) {
    args().select = number(traced_.in, "flags");
    args().pgmap_owner = number(traced_.in, "owner");
    const auto count = static_cast<uint32_t>(std::max<uint64_t>(pages_, 1));
    args().src =
        world_.array(RegionKind::migrate_src, space(), traced_.args, args().start, count, "migrate.src");
    args().dst =
        world_.array(RegionKind::migrate_dst, space(), traced_.args, args().start, count, "migrate.dst");
    if (number(traced_.in, "fault_page") != 0)
      return run_without_engine("no event shows which page the CPU fault is about");
  }
  recorder_.step(RuleId::trace_migrate_args, {args().start, args().end, args().select, args().pgmap_owner,
                                              number(traced_.in, "fault_page")});
  show_hmm_words();
  if (traced_.parent == no_index && pages_ != 0) show_unknown_dst();
  find_refusals();
  call_id_ = static_cast<CallId>(recorder_.peek().calls().size());
  args().hooks = this;
  const bool sound = migrate_hmm_range_setup(world_.machine(), running_.hmm_pfns, args());
  args().hooks = nullptr;
  if (!sound)
    judge_.lost(
        args().start,
        "a slot names physical page 0 as a page to migrate: a kernel with debug checks stops here, another "
        "flips the bits of that page");
  finish(0);
}

}  // namespace hmmscope::traces
