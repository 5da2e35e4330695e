#include "engine/test_hmm/dmirror.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include "engine/base/in_use.h"
#include "engine/fault/handle_mm_fault.h"
#include "engine/machine/page_data.h"
#include "engine/migrate/device_exclusive.h"
#include "engine/unified/unified_policy.h"
#include "engine/walk/range_fault.h"

namespace hmmscope {
namespace {

constexpr uint64_t pages_a_copy = 64;
constexpr uint64_t flag_fail_alloc = 1;  // HMM_DMIRROR_FLAG_FAIL_ALLOC

constexpr std::array<std::string_view, 11> names = {
    "READ",  "WRITE", "MIGRATE_TO_DEV", "MIGRATE_TO_SYS", "SNAPSHOT",
    "EXCLUSIVE", "CHECK_EXCLUSIVE", "RELEASE", "FLAGS", "READ_UNLOCKED", "MIGRATE_ON_FAULT_TO_DEV"};

uint64_t word_at(Machine& machine, uint64_t pfn) {
  return machine.page_data() == nullptr ? 0 : machine.page_data()->load(pfn);
}

}  // namespace

std::optional<DmirrorCommand> dmirror_command(std::string_view name) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) return std::nullopt;
  return static_cast<DmirrorCommand>(found - names.begin());
}

bool Dmirror::knows(DmirrorCommand command) const {
  const KernelModel& model = machine_.model();
  switch (command) {
    case DmirrorCommand::exclusive:
    case DmirrorCommand::check_exclusive:
      return model.device_exclusive;
    case DmirrorCommand::release:
      return model.dmirror_release;
    case DmirrorCommand::flags:
      return model.dmirror_flags;
    case DmirrorCommand::read_unlocked:
      return model.fault_errno_mapped;   // came with the unlocked interface of hmm_range_fault
    case DmirrorCommand::migrate_on_fault_to_dev:
      return unified_policy(model.unified).patched;
    default:
      return true;
  }
}

DmirrorResult Dmirror::ioctl(DmirrorCommand command, uint64_t addr, uint64_t npages, std::span<uint64_t> buffer) {
  machine_.enter(Function::ioctl, {static_cast<uint64_t>(command), addr, npages});
  DmirrorResult result;
  if (!knows(command)) {
    machine_.step(RuleId::dmirror_unknown, {static_cast<uint64_t>(command)});
    result.ret = -EINVAL;
  } else {
    switch (command) {
      case DmirrorCommand::read:
      case DmirrorCommand::read_unlocked:
        result = access(addr, npages, buffer, false);
        break;
      case DmirrorCommand::write:
        result = access(addr, npages, buffer, true);
        break;
      case DmirrorCommand::migrate_to_dev:
      case DmirrorCommand::migrate_to_sys:
        result = migrate(addr, npages, buffer, command == DmirrorCommand::migrate_to_dev);
        break;
      case DmirrorCommand::snapshot:
        result = snapshot(addr, npages, buffer);
        break;
      case DmirrorCommand::exclusive:
        result = exclusive(addr, npages, buffer);
        break;
      case DmirrorCommand::check_exclusive:
        result = check_exclusive(addr, npages);
        break;
      case DmirrorCommand::release:
        result = release();
        break;
      case DmirrorCommand::flags:
        machine_.step(RuleId::dmirror_flags, {npages});
        mirror_.set_fail_allocation((npages & flag_fail_alloc) != 0);
        break;
      case DmirrorCommand::migrate_on_fault_to_dev:
        result = migrate_on_fault(addr, npages, buffer);
        break;
    }
  }
  machine_.leave(result.ret);
  return result;
}

// --- reading and writing through the mirror

uint64_t Dmirror::pfn_of(uint64_t word) const {
  const Field* pfn = machine_.model().hmm_pfn->field(Role::pfn);
  return pfn->get(word);
}

uint64_t Dmirror::copy(uint64_t addr, uint64_t pages, std::span<uint64_t> buffer, bool write) {
  const DriverLockGuard locked(mirror_.locks(), mirror_.owner());
  for (uint64_t k = 0; k < pages; ++k, addr += page_bytes) {
    const uint64_t entry = mirror_.entry(addr);
    if (entry == 0 || (write && (entry & machine_.pfn_format().write) == 0)) {
      machine_.step(RuleId::dmirror_missing, {addr, entry, write});
      return k;
    }
    const uint64_t pfn = pfn_of(entry);
    if (write) {
      machine_.step(RuleId::dmirror_write, {addr, pfn, buffer[k]});
      if (PageData* data = machine_.page_data(); data != nullptr) data->store(pfn, buffer[k]);
    } else {
      buffer[k] = word_at(machine_, pfn);
      machine_.step(RuleId::dmirror_read, {addr, pfn, buffer[k]});
    }
  }
  return pages;
}

