#pragma once
/// One recorded call of migrate_vma_setup, migrate_vma_pages or migrate_vma_finalize, run again by the
/// engine; with the unified fault-and-migrate patches also migrate_hmm_range_setup, on its own or inside a
/// setup, whose walk is then a range fault (range_call.h).
///
/// What stands in the page tables follows from earlier events (page_facts.h), from the pmd that the collector
/// shows and, where nothing tells, from the kernel's own src word: bits that were taken from there are not
/// compared. Two outcomes are the kernel's to choose, and its choice is followed: a page that could be taken
/// may be left alone (the word is 0), and a page with a destination may lose MIGRATE in pages. That the
/// choice was real shows later: finalize rebuilds exactly the entries of the pages that were taken.

#include <array>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "engine/migrate/hooks.h"
#include "engine/migrate/migrate_vma.h"
#include "engine/walk/range_fault.h"
#include "traces/check/judge.h"
#include "traces/replay/folio_facts.h"
#include "traces/replay/migrate_index.h"
#include "traces/replay/refusal.h"
#include "traces/replay/running_migration.h"
#include "traces/replay/world.h"

namespace hmmscope::traces {

class Replayer;

class MigrateCall final : public MigrateHooks {
 public:
  MigrateCall(Replayer& replayer, uint32_t call, RunningMigration& running);
  /// Replays the call and adds its judgement.
  void run();

  void before_pgd(uint64_t addr, uint64_t end) override;
  void before_p4d(uint64_t addr, uint64_t end) override;
  void before_pud(uint64_t addr, uint64_t end) override;
  void before_pmd(uint64_t addr, uint64_t end) override;
  void before_pte(uint64_t addr, uint64_t end) override;
  void before_insert(uint64_t slot, uint64_t addr) override;
  std::optional<bool> trylock(uint64_t addr, uint64_t pfn) override;
  std::optional<bool> maybe_pinned(uint64_t addr, uint64_t pfn) override;
  std::optional<bool> isolate(uint64_t slot, uint64_t pfn) override;
  uint64_t unseen_references(ReferenceCheck where, uint64_t slot, uint64_t pfn) override;
  void invalidating(AddressSpace& space, const InvalidateRange& range) override;
  void invalidated(AddressSpace& space, const InvalidateRange& range) override;
  void remapped(AddressSpace& space, uint64_t addr, uint64_t now) override;
  void replaced(AddressSpace& space, uint64_t addr, uint64_t old, uint64_t now) override;
  std::optional<RangeFaultResult> range_fault(const RangeFaultCall& asked) override;
  bool range_setup(MigrateVma& migrate) override;
  void entered(Function function, uint64_t addr, uint64_t end, uint64_t detail) override;
  void left(Function function, uint64_t addr, int64_t ret) override;

 private:
  /// An array as an event shows it.
  struct Shown {
    std::array<uint64_t, 64> words;
    uint32_t count = 0;      ///< of `words` that were filled
    bool present = false;    ///< the event has it, though it may be damaged
    bool damaged = false;
    std::optional<uint64_t> at(uint64_t k) const {
      return k < count ? std::optional(words[k]) : std::nullopt;
    }
  };

  // migrate_call.cpp: the calls
  std::string why_not_run() const;
  void run_without_engine(std::string reason);
  void run_setup();
  void run_pages();
  void run_finalize();
  void finish(int64_t ret);
  void show_vma();
  void read_arrays();
  void show_arrays();
  void show_array(WordIndex first, const Shown& array, RuleId rule);
  Shown shown(uint32_t index, std::string_view field) const;
  void note_damage(uint32_t index, std::string_view field, const Shown& array);
  void keep_arrays();
  void expect_src_kept();
  void compare_untouched(WordIndex first, const Shown& at_entry, const Shown& kernel);
  void compare_array(WordIndex first, const Shown& kernel, bool is_src);
  void compare_field(std::string_view field, uint64_t engine);

