#pragma once
/// The machine of a running scenario: address space, devices with their page tables, the CPU fault path. Built from
/// the declarations before recording starts, so the built state is the recording's initial state.
///
/// Ownership: owns everything. Not movable (devices are called back by address). Threads: one.

#include <map>
#include <memory>
#include <string>

#include "engine/fault/cpu_fault.h"
#include "engine/machine/machine.h"
#include "engine/scenario/scenario.h"

namespace hmmscope::scenario {

/// The driver of one device: its interval notifier over the whole address space and its page table. The table keeps
/// the hmm_pfns words the device committed, one region an array.
class Device final : public IntervalNotifier::Ops {
 public:
  Device(Machine& machine, AddressSpace& space, std::string name, uint64_t owner, uint32_t id);

  const std::string& name() const { return name_; }
  uint64_t owner() const { return owner_; }
  IntervalNotifier& notifier() { return *notifier_; }

  /// Maps the valid slots of the array in the device's table for [start, ...). A step must be open.
  void commit(uint64_t start, WordIndex slots, uint64_t pages);
  /// Makes room for a table; regions may be added at any time.
  void reserve_table(uint64_t start, uint64_t pages);

  /// Its own migrations are skipped; anything else moves the sequence and drops the range from the table.
  bool invalidate(IntervalNotifier& notifier, const InvalidateRange& range, uint64_t cur_seq) override;

 private:
  struct Table {
    uint64_t start, pages;
    WordIndex first;
  };
  Machine* machine_;
  std::string name_;
  uint64_t owner_;
  uint32_t id_;
  std::vector<Table> tables_;
  IntervalNotifier* notifier_ = nullptr;
};

struct Array {
  uint64_t start = 0, pages = 0;
  WordIndex first = no_word;
};

class World {
 public:
  static Result<std::unique_ptr<World>> build(const Scenario& scenario, std::string_view kernel);

  Machine& machine() { return *machine_; }
  AddressSpace& space() { return *space_; }
  CpuFault& faults() { return *faults_; }
  const Scenario& scenario() const { return *scenario_; }
  Device* device(const std::string& name);          ///< nullptr for ""
  std::map<std::string, Array>& arrays() { return arrays_; }

  Result<uint64_t> resolve(const Address& at, Line line) const;
  /// Flag names with the layout of the model in force.
  Result<uint64_t> flags(const FlagText& text, Line line) const;
  Error error(Line line, std::string message) const { return Error::at_line(scenario_->file, line, std::move(message)); }

  /// Puts pages into a state. During a run a step must be open.
  Result<void> set_pages(const PageDecl& page);

 private:
  World() = default;
  Result<void> set_page(const PageDecl& page, uint64_t addr, uint64_t index);
  Result<void> set_leaf(const PageDecl& page, uint64_t addr, uint64_t index, Level level);
  Result<uint64_t> nonpresent(const PageDecl& page, uint64_t index, SwapKind kind);
  Result<uint64_t> page_pfn(const PageDecl& page, uint64_t index, uint32_t order);

  const Scenario* scenario_ = nullptr;
  std::unique_ptr<Machine> machine_;
  std::unique_ptr<CpuFault> faults_;
  AddressSpace* space_ = nullptr;
  std::map<std::string, std::unique_ptr<Device>> devices_;
  std::map<std::string, Array> arrays_;
};

}  // namespace hmmscope::scenario
