#pragma once
/// Programs that run one atomic action at a time: a coroutine waits for its turn before each, and whoever schedules the
/// turns decides how several programs interleave. Single-threaded; a program must not outlive its Turns.

#include <cassert>
#include <coroutine>
#include <exception>
#include <type_traits>
#include <utility>

namespace hmmscope {

/// Where one program stands.
class Turns {
 public:
  struct Wait {
    Turns* turns;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> handle) const noexcept { turns->waiting_ = handle; }
    void await_resume() const noexcept {}
  };
  /// co_await next(): what follows happens in the program's next turn.
  Wait next() { return {this}; }
  /// Runs the program up to its next wait.
  void give() { std::exchange(waiting_, {}).resume(); }

 private:
  std::coroutine_handle<> waiting_;
};

/// A program or a part of one; parts are awaited by the program. Starts when it is awaited or started.
template <class T>
class [[nodiscard]] Program;

namespace detail {

struct ProgramPromiseBase {
  std::coroutine_handle<> continuation;
  struct Final {
    bool await_ready() const noexcept { return false; }
    template <class P>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<P> handle) const noexcept {
      const std::coroutine_handle<> next = handle.promise().continuation;
      return next ? next : std::noop_coroutine();
    }
    void await_resume() const noexcept {}
  };
  std::suspend_always initial_suspend() const noexcept { return {}; }
  Final final_suspend() const noexcept { return {}; }
  void unhandled_exception() const noexcept { std::terminate(); }
};

template <class T>
struct ProgramPromise : ProgramPromiseBase {
  T value{};
  void return_value(T result) { value = result; }
};
template <>
struct ProgramPromise<void> : ProgramPromiseBase {
  void return_void() const noexcept {}
};

}  // namespace detail

template <class T>
class [[nodiscard]] Program {
 public:
  struct promise_type : detail::ProgramPromise<T> {
    Program get_return_object() { return Program(std::coroutine_handle<promise_type>::from_promise(*this)); }
  };

  Program(Program&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
  Program& operator=(Program&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Program() {
    if (handle_) handle_.destroy();
  }

  void start() { handle_.resume(); }
  bool done() const { return handle_.done(); }

  bool await_ready() const noexcept { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> continuation) noexcept {
    handle_.promise().continuation = continuation;
    return handle_;
  }
  T await_resume() {
    if constexpr (!std::is_void_v<T>) return handle_.promise().value;
  }

 private:
  explicit Program(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  std::coroutine_handle<promise_type> handle_;
};

}  // namespace hmmscope
