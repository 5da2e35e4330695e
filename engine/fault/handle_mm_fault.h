#pragma once
/// The CPU fault path as hmm_range_fault sees it: one page, one access, in a known address space.
/// Source: mm/memory.c and include/linux/mm_types.h, 6.1 and 6.12.

#include <cstdint>

namespace hmmscope {

class AddressSpace;
class Machine;

/// enum fault_flag
namespace fault_flag {
inline constexpr uint32_t write = 0x1, mkwrite = 0x2, allow_retry = 0x4, retry_nowait = 0x8, killable = 0x10,
                          tried = 0x20, user = 0x40, remote = 0x80, instruction = 0x100, interruptible = 0x200,
                          unshare = 0x400, vma_lock = 0x1000;
}

/// enum vm_fault_reason
namespace vm_fault {
inline constexpr uint32_t oom = 0x1, sigbus = 0x2, major = 0x4, hwpoison = 0x10, hwpoison_large = 0x20, sigsegv = 0x40,
                          nopage = 0x100, locked = 0x200, retry = 0x400, fallback = 0x800, done_cow = 0x1000,
                          needdsync = 0x2000, completed = 0x4000;
/// VM_FAULT_ERROR
inline constexpr uint32_t error = oom | sigbus | sigsegv | hwpoison | hwpoison_large | fallback;
}  // namespace vm_fault

class FaultHandler {
 public:
  virtual ~FaultHandler() = default;
  /// handle_mm_fault for the page at addr (page aligned, inside a VMA) with fault_flag bits. Changes page tables and
  /// folios through the machine, calls interval notifiers where the kernel does, and returns vm_fault bits (0 = fine;
  /// the caller re-walks and decides again, so success need not mean that the request is met).
  /// The caller has entered the call Function::handle_mm_fault and leaves it with the result.
  virtual uint32_t handle_mm_fault(Machine& machine, AddressSpace& space, uint64_t addr, uint32_t flags) = 0;
};

}  // namespace hmmscope