DmirrorResult Dmirror::access(uint64_t addr, uint64_t npages, std::span<uint64_t> buffer, bool write) {
  DmirrorResult result;
  array_for(addr, npages);
  for (;;) {
    result.cpages += copy(addr + result.cpages * page_bytes, npages - result.cpages, buffer.subspan(result.cpages), write);
    if (result.cpages == npages || result.faults > npages) return result;
    result.ret = fault(addr + result.cpages * page_bytes, addr + npages * page_bytes, write);
    if (result.ret != 0) return result;
    ++result.faults;
  }
}

int Dmirror::fault(uint64_t start, uint64_t end, bool write) {
  for (uint64_t addr = start, next = start; addr < end; addr = next) {
    next = std::min(end, addr + pages_a_copy * page_bytes);
    if (const int ret = range_fault(addr, next, write); ret != 0) return ret;
  }
  return 0;
}

namespace {

/// The unlocked interface: a fault on a userfaultfd page drops mmap_lock, the handler copies the page in.
class UnlockedHooks final : public WalkHooks {
 public:
  UnlockedHooks(Machine& machine, AddressSpace& space, WalkHooks* rest, const Dmirror::UffdContent& content)
      : machine_(machine), space_(space), rest_(rest), content_(content) {}

  std::optional<uint32_t> handle_mm_fault(uint64_t addr, uint32_t flags) override {
    const Vma vma = space_.vma_at(addr);
    if (!vma || (vma.flags() & vm::uffd_missing) == 0) return std::nullopt;
    const uint64_t content = content_(addr);
    machine_.step(RuleId::dmirror_unlocked, {addr, content});
    const uint32_t copy_flags = flags | fault_flag::allow_retry | fault_flag::write;
    const uint32_t ret = machine_.fault_handler()->handle_mm_fault(machine_, space_, addr, copy_flags);
    const WordIndex word = space_.find_entry(Level::pte, addr);
    if ((ret & vm_fault::error) != 0 || word == no_word) return ret;
    if (PageData* data = machine_.page_data(); data != nullptr) data->store(x86::pte_pfn(machine_.load(word)), content);
    return vm_fault::retry;
  }
  bool wait_for_migration(uint64_t addr) override { return rest_ != nullptr && rest_->wait_for_migration(addr); }

 private:
  Machine& machine_;
  AddressSpace& space_;
  WalkHooks* rest_;
  const Dmirror::UffdContent& content_;
};

}  // namespace

int Dmirror::walk(const RangeFaultCall& call, WalkHooks* hooks) {
  const MmapReadGuard locked(mirror_.locks(), mirror_.space());
  return hmm_range_fault(machine_, call, hooks).ret;
}

int Dmirror::range_fault(uint64_t start, uint64_t end, bool write) {
  const PfnFormat& format = machine_.pfn_format();
  const uint64_t pages = (end - start) / page_bytes;
  RangeFaultCall call;
  call.mm = &mirror_.space();
  call.notifier = &mirror_.notifier();
  call.start = start;
  call.end = end;
  Array& array = array_for(start, pages);
  const InUse in_use(array.users);
  call.pfns = array.slot(start);
  call.default_flags = format.valid | (write ? format.write : 0);
  call.dev_private_owner = mirror_.owner();
  DriverLocks* locks = mirror_.locks();
  call.undisturbed = locks == nullptr;   // an injected failure comes with locks too
  WalkHooks* waits = locks == nullptr ? nullptr : locks->walk_hooks(mirror_.space());
  UnlockedHooks unlocked(machine_, mirror_.space(), waits, uffd_);
  WalkHooks* hooks = uffd_ ? &unlocked : waits;
  for (uint64_t round = 1; round <= enough_rounds; ++round) {
    const auto begun = mirror_.notifier().read_begin();
    if (begun.would_sleep && (locks == nullptr || !locks->wait_for_notifier(mirror_.notifier()))) return -EDEADLK;
    call.notifier_seq = begun.seq;
    const int ret = walk(call, hooks);
    if (ret == -EBUSY) {
      machine_.step(RuleId::dmirror_busy, {start, round});
      continue;
    }
    if (ret != 0) return ret;
    const DriverLockGuard locked(locks, mirror_.owner());
    if (mirror_.notifier().read_retry(call.notifier_seq)) {
      machine_.step(RuleId::dmirror_collided, {start, round});
      continue;
    }
    return take_slots(start, call.pfns, pages, write);
  }
  return -EBUSY;
}

