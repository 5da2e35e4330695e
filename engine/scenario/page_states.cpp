// Puts pages into a declared state: the entry, the folio, the device page or swap slot behind it.

#include "engine/scenario/world.h"

namespace hmmscope::scenario {

namespace {

SwapKind swap_kind(PageState state, bool writable) {
  switch (state) {
    case PageState::swapped: return SwapKind::swap;
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

uint64_t marker_bits(PageState state) {
  return state == PageState::marker_uffd_wp ? marker_uffd_wp : state == PageState::marker_poison ? marker_poisoned : marker_guard;
}

}  // namespace

Result<void> World::set_pages(const PageDecl& page) {
  const auto start = resolve(page.at, page.line);
  if (!start) return fail(start.error());
  const Vma vma = space_->vma_at(*start);
  if (!vma || vma.end() - *start < page.pages * page_bytes) {
    return fail(error(page.line, "the pages are not all inside one VMA"));
  }
  Level level = Level::pte;
  if (page.state == PageState::thp || page.state == PageState::huge_zero || page.state == PageState::pmd_migration) level = Level::pmd;
  if (page.state == PageState::pud_leaf) level = Level::pud;
  if (vma.is_hugetlb()) level = AddressSpace::hugetlb_level(vma);
  const uint64_t unit = level_size(level);
  if (level != Level::pte && (*start % unit != 0 || page.pages % (unit / page_bytes) != 0)) {
    return fail(error(page.line, "a huge page's address and size must be multiples of the huge page size"));
  }
  uint64_t index = 0;
  for (uint64_t addr = *start; addr < *start + page.pages * page_bytes; addr += unit, ++index) {
    const auto ok = level == Level::pte ? set_page(page, addr, index) : set_leaf(page, addr, index, level);
    if (!ok) return ok;
  }
  return {};
}

Result<uint64_t> World::page_pfn(const PageDecl& page, uint64_t index, uint32_t order) {
  if (page.pfn) return *page.pfn + (index << order);
  if (page.state == PageState::device_private) {
    Device* owner = device(page.device);
    if (owner == nullptr) return fail(error(page.line, "a device-private page needs a \"device\""));
    for (const DeviceMemory& memory : machine_->physical().devices()) {
      if (memory.owner != owner->owner()) continue;
      const uint64_t pfn = machine_->physical().allocate_device_page(memory);
      if (pfn == 0) return fail(error(page.line, "the memory of device '" + page.device + "' is full"));
      return pfn;
    }
  }
  return machine_->physical().allocate(order);
}

Result<uint64_t> World::nonpresent(const PageDecl& page, uint64_t index, SwapKind kind) {
  SwapEntry entry;
  entry.kind = kind;
  entry.exclusive = kind == SwapKind::swap && page.exclusive;
  if (kind == SwapKind::swap) {
    entry.offset = machine_->physical().allocate_swap_slot();
  } else if (kind == SwapKind::pte_marker) {
    entry.offset = marker_bits(page.state);
  } else {
    const uint32_t order = page.state == PageState::pmd_migration ? level_order(Level::pmd) : 0;
    const auto pfn = page_pfn(page, index, order);
    if (!pfn) return pfn;
    entry.pfn = *pfn;
    if (kind != SwapKind::hwpoison) add_anon_folio(*machine_, *pfn, order, page.exclusive);
  }
  auto word = encode_swap(machine_->entry_format().swap, entry);
  if (!word) return fail(error(page.line, "kernel " + machine_->model().id + ": " + word.error().message));
  return word;
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
      faults_->page_cache().put(vma.file(), vma.pgoff() + (addr - vma.start()) / page_bytes, *pfn);
      return {};
    }
    case PageState::present:
    case PageState::protnone:
    case PageState::special: {
      const auto pfn = page_pfn(page, index, 0);
      if (!pfn) return fail(pfn.error());
      uint64_t flags = mapping_flags(vma, writable);
      if (page.state == PageState::protnone) flags = (flags & ~bit::present) | x86::protnone.mask();
      if (page.state == PageState::special) flags |= bit::special;
      else add_anon_folio(*machine_, *pfn, 0, page.exclusive);
      entry = EntryFormat::make(*pfn, flags);
      break;
    }
    default: {
      const auto word = nonpresent(page, index, swap_kind(page.state, page.writable));
      if (!word) return fail(word.error());
      entry = *word;
    }
  }
  space_->set_entry(Level::pte, addr, entry);
  return {};
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
      add_anon_folio(*machine_, *pfn, level_order(level), page.exclusive);
      uint64_t flags = mapping_flags(vma, writable) | bit::huge;
      if (page.state == PageState::protnone) flags = (flags & ~bit::present) | x86::protnone.mask();
      entry = EntryFormat::make(*pfn, flags);
      break;
    }
    default: {
      const auto word = nonpresent(page, index, swap_kind(page.state, page.writable));
      if (!word) return fail(word.error());
      entry = *word;
    }
  }
  space_->set_entry(level, addr, entry);
  return {};
}

}  // namespace hmmscope::scenario
