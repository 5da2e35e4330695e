// Puts pages into a declared state: the entry, the folio, the device page or swap slot behind it.

#include <algorithm>
#include <array>

#include "engine/machine/folio.h"
#include "engine/machine/rss.h"
#include "engine/migrate/entry_conversion.h"
#include "engine/scenario/world.h"

namespace hmmscope::scenario {

namespace {

SwapKind swap_kind(PageState state, bool writable) {
  switch (state) {
    case PageState::swapped: return SwapKind::swap;
    case PageState::device_private_thp:
    case PageState::device_private: return writable ? SwapKind::device_write : SwapKind::device_read;
    case PageState::device_exclusive: return writable ? SwapKind::device_exclusive_write : SwapKind::device_exclusive_read;
    case PageState::migration_read: return SwapKind::migration_read;
    case PageState::migration_read_exclusive: return SwapKind::migration_read_exclusive;
    case PageState::migration_write:
    case PageState::pmd_migration: return SwapKind::migration_write;
    case PageState::hwpoison: return SwapKind::hwpoison;
    default: return SwapKind::pte_marker;
  }
}

/// A page under migration is off the LRU, locked and not mapped; a device-exclusive one is not mapped before 6.15.
void count_nonpresent(Machine& machine, uint64_t pfn, SwapKind kind) {
  const Folio folio = Folio::of(machine, pfn);
  const bool migration = is_migration(kind);
  if (!migration && (!is_device_exclusive(kind) || machine.model().exclusive_entries_are_mapped)) return;
  folio.remove_rmap(migration ? folio.mapcount() : 1);
  if (!migration) return;
  folio.set_flag(folio_flag::lru, false);
  folio.lock(FolioLocker::other);
}

/// Flags of a present entry with the bits the declaration asks for on top of, or instead of, the usual ones. Dirt is
/// where this kernel keeps it: a read-only entry's in SAVED_DIRTY from 6.6 on, since D without RW is a shadow stack's.
uint64_t declared_flags(const KernelModel& model, const PageDecl& page, const Vma& vma, bool writable) {
  uint64_t flags = mapping_flags(vma, writable);
  const auto apply = [&](const std::optional<bool>& wanted, uint64_t mask) {
    if (wanted) flags = *wanted ? flags | mask : flags & ~mask;
  };
  apply(page.accessed, bit::accessed);
  apply(page.dirty, bit::dirty);
  apply(page.soft_dirty, x86::soft_dirty.mask());
  apply(page.uffd_wp, bit::uffd_wp);
  return writable && vma.is_shadow_stack() ? flags : with_dirty_in_place(model, flags);
}

uint64_t marker_bits(PageState state) {
  return state == PageState::marker_uffd_wp ? marker_uffd_wp : state == PageState::marker_poison ? marker_poisoned : marker_guard;
}

}  // namespace

Result<void> World::set_pages(const PageDecl& page) {
  constexpr std::array migrates{PageState::migration_read, PageState::migration_read_exclusive, PageState::migration_write, PageState::pmd_migration};
  declares_migration_entries_ |= std::find(migrates.begin(), migrates.end(), page.state) != migrates.end();
  const auto start = resolve(page.at, page.line);
  if (!start) return fail(start.error());
  const Vma vma = space_->vma_at(*start);
  if (!vma || vma.end() - *start < page.pages * page_bytes) {
    return fail(error(page.line, "the pages are not all inside one VMA"));
  }
  Level level = Level::pte;
  const bool whole_pmd = page.state == PageState::thp || page.state == PageState::huge_zero || page.state == PageState::pmd_migration ||
                         page.state == PageState::device_private_thp;
  if (whole_pmd) level = Level::pmd;
  if (page.state == PageState::pud_leaf) level = Level::pud;
  if (vma.is_hugetlb()) level = AddressSpace::hugetlb_level(vma);
  const uint64_t unit = level_size(level);
  if (level != Level::pte && (*start % unit != 0 || page.pages % (unit / page_bytes) != 0)) {
    return fail(error(page.line, "a huge page's address and size must be multiples of the huge page size"));
  }
  if ((page.protnone || page.devmap) && (level == Level::pte || page.state == PageState::none))
    return fail(error(page.line, "only a huge page's mapping can be \"protnone\" or \"devmap\" (a page's is the state \"protnone\")"));
  uint64_t index = 0;
  for (uint64_t addr = *start; addr < *start + page.pages * page_bytes; addr += unit, ++index) {
    const auto ok = level == Level::pte ? set_page(page, addr, index) : set_leaf(page, addr, index, level);
    if (!ok) return ok;
  }
  return {};
}

Result<uint64_t> World::page_pfn(const PageDecl& page, uint64_t index, uint32_t order) {
  if (page.pfn) {
    const uint64_t pfn = *page.pfn + (index << order), limit = machine_->entry_format().swap.pfn_mask();
    if (*page.pfn > limit || pfn + (1ull << order) - 1 > limit) {
      return fail(error(page.line, "the pfn is beyond physical memory"));
    }
    if (!page.shared && machine_->physical().in_use(pfn, 1ull << order)) return fail(error(page.line, "the pfn is in use already"));
    return pfn;
  }
  if (page.state == PageState::device_private || page.state == PageState::device_private_thp ||
      page.state == PageState::device_coherent) {
    Device* owner = device(page.device);
    if (owner == nullptr) return fail(error(page.line, "a page of device memory needs a \"device\""));
    for (const DeviceMemory& memory : machine_->physical().devices()) {
      if (memory.owner != owner->owner()) continue;
      if (memory.other) return fail(error(page.line, "no page of a process can be in the memory of device '" + page.device + "'"));
      const uint64_t pfn = machine_->physical().allocate_device_page(memory, order);
      if (pfn == 0) return fail(error(page.line, "the memory of device '" + page.device + "' is full"));
      return pfn;
    }
  }
  return machine_->physical().allocate(order);
}

Result<uint64_t> World::nonpresent(const PageDecl& page, uint64_t addr, uint64_t index, SwapKind kind) {
  SwapEntry entry;
  entry.kind = kind;
  entry.exclusive = kind == SwapKind::swap && page.exclusive;
  if (kind == SwapKind::swap) {
    entry.offset = machine_->physical().allocate_swap_slot();
  } else if (kind == SwapKind::pte_marker) {
    entry.offset = marker_bits(page.state);
  } else {
    const bool huge = page.state == PageState::pmd_migration || page.state == PageState::device_private_thp;
    const uint32_t order = huge ? level_order(Level::pmd) : 0;
    const auto pfn = page_pfn(page, index, order);
    if (!pfn) return pfn;
    if (*pfn % (1ull << order) != 0) return fail(error(page.line, "the pfn of a huge page must be aligned to its size"));
    entry.pfn = *pfn;
    if (kind != SwapKind::hwpoison && !mapped_already(page, *pfn, order)) {
      add_anon_folio(*machine_, space_->vma_at(addr), addr, *pfn, order, page.exclusive);
      count_nonpresent(*machine_, *pfn, kind);
    }
  }
  auto word = encode_swap(machine_->entry_format().swap, entry);
  if (!word) return fail(error(page.line, "kernel " + machine_->model().id + ": " + word.error().message));
  return word;
}

/// A page that is declared once more keeps its folio, which then has one more mapping.
bool World::mapped_already(const PageDecl& page, uint64_t pfn, uint32_t order) {
  if (!page.shared || !machine_->physical().in_use(pfn, 1ull << order)) return false;
  if (machine_->physical().folio_of(pfn) != no_word) map_folio(*machine_, pfn);
  return true;
}

void World::add_mapped_folio(const PageDecl& page, Vma vma, uint64_t addr, uint64_t pfn) {
  if (mapped_already(page, pfn, 0)) return;
  if (vma.kind() == VmaKind::shmem || vma.kind() == VmaKind::file_shared) {
    faults_->page_cache().put(vma.file(), page_index(vma, addr), pfn);
    add_file_folio(*machine_, vma.file(), page_index(vma, addr), pfn);
    map_folio(*machine_, pfn);
    return;
  }
  add_anon_folio(*machine_, vma, addr, pfn, 0, page.exclusive);
  const Folio folio = Folio::of(*machine_, pfn);
  if (page.swapcache == SwapCache::none) return;
  folio.take();
  folio.set_flag(folio_flag::swapcache | (page.swapcache == SwapCache::shared ? folio_flag::swap_shared : 0));
}

void World::declare_entry(Level level, uint64_t addr, uint64_t entry) {
  const bool counts = !space_->vma_at(addr).is_hugetlb();
  const WordIndex word = space_->ensure_entry(level, addr);
  if (counts) count_entry_removed(*space_, level, machine_->load(word));
  machine_->store(word, entry);
  if (counts) count_entry_added(*space_, level, entry);
}

Result<void> World::set_page(const PageDecl& page, uint64_t addr, uint64_t index) {
  const Vma vma = space_->vma_at(addr);
  const bool writable = page.writable && (vma.flags() & vm::write) != 0;
  uint64_t entry = 0;
  switch (page.state) {
    case PageState::none: break;
    case PageState::zero_page:
      entry = EntryFormat::make(machine_->physical().zero_pfn(), mapping_flags(vma, false) | bit::special);
      break;
    case PageState::file_cached: {
      const auto pfn = page_pfn(page, index, 0);
      if (!pfn) return fail(pfn.error());
      faults_->page_cache().put(vma.file(), page_index(vma, addr), *pfn);
      add_file_folio(*machine_, vma.file(), page_index(vma, addr), *pfn);
      return {};
    }
    case PageState::present:
    case PageState::protnone:
    case PageState::device_coherent:
    case PageState::special: {
      const auto pfn = page_pfn(page, index, 0);
      if (!pfn) return fail(pfn.error());
      uint64_t flags = declared_flags(machine_->model(), page, vma, writable);
      if (page.state == PageState::protnone) flags = (flags & ~bit::present) | x86::protnone.mask();
      if (page.state == PageState::special) flags |= bit::special;
      else add_mapped_folio(page, vma, addr, *pfn);
      entry = EntryFormat::make(*pfn, flags);
      break;
    }
    default: {
      const auto word = nonpresent(page, addr, index, swap_kind(page.state, page.writable));
      if (!word) return fail(word.error());
      entry = *word;
    }
  }
  declare_entry(Level::pte, addr, entry);
  return map_outside(page, Level::pte, addr, entry);
}

Result<void> World::set_leaf(const PageDecl& page, uint64_t addr, uint64_t index, Level level) {
  const Vma vma = space_->vma_at(addr);
  const bool writable = page.writable && (vma.flags() & vm::write) != 0;
  uint64_t entry = 0;
  switch (page.state) {
    case PageState::none: break;
    case PageState::huge_zero:
      entry = EntryFormat::make(machine_->physical().huge_zero_pfn(), (mapping_flags(vma, false) & ~bit::accessed) | bit::huge);
      break;
    case PageState::present:
    case PageState::thp:
    case PageState::pud_leaf:
    case PageState::protnone: {
      const auto pfn = page_pfn(page, index, level_order(level));
      if (!pfn) return fail(pfn.error());
      if (*pfn % (1ull << level_order(level)) != 0) return fail(error(page.line, "the pfn of a huge page must be aligned to its size"));
      if (page.devmap && !machine_->entry_format().devmap)
        return fail(error(page.line, "kernel " + machine_->model().id + " has no devmap entries"));
      if (!page.devmap && !mapped_already(page, *pfn, level_order(level))) {
        add_anon_folio(*machine_, vma, addr, *pfn, level_order(level), page.exclusive);
      }
      uint64_t flags = declared_flags(machine_->model(), page, vma, writable) | bit::huge;
      if (page.devmap) flags |= x86::devmap.mask();
      if (page.state == PageState::protnone || page.protnone) flags = (flags & ~bit::present) | x86::protnone.mask();
      entry = EntryFormat::make(*pfn, flags);
      break;
    }
    default: {
      const auto word = nonpresent(page, addr, index, swap_kind(page.state, page.writable));
      if (!word) return fail(word.error());
      entry = *word;
    }
  }
  declare_entry(level, addr, entry);
  return map_outside(page, level, addr, entry);
}

}  // namespace hmmscope::scenario