  // migrate_call_unified.cpp: what the unified patches make of setup
  bool unified() const { return world_.machine().model().unified != UnifiedStyle::none; }
  AddressSpace* space_of_walk();
  void run_range_setup();
  void show_hmm_words();
  void show_unknown_dst();
  void find_refusals();
  bool given_back(uint64_t slot) const;

  // migrate_call_state.cpp: what the kernel found
  void show_level(Level level, uint64_t addr, uint64_t end, uint64_t depth);
  void show_huge(uint64_t addr, uint64_t pmd, uint64_t end);
  std::optional<uint64_t> came_back(uint64_t addr, uint64_t pmd) const;
  bool kernel_took_any(uint64_t addr, uint64_t end) const;
  std::optional<uint64_t> telling_word(uint64_t k, uint64_t undecided);
  uint64_t with_kernels_page(uint64_t k, World::KnownPte is);
  uint64_t entry_from_word(uint64_t k);
  void refuse(uint64_t addr, Refusal why);
  std::optional<uint64_t> restored_in_setup(uint64_t addr) const;
  uint64_t fault_page() const;
  void prepare_page(uint64_t addr, uint64_t pfn);
  void prepare_slots();
  void make_source(uint64_t k, uint64_t pfn);
  void make_target(uint64_t k, uint64_t pfn, bool moves);
  std::string unsound_arrays() const;
  uint64_t slot_of(uint64_t addr) const { return (addr - args().start) / page_bytes; }
  uint64_t address(uint64_t k) const { return args().start + k * page_bytes; }
  bool too_large(uint64_t pfn) const;

  // migrate_call_check.cpp: the events along the way
  EventView event(uint32_t index) const;
  EventKind kind(uint32_t index) const;
  uint64_t number(uint32_t index, std::string_view field) const;
  uint32_t peek(EventKind a, EventKind b);
  void pass(uint32_t index);
  void advance_to(uint32_t index);
  void take(uint32_t index);
  void pass_rest();
  void index_rebuilt();
  void compare_entry(AddressSpace& space, uint64_t addr, uint64_t now, EventKind kind, bool frozen);
  void show_rebuilt(uint32_t index);
  void expect_all_rebuilt();
  uint64_t page_behind(uint64_t entry) const;
  bool refused_unseen();
  void part(uint64_t addr, uint64_t kernel, uint64_t engine, std::string reason);
  std::string describe_next();

  MigrateVma& args() { return running_.args; }
  const MigrateVma& args() const { return running_.args; }
  AddressSpace& space() const { return *running_.args.mm; }

  Replayer& replayer_;
  World& world_;
  Recorder& recorder_;
  const TracedMigration& traced_;
  RunningMigration& running_;
  Judge judge_;
  MigrateFormat format_;
  CallId call_id_ = no_call;
  CallId floor_ = no_call;
  uint64_t pages_ = 0;
  /// The event that shows the arrays as the call left them: its return, or the next call with the same struct
  /// where a return shows nothing (6.1). no_index when neither does.
  uint32_t result_ = no_index;
  Shown src_in_, dst_in_;    ///< the kernel's arrays at entry
  Shown src_out_, dst_out_;  ///< and at return
  Shown later_;              ///< src as the next call with the same struct finds it: confirms what was chosen
  std::vector<uint64_t> known_, known_dst_;  ///< bits of each src and dst word that could be compared
  std::vector<bool> refused_;                ///< the kernel left this page alone
  FolioFacts folios_;
  uint64_t split_start_ = 0, split_end_ = 0;  ///< a 2M mapping that the collector splits
  uint32_t next_ = 0;                         ///< position of the next own event that has not been passed
  Function running_function_ = Function::migrate_vma_setup;  ///< entered last
  bool huge_pending_ = false;                                ///< the lock of a 2M folio is tried next
  /// Entries the kernel wrote, by kind and address: positions of the events still to be matched, in order.
  std::map<std::pair<EventKind, uint64_t>, std::vector<uint32_t>> rebuilt_;
  std::unordered_set<uint64_t> remapped_;   ///< addresses in folios that the engine has split
};

}  // namespace hmmscope::traces