int Dmirror::take_slots(uint64_t start, WordIndex slots, uint64_t pages, bool write) {
  const PfnFormat& format = machine_.pfn_format();
  machine_.step(RuleId::dmirror_commit, {start, pages, write});
  for (uint32_t k = 0; k < pages; ++k) {
    const uint64_t slot = machine_.load(slots + k);
    if (write && (slot & format.write) == 0) {
      machine_.step(RuleId::dmirror_not_writable, {start + k * page_bytes, slot});
      return -EFAULT;
    }
    mirror_.map(mirror_.space(), start + k * page_bytes, pfn_of(slot), (slot & format.write) != 0);
  }
  return 0;
}

Dmirror::Array& Dmirror::array_for(uint64_t start, uint64_t pages) {
  for (Array& array : arrays_) {
    const uint64_t first = (start - array.start) / page_bytes;
    if (array.users == 0 && start >= array.start && first < array.pages && array.pages - first >= pages) return array;
  }
  mirror_.reserve_table(start, pages);
  arrays_.push_back({start, pages, machine_.add_hmm_pfns(mirror_.space(), start, static_cast<uint32_t>(pages), mirror_.name() + " pfns")});
  return arrays_.back();
}

// --- migration, device memory, exclusive access

DmirrorResult Dmirror::migrate(uint64_t addr, uint64_t npages, std::span<uint64_t> buffer, bool to_device) {
  const std::pair pages{addr, npages};
  const auto [from, to] = migrations_.equal_range(pages);
  auto place = std::find_if(from, to, [](const auto& known) { return known.second.users == 0; });
  if (place == to) {
    const auto arrays = add_migrate_arrays(machine_, mirror_.space(), addr, static_cast<uint32_t>(npages), mirror_.name());
    place = migrations_.insert({pages, {arrays}});
    array_for(addr, npages);
  }
  Migrating& migrating = place->second;
  const InUse in_use(migrating.users);
  const uint64_t end = addr + npages * page_bytes;
  const auto allocate = [&](uint32_t order) { return machine_.physical().allocate(order); };
  const MmapReadGuard locked(mirror_.locks(), mirror_.space());
  const DriverResult done =
      to_device ? migrate_to_device(machine_, mirror_.space(), addr, end, migrating.arrays, memory_, mirror_)
                : migrate_to_system(machine_, mirror_.space(), addr, end, migrating.arrays, memory_, mirror_, allocate);
  DmirrorResult result{done.ret, done.cpages, 0};
  if (!to_device || (done.ret != 0 && done.ret != -ENOENT)) return result;
  result.cpages = copy(addr, done.cpages, buffer, false);
  return result;
}

DmirrorResult Dmirror::exclusive(uint64_t addr, uint64_t npages, std::span<uint64_t> buffer) {
  array_for(addr, npages);
  const uint64_t end = addr + npages * page_bytes;
  DmirrorResult result;
  const MmapReadGuard locked(mirror_.locks(), mirror_.space());
  const int64_t made =
      make_device_exclusive_range(machine_, mirror_.space(), addr, end, mirror_.owner(), [&](uint64_t at, uint64_t pfn) {
        const DriverLockGuard table(mirror_.locks(), mirror_.owner());
        mirror_.map_exclusive(at, pfn);
        machine_.step(RuleId::dmirror_atomic, {at, pfn});
        mirror_.map_atomic(at, pfn);
      });
  if (made < static_cast<int64_t>(npages)) {
    machine_.step(RuleId::dmirror_exclusive_busy, {static_cast<uint64_t>(made), npages});
    result.ret = -EBUSY;
    return result;
  }
  result.cpages = copy(addr, npages, buffer, false);
  if (result.cpages != npages) {
    machine_.step(RuleId::dmirror_not_mirrored, {addr + result.cpages * page_bytes});
    result.ret = -ENOENT;
  }
  return result;
}

DmirrorResult Dmirror::check_exclusive(uint64_t addr, uint64_t npages) {
  DmirrorResult result;
  for (uint64_t k = 0; k < npages; ++k) {
    if (!mirror_.is_atomic(addr + k * page_bytes)) continue;
    machine_.step(RuleId::dmirror_still_atomic, {addr + k * page_bytes});
    result.ret = -EPERM;
    break;
  }
  return result;
}

