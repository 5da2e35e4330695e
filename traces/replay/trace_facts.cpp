#include "traces/replay/trace_facts.h"

#include <array>
#include <unordered_map>

namespace hmmscope::traces {
namespace {

constexpr uint64_t chunk_pages = (256ull << 20) >> page_bits;

// include/linux/migrate.h
constexpr uint64_t migrate_pfn_valid = 1;
constexpr uint32_t migrate_pfn_shift = 6;
constexpr uint64_t select_system = 1, select_device_private = 2, select_device_coherent = 4;

struct Task {
  struct Setup {
    uint64_t owner = 0, flags = 0;
  };
  std::unordered_map<uint64_t, Setup> setups;  ///< by address of struct migrate_vma
  uint64_t vm_flags = 0;
  uint64_t pmd_end = 0;
};

constexpr bool tells_facts(EventKind kind) {
  switch (kind) {
    case EventKind::w_test:
    case EventKind::w_pmd:
    case EventKind::h_pte:
    case EventKind::ptes:
    case EventKind::mv_setup_in:
    case EventKind::hmm_setup_in:
    case EventKind::mv_fin_in:
    case EventKind::mv_setup_out:
    case EventKind::mv_pages_in:
    case EventKind::remove_migration_pte:
      return true;
    default:
      return false;
  }
}

}  // namespace

TraceFacts::TraceFacts(const Trace& trace, const EventKinds& kinds, const EntryFormat& entries)
    : has_private_memory_(entries.swap.type(SwapKind::device_write) != SwapTypes::absent) {
  scan(trace, kinds, entries);
}

void TraceFacts::scan(const Trace& trace, const EventKinds& kinds, const EntryFormat& entries) {
  std::vector<Task> tasks(trace.tasks().size());
  // With the unified patches a setup takes system memory too, whatever it selects.
  const bool system_comes_along = kinds.has(EventKind::hmm_setup_in);
  std::array<uint64_t, array_limit> words{};
  const auto owners_of = [&](const EventView& event, std::string_view array, uint64_t owner) {
    const uint64_t pages = (event.number("end").value_or(0) - event.number("start").value_or(0)) >> page_bits;
    const uint32_t count = std::min(event.array(array, words).value_or(0), array_limit);
    for (uint32_t k = 0; k < count && k < pages; ++k)
      if ((words[k] & migrate_pfn_valid) != 0) add_owner(words[k] >> migrate_pfn_shift, owner);
  };
  for (uint32_t index = 0; index < trace.size(); ++index) {
    const EventKind kind = kinds.at(trace, index);
    if (!tells_facts(kind)) continue;
    const EventView event = trace[index];
    Task& task = tasks[event.task()];
    switch (kind) {
      case EventKind::w_test:
        task.vm_flags = event.number("vm_flags").value_or(0);
        break;
      case EventKind::w_pmd:
        task.pmd_end = event.number("end").value_or(0);
        break;
      case EventKind::h_pte:
        if (zero_pfn_) break;  // nothing else is looked for
        if (const auto pte = event.number("pte")) see_pte(*pte, task.vm_flags, entries);
        break;
      case EventKind::ptes: {
        if (zero_pfn_) break;
        const uint64_t addr = event.number("addr").value_or(0);
        const uint32_t count = std::min(event.array("ptes", words).value_or(0), array_limit);
        for (uint32_t k = 0; k < count && addr + k * page_bytes < task.pmd_end; ++k)
          see_pte(words[k], task.vm_flags, entries);
        break;
      }
      case EventKind::mv_setup_in:
        if (task.setups.size() > 64) task.setups.clear();
        task.setups[event.number("args").value_or(0)] = {event.number("owner").value_or(0),
                                                         event.number("flags").value_or(0)};
        break;
      case EventKind::hmm_setup_in: {
        // A driver that selects nothing by flags gets system memory (REQ_MIGRATE) and takes it to its own.
        // Inside a migrate_vma_setup the flags are that call's, and have been seen.
        if (task.setups.size() > 64) task.setups.clear();
        const uint64_t flags = event.number("flags").value_or(0);
        const Task::Setup own{event.number("owner").value_or(0), flags == 0 ? select_system : flags};
        task.setups.try_emplace(event.number("args").value_or(0), own);
        break;
      }
      case EventKind::mv_fin_in:
        task.setups.erase(event.number("args").value_or(0));
        break;
      case EventKind::mv_setup_out: {
        // Only the device's own pages are collected when nothing else is selected.
        const auto setup = task.setups.find(event.number("args").value_or(0));
        if (setup != task.setups.end() &&
            (setup->second.flags & select_system) == 0 && !system_comes_along &&
            (setup->second.flags & (select_device_private | select_device_coherent)) != 0)
          owners_of(event, "src", setup->second.owner);
        break;
      }
      case EventKind::mv_pages_in: {
        // System pages go to memory of the device that selected them.
        const auto setup = task.setups.find(event.number("args").value_or(0));
        if (setup != task.setups.end() && (setup->second.flags & select_system) != 0)
          owners_of(event, "dst", setup->second.owner);
        break;
      }
      case EventKind::remove_migration_pte: {
        const uint64_t pte = event.number("pte").value_or(0);
        if (x86::pte_present(pte)) present_chunks_.insert(x86::pte_pfn(pte) / chunk_pages);
        break;
      }
      default:
        break;
    }
  }
}

void TraceFacts::see_pte(uint64_t pte, uint64_t vm_flags, const EntryFormat& entries) {
  constexpr uint64_t may_hold_special = vm::mixedmap | vm::pfnmap | vm::io;
  if (zero_pfn_ || (vm_flags & may_hold_special) != 0) return;
  if ((pte & x86::present.mask()) != 0 && x86::pte_special(pte) && !entries.is_devmap(pte))
    zero_pfn_ = x86::pte_pfn(pte);
}

void TraceFacts::add_owner(uint64_t pfn, uint64_t token) {
  if (token == 0) return;
  const auto [entry, fresh] = chunks_.emplace(pfn / chunk_pages, Owner{token, false});
  if (!fresh && entry->second.token != token) entry->second.disputed = true;
}

std::vector<DeviceMemory> TraceFacts::devices() const {
  std::vector<DeviceMemory> devices;
  for (const auto& [chunk, owner] : chunks_) {
    if (owner.disputed) continue;
    DeviceMemory memory;
    memory.first_pfn = chunk * chunk_pages;
    memory.pages = chunk_pages;
    memory.owner = owner.token;
    memory.coherent = !has_private_memory_ || present_chunks_.contains(chunk);
    memory.name = "device memory";
    devices.push_back(std::move(memory));
  }
  return devices;
}

bool TraceFacts::owner_known(uint64_t pfn) const {
  const auto chunk = chunks_.find(pfn / chunk_pages);
  return chunk != chunks_.end() && !chunk->second.disputed;
}

}  // namespace hmmscope::traces
