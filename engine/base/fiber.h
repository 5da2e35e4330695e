#pragma once
/// Code with a stack of its own that runs in turns with others on one thread: whoever runs says who runs next. What the
/// tasks of a scenario and the overlapping calls of a trace are made of. To switch costs one system call (the
/// signal mask) and wakes nobody; the order in which fibers run depends on nothing but who switched to whom.
///
/// Built on makecontext and swapcontext of <ucontext.h>; tells the address and the thread sanitizer of its switches.
/// Threads: a fiber belongs to the thread that first runs it. An exception may not leave a fiber; one that is being
/// handled stays with the fiber that handles it.

#include <ucontext.h>

#include <cstddef>
#include <functional>

namespace hmmscope {

class Fiber {
 public:
  /// Stands for the code that runs now, on the stack it is on. Must be left only with switch_to.
  Fiber() = default;
  /// Begins `body` when it is first switched to; body returns who goes on when it is over, and must not throw. Throws
  /// std::bad_alloc when there is no memory for a stack.
  explicit Fiber(std::function<Fiber&()> body);
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;
  /// Not from itself. Of a fiber that has begun and is not over, what is on its stack is not destroyed.
  ~Fiber();

  /// Leaves this fiber, which must be the running one, for another, which must not be over. Returns when somebody
  /// switches back.
  void switch_to(Fiber& next) { leave_for(next, false); }
  /// Its body has returned.
  bool over() const { return over_; }

 private:
  /// What the C++ runtime keeps of exceptions for a thread (the Itanium C++ ABI's __cxa_eh_globals).
  struct Exceptions {
    void* caught;
    unsigned uncaught;
  };
  void leave_for(Fiber& next, bool last);
  void arrive();
  static void begin();

  ucontext_t context_{};
  std::function<Fiber&()> body_;
  void* stack_ = nullptr;          ///< owned; nullptr: the thread's own
  const void* bottom_ = nullptr;   ///< of the stack as a sanitizer knows it, with its size
  size_t size_ = 0;
  void* fake_stack_ = nullptr;     ///< the address sanitizer's
  void* shadow_ = nullptr;         ///< the thread sanitizer's fiber
  Exceptions exceptions_{};
  bool over_ = false;
};

}  // namespace hmmscope