DmirrorResult Dmirror::release() {
  DmirrorResult result;
  const uint64_t used = machine_.physical().device_pages_handed_out(memory_);
  if (used == 0) return result;
  const MigrateArrays arrays =
      add_migrate_arrays(machine_, mirror_.space(), 0, static_cast<uint32_t>(used), mirror_.name() + " released");
  evict_device(machine_, arrays, memory_.first_pfn + memory_.pages - used, used,
               [&](uint32_t order) { return machine_.physical().allocate(order); });
  return result;
}

// --- snapshot

DmirrorResult Dmirror::snapshot(uint64_t addr, uint64_t npages, std::span<uint64_t> buffer) {
  DmirrorResult result;
  const uint64_t end = addr + npages * page_bytes;
  for (uint64_t next = addr; addr < end; addr = next) {
    next = std::min(end, addr + pages_a_copy * page_bytes);
    const uint64_t pages = (next - addr) / page_bytes;
    result.ret = snapshot_chunk(addr, next, buffer.subspan(result.cpages, pages));
    if (result.ret != 0) break;
    result.cpages += pages;
  }
  return result;
}

int Dmirror::snapshot_chunk(uint64_t start, uint64_t end, std::span<uint64_t> bytes) {
  AddressSpace& space = mirror_.space();
  IntervalNotifier& notifier = space.notifiers().insert(start, end - start, mirror_.name() + " snapshot", nullptr);
  RangeFaultCall call;
  call.mm = &space;
  call.notifier = &notifier;
  call.start = start;
  call.end = end;
  Array& array = array_for(start, bytes.size());
  const InUse in_use(array.users);
  call.pfns = array.slot(start);
  call.dev_private_owner = mirror_.owner();
  DriverLocks* locks = mirror_.locks();
  call.undisturbed = locks == nullptr;   // an injected failure comes with locks too
  int ret = -EBUSY;
  for (uint64_t round = 1; round <= enough_rounds; ++round) {
    const auto begun = notifier.read_begin();
    if (begun.would_sleep && (locks == nullptr || !locks->wait_for_notifier(notifier))) {
      ret = -EDEADLK;
      break;
    }
    call.notifier_seq = begun.seq;
    ret = walk(call, locks == nullptr ? nullptr : locks->walk_hooks(space));
    if (ret == -EBUSY) {
      machine_.step(RuleId::dmirror_busy, {start, round});
      continue;
    }
    if (ret != 0) break;
    if (!notifier.read_retry(call.notifier_seq)) break;
    machine_.step(RuleId::dmirror_collided, {start, round});
    ret = -EBUSY;
  }
  for (size_t k = 0; ret == 0 && k < bytes.size(); ++k) {
    const uint64_t slot = machine_.load(call.pfns + static_cast<WordIndex>(k));
    bytes[k] = byte_of(slot);
    machine_.step(RuleId::dmirror_snapshot, {start + k * page_bytes, slot, bytes[k]});
  }
  space.notifiers().remove(notifier);
  return ret;
}

uint8_t Dmirror::byte_of(uint64_t slot) const {
  const PfnFormat& format = machine_.pfn_format();
  const Layout& layout = *machine_.model().hmm_pfn;
  if (format.is_error(slot)) return dmirror_prot::error;
  if ((slot & format.valid) == 0) return dmirror_prot::none;
  uint8_t byte = dmirror_prot::none;
  const uint64_t pfn = pfn_of(slot);
  if (const DeviceMemory* device = machine_.physical().device_of(pfn); device != nullptr) {
    const bool local = device->owner == mirror_.owner();
    byte = device->coherent ? (local ? dmirror_prot::dev_coherent_local : dmirror_prot::dev_coherent_remote)
                            : (local ? dmirror_prot::dev_private_local : dmirror_prot::dev_private_remote);
  } else if (machine_.physical().is_zero_pfn(pfn)) {
    byte = dmirror_prot::zero;
  }
  byte = static_cast<uint8_t>(byte | ((slot & format.write) != 0 ? dmirror_prot::write : dmirror_prot::read));
  const Field* order = layout.field(Role::order);
  const uint64_t value = order == nullptr ? 0 : order->get(slot);
  if (value == level_order(Level::pmd)) byte = static_cast<uint8_t>(byte | dmirror_prot::pmd);
  if (value == level_order(Level::pud)) byte = static_cast<uint8_t>(byte | dmirror_prot::pud);
  return byte;
}

}  // namespace hmmscope
