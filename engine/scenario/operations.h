#pragma once
/// Performs a scenario's operations on its world, one overload a kind. Errors are mistakes of the scenario (an address
/// outside every VMA, an unknown flag); an unmet expectation is a Failure of the outcome instead.

#include <string>

#include "engine/machine/folio.h"
#include "engine/migrate/migrate_vma.h"
#include "engine/recording/recorder.h"
#include "engine/scenario/run.h"
#include "engine/scenario/world.h"
#include "engine/walk/range_fault.h"

namespace hmmscope::scenario {

class TaskLocks;

class Operations {
 public:
  /// `locks`: when the operations are those of tasks; else nothing waits.
  Operations(World& world, Recorder& recorder, Outcome& outcome, TaskLocks* locks = nullptr)
      : world_(world), machine_(world.machine()), recorder_(recorder), outcome_(outcome), locks_(locks) {}

  Result<void> perform(const RangeFaultOp& op, Line line);
  Result<void> perform(const TouchOp& op, Line line);
  Result<void> perform(const UnmapOp& op, Line line);
  Result<void> perform(const ProtectOp& op, Line line);
  Result<void> perform(const DontNeedOp& op, Line line);
  Result<void> perform(const InvalidateOp& op, Line line);
  Result<void> perform(const OomReapOp& op, Line line);
  Result<void> perform(const SetPageOp& op, Line line);
  Result<void> perform(const ExpectOp& op, Line line);
  // migrate_operations.cpp
  Result<void> perform(const MigrateSetupOp& op, Line line);
  Result<void> perform(const MigrateRangeSetupOp& op, Line line);
  Result<void> perform(const MigratePagesOp& op, Line line);
  Result<void> perform(const MigrateFinalizeOp& op, Line line);
  Result<void> perform(const MigrateOp& op, Line line);
  Result<void> perform(const EvictOp& op, Line line);
  Result<void> perform(const MakeExclusiveOp& op, Line line);
  Result<void> perform(const ExpectMigrateOp& op, Line line);
  // dma_operations.cpp
  Result<void> perform(const DmaMapOp& op, Line line);
  // mirror_operations.cpp
  Result<void> perform(const MirrorTableOp& op, Line line);
  Result<void> perform(const MirrorRunOp& op, Line line);
  Result<void> perform(const MirrorUnmapOp& op, Line line);
  Result<void> perform(const ExpectMirrorOp& op, Line line);
  // page_operations.cpp
  Result<void> perform(const HoldOp& op, Line line);
  Result<void> perform(const ForkOp& op, Line line);
  Result<void> perform(const ExpectPageOp& op, Line line);
  Result<void> perform(const ExpectDeviceOp& op, Line line);
  // device_operations.cpp
  Result<void> perform(const IoctlOp& op, Line line);
  Result<void> perform(const MremapOp& op, Line line);
  Result<void> perform(const MadviseFreeOp& op, Line line);
  Result<void> perform(const FileDataOp& op, Line line);
  // unified_operations.cpp
  Result<void> perform(const FaultAndMigrateOp& op, Line line);
  Result<void> perform(const PageOutOp& op, Line line);

  /// False: the child is not there yet, because another task is to fork it. The operation is left out.
  bool has_process(const std::string& name, Line line);

 private:
  struct Loop;   ///< one driver loop around hmm_range_fault
  Result<Array*> array_for(const RangeFaultOp& op, uint64_t start, Line line);
  /// The struct migrate_vma that the call prepares pages for.
  Result<RunningMigration*> prepares(const RangeFaultOp& op, uint64_t start, const Loop& loop, Line line);
  Result<void> write_slots(const RangeFaultOp& op, const Array& array, Line line);
  /// What the scenario says of faults and waits comes first, then the other tasks.
  WalkHooks* hooks_of(const RangeFaultCall& call, WalkHooks* script);
  RangeFaultResult walk(const RangeFaultCall& call, WalkHooks* script);
  Result<int> read_sequence(const RangeFaultOp& op, const Loop& loop, RangeFaultCall& call, Line line);
  Result<int> driver_loop(const RangeFaultOp& op, Loop& loop, Line line);
  /// One call of the kernel's function, whichever the model has.
  RangeFaultResult range_call(const RangeFaultOp& op, Loop& loop, RangeFaultCall& call, WalkHooks* hooks);
  RangeFaultResult old_range_call(const RangeFaultOp& op, Loop& loop, const RangeFaultCall& call, WalkHooks* script);
  int wait_until_valid(const Loop& loop, const RangeFaultCall& call);
  bool range_still_valid(Loop& loop, const RangeFaultCall& call);
  RangeFaultResult unlocked_call(const RangeFaultOp& op, const Loop& loop, RangeFaultCall& call);
  Result<MirrorState*> mirror_state(const std::string& table, Line line);
  /// The CPU's own page walk and access. False: it has to fault.
  bool access_now(AddressSpace& space, uint64_t addr, bool write, std::optional<uint64_t> content);
  /// "ok" or the name of what the access got.
  std::string touch(AddressSpace& space, uint64_t addr, bool write, std::optional<uint64_t> content = {});
  /// What the page mapped at addr holds; empty when none is.
  std::optional<uint64_t> content_at(AddressSpace& space, uint64_t addr);
  void expect_content(uint64_t addr, uint64_t expected, std::optional<uint64_t> found, Line line);
  /// The migration of that name with arrays for the range; another one beside it while a call is using those.
  Result<RunningMigration*> migration_for(const std::string& migration, uint64_t start, uint64_t pages, Line line);
  /// As migration_for; error while a call is using the arrays.
  Result<RunningMigration*> idle_migration_for(const std::string& migration, uint64_t start, uint64_t pages, Line line);
  /// VMAs cannot change between migrate-setup and migrate-finalize: the driver holds mmap_lock for reading.
  Result<void> no_migration_runs(Line line);
  int move_for_longterm_pin(AddressSpace& space, uint64_t addr);
  Result<void> hold_page(const HoldOp& op, AddressSpace& space, uint64_t addr, bool release, Line line);
  Result<void> bad_file(const IoctlOp& op, Line line);
  /// The device whose driver an operation is; error when its file was closed; null when the scenario has none of the name.
  Result<Device*> driver(const std::string& name, Line line);
  void expect_number(const std::string& what, const std::optional<uint64_t>& expected, uint64_t found, Line line);
  /// The folio behind whatever maps, or is under migration at, addr; empty when there is none.
  Folio folio_at(AddressSpace& space, uint64_t addr);
  void expect_result(const std::string& expected, const std::string& found, uint64_t code, Line line);
  /// What a task's operation returned, for comparing schedules.
  void note(Line line, std::string text);
  void failed(Line line, std::string text);
  void told(const std::optional<std::string>& expect, bool all, const char* what, Line line);
  Result<void> in_vmas(const Result<void>& result, Line line) const;

  World& world_;
  Machine& machine_;
  Recorder& recorder_;
  Outcome& outcome_;
  TaskLocks* locks_;
};

}  // namespace hmmscope::scenario
