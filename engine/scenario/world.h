#pragma once
/// The machine of a running scenario: address space, devices with their page tables, the CPU fault path. Built from
/// the declarations before recording starts, so the built state is the recording's initial state.
///
/// Ownership: owns everything. Not movable (devices are called back by address). Threads: one.

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "engine/fault/cpu_fault.h"
#include "engine/machine/machine.h"
#include "engine/migrate/device_migration.h"
#include "engine/mirror_table/mirror_schedule.h"
#include "engine/scenario/scenario.h"
#include "engine/test_hmm/device_mirror.h"
#include "engine/test_hmm/dmirror.h"

namespace hmmscope::scenario {

using Device = DeviceMirror;

struct Array {
  uint64_t start = 0, pages = 0;
  WordIndex first = no_word;
};

/// A migration that a scenario named: its arrays, and between setup and finalize its arguments.
struct RunningMigration {
  MigrateArrays arrays;
  uint64_t start = 0, pages = 0;
  MigrateVma args;
  bool set_up = false;
  bool walked = false;    ///< the scenario stops after the walk that prepared it
  bool holds_mmap = false;   ///< its task reads mmap_lock until finalize, so that the VMA stays what setup found
  bool refused = false;   ///< its last setup was: what follows it in the driver is left out
  std::string name;
  uint32_t users = 0;     ///< whole sequences of drivers that are using the arrays
  std::string device;
};

/// The device file as a process has opened it.
struct OpenFile {
  std::unique_ptr<Device> own;      ///< empty: the device's own mirror, of the first process
  std::unique_ptr<Dmirror> ioctls;
  Device* table = nullptr;
  uint32_t users = 0;               ///< ioctls under way; a closed file is given back when the last has returned
  bool closed = false;
};

/// A mirror page table and those who walk it.
struct MirrorState {
  MirrorState(Machine& machine, const MirrorOptions& options, const std::string& name)
      : table(machine, options, name), iterators(table) {}
  MirrorTable table;
  MirrorIterators iterators;
};

class World {
 public:
  static Result<std::unique_ptr<World>> build(const Scenario& scenario, std::string_view kernel);

  Machine& machine() { return *machine_; }
  AddressSpace& space() { return *space_; }
  /// The first process for "", else a child made by `fork`; the parser has checked the name.
  AddressSpace& process(const std::string& name) { return name.empty() ? *space_ : *processes_.at(name); }
  bool has_process(const std::string& name) const { return name.empty() || processes_.contains(name); }
  void add_process(const std::string& name, AddressSpace& space) { processes_[name] = &space; }
  size_t process_count() const { return processes_.size() + 1; }
  /// How often the scenario holds a folio (by its first word) in a way (HoldOp::What).
  uint64_t& holds(WordIndex folio, HoldOp::What what) { return holds_[{folio, what}]; }
  /// The name of a migration between its setup and its finalize; empty when none runs.
  std::string running_migration() const;
  std::map<std::string, RunningMigration>& migrations() { return migrations_; }
  /// The scenario has put some there itself, at the start or later.
  bool declares_migration_entries() const { return declares_migration_entries_; }
  /// The memory of a device.
  const DeviceMemory& memory_of(const Device& device) const;
  CpuFault& faults() { return *faults_; }
  const Scenario& scenario() const { return *scenario_; }
  Device* device(const std::string& name);          ///< nullptr for ""
  const std::map<std::string, std::unique_ptr<Device>>& devices() const { return devices_; }
  /// The device file as opened by a process; opened now if it is not open. The first process opens it at the start.
  OpenFile& file(const std::string& device, const std::string& process);
  template <class Visit>
  void for_each_mirror(Visit visit) const {
    for (const auto& [name, device] : devices_) {
      if (!device->notifier().removed()) visit(*device);
    }
    for (const auto& file : files_) {
      if (file->own != nullptr) visit(*file->own);
    }
  }
  /// A fatal signal is pending for the process: accesses and drivers' loops give up.
  bool signal_pending() const { return signal_pending_; }
  void set_signal_pending() { signal_pending_ = true; }
  /// Asked by every migration; nullptr: nobody.
  void set_migrate_hooks(MigrateHooks* hooks);
  MigrateHooks* migrate_hooks() const { return migrate_hooks_; }
  /// The locks of the tasks for every device; nullptr: nothing waits.
  void set_locks(DriverLocks* locks);
  DriverLocks* locks() const { return locks_; }   ///< nullptr: nobody waits
  void close_file(const std::string& device, const std::string& process);
  /// Gives back a file that is closed and has no users; what the close began ends here.
  void release_if_unused(OpenFile& file);
  /// Nobody has opened it since it was closed.
  bool file_closed(const std::string& device, const std::string& process) const;
  std::map<std::string, DmaMap>& dma_maps() { return dma_maps_; }   ///< by array
  std::map<std::string, std::unique_ptr<MirrorState>>& mirror_tables() { return mirror_tables_; }
  std::map<std::string, Array>& arrays() { return arrays_; }
  /// The notifier's sequence as a driver read it last, by device and task (empty without tasks).
  std::map<std::pair<std::string, std::string>, uint64_t>& sequences() { return sequences_; }

