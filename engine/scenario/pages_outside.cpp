// A page that is declared not to be exclusive: the process that shares it, as after fork.

#include "engine/machine/folio.h"
#include "engine/migrate/entry_conversion.h"
#include "engine/scenario/vm_operations.h"
#include "engine/scenario/world.h"

namespace hmmscope::scenario {
namespace {

/// What the other side of a fork has for an entry: nothing to write with, not accessed, no userfaultfd.
uint64_t entry_outside(const Machine& machine, uint64_t entry) {
  if (x86::pmd_present(entry)) {
    return write_protected(machine.model(), entry) & ~x86::accessed.mask() & ~x86::uffd_wp.mask();
  }
  const SwapFormat& format = machine.entry_format().swap;
  const SwapKind read = is_migration(format.kind(entry)) ? SwapKind::migration_read : SwapKind::device_read;
  const uint64_t kept = entry & ~x86::swp_type.mask() & ~x86::swp_uffd_wp.mask();
  return kept | x86::swp_type.put(format.type(read));
}

/// The folio has a second user because of this entry.
bool is_shared_anonymous(Machine& machine, const PageDecl& page, const Vma& vma, uint64_t entry) {
  const bool anonymous = vma.kind() == VmaKind::anonymous || vma.kind() == VmaKind::file_private;
  if (page.exclusive || page.shared || !anonymous || x86::pte_none(entry)) return false;
  if (x86::pmd_present(entry)) {
    const Folio folio = x86::pte_special(entry) ? Folio() : Folio::of(machine, x86::pte_pfn(entry));
    return folio && folio.has(folio_flag::anon);
  }
  const SwapKind kind = machine.entry_format().swap.kind(entry);
  return is_migration(kind) || is_device_private(kind);
}

}  // namespace

Result<AddressSpace*> World::space_outside(const PageDecl& page, Level level, uint64_t addr) {
  if (outside_ == nullptr) outside_ = &machine_->add_address_space("outside");
  if (outside_->vma_at(addr)) return outside_;
  const Vma ours = space_->vma_at(addr);
  hmmscope::VmaSpec spec = space_->spec_of(ours);
  spec.name = "outside";
  if (outside_->add_vma(spec)) return outside_;
  spec.start = addr;   // ours was cut or moved since: a VMA for this page alone
  spec.end = addr + level_size(level);
  spec.pgoff = page_index(ours, addr);
  if (auto added = outside_->add_vma(spec); !added) return fail(error(page.line, added.error().message));
  return outside_;
}

Result<void> World::map_outside(const PageDecl& page, Level level, uint64_t addr, uint64_t entry) {
  if (!is_shared_anonymous(*machine_, page, space_->vma_at(addr), entry)) return {};
  const auto space = space_outside(page, level, addr);
  if (!space) return fail(space.error());
  const WordIndex word = (*space)->find_entry(level, addr);
  const uint64_t before = word == no_word ? 0 : machine_->load(word);
  (*space)->set_entry(level, addr, entry_outside(*machine_, entry));
  drop_page(*machine_, level, before);   // a page declared here before, which the other process no longer shares
  return {};
}

}  // namespace hmmscope::scenario
