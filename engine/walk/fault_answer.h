#pragma once
/// Who answers a fault that a range call asks for: the hooks, or else the machine's FaultHandler.

#include <cassert>
#include <optional>

#include "engine/fault/handle_mm_fault.h"
#include "engine/machine/machine.h"
#include "engine/walk/hooks.h"

namespace hmmscope {

/// vm_fault bits. `hooks` may be null; then the machine must have a handler.
inline uint32_t fault_answer(Machine& machine, WalkHooks* hooks, AddressSpace& space, uint64_t addr, uint32_t flags) {
  if (hooks != nullptr) {
    if (const std::optional<uint32_t> told = hooks->handle_mm_fault(addr, flags)) return *told;
  }
  FaultHandler* handler = machine.fault_handler();
  assert(handler != nullptr && "a call that asks for faults needs a FaultHandler or hooks");
  return handler != nullptr ? handler->handle_mm_fault(machine, space, addr, flags) : vm_fault::sigbus;
}

}  // namespace hmmscope
