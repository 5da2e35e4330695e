// mremap and MADV_FREE (mm/mremap.c, mm/madvise.c, 6.12).

#include <algorithm>
#include <optional>

#include "engine/fault/cpu_fault.h"
#include "engine/machine/rss.h"
#include "engine/scenario/vm_operations.h"

namespace hmmscope {
namespace {

constexpr uint64_t pmd_bytes = level_size(Level::pmd);

/// The pmd that stands for 2M at addr (a leaf, a device-private entry); no_word when there is none.
WordIndex whole_pmd(const Machine& machine, const AddressSpace& space, uint64_t addr) {
  const WordIndex word = space.find_entry(Level::pmd, addr);
  return word != no_word && is_whole_pmd(machine, machine.load(word)) ? word : no_word;
}

/// The present 2M leaf over addr, or no_word.
WordIndex huge_pmd(const Machine& machine, const AddressSpace& space, uint64_t addr) {
  const WordIndex word = space.find_entry(Level::pmd, addr);
  if (word == no_word) return no_word;
  const uint64_t pmd = machine.load(word);
  return x86::pmd_present(pmd) && machine.entry_format().is_huge(pmd) ? word : no_word;
}

/// MADV_FREE of one present pte or leaf: clean and old; not of device memory.
void free_entry(Machine& machine, WordIndex word, Level level) {
  const uint64_t old = machine.load(word);
  if (machine.physical().device_of(leaf_pfn(level, old)) != nullptr) return;
  const uint64_t entry = old & ~(bit::accessed | bit::dirty);
  if (entry != old) machine.store(word, entry);
}

void free_ptes(Machine& machine, AddressSpace& space, uint64_t start, uint64_t end) {
  for (uint64_t addr = start; addr < end; addr += page_bytes) {
    const WordIndex word = space.find_entry(Level::pte, addr);
    const uint64_t pte = word == no_word ? 0 : machine.load(word);
    if (x86::pte_none(pte)) continue;
    if (x86::pte_present(pte)) free_entry(machine, word, Level::pte);
    else if (machine.entry_format().swap.kind(pte) == SwapKind::swap) {
      count_entry_removed(space, Level::pte, pte);
      machine.store(word, 0);
    }
  }
}

/// Moves the entries of [start, end); a step is open except where a leaf must be split first.
void move_entries(Machine& machine, AddressSpace& space, uint64_t start, uint64_t end, uint64_t new_start) {
  const bool aligned = (new_start - start) % pmd_bytes == 0;
  for (uint64_t addr = start, next = start; addr < end; addr = next) {
    next = level_end(Level::pmd, addr, end);
    const uint64_t to = new_start + (addr - start);
    std::optional<PageTableLocks> locked(std::in_place, machine, space, addr, next);
    if (const WordIndex leaf = whole_pmd(machine, space, addr); leaf != no_word) {
      if (aligned && addr % pmd_bytes == 0 && next - addr == pmd_bytes) {
        const uint64_t pmd = machine.load(leaf);
        machine.store(leaf, 0);
        machine.store(space.ensure_entry(Level::pmd, to), pmd);
        continue;
      }
      locked.reset();
      split_huge_pmd(machine, space, addr, RuleId::thp_wp_split);
      locked.emplace(machine, space, addr, next);
    }
    for (uint64_t at = addr; at < next; at += page_bytes) {
      const WordIndex word = space.find_entry(Level::pte, at);
      const uint64_t pte = word == no_word ? 0 : machine.load(word);
      if (x86::pte_none(pte)) continue;
      machine.store(word, 0);
      space.set_entry(Level::pte, to + (at - addr), pte);
    }
  }
}

}  // namespace

Result<void> madvise_free(Machine& machine, AddressSpace& space, uint64_t start, uint64_t end) {
  const Vma vma = space.vma_at(start);
  if (!vma || vma.end() < end || vma.kind() != VmaKind::anonymous) return fail("MADV_FREE needs one anonymous VMA");
  machine.enter(Function::madvise, {start, end - start});
  for (const uint64_t addr : {start, end}) {
    if (addr % pmd_bytes != 0 && huge_pmd(machine, space, addr) != no_word)
      split_huge_pmd(machine, space, addr, RuleId::thp_wp_split);
  }
  const Invalidation running = space.notifiers().start({start, end, NotifyEvent::clear});
  {
    const PageTableLocks locked(machine, space, start, end);
    machine.step(RuleId::madvise_free, {start, end});
    for (uint64_t addr = start, next = start; addr < end; addr = next) {
      next = level_end(Level::pmd, addr, end);
      if (const WordIndex leaf = huge_pmd(machine, space, addr); leaf != no_word) free_entry(machine, leaf, Level::pmd);
      else free_ptes(machine, space, addr, next);
    }
  }
  if (!running.failed) space.notifiers().end(running);
  machine.leave(0);
  return {};
}

Result<void> mremap(Machine& machine, AddressSpace& space, uint64_t start, uint64_t end, uint64_t new_start, bool dontunmap) {
  Vma vma = space.vma_at(start);
  if (!vma || vma.end() < end) return fail("mremap moves a part of one VMA");
  if (vma.is_hugetlb()) return fail("mremap of hugetlb memory is not modelled");
  const uint64_t bytes = end - start;
  if (new_start > space.tables().limit() - bytes) return fail("mremap: the new place ends beyond the address space");
  if (const Vma there = space.find_vma(new_start); there && there.start() < new_start + bytes)
    return fail("mremap: something is mapped at the new place");
  machine.enter(Function::mremap, {start, bytes, new_start, bytes});
  const Invalidation running = space.notifiers().start({start, end, NotifyEvent::unmap});
  machine.step(RuleId::mremap_move, {start, end, new_start});
  VmaSpec moved = space.spec_of(vma);
  moved.start = new_start;
  moved.end = new_start + bytes;
  moved.pgoff += (start - vma.start()) / page_bytes;
  auto added = space.add_vma(moved);
  move_entries(machine, space, start, end, new_start);
  machine.step(RuleId::mremap_vma, {start, end, new_start, dontunmap});
  if (!dontunmap) {
    for (const uint64_t addr : {start, end}) {
      const Vma at = space.vma_at(addr);
      if (at && at.start() < addr && addr < at.end()) static_cast<void>(space.split_vma(at, addr));
    }
    vma = space.vma_at(start);
    if (vma) space.remove_vma(vma);
  }
  if (!running.failed) space.notifiers().end(running);
  machine.leave(added ? 0 : -12);
  if (!added) return fail(added.error());
  return {};
}

}  // namespace hmmscope
