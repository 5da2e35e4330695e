#pragma once
/// The machine that a replay keeps as the trace shows it, and the recorder that notes where every word came
/// from.
///
/// Nothing here decides anything: shown entries, VMAs and arrays become words with their evidence. Every
/// show_ function writes into the step that is open. Ownership: owns the Machine and the Recorder. Threads:
/// one.

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "engine/machine/machine.h"
#include "engine/recording/recorder.h"
#include "traces/replay/page_facts.h"
#include "traces/replay/trace_facts.h"

namespace hmmscope::traces {

/// A VMA as an event shows it.
struct ShownVma {
  uint64_t start = 0, end = 0, flags = 0, pgoff = 0, file = 0;
  VmaKind kind = VmaKind::anonymous;
  uint32_t page_shift = 12;
};

class World {
 public:
  /// Error when the model's layouts are incomplete.
  static Result<std::unique_ptr<World>> create(const Trace& trace, const KernelModel& model);

  Machine& machine() { return *machine_; }
  Recorder& recorder() { return *recorder_; }
  const EntryFormat& entries() const { return machine_->entry_format(); }
  void apply(const TraceFacts& facts);

  // tasks: each has its own stack of calls
  /// Steps now belong to `task`, in the call it was in when it last ran.
  void run_task(uint32_t task);
  uint32_t running_task() const { return task_; }
  /// Following steps come from this event, and its task runs.
  void at(uint32_t index);
  /// Leaves the innermost call of `function` with all calls inside it, but never `floor` or what is above it.
  /// False when no such call is open.
  bool leave(Function function, std::optional<int64_t> result, CallId floor);

  /// A call of the task is being run by the engine: the calls that it has open must stay so.
  class EngineRun {
   public:
    EngineRun(World& world, uint32_t task) : runs_(world.engine_runs_[task]) { ++runs_; }
    EngineRun(const EngineRun&) = delete;
    EngineRun& operator=(const EngineRun&) = delete;
    ~EngineRun() { --runs_; }

   private:
    uint32_t& runs_;
  };
  bool in_engine(uint32_t task) const { return engine_runs_[task] != 0; }

  /// The task that runs now waits inside the call that is open now: whatever else is shown of it meanwhile (where events
  /// were lost) does not end that call.
  class Waiting {
   public:
    explicit Waiting(World& world)
        : floor_(world.floors_[world.task_]), before_(std::exchange(floor_, world.recorder_->current_call())) {}
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;
    ~Waiting() { floor_ = before_; }

   private:
    CallId& floor_;
    CallId before_;
  };
  /// The innermost call of the task that a Waiting keeps open; no_call when there is none.
  CallId floor_of(uint32_t task) const { return floors_[task]; }

  // address spaces
  AddressSpace& space_of(uint32_t task);
  /// The trace names another process for that pid: it is a thread of it.
  bool is_thread(int32_t pid) const;
  AddressSpace& space_of_process(int32_t pid);
  /// The task's address space is the one the kernel knows as `mm`.
  void bind(uint32_t task, uint64_t mm);
  AddressSpace* space_of_mm(uint64_t mm);
  void fork(uint32_t parent, int32_t child_pid, bool shares);
  void exec(uint32_t task);
  /// The task is gone; with the last one of an address space, so is what the kernel called it.
  void exit(uint32_t task);
  /// The task does something that only a living one does: if its pid has exited, this is another task.
  void lives(uint32_t task);
  /// Nothing says that its VMAs and entries are still as they were shown.
  void doubt_space(const AddressSpace& space);
  /// Events were lost: nothing that they may have changed is known from here on.
  void lose_events();

  // state as shown
  Result<Vma> show_vma(AddressSpace& space, const ShownVma& vma, Evidence evidence);
  /// Nothing says that the VMA is still as it was shown: events were lost since then, or it was shown at some
  /// time before the trace.
  bool in_doubt(const Vma& vma) const { return doubtful_vmas_.contains(vma.first()); }
  void doubt(const Vma& vma) { doubtful_vmas_.insert(vma.first()); }
  /// No VMA in [start, end).
  void show_gap(AddressSpace& space, uint64_t start, uint64_t end);
  /// The entry has this value, and the entries above it point to tables.
  WordIndex show_entry(AddressSpace& space, Level level, uint64_t addr, uint64_t value, Evidence evidence);
  /// Only the second half: the entries above that of `level` point to tables.
  void ensure_tables(AddressSpace& space, Level level, uint64_t addr);
  void show_ptes(AddressSpace& space, uint64_t addr, std::span<const uint64_t> ptes, Evidence evidence);
  /// Every pte of [start, end) that a shown table holds is none now.
  void clear_ptes(AddressSpace& space, uint64_t start, uint64_t end);

