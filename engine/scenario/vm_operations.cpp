#include "engine/scenario/vm_operations.h"

#include <algorithm>
#include <cerrno>
#include <optional>

#include "engine/fault/cpu_fault.h"
#include "engine/machine/rss.h"
#include "engine/migrate/entry_conversion.h"

namespace hmmscope {

namespace {

/// The leaf or pte that maps addr, with the end of the part it covers; a whole empty part when nothing does.
struct Mapping {
  Level level;
  WordIndex word;   ///< no_word: nothing is mapped up to `end`
  uint64_t end;
};

Mapping mapping_at(const Machine& machine, const AddressSpace& space, uint64_t addr, uint64_t end) {
  const EntryFormat& e = machine.entry_format();
  for (const Level level : {Level::pud, Level::pmd}) {
    const WordIndex word = space.find_entry(level, addr);
    const uint64_t part = level_end(level, addr, end);
    if (word == no_word || x86::pte_none(machine.load(word))) return {level, no_word, part};
    const uint64_t entry = machine.load(word);
    const bool table = x86::pmd_present(entry) && !e.is_huge(entry);
    if (!table) return {level, word, part};
  }
  const WordIndex word = space.find_entry(Level::pte, addr);
  const bool none = word == no_word || x86::pte_none(machine.load(word));
  return {Level::pte, none ? no_word : word, level_end(Level::pte, addr, end)};
}

/// Splits a huge mapping where a range ends inside of it, so that the range holds whole mappings only.
/// Error inside a hugetlb page, which stays whole (hugetlb_vm_op_split).
Result<void> split_at(Machine& machine, AddressSpace& space, uint64_t addr) {
  const Vma vma = space.vma_at(addr);
  if (vma && vma.is_hugetlb()) {
    if (addr % level_size(AddressSpace::hugetlb_level(vma)) == 0) return {};
    return fail("the range ends inside a hugetlb page (-EINVAL)");
  }
  if (const WordIndex pud = find_pud_leaf(machine, space, addr); pud != no_word && addr % level_size(Level::pud) != 0) {
    const uint64_t first = addr & ~(level_size(Level::pud) - 1);
    split_huge_pud(machine, space, addr, RuleId::walk_pud_split, {first, first + level_size(Level::pud), machine.load(pud)});
    return {};
  }
  const WordIndex word = space.find_entry(Level::pmd, addr);
  if (word == no_word || addr % level_size(Level::pmd) == 0) return {};
  if (!is_whole_pmd(machine, machine.load(word))) return {};
  split_huge_pmd(machine, space, addr, RuleId::thp_wp_split);
  return {};
}

/// The pte table that covers addr is empty and goes; the caller has its lock and the pmd's (mm/pt_reclaim.c).
void free_table(Machine& machine, AddressSpace& space, uint64_t addr) {
  const WordIndex pmd = space.find_entry(Level::pmd, addr);
  machine.step(RuleId::dontneed_table, {addr, machine.load(pmd)});
  machine.store(pmd, 0);
}

/// Zeroes every entry that maps part of [start, end), runs of ptes at once. A step must be open. `frees_tables`: a table
/// whose entries are all in the range goes too.
void zap(Machine& machine, AddressSpace& space, uint64_t start, uint64_t end, bool frees_tables) {
  const Vma vma = space.vma_at(start);
  const bool counts = !vma || !vma.is_hugetlb();
  const auto drop = [&](Level level, uint64_t entry) {
    if (counts) count_entry_removed(space, level, entry);
    drop_page(machine, level, entry);
  };
  for (uint64_t addr = start; addr < end;) {
    const Mapping mapping = mapping_at(machine, space, addr, end);
    if (mapping.level != Level::pte) {
      if (mapping.word != no_word) {
        drop(mapping.level, machine.load(mapping.word));
        machine.store(mapping.word, 0);
      }
      addr = mapping.end;
      continue;
    }
    const uint64_t part = level_end(Level::pmd, addr, end);
    const WordIndex first = space.find_entry(Level::pte, addr);
    const auto pages = static_cast<uint32_t>((part - addr) / page_bytes);
    for (uint32_t k = 0; k < pages; ++k) drop(Level::pte, machine.load(first + k));
    machine.fill_keeping(first, pages, 0, 0, 0);
    if (frees_tables && pages == entries_per_table) free_table(machine, space, addr);
    addr = part;
  }
}

/// A non-present entry after mprotect: entries that would come back writable no longer do, whatever the new protection
/// (the next write finds out by a fault).
uint64_t protected_entry(Machine& machine, uint64_t entry) {
  const SwapFormat& format = machine.entry_format().swap;
  SwapKind kind = format.kind(entry);
  switch (kind) {
    case SwapKind::migration_write: {
      const Folio folio = Folio::of(machine, format.pfn(entry));
      kind = migration_kind(format, false, !folio || folio.has(folio_flag::anon));
      break;
    }
    case SwapKind::device_write: kind = SwapKind::device_read; break;
    case SwapKind::device_exclusive_write: kind = SwapKind::device_exclusive_read; break;
    default: return entry;
  }
  return (entry & ~x86::swp_type.mask()) | x86::swp_type.put(format.type(kind));
}

constexpr uint64_t vm_access = vm::read | vm::write | vm::exec;

/// VMAs of [start, end) become VMAs of their own.
Result<void> cut_vmas(AddressSpace& space, uint64_t start, uint64_t end) {
  for (const uint64_t addr : {start, end}) {
    const Vma vma = space.vma_at(addr);
    if (!vma || vma.start() == addr) continue;
    if (auto cut = space.split_vma(vma, addr); !cut) return fail(cut.error());
  }
  return {};
}

template <class Visit>
void for_vmas(AddressSpace& space, uint64_t start, uint64_t end, Visit visit) {
  for (Vma vma = space.find_vma(start); vma && vma.start() < end; vma = space.find_vma(start)) {
    start = vma.end();
    visit(vma);
  }
}

Result<void> remove_pages(Machine& machine, AddressSpace& space, uint64_t start, uint64_t end, RuleId rule, NotifyEvent event) {
  for (const uint64_t addr : {start, end}) {
    if (auto ok = split_at(machine, space, addr); !ok) return ok;
  }
  const Invalidation running = space.notifiers().start({start, end, event, 0, true});
  {
    const PageTableLocks locked(machine, space, start, end);
    machine.step(rule, {start, end});
    const bool frees_tables = rule == RuleId::dontneed_zap && machine.model().dontneed_frees_tables;
    for_vmas(space, start, end, [&](Vma vma) {
      zap(machine, space, std::max(start, vma.start()), std::min(end, vma.end()), frees_tables);
    });
  }
  if (!running.failed) space.notifiers().end(running);
  return {};
}

}  // namespace

void drop_page(Machine& machine, Level level, uint64_t entry) {
  if (x86::pte_none(entry)) return;
  if (x86::pmd_present(entry)) {
    if (level == Level::pte && x86::pte_special(entry)) return;
    const uint64_t pfn = leaf_pfn(level, entry);
    if (machine.physical().is_zero_pfn(pfn) || pfn == machine.physical().huge_zero_pfn()) return;
    // What was written through a mapping of a file is the file's to write back from now on.
    if (const Folio folio = Folio::of(machine, pfn); folio && entry_dirty(entry) && folio.mapping() > anon_mapping)
      folio.set_flag(folio_flag::dirty);
    unmap_folio(machine, pfn);
    return;
  }
  const SwapFormat& format = machine.entry_format().swap;
  const SwapKind kind = format.kind(entry);
  if (is_device_exclusive(kind) && !machine.model().exclusive_entries_are_mapped) {
    if (const Folio folio = Folio::of(machine, format.pfn(entry)); folio && folio.refcount() != 0) folio.put();
  } else if (is_device_private(kind) || is_device_exclusive(kind)) {
    unmap_folio(machine, format.pfn(entry));
  }
}

PageTableLocks::PageTableLocks(Machine& machine, const AddressSpace& space, uint64_t start, uint64_t end) {
  if (!machine.observed()) return;
  for (uint64_t addr = start; addr < end; addr = level_end(Level::pud, addr, end)) {
    if (space.find_entry(Level::pmd, addr) != no_word) guards_.emplace_back(machine, pmd_lock(space.id(), addr));
  }
  for (uint64_t addr = start; addr < end; addr = level_end(Level::pmd, addr, end)) {
    if (space.find_entry(Level::pte, addr) != no_word) guards_.emplace_back(machine, pte_lock(space.id(), addr));
  }
}

Result<void> munmap(Machine& machine, AddressSpace& space, uint64_t start, uint64_t end) {
  machine.enter(Function::munmap, {start, end - start});
  Result<void> ok = remove_pages(machine, space, start, end, RuleId::munmap_zap, NotifyEvent::unmap);
  if (ok) {
    machine.step(RuleId::munmap_vma, {start, end});
    ok = cut_vmas(space, start, end);
  }
  if (ok) for_vmas(space, start, end, [&](Vma vma) { space.remove_vma(vma); });
  machine.leave(ok ? 0 : -EINVAL);
  return ok;
}

Result<void> madvise_dontneed(Machine& machine, AddressSpace& space, uint64_t start, uint64_t end) {
  machine.enter(Function::madvise, {start, end - start});
  // A huge page is thrown away whole or not at all: the start must be one's, the end is rounded down.
  if (const Vma vma = space.vma_at(start); vma && vma.is_hugetlb()) {
    const uint64_t size = 1ull << vma.huge_shift();
    if (start % size != 0) {
      machine.leave(-EINVAL);
      return fail(Error{"madvise of hugetlb pages begins with a whole one (-EINVAL)", {}, 0, 0, false});
    }
    end = std::max(start, end & ~(size - 1));
    if (end == start) {
      machine.leave(0);
      return {};
    }
  }
  const Result<void> ok = remove_pages(machine, space, start, end, RuleId::dontneed_zap, NotifyEvent::clear);
  machine.leave(ok ? 0 : -EINVAL);
  return ok;
}

bool oom_reap(Machine& machine, AddressSpace& space) {
  machine.enter(Function::oom_reap_task_mm, {space.id()});
  machine.step(RuleId::oom_unstable, {space.id()});
  const WordIndex flags = space.word(MmWord::flags);
  machine.store(flags, machine.load(flags) | mm_flag::unstable);
  bool all = true;
  for_vmas(space, 0, space.tables().limit(), [&](Vma vma) {
    const uint64_t start = vma.start(), end = vma.end();
    const bool anonymous = vma.kind() == VmaKind::anonymous;
    if ((vma.flags() & (vm::hugetlb | vm::pfnmap)) != 0 || (!anonymous && (vma.flags() & vm::shared) != 0)) {
      machine.step(RuleId::oom_skip, {start, end, vma.flags()});
      return;
    }
    const Invalidation running = space.notifiers().start({start, end, NotifyEvent::clear, 0, false});
    if (running.failed) {
      machine.step(RuleId::oom_refused, {start, end});
      all = false;
      return;
    }
    {
      const PageTableLocks locked(machine, space, start, end);
      machine.step(RuleId::oom_zap, {start, end});
      zap(machine, space, start, end, false);
    }
    space.notifiers().end(running);
  });
  machine.leave(all ? 0 : -EAGAIN);
  return all;
}

namespace {

/// mprotect_fixup() with new flags: [start, end) lies in one VMA.
Result<void> mprotect_part(Machine& machine, AddressSpace& space, uint64_t start, uint64_t end, uint64_t flags) {
  for (const uint64_t addr : {start, end}) {
    if (auto ok = split_at(machine, space, addr); !ok) return ok;
  }
  machine.step(RuleId::mprotect_vma, {start, end, flags});
  if (auto ok = cut_vmas(space, start, end); !ok) return ok;
  for_vmas(space, start, end,
           [&](Vma vma) { machine.store(vma.word(VmaWord::flags), (vma.flags() & ~vm_access) | flags); });
  const Invalidation running = space.notifiers().start({start, end, NotifyEvent::protection_vma, 0, true});
  std::optional<PageTableLocks> locked(std::in_place, machine, space, start, end);
  machine.step(RuleId::mprotect_ptes, {start, end});
  for (uint64_t addr = start; addr < end;) {
    const Mapping mapping = mapping_at(machine, space, addr, end);
    addr = mapping.end;
    if (mapping.word == no_word) continue;
    const uint64_t old = machine.load(mapping.word);
    if (!x86::pmd_present(old)) {
      if (const uint64_t entry = protected_entry(machine, old); entry != old) machine.store(mapping.word, entry);
      continue;
    }
    const uint64_t pfn = leaf_pfn(mapping.level, old);
    // Taking all access away keeps the page behind PROTNONE; write comes back only by a fault.
    uint64_t kept = old & ~x86::pfn.mask() & ~bit::rw & ~bit::present & ~x86::protnone.mask();
    kept |= (flags & vm::read) != 0 ? bit::present : x86::protnone.mask();
    // pte_modify(): an entry that loses RW keeps its dirt where this kernel has read-only entries keep it.
    if (x86::pte_write(old)) kept = with_dirty_in_place(machine.model(), kept);
    const uint64_t entry = EntryFormat::make(pfn, kept);
    if (entry != old) machine.store(mapping.word, entry);
  }
  locked.reset();
  if (!running.failed) space.notifiers().end(running);
  return {};
}

}  // namespace

Result<void> mprotect(Machine& machine, AddressSpace& space, uint64_t start, uint64_t end, uint64_t flags) {
  machine.enter(Function::mprotect, {start, end - start, flags});
  Result<void> ok;
  for (uint64_t addr = start; addr < end && ok;) {
    const Vma vma = space.find_vma(addr);
    if (!vma || vma.start() >= end) break;
    const uint64_t from = std::max(addr, vma.start());
    addr = std::min(end, vma.end());
    if ((vma.flags() & vm_access) == flags) machine.step(RuleId::mprotect_same, {from, addr, flags});
    else ok = mprotect_part(machine, space, from, addr, flags);
  }
  machine.leave(ok ? 0 : -EINVAL);
  return ok;
}

}  // namespace hmmscope
