#include "engine/migrate/entry_conversion.h"

#include <cassert>

namespace hmmscope {

namespace {

constexpr uint64_t rw = x86::rw.mask(), accessed = x86::accessed.mask(), dirty = x86::dirty.mask(),
                   saved_dirty = x86::saved_dirty.mask(), soft_dirty = x86::soft_dirty.mask(),
                   uffd_wp = x86::uffd_wp.mask();

uint64_t encode(const SwapFormat& format, const SwapEntry& entry) {
  const auto word = encode_swap(format, entry);
  assert(word && "the kernel model lacks an entry type that a running migration needs");
  return word ? *word : 0;
}

}  // namespace

uint64_t vm_page_prot(const Vma& vma) {
  const uint64_t no_execute = (vma.flags() & vm::exec) == 0 ? x86::nx.mask() : 0;
  if ((vma.flags() & (vm::read | vm::write | vm::exec)) == 0) {
    return x86::protnone.mask() | accessed | x86::nx.mask();
  }
  constexpr uint64_t shared_write = vm::shared | vm::write;
  const bool writable = (vma.flags() & shared_write) == shared_write && vma.kind() == VmaKind::shmem;
  return x86::present.mask() | x86::user.mask() | accessed | no_execute | (writable ? rw : 0);
}

bool entry_dirty(uint64_t pte) { return (pte & (dirty | saved_dirty)) != 0; }

uint64_t with_dirty_in_place(const KernelModel& model, uint64_t flags) {
  if (!entry_dirty(flags)) return flags;
  flags &= ~(dirty | saved_dirty);
  const bool aside = (flags & rw) == 0 && model.pte->field(Role::saved_dirty) != nullptr;
  return flags | (aside ? saved_dirty : dirty);
}

namespace {

/// `flags` of an entry of that VMA, with write permission when `write`, and its dirt where this kernel keeps it: a
/// read-only entry's aside, and a shadow stack's D on top of that.
uint64_t with_permission(const KernelModel& model, const Vma& vma, uint64_t flags, bool write) {
  if (write && !vma.is_shadow_stack()) flags |= rw;
  flags = with_dirty_in_place(model, flags);
  return write && vma.is_shadow_stack() ? flags | vma.write_bits() : flags;
}

}  // namespace

uint64_t made_writable(const KernelModel& model, const Vma& vma, uint64_t pte) {
  return with_permission(model, vma, pte | dirty | accessed, (vma.flags() & vm::write) != 0);
}

uint64_t write_protected(const KernelModel& model, uint64_t pte) {
  return with_dirty_in_place(model, pte & ~rw);
}

SwapKind migration_kind(const SwapFormat& format, bool write, bool anon_exclusive) {
  if (write) return SwapKind::migration_write;
  const bool known = format.types.migration_read_exclusive != SwapTypes::absent;
  return anon_exclusive && known ? SwapKind::migration_read_exclusive : SwapKind::migration_read;
}

uint64_t make_migration_entry(const KernelModel& model, const SwapFormat& format, uint64_t pte, uint64_t pfn,
                              SwapKind kind) {
  SwapEntry entry;
  entry.kind = kind;
  entry.pfn = pfn;
  if (x86::pte_present(pte)) {
    entry.accessed = model.migration_keeps_ad && (pte & accessed) != 0;
    entry.dirty = model.migration_keeps_ad && entry_dirty(pte);
    entry.soft_dirty = (pte & soft_dirty) != 0;
    entry.uffd_wp = (pte & uffd_wp) != 0;
  } else {
    entry.soft_dirty = (pte & x86::swp_soft_dirty.mask()) != 0;
    entry.uffd_wp = (pte & x86::swp_uffd_wp.mask()) != 0;
  }
  return encode(format, entry);
}

uint64_t make_device_private_entry(const SwapFormat& format, uint64_t pfn, bool writable) {
  SwapEntry entry;
  entry.kind = writable ? SwapKind::device_write : SwapKind::device_read;
  entry.pfn = pfn;
  return encode(format, entry);
}

RestoredEntry restore_entry(const KernelModel& model, const SwapFormat& format, const Vma& vma,
                            uint64_t migration_pte, uint64_t pfn, bool folio_dirty, bool folio_anon,
                            bool device_private, bool huge) {
  const SwapEntry old = decode_swap(format, migration_pte);
  RestoredEntry restored;
  restored.exclusive = folio_anon && old.kind != SwapKind::migration_read;
  uint64_t flags = vm_page_prot(vma) | (huge ? x86::pse.mask() : 0);
  if (!old.accessed) flags &= ~accessed;
  if (folio_dirty && old.dirty) flags |= dirty;
  if (old.soft_dirty) flags |= soft_dirty;
  const bool write = old.kind == SwapKind::migration_write, shadow_stack = write && vma.is_shadow_stack();
  if (write && !shadow_stack) flags |= rw;
  // A pte that was writable does not take the mark along, a 2M mapping does.
  if (old.uffd_wp && (huge || !write)) flags = (flags | uffd_wp) & ~rw;
  if (device_private) {
    SwapEntry entry;
    entry.kind = (flags & rw) != 0 || shadow_stack ? SwapKind::device_write : SwapKind::device_read;
    entry.pfn = pfn;
    entry.soft_dirty = old.soft_dirty;
    entry.uffd_wp = old.uffd_wp;
    restored.entry = encode(format, entry);
    return restored;
  }
  restored.entry = EntryFormat::make(pfn, with_permission(model, vma, flags, shadow_stack));
  return restored;
}

uint64_t restore_exclusive_entry(const KernelModel& model, const SwapFormat& format, const Vma& vma,
                                 uint64_t pte, bool folio_dirty, bool anon_exclusive) {
  const SwapEntry old = decode_swap(format, pte);
  const bool vma_write = (vma.flags() & vm::write) != 0;
  uint64_t flags = vm_page_prot(vma) & ~accessed;
  if (old.soft_dirty) flags |= soft_dirty;
  if (old.uffd_wp) flags = (flags | uffd_wp) & ~rw;
  bool write = false;
  if (model.exclusive_entries_are_mapped) {
    // can_change_pte_writable(): the page is this process's own and nobody waits for the write.
    write = vma_write && anon_exclusive && !old.uffd_wp;
    if (write && folio_dirty) flags |= dirty;
  } else if (!old.uffd_wp && is_writable(old.kind)) {
    flags |= dirty;
    write = vma_write;
  }
  return EntryFormat::make(old.pfn, with_permission(model, vma, flags, write));
}

}  // namespace hmmscope
