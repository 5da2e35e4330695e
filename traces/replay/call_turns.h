#pragma once
/// Calls of several tasks that overlap in a trace, each suspended in the middle of the engine until its own next
/// event comes: one stack a call (engine/base/fiber.h), of which exactly one runs at any time.
///
/// A call that waits names the event it waits for. Whoever runs replays the events in order and gives way as soon
/// as the event that another one waits for is reached. So the steps of all calls stand in the order of the trace,
/// and no call of a task begins before the one before it is over.
///
/// Threads: one; the caller is the first of the turns. What a call throws is thrown on in the caller, when that runs next.
/// finish() must come before the destruction.

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <vector>

#include "engine/base/fiber.h"

namespace hmmscope::traces {

class CallTurns {
 public:
  CallTurns() = default;
  CallTurns(const CallTurns&) = delete;
  CallTurns& operator=(const CallTurns&) = delete;

  /// Who runs waits for event `until` from now on; returns what it waited for before.
  uint32_t wait_for(uint32_t until);
  /// Somebody else waits for an event up to `reached`: lets it run, and returns true when it is this one's turn
  /// again. False when nobody does.
  bool give_way(uint32_t reached);
  /// Lets every suspended call run to its end, which none of them may wait for any more; throws nothing.
  void finish();
  /// Runs `call` on another stack and returns when it is this one's turn again. False, and nothing is run, when too many
  /// are suspended already or there is no memory for a stack.
  bool start(std::function<void()> call);
  /// A call runs on the stack that runs now; further ones must be started.
  bool busy() const { return current_ != &first_ || first_.calls != 0; }
  /// Counts a call that runs on the caller's own stack.
  void begin() { ++current_->calls; }
  void end() { --current_->calls; }

 private:
  struct Turn {
    uint32_t until = 0;
    uint32_t calls = 0;
    std::function<void()> call;
    std::unique_ptr<Fiber> fiber;
  };

  /// What a turn's fiber runs; returns who goes on after it.
  Fiber& body(Turn& turn);
  void hand_to(Turn& turn);
  Turn* take_earliest();
  void rethrow();

  Turn first_{0, 0, {}, std::make_unique<Fiber>()};
  Turn* current_ = &first_;
  std::vector<std::unique_ptr<Turn>> others_;
  std::vector<Turn*> waiting_;  ///< in the order in which they began to wait
  std::vector<Turn*> idle_;     ///< whose call is over
  std::exception_ptr failure_;
};

}  // namespace hmmscope::traces
