#pragma once
/// The walk behind migrate_vma_setup. Internal to engine/migrate; one object serves one call.

#include <cstdint>

#include "engine/fault/cpu_fault.h"
#include "engine/machine/spin_guard.h"
#include "engine/migrate/migrate_internal.h"

namespace hmmscope {

class Collect {
 public:
  Collect(Machine& machine, MigrateVma& args)
      : machine_(machine),
        args_(args),
        format_(MigrateFormat::from(machine.model())),
        swap_(machine.entry_format().swap) {}

  /// False: the walk waits for ever for the pmd at args.stuck_at.
  bool run();

 private:
  enum class Pmd : uint8_t { table, done, stuck };
  struct Candidate {
    Folio folio;
    bool write = false;
  };

  // collect.cpp: the walk down to the pmd
  bool walk(Level level, uint64_t addr, uint64_t end);
  void before(Level level, uint64_t addr, uint64_t end);
  uint64_t depth(Level level) const;
  void hole(uint64_t addr, uint64_t end, uint64_t depth);
  void skip(RuleId rule, uint64_t addr, uint64_t end, uint64_t detail);
  bool pmd(WordIndex word, uint64_t addr, uint64_t end);
  Pmd huge_pmd(WordIndex word, uint64_t addr, uint64_t end);

  // collect_pmd.cpp: migrate_vma_collect_huge_pmd of 6.19 and later, under the pmd's lock, which a split lets go of
  Pmd collect_huge_pmd(WordIndex word, uint64_t addr, uint64_t end, SpinGuard& pmds);
  /// No folio: the slots are filled already.
  Candidate huge_candidate(uint64_t pmd, uint64_t addr, uint64_t end);
  bool install_pmd_entry(WordIndex word, uint64_t addr, uint64_t end, const Candidate& candidate);
  Pmd split_candidate(const Folio& folio, uint64_t addr, uint64_t end);
  /// COMPOUND is selected and [addr, end) begins and ends at a 2M boundary.
  bool whole_units(uint64_t addr, uint64_t end) const {
    return (args_.select & migrate_select::compound) != 0 && format_.compound != 0 &&
           (addr | end) % level_size(Level::pmd) == 0;
  }

  // collect_pte.cpp: one pte table
  void ptes(uint64_t addr, uint64_t end);
  /// False: a large folio could not be split, the rest of the part is skipped.
  bool pte(WordIndex word, uint64_t addr, uint64_t end);
  bool nonpresent(WordIndex word, uint64_t addr, uint64_t end);
  bool present(WordIndex word, uint64_t addr, uint64_t end);
  bool candidate(WordIndex word, uint64_t addr, uint64_t end, uint64_t mpfn);
  bool large_candidate(uint64_t addr, uint64_t end, const Folio& folio);
  void hand_back(uint64_t addr, const Folio& head, bool was_the_faults);
  bool lock(uint64_t addr, const Folio& folio);
  bool take_exclusive(WordIndex word, uint64_t addr, const Folio& folio);
  void make_entry(WordIndex word, uint64_t addr, const Folio& folio, uint64_t mpfn, uint64_t pte,
                  bool exclusive);

  // slots, into the open step
  void push(uint64_t mpfn);
  void push_run(uint32_t pages, uint64_t value);
  /// The page is not taken, for the reason the rule names.
  bool drop(RuleId rule, std::initializer_list<uint64_t> operands) {
    machine_.step(rule, operands);
    push(0);
    return true;
  }
  /// Nothing to move, but the driver may fill the place: MIGRATE without VALID.
  bool empty_place(RuleId rule, std::initializer_list<uint64_t> operands) {
    machine_.step(rule, operands);
    push(format_.migrate);
    ++args_.cpages;
    return true;
  }
  /// The folio's lock cannot be had.
  bool busy(uint64_t addr, const Folio& folio) const {
    return folio.locked() || (args_.hooks != nullptr && args_.hooks->trylock(addr, folio.pfn()) == false);
  }
  bool lock_is_the_faults(const Folio& folio) const {
    return machine_.model().fault_page_locked && folio.holds(args_.fault_page);
  }

  void entered(Function function, uint64_t addr, uint64_t end, uint64_t detail) {
    if (args_.hooks != nullptr) args_.hooks->entered(function, addr, end, detail);
  }
  void left(Function function, uint64_t addr, int64_t ret) {
    if (args_.hooks != nullptr) args_.hooks->left(function, addr, ret);
  }

  Machine& machine_;
  MigrateVma& args_;
  const MigrateFormat format_;
  const SwapFormat& swap_;
  SpinGuard* ptl_ = nullptr;  ///< the lock of the running part's ptes
  bool unmapped_ = false;  ///< a present pte of the running part was replaced: the TLB must be flushed
};

}  // namespace hmmscope
