#pragma once
/// Tasks that run at the same time, interleaved by a policy. Each task is straight-line engine code on a stack of its
/// own (base/fiber.h), of which one runs at a time and passes the turn on at points, whose granularity is chosen:
/// with `lock` sections under a spinlock stay whole; with `rule` every rule is a point and spinlocks are locks that the
/// others wait for, so that who reads without the lock (hmm_range_fault, read_retry) can come in anywhere, as on a real
/// machine. What the kernel does in one atomic operation stays whole in both. Locks that sleep (mmap_lock, the driver's
/// lock, the lock of a folio, the wait of an interval notifier) are waits: a task that waits is not chosen until what it
/// waits for has happened. When nobody can be chosen it is a deadlock; when every task that can run has run and all is
/// as it was before (a cycle of the state graph), it is a livelock; both end the run and are named.
///
/// Deterministic: the same tasks and the same choices give the same recording. Ownership: refers to the machine, the
/// recorder and the policy, which must outlive run(). Threads: one; what is not said to be called before run() is called
/// by the running task.

#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/base/fiber.h"
#include "engine/machine/machine.h"
#include "engine/schedule/granularity.h"
#include "engine/schedule/mix.h"
#include "engine/schedule/policy.h"

namespace hmmscope::schedule {

enum class Wait : uint8_t { mmap_lock, driver_lock, migration, folio_lock, notifier, page_table_lock, notifier_lock };
std::string_view wait_name(Wait wait);

enum class End : uint8_t { finished, deadlock, livelock, stopped };
std::string_view end_name(End end);

struct Ended {
  End end = End::finished;
  std::string text;       ///< who waits for what held by whom; empty when finished
  std::string locks_left; ///< locks that somebody still holds when all have finished; empty when none
  std::string schedule;   ///< "cpu:3 gpu:1 ...": how many points each task ran, as TextPolicy reads it
};

/// A lock by what it is and whose: (mmap_lock, address space id), (driver_lock, device).
struct LockId {
  Wait kind = Wait::mmap_lock;
  uint64_t whose = 0;
  auto operator<=>(const LockId&) const = default;
};

class Scheduler final : public StepObserver {
 public:
  Scheduler(Machine& machine, Recorder& recorder, Policy& policy, Granularity granularity = Granularity::lock);
  /// Before run(): `body` is what the task does. Its name is also a task of the recording.
  uint32_t add_task(std::string name, std::function<void()> body);
  /// Runs all tasks to their end, or until none can go on. An exception of a body comes out here.
  Ended run();

  bool in_task() const { return running_; }
  uint32_t current() const { return current_; }
  /// How often more than one task could run so far: while this stays the same the running task has been alone.
  uint64_t choices() const { return choices_; }
  const std::string& name_of(uint32_t task) const { return tasks_[task]->name; }
  /// The running task begins its next operation. `keeps`: what it knows from the one before still matters (a migration
  /// that it has set up).
  void begin_operation(bool keeps);
  /// The running task begins anew: nothing it did in this operation matters but `local`. Without this a retry that is
  /// not counted would look like progress for ever.
  void starts_over(uint64_t local);
  /// The running task keeps this result.
  void remember(std::string_view result);

  // waits; only from a running task
  void lock(LockId id, bool exclusive);
  /// Exclusively, without waiting. False: somebody holds it.
  bool try_lock(LockId id);
  void unlock(LockId id);
  /// Who holds it now: "cpu", "cpu and gpu"; empty when nobody does.
  std::string holders(LockId id) const;
  /// Until ready() is true. `what`: an address or a number for the recording; `text` for people ("the lock of the page
  /// at 0x7f..."); holder() says who could end the wait.
  void wait(Wait kind, uint64_t what, std::string text, std::function<bool()> ready, std::function<std::string()> holder);
  /// Somebody else may run here.
  void point();
  /// Says who holds the lock of a folio (by pfn); used by waits that a rule announces.
  void set_folio_holder(std::function<std::string(uint64_t pfn)> holder) { folio_holder_ = std::move(holder); }

  // StepObserver
  void before_step(RuleId rule, std::initializer_list<uint64_t> operands) override;
  void before_enter(Function function) override;
  void spin_lock(const SpinLock& lock) override;
  void spin_unlock(const SpinLock& lock) noexcept override;
  void atomic_begin(bool may_wait) override;
  void atomic_end() noexcept override;

 private:
  struct Stopped {};   ///< thrown through a task's code when the run is over
  struct Task {
    std::string name;
    std::function<void()> body;
    std::unique_ptr<Fiber> fiber;
    std::function<bool()> ready;       ///< set while it waits
    std::function<std::string()> holder;
    std::string waits_for;
    Wait wait = Wait::mmap_lock;
    uint64_t what = 0;
    CallId call = no_call;
    uint32_t recorder_task = 0;
    uint64_t operation = 0;
    uint64_t history = 1;              ///< of every step of this operation: equal ones have equal local variables
    uint64_t remembered = 0;           ///< of its results so far
    uint64_t last_run = 0;             ///< number of the point it ran from last
    uint32_t atomic = 0;               ///< operations it is inside of
    bool reads_sequence = false;       ///< may hold what read_begin returned
    bool done = false;
  };
  struct Lock {
    std::vector<uint32_t> readers;
    uint32_t writer = Policy::stop;
    uint32_t waiting_writers = 0;
  };

  /// What a task's fiber runs; returns who goes on after it.
  Fiber& body(uint32_t task);
  bool can_run(const Task& task) const { return !task.done && (!task.ready || task.ready()); }
  /// Chooses who goes on and switches to it. The caller comes back when it is chosen again.
  void pass_on();
  /// Who goes on: a task, or Policy::stop.
  uint32_t choose();
  /// As choose(); when the run is over (stopping_, then), the first task that has not ended, which is to stop.
  uint32_t next_task();
  void resume(uint32_t task);
  void found_deadlock();
  /// Nobody has got anywhere since the machine was last like this. Narrows the runnable to who has not tried; true: a livelock.
  bool nothing_new();
  /// Who reads and writes from here on is `task`.
  void open_segment(uint32_t task);
  void close_segment();
  void accessed(uint64_t object, bool written);
  void announced_wait(RuleId rule, std::initializer_list<uint64_t> operands);
  /// Of the machine and of what every task has done.
  uint64_t full_state() const;

  Machine& machine_;
  Recorder& recorder_;
  Policy& policy_;
  Granularity granularity_;
  std::vector<std::unique_ptr<Task>> tasks_;
  std::vector<uint32_t> runnable_;
  std::map<LockId, Lock> locks_;
  std::map<SpinLock, uint32_t> spin_holders_;   ///< the task; not there: free
  AccessLog log_;
  Segment segment_;
  bool segment_open_ = false;
  std::vector<uint64_t> positions_;
  std::function<std::string(uint64_t)> folio_holder_;
  Fiber outside_;
  std::exception_ptr failure_;
  std::unordered_map<uint64_t, uint64_t> seen_;   ///< state -> number of the point
  std::vector<std::pair<uint32_t, uint64_t>> ran_;
  uint64_t points_ = 0, state_ = 0, choices_ = 0;
  uint32_t current_ = 0;
  bool running_ = false, stopping_ = false, inside_ = false;
  Ended ended_;
};

/// Places where another task may go on with Granularity::lock, before the step is opened or the call entered.
bool is_point(RuleId rule);
bool is_point(Function function);
/// A bit for each operand of the rule that is a notifier's sequence number.
uint32_t sequence_operands(RuleId rule);

}  // namespace hmmscope::schedule