  /// The kernel maps huge pages wherever they fit (transparent_hugepage=always); otherwise where madvise asks.
  void set_huge_pages_always(bool always) { huge_pages_always_ = always; }
  /// Between on and off, events are noted that are about some part of an address space; changed() tells of them.
  void watch_changes(bool on);
  bool changed(const AddressSpace& space, uint64_t start, uint64_t end) const {
    return changes_.any_empty(space.id(), start, end);
  }
  bool vmas_changed(const AddressSpace& space, uint64_t start, uint64_t end) const {
    return vma_changes_.any_empty(space.id(), start, end);
  }

  // what is known of an entry between the events that show it (see page_facts.h)
  struct KnownPte {
    uint64_t pte = 0;
    uint8_t known = 0;  ///< pte_fact bits; 0: nothing is known
  };
  KnownPte known_pte(const AddressSpace& space, uint64_t addr) const;
  /// show_entry with these facts.
  WordIndex know_pte(AddressSpace& space, uint64_t addr, uint64_t pte, uint8_t known, Evidence evidence);
  /// A page is mapped at addr, this one if it is named; whether it is writable is not known.
  void know_mapped(AddressSpace& space, const Vma& vma, uint64_t addr, std::optional<uint64_t> pfn);
  /// The zero page is; the trace has shown which one that is.
  void know_zero_page(AddressSpace& space, const Vma& vma, uint64_t addr);
  /// [start, end) holds no pages; its entries are not written.
  void know_empty(const AddressSpace& space, uint64_t start, uint64_t end) {
    facts_.add_empty(space.id(), start, end);
  }
  /// The engine wrote the entry; these facts hold of it.
  void note_pte(const AddressSpace& space, uint64_t addr, uint8_t known);
  void forget_ptes(const AddressSpace& space, uint64_t start, uint64_t end);
  /// Whatever the space's tables hold may have changed.
  void forget_ptes(const AddressSpace& space) { forget_ptes(space, 0, space.tables().limit()); }
  /// A fault ended like this: what must stand there now.
  /// `vma_flags`: as the event shows them, 0 when it does not.
  void cpu_fault(AddressSpace& space, uint64_t addr, uint64_t flags, uint64_t ret, uint64_t vma_flags);
  /// [start, end) of vma has got vma's protection.
  void protect(AddressSpace& space, const Vma& vma, uint64_t start, uint64_t end);
  /// Stands for the pfn of a page that only faults have told of, until an event names it.
  uint64_t placeholder_pfn();
  static bool is_placeholder(uint64_t pfn);
  /// The page mapped at addr as `placeholder` is `pfn`, in every address space.
  void resolve_placeholder(uint64_t addr, uint64_t placeholder, uint64_t pfn);

  /// The words of an array; arrays of the same kind, owner, address and length share theirs.
  WordIndex array(RegionKind kind, AddressSpace& space, uint64_t identity, uint64_t start, uint32_t count,
                  std::string_view name);
  // A made-up trace could ask for any amount of work; a real one stays far below these limits.
  /// False when a call over `pages` more pages would be too much for one replay.
  bool spend_pages(uint64_t pages) { return spend(pages_left_, pages); }
  /// False when `count` more VMAs or page tables may not be touched on behalf of events that only imply them.
  bool spend_inferred(uint64_t count) { return spend(inferred_left_, count); }
  /// False when looking a page up in every VMA that may map it would be too much.
  bool spend_rmap_walk();
  /// False when looking at `count` more entries on behalf of one event would be too much.
  bool spend_entries(uint64_t count) { return spend(rmap_left_, count); }
  /// How many of `wanted` more faults without an event are not too much.
  uint64_t spend_unseen_faults(uint64_t wanted) {
    const uint64_t taken = std::min(wanted, unseen_faults_left_);
    unseen_faults_left_ -= taken;
    return taken;
  }
  /// The words of a struct hmm_range at this kernel address.
  WordIndex range(AddressSpace& space, uint64_t address);
  /// The words of a subscription, made when first asked for.
  WordIndex notifier(AddressSpace& space, uint64_t address);

