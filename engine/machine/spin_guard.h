#pragma once
/// Guards for SpinLock and for what the kernel does in one atomic operation. Nothing happens on a machine that nobody
/// observes. Threads: the machine's. Ownership: refer to the machine.

#include "engine/machine/machine.h"

namespace hmmscope {

/// Holds a spinlock; may be let go and taken again in between.
class SpinGuard {
 public:
  enum Later { later };
  SpinGuard(Machine& machine, const SpinLock& which) : machine_(machine), lock_(which) { lock(); }
  /// Holds nothing until lock().
  SpinGuard(Machine& machine, const SpinLock& which, Later) : machine_(machine), lock_(which) {}
  ~SpinGuard() { unlock(); }
  SpinGuard(const SpinGuard&) = delete;
  SpinGuard& operator=(const SpinGuard&) = delete;
  void lock() {
    if (held_) return;
    machine_.spin_lock(lock_);
    held_ = true;
  }
  /// Holds `which` instead; nothing happens when that is what it holds.
  void change_to(const SpinLock& which) {
    if (held_ && which == lock_) return;
    unlock();
    lock_ = which;
    lock();
  }
  void unlock() {
    if (held_) machine_.spin_unlock(lock_);
    held_ = false;
  }

 private:
  Machine& machine_;
  SpinLock lock_;
  bool held_ = false;
};

/// A test and what follows from it as one operation (folio_trylock, TestClearPageLRU, a CPU's own page walk): nobody
/// comes in between, whatever steps are recorded meanwhile. Must not hold anything that sleeps.
class AtomicGuard {
 public:
  enum FromHere { from_here };
  explicit AtomicGuard(Machine& machine) : machine_(machine) { machine_.atomic_begin(true); }
  /// What was read just before belongs to the operation: nobody comes in at its beginning either.
  AtomicGuard(Machine& machine, FromHere) : machine_(machine) { machine_.atomic_begin(false); }
  ~AtomicGuard() { machine_.atomic_end(); }
  AtomicGuard(const AtomicGuard&) = delete;
  AtomicGuard& operator=(const AtomicGuard&) = delete;

 private:
  Machine& machine_;
};

}  // namespace hmmscope
