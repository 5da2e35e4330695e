#pragma once
/// The test driver of the kernel's HMM selftests (lib/test_hmm.c): one opened device file and its ioctls. A device
/// with memory of its own, mirrored page tables, and content that is read and written through them.
///
/// Source: lib/test_hmm.c and lib/test_hmm_uapi.h of 5.8 to 7.3; which commands exist follows the kernel model.
/// Content is one word a page (PageData). Ownership: refers to the machine, the mirror and the device memory, which
/// must outlive it. Threads: one at a time. Every ioctl is a recorded call.

#include <cstdint>
#include <functional>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "engine/test_hmm/device_mirror.h"
#include "engine/walk/hooks.h"

namespace hmmscope {

struct DeviceMemory;

/// Rounds of the retry loop after which a call is given up; the driver gives up after a second.
inline constexpr uint64_t enough_rounds = 64;

/// HMM_DMIRROR_PROT_*: a byte of a snapshot.
namespace dmirror_prot {
inline constexpr uint8_t error = 0xff, none = 0x00, read = 0x01, write = 0x02, pmd = 0x04, pud = 0x08, zero = 0x10,
                         dev_private_local = 0x20, dev_private_remote = 0x30, dev_coherent_local = 0x40,
                         dev_coherent_remote = 0x50;
}

enum class DmirrorCommand : uint8_t {
  read, write, migrate_to_dev, migrate_to_sys, snapshot, exclusive, check_exclusive, release, flags, read_unlocked,
  migrate_on_fault_to_dev,
};
/// The kernel's name without HMM_DMIRROR_; nothing when there is no such command.
std::optional<DmirrorCommand> dmirror_command(std::string_view name);

/// struct hmm_dmirror_cmd after the call, and its return value.
struct DmirrorResult {
  int ret = 0;           ///< 0 or -errno; -EDEADLK, which no kernel returns, when the call would never come back
  uint64_t cpages = 0;
  uint64_t faults = 0;
};

class Dmirror {
 public:
  /// What a userfaultfd handler copies into a missing page.
  using UffdContent = std::function<uint64_t(uint64_t addr)>;

  Dmirror(Machine& machine, DeviceMirror& mirror, const DeviceMemory& memory)
      : machine_(machine), mirror_(mirror), memory_(memory) {}

  DeviceMirror& mirror() { return mirror_; }
  void set_uffd(UffdContent content) { uffd_ = std::move(content); }

  /// One ioctl on npages pages at addr (page aligned). `buffer` has npages words: read, migrate, exclusive and
  /// snapshot fill it (as far as cpages says), write takes it. flags takes npages as its value.
  DmirrorResult ioctl(DmirrorCommand command, uint64_t addr, uint64_t npages, std::span<uint64_t> buffer);

 private:
  bool knows(DmirrorCommand command) const;
  DmirrorResult access(uint64_t addr, uint64_t npages, std::span<uint64_t> buffer, bool write);
  DmirrorResult migrate(uint64_t addr, uint64_t npages, std::span<uint64_t> buffer, bool to_device);
  // migrate_on_fault.cpp: kernels with the unified fault-and-migrate patches
  DmirrorResult migrate_on_fault(uint64_t addr, uint64_t npages, std::span<uint64_t> buffer);
  int fault_and_migrate(uint64_t start, uint64_t end, const MigrateArrays& arrays);
  int fault_as_posted(RangeFaultCall& call);
  int fault_later(RangeFaultCall& call, MigrateVma& args);
  void move_to_device(const MigrateVma& args);
  bool begin_read(RangeFaultCall& call);

  DmirrorResult snapshot(uint64_t addr, uint64_t npages, std::span<uint64_t> buffer);
  DmirrorResult exclusive(uint64_t addr, uint64_t npages, std::span<uint64_t> buffer);
  DmirrorResult check_exclusive(uint64_t addr, uint64_t npages);
  DmirrorResult release();

  /// Pages copied from the start; less than `pages` when the table lacks one.
  uint64_t copy(uint64_t addr, uint64_t pages, std::span<uint64_t> buffer, bool write);
  int fault(uint64_t start, uint64_t end, bool write);
  int walk(const RangeFaultCall& call, WalkHooks* hooks);
  int range_fault(uint64_t start, uint64_t end, bool write);
  int take_slots(uint64_t start, WordIndex slots, uint64_t pages, bool write);
  int snapshot_chunk(uint64_t start, uint64_t end, std::span<uint64_t> bytes);
  uint8_t byte_of(uint64_t slot) const;
  struct Array {
    uint64_t start, pages;
    WordIndex first;
    uint32_t users = 0;   ///< calls of tasks that are using it
    WordIndex slot(uint64_t addr) const { return first + static_cast<WordIndex>((addr - start) / page_bytes); }
  };
  /// Slots for [start, end) that no call uses, with room in the device's table; the same call again takes the same words.
  Array& array_for(uint64_t start, uint64_t pages);
  uint64_t pfn_of(uint64_t word) const;

  Machine& machine_;
  DeviceMirror& mirror_;
  const DeviceMemory& memory_;
  UffdContent uffd_;
  std::deque<Array> arrays_;
  struct Migrating {
    MigrateArrays arrays;
    uint32_t users = 0;
  };
  std::multimap<std::pair<uint64_t, uint64_t>, Migrating> migrations_;   ///< by first page and number of pages
};

}  // namespace hmmscope
