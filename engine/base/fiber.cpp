#include "engine/base/fiber.h"

#include <cxxabi.h>
#include <sys/mman.h>

#include <cassert>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>
#include <vector>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HMMSCOPE_ADDRESS_SANITIZER 1
#endif
#if __has_feature(thread_sanitizer)
#define HMMSCOPE_THREAD_SANITIZER 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define HMMSCOPE_ADDRESS_SANITIZER 1
#endif
#if defined(__SANITIZE_THREAD__)
#define HMMSCOPE_THREAD_SANITIZER 1
#endif
#ifdef HMMSCOPE_ADDRESS_SANITIZER
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef HMMSCOPE_THREAD_SANITIZER
#include <sanitizer/tsan_interface.h>
#endif

namespace hmmscope {
namespace {

/// Memory is taken as it is touched; the lowest page is never, so that an overflow ends the program.
constexpr size_t stack_bytes = size_t{1} << 20, guard_bytes = size_t{1} << 12;

void* map_stack() {
  void* stack = mmap(nullptr, stack_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
  if (stack == MAP_FAILED) throw std::bad_alloc();
  if (mprotect(stack, guard_bytes, PROT_NONE) != 0) {
    munmap(stack, stack_bytes);
    throw std::bad_alloc();
  }
  return stack;
}

/// Stacks of fibers that are gone, for the thread's next ones: an explorer makes some for each of its runs.
struct StackCache {
  static constexpr size_t most = 16;
  std::vector<void*> free;

  StackCache() { free.reserve(most); }
  ~StackCache() {
    for (void* stack : free) munmap(stack, stack_bytes);
  }
  void* take() {
    if (free.empty()) return map_stack();
    void* stack = free.back();
    free.pop_back();
    return stack;
  }
  void give(void* stack) {
    if (free.size() < most) free.push_back(stack);
    else munmap(stack, stack_bytes);
  }
};
thread_local StackCache stacks;

thread_local Fiber* left = nullptr;       ///< the fiber that the switch under way comes from
thread_local Fiber* entered = nullptr;    ///< and the one it goes to

}  // namespace

Fiber::Fiber(std::function<Fiber&()> body) : body_(std::move(body)), stack_(stacks.take()) {
  void* const bottom = static_cast<char*>(stack_) + guard_bytes;
  bottom_ = bottom;
  size_ = stack_bytes - guard_bytes;
  getcontext(&context_);
  context_.uc_stack.ss_sp = bottom;
  context_.uc_stack.ss_size = size_;
  context_.uc_link = nullptr;
  makecontext(&context_, &Fiber::begin, 0);
#ifdef HMMSCOPE_THREAD_SANITIZER
  shadow_ = __tsan_create_fiber(0);
#endif
}

Fiber::~Fiber() {
  if (stack_ == nullptr) return;
#ifdef HMMSCOPE_THREAD_SANITIZER
  __tsan_destroy_fiber(shadow_);
#endif
#ifdef HMMSCOPE_ADDRESS_SANITIZER
  __asan_unpoison_memory_region(bottom_, size_);   // frames that were left for good are not
#endif
  stacks.give(stack_);
}

void Fiber::begin() {
  Fiber& self = *entered;
  self.arrive();
  Fiber& next = self.body_();
  self.over_ = true;
  self.leave_for(next, true);
  std::abort();   // nobody switches to a fiber that is over
}

void Fiber::leave_for(Fiber& next, [[maybe_unused]] bool last) {
  assert(&next != this && !next.over_);
  static_assert(sizeof(Exceptions) == sizeof(void*) * 2);
  std::memcpy(&exceptions_, abi::__cxa_get_globals(), sizeof exceptions_);
  left = this;
  entered = &next;
#ifdef HMMSCOPE_ADDRESS_SANITIZER
  __sanitizer_start_switch_fiber(last ? nullptr : &fake_stack_, next.bottom_, next.size_);
#endif
#ifdef HMMSCOPE_THREAD_SANITIZER
  if (stack_ == nullptr) shadow_ = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(next.shadow_, 0);
#endif
  if (swapcontext(&context_, &next.context_) != 0) std::abort();   // its only error is a stack too small for a context
  arrive();
}

void Fiber::arrive() {
#ifdef HMMSCOPE_ADDRESS_SANITIZER
  // Where the thread's own stack lies is known only when it has been left.
  __sanitizer_finish_switch_fiber(fake_stack_, &left->bottom_, &left->size_);
#endif
  std::memcpy(abi::__cxa_get_globals(), &exceptions_, sizeof exceptions_);
}

}  // namespace hmmscope