 private:
  World(const Trace& trace, std::unique_ptr<Machine> machine);
  void add_events();
  AddressSpace& new_space(int32_t pid);
  void note_pte_table(const AddressSpace& space, uint64_t addr);
  void forget_words(WordIndex first, uint32_t count);
  void doubt_words(WordIndex first, uint32_t count);
  void doubt_upper_tables();
  void doubt_folios(const AddressSpace& space, uint64_t start, uint64_t end);
  bool may_be_huge(const Vma& vma, uint64_t addr, uint64_t shown_flags) const;
  void carve(AddressSpace& space, uint64_t start, uint64_t end);
  void fault_on_unknown(AddressSpace& space, const Vma& vma, uint64_t addr, bool write);
  void fault_on_none(AddressSpace& space, const Vma& vma, uint64_t addr, bool write, uint64_t vma_flags);
  void protect_pte(AddressSpace& space, const Vma& vma, uint64_t addr, KnownPte is, bool writable);
  void fork_ptes(AddressSpace& from, AddressSpace& to);
  void fork_pte(AddressSpace& from, AddressSpace& to, uint64_t addr, KnownPte is);
  /// visit(first address, first word, words) for the part of every shown pte table in [start, end). When a
  /// made-up trace makes that too much, nothing is known of any entry from then on.
  template <class Visit>
  void each_pte_table(const AddressSpace& space, uint64_t start, uint64_t end, Visit visit) {
    const uint64_t size = level_size(Level::pmd);
    for (auto table = pte_tables_.lower_bound({space.id(), start & ~(size - 1)});
         table != pte_tables_.end() && table->first == space.id() && table->second < end; ++table) {
      const uint64_t from = std::max(start, table->second), to = std::min(end, table->second + size);
      const WordIndex first = space.tables().entry_word(Level::pte, from);
      if (!spend(tables_left_, 1)) {
        facts_given_up_ = true;
        return;
      }
      if (from < to && first != no_word) visit(from, first, static_cast<uint32_t>((to - from) >> page_bits));
    }
  }

  const Trace* trace_;
  std::unique_ptr<Machine> machine_;
  std::unique_ptr<Recorder> recorder_;
  std::vector<uint32_t> engine_runs_;  ///< by task
  std::vector<CallId> open_;  ///< by task: the innermost open call while it does not run
  std::vector<CallId> floors_;  ///< by task, see Waiting
  uint32_t task_ = 0;
  std::unordered_map<int32_t, AddressSpace*> spaces_;  ///< by pid
  std::unordered_map<uint64_t, AddressSpace*> mms_;    ///< by the kernel's pointer
  std::unordered_set<int32_t> exited_;                 ///< pids whose last task is gone
  std::unordered_set<int32_t> threads_;                ///< pids that the trace names a process for, not their own
  std::unordered_set<WordIndex> doubtful_vmas_;        ///< by first word
  struct ArrayKey {
    RegionKind kind;
    uint32_t space;
    uint64_t identity, start;
    uint32_t count;
    auto operator<=>(const ArrayKey&) const = default;
  };
  std::map<ArrayKey, WordIndex> arrays_;
  static bool spend(uint64_t& left, uint64_t cost) {
    if (cost > left) return false;
    left -= cost;
    return true;
  }
  void use(AddressSpace* space, int32_t pid);
  void forget(const AddressSpace* space);
  uint64_t pages_left_ = uint64_t{1} << 25;
  uint64_t inferred_left_ = uint64_t{1} << 20;
  uint64_t unseen_faults_left_ = uint64_t{1} << 23;
  uint64_t rmap_left_ = uint64_t{1} << 30;
  uint64_t forked_left_ = uint64_t{1} << 24;
  bool spend_forked(uint64_t pages) { return spend(forked_left_, pages); }
  std::unordered_map<AddressSpace*, uint32_t> users_;  ///< tasks that live in it
  std::unordered_map<uint64_t, WordIndex> notifiers_;
  std::map<std::pair<uint32_t, uint64_t>, WordIndex> ranges_;
  PageFacts facts_;
  uint64_t placeholders_ = 0;
  uint64_t tables_left_ = uint64_t{1} << 25;
  bool facts_given_up_ = false;
  bool huge_pages_always_ = false;
  bool watching_ = false;
  PageFacts changes_, vma_changes_;  ///< while watching: as "empty" ranges, entries and VMAs that have changed
  void note_change(const AddressSpace& space, uint64_t start, uint64_t end) {
    if (watching_) changes_.add_empty(space.id(), start, end);
  }
  void note_vma_change(const AddressSpace& space, uint64_t start, uint64_t end) {
    if (watching_) vma_changes_.add_empty(space.id(), start, end);
  }
  std::set<std::pair<uint32_t, uint64_t>> pte_tables_;  ///< space and first address of every shown pte table
};

}  // namespace hmmscope::traces
