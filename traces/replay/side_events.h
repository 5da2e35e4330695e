#pragma once
/// Everything in a trace that is not the walk of a range-fault call: system calls, tasks, notifiers, CPU
/// faults, migrations, driver requests. Each event that changes or shows state becomes a step.

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "traces/replay/event_kinds.h"
#include "traces/replay/mirrors.h"
#include "traces/replay/sequence_index.h"
#include "traces/replay/world.h"

namespace hmmscope::traces {

class SideEvents {
 public:
  SideEvents(const Trace& trace, const EventKinds& kinds, const SequenceIndex& sequences, World& world,
             Mirrors& mirrors);

  /// Events were lost: what began before may be over, what ends now may have begun among them.
  void lose_events();
  /// Replays event `index`. Calls of its task down to `floor` stay open (no_call: none must).
  void replay(uint32_t index, CallId floor = no_call);

 private:
  struct Syscall {
    uint64_t a = 0, b = 0, c = 0, d = 0;
    bool shown = false;  ///< its entry was
  };
  struct Task {
    Syscall syscall;
    uint64_t clone_flags = 0;
    bool cloning = false;
    int32_t new_task = 0;      ///< the child that task_newtask told of; 0 = none
    uint64_t new_flags = 0;    ///< its clone flags
    bool protecting = false;   ///< an mprotect is under way
    uint64_t fault_addr = 0, fault_flags = 0, fault_vma_flags = 0;
    bool faulting = false;   ///< the two above are those of the fault under way
    bool after_gap = false;  ///< calls it has open may be over
    uint64_t reading = 0;  ///< notifier of a read_begin under way
  };

  void system_call(const EventView& event, EventKind kind, CallId floor);
  void mapped(const EventView& event, const Syscall& call);
  void unmapped(AddressSpace& space, uint64_t start, uint64_t end);
  void protection(AddressSpace& space, uint64_t start, uint64_t end, uint64_t prot);
  void remapped(const EventView& event, const Syscall& call);
  void task_event(const EventView& event, EventKind kind);
  bool shares_unseen(const Task& parent, int32_t child) const;
  void notifier(const EventView& event, uint32_t index, EventKind kind, CallId floor);
  void migration(const EventView& event, EventKind kind, CallId floor);
  void migrate_array(const EventView& event, RegionKind kind, std::string_view field);
  void marker(const EventView& event, uint32_t index);
  void name_open_announcement(const AddressSpace& space);

  const Trace& trace_;
  const EventKinds& kinds_;
  const SequenceIndex& sequences_;
  World& world_;
  Mirrors& mirrors_;
  std::vector<Task> tasks_;
  std::vector<uint32_t> last_event_;  ///< of each task
};

}  // namespace hmmscope::traces
