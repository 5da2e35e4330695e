#pragma once
/// Failures at a chosen place of a run: no memory, a folio locked by somebody, a DMA pin, a reference that nobody expects,
/// failing memory, an invalidation, a fatal signal; or bits that somebody changes by hand. A place is the Nth time a rule is
/// about to fire, or a step's number.
///
/// What the kernel could not do just there happens as soon as it could: poison and invalidation where no spinlock is
/// held, nor the driver's lock (they take page-table locks, they sleep, the driver's callback takes its lock), poison
/// where a page of system memory is mapped whose lock is free (poison.h), a pin where the page is mapped present
/// (get_user_pages finds no other); nothing happens inside an atomic operation. What happened later than asked for, and
/// what never happened, is said at the end.
/// Threads: the running task's. Ownership: refers to the world.

#include <vector>

#include "engine/migrate/hooks.h"
#include "engine/scenario/world.h"

namespace hmmscope::scenario {

class Injector final : public StepObserver, public MigrateHooks, public DriverLocks {
 public:
  /// Error: an unknown rule, or an address outside every VMA.
  static Result<std::unique_ptr<Injector>> create(World& world);

  void before_step(RuleId rule, std::initializer_list<uint64_t> operands) override;
  void before_enter(Function function) override;
  void spin_lock(const SpinLock&) override { ++spinlocks_; }
  void spin_unlock(const SpinLock&) noexcept override { --spinlocks_; }
  void atomic_begin(bool) override { ++atomic_; }
  void atomic_end() noexcept override { --atomic_; }

  // DriverLocks of a machine with one task: nobody waits, but what would have to wait for the driver does not happen.
  void mmap_read_lock(const AddressSpace&) override {}
  void mmap_read_unlock(const AddressSpace&) override {}
  void driver_lock(uint64_t) override { ++driver_locks_; }
  void driver_unlock(uint64_t) override { --driver_locks_; }
  bool holds_driver_lock() const override { return driver_locks_ != 0; }
  bool driver_trylock(uint64_t) override {
    ++driver_locks_;
    return true;
  }
  bool wait_for_notifier(IntervalNotifier&) override { return false; }
  WalkHooks* walk_hooks(AddressSpace&) override { return nullptr; }

  /// An injection that has not happened: its place has not come, or came and the kernel could not do it from there on.
  struct Missed {
    const InjectDecl* decl;
    std::string why;   ///< a sentence
  };
  std::vector<Missed> missed() const;

  /// An injection that happened at a later step than its place.
  struct Postponed {
    const InjectDecl* decl;
    StepIndex step;    ///< of the recording, at which it happened
    std::string why;   ///< a sentence
  };
  std::vector<Postponed> postponed() const;

  // MigrateHooks: the driver asks for memory
  bool has_memory(MigrateMemory kind, uint64_t slot, uint64_t addr) override;

 private:
  struct Planned {
    const InjectDecl* decl = nullptr;
    RuleId rule = RuleId::count_;
    uint64_t addr = 0;
    uint64_t seen = 0;
    bool due = false, done = false;
    StepIndex due_at = 0, done_at = 0;   ///< steps recorded before its place came, and before what happened together with it
    StepIndex step = no_step;            ///< at which it happened
    std::string obstacle;                ///< what was in the way at its place; empty: nothing
  };
  explicit Injector(World& world) : world_(world) {}
  /// What is due and can happen now happens.
  void happen_if_possible();
  bool possible(const Planned& planned) const;
  void happen(Planned& planned);
  void on_folio(const Planned& planned, RuleId rule);
  /// Why it cannot happen now; empty when it is not known.
  std::string obstacle(const Planned& planned) const;
  /// False while the word does not exist.
  bool flip(const Planned& planned);

  World& world_;
  std::vector<Planned> planned_;
  uint64_t steps_ = 0;
  uint64_t recorded_ = 0;                                    ///< steps with those of injections
  uint64_t spinlocks_ = 0, atomic_ = 0, driver_locks_ = 0;   ///< held, entered
  uint64_t no_memory_ = 0;      ///< allocations that are still to fail
  bool inside_ = false;
};

}  // namespace hmmscope::scenario
