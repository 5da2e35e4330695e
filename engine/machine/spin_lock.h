#pragma once
/// The kernel's spinlocks, as the engine announces them. They change no word: whoever runs several tasks at once
/// (engine/schedule) makes the others wait, everybody else lets them pass. Code that holds one must not sleep.

#include <compare>
#include <cstdint>

namespace hmmscope {

enum class SpinLockKind : uint8_t {
  pte,        ///< of one table of ptes (split page-table locks, one a table)
  pmd,        ///< of one table of pmds
  notifier,   ///< mmu_notifier_subscriptions::lock of an address space
};

struct SpinLock {
  SpinLockKind kind = SpinLockKind::pte;
  uint32_t space = 0;   ///< AddressSpace::id()
  uint64_t part = 0;    ///< which table: the address by the size that it maps; notifier: 0
  auto operator<=>(const SpinLock&) const = default;
};

constexpr SpinLock pte_lock(uint32_t space, uint64_t addr) { return {SpinLockKind::pte, space, addr >> 21}; }
constexpr SpinLock pmd_lock(uint32_t space, uint64_t addr) { return {SpinLockKind::pmd, space, addr >> 30}; }
constexpr SpinLock notifier_lock(uint32_t space) { return {SpinLockKind::notifier, space, 0}; }

}  // namespace hmmscope
