#pragma once
/// A driver that takes a range to its device, by one of the sequences that the cover letter of the unified
/// fault-and-migrate patches compares, or as the posted test driver does. The scenario operation fault-and-migrate
/// and compare-sequences both run it.
///
/// Source: RFC PATCH 4/4 (lib/test_hmm.c) and Documentation/mm/hmm.rst; the later test driver by its commit message. Where the kernel would hang, oops or stop with
/// a BUG, the run ends with that outcome and a rule that names why. Threads: one at a time.

#include <string>
#include <vector>

#include "engine/scenario/world.h"
#include "engine/walk/range_fault.h"

namespace hmmscope::scenario {

struct SequenceResult {
  /// "0", "-EBUSY", ... , or "deadlock", "BUG", "oops", "page-0" (the device read physical page 0).
  std::string outcome = "0";
  uint64_t moved = 0;      ///< slots that still had MIGRATE after migrate_vma_pages, over all chunks
  uint64_t rounds = 0;     ///< hmm_range_fault calls of the driver itself
  bool set_up = false;     ///< stopped between setup and pages; `running` has the arguments
  bool holds_mmap = false; ///< stopped so, or behind a walk that may have prepared pages: mmap_lock is kept for who goes on
};

/// What the driver works with. The arrays have op.chunk (or op.pages) slots.
struct SequenceArrays {
  WordIndex hmm_pfns = no_word, range = no_word;
  MigrateArrays migrate;
};

/// Arrays of `slots` slots for a range from `start`; their regions are called `name`.
SequenceArrays make_sequence_arrays(Machine& machine, const AddressSpace& space, const std::string& name, uint64_t start,
                                    uint64_t slots);
/// A flag of struct migrate_vma by the name scenarios give it: "system", "device-private", "device-coherent", "compound",
/// "fault", "write"; 0 where the kernel has no such flag.
uint64_t select_bit(const KernelModel& model, const std::string& name);
/// The region that shows struct hmm_range, alone.
WordIndex add_sequence_range(Machine& machine, const AddressSpace& space, const std::string& name);

class SequenceDriver {
 public:
  /// `preset` and `interrupt` of the op come resolved; interrupt.end == 0: none. `locks`: when a task runs it; refers
  /// to all of them.
  SequenceDriver(World& world, const FaultAndMigrateOp& op, uint64_t start, const SequenceArrays& arrays,
                 uint64_t preset, const InvalidateRange& interrupt, DriverLocks* locks = nullptr);

  SequenceResult run();
  /// After `set_up`: the arguments migrate_vma_pages goes on with.
  const MigrateVma& running() const { return args_; }

 private:
  enum class Next : uint8_t { go_on, stop };

  Next chunk(uint64_t start, uint64_t end);
  /// The scenario stops here and goes on by the driver's single calls, up to finalize, as under one mmap_lock.
  void keep_mmap(MmapReadGuard& locked);
  Next fault_then_migrate(uint64_t start, uint64_t end);
  Next migrate_then_fault(uint64_t start, uint64_t end);
  Next migrate(uint64_t start, uint64_t end);

  // sequence_one_pass.cpp
  Next one_pass(uint64_t start, uint64_t end);
  Next one_pass_as_posted(uint64_t start, uint64_t end);
  Next one_pass_later(uint64_t start, uint64_t end);
  Next migrate_then_look(const RangeFaultCall& call, uint64_t round);

  /// The retry loop around hmm_range_fault. Once nobody was in between, a driver that mirrors a migrating call maps its slots
  /// under the lock it asked read_retry with. -EDEADLK: stuck, recorded.
  int fault(uint64_t start, uint64_t end, MigrateVma* migrate);
  RangeFaultCall range_call(uint64_t start, uint64_t end, MigrateVma* migrate);
  /// hmm_range_fault under mmap_lock, which the posted driver takes once more than it should.
  RangeFaultResult walk(const RangeFaultCall& call);
  bool begin_read(RangeFaultCall& call);
  void record_range(const RangeFaultCall& call);
  void interrupt();
  void mirror(uint64_t start, uint64_t end, bool promised);
  void complete();
  void move_pages();
  bool any_missing(uint64_t start, uint64_t end);
  void read_back();
  void prepare_args(uint64_t start, uint64_t end);
  uint64_t selection(uint64_t otherwise) const;
  Next ended(int ret);
  Next ended(const char* outcome);

  World& world_;
  Machine& machine_;
  Device& device_;
  const FaultAndMigrateOp& op_;
  const uint64_t start_, end_;
  const SequenceArrays arrays_;
  const uint64_t preset_;
  InvalidateRange interrupt_;
  DriverLocks* locks_;
  bool mmap_locked_ = false;             ///< this driver already reads mmap_lock
  MigrateVma args_;
  std::vector<uint64_t> placeholders_;   ///< addresses the driver mapped to a placeholder page
  SequenceResult result_;
};

}  // namespace hmmscope::scenario
