#pragma once
/// Failures at a chosen place of a run: no memory, a folio locked by somebody, a reference that nobody expects, failing
/// memory, an invalidation, a fatal signal; or bits that somebody changes by hand. A place is the Nth time a rule is about to fire, or a step's number.
///
/// What needs a lock that the engine may hold there (poison and invalidation change page tables or sleep) happens at
/// the first point (engine/schedule) from that place on. Threads: the running task's. Ownership: refers to the world.

#include <vector>

#include "engine/migrate/hooks.h"
#include "engine/scenario/world.h"

namespace hmmscope::scenario {

class Injector final : public StepObserver, public MigrateHooks {
 public:
  /// Error: an unknown rule, or an address outside every VMA.
  static Result<std::unique_ptr<Injector>> create(World& world);

  void before_step(RuleId rule, std::initializer_list<uint64_t> operands) override;
  void before_enter(Function function) override;

  /// Injections whose place has not come.
  std::vector<const InjectDecl*> never_came() const;

  // MigrateHooks: the driver asks for memory
  bool has_memory(MigrateMemory kind, uint64_t slot, uint64_t addr) override;

 private:
  struct Planned {
    const InjectDecl* decl;
    RuleId rule = RuleId::count_;
    uint64_t addr = 0;
    uint64_t seen = 0;
    bool due = false, done = false;
  };
  explicit Injector(World& world) : world_(world) {}
  void happen(Planned& planned);
  void on_folio(const Planned& planned, RuleId rule);
  void poison(const Planned& planned);
  /// False while the word does not exist.
  bool flip(const Planned& planned);
  void at_point();

  World& world_;
  std::vector<Planned> planned_;
  uint64_t steps_ = 0;
  uint64_t recorded_ = 0;       ///< steps with those of injections
  uint64_t no_memory_ = 0;      ///< allocations that are still to fail
  bool inside_ = false;
};

}  // namespace hmmscope::scenario