  Result<uint64_t> resolve(const Address& at, Line line) const;
  /// Flag names with the hmm_pfn layout of the model in force, or another one of its layouts.
  Result<uint64_t> flags(const FlagText& text, Line line) const { return flags(text, line, *machine_->model().hmm_pfn); }
  Result<uint64_t> flags(const FlagText& text, Line line, const Layout& layout) const;
  Error error(Line line, std::string message) const { return Error::at_line(scenario_->file, line, std::move(message)); }

  /// Puts pages into a state. During a run a step must be open.
  Result<void> set_pages(const PageDecl& page);

 private:
  World() = default;
  /// Puts the entry in place of what stands there, and counts both.
  void declare_entry(Level level, uint64_t addr, uint64_t entry);
  Result<void> set_page(const PageDecl& page, uint64_t addr, uint64_t index);
  void add_mapped_folio(const PageDecl& page, Vma vma, uint64_t addr, uint64_t pfn);
  Result<void> set_leaf(const PageDecl& page, uint64_t addr, uint64_t index, Level level);
  Result<uint64_t> nonpresent(const PageDecl& page, uint64_t addr, uint64_t index, SwapKind kind);
  /// The folio of a page that is not exclusive: another process has it at the same address, as after fork.
  Result<void> map_outside(const PageDecl& page, Level level, uint64_t addr, uint64_t entry);
  Result<AddressSpace*> space_outside(const PageDecl& page, Level level, uint64_t addr);
  bool mapped_already(const PageDecl& page, uint64_t pfn, uint32_t order);
  Result<uint64_t> page_pfn(const PageDecl& page, uint64_t index, uint32_t order);

  const Scenario* scenario_ = nullptr;
  std::unique_ptr<Machine> machine_;
  std::unique_ptr<CpuFault> faults_;
  AddressSpace* space_ = nullptr;
  AddressSpace* outside_ = nullptr;   ///< of the process that shares pages which are not "exclusive"; made when there is one
  bool declares_migration_entries_ = false;
  std::map<std::string, std::unique_ptr<Device>> devices_;
  DriverLocks* locks_ = nullptr;
  MigrateHooks* migrate_hooks_ = nullptr;
  bool signal_pending_ = false;
  std::vector<std::unique_ptr<OpenFile>> files_;                       ///< open, or closed and in use
  std::map<std::pair<std::string, std::string>, OpenFile*> descriptors_;   ///< by device and process; nullptr: closed
  std::vector<std::unique_ptr<Device>> closed_;                        ///< their notifiers still name them
  uint32_t opened_ = 0;                                                ///< files with mirrors of their own, so far
  std::map<std::string, Array> arrays_;
  std::map<std::pair<std::string, std::string>, uint64_t> sequences_;
  std::map<std::string, DmaMap> dma_maps_;
  std::map<std::string, std::unique_ptr<MirrorState>> mirror_tables_;
  std::map<std::string, AddressSpace*> processes_;
  std::map<std::string, RunningMigration> migrations_;
  std::map<std::pair<WordIndex, HoldOp::What>, uint64_t> holds_;
};

}  // namespace hmmscope::scenario
