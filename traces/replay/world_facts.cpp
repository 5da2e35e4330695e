// The half of World that keeps what is known of page-table entries: faults, forks and changes of protection
// say what becomes of an entry without showing it.
#include <algorithm>
#include <utility>
#include <vector>

#include "engine/fault/handle_mm_fault.h"
#include "engine/migrate/entry_conversion.h"
#include "traces/replay/world.h"
#include "traces/stand_in.h"

namespace hmmscope::traces {
namespace {

/// A read fault of a file maps its neighbours, too (fault_around_bytes).
constexpr uint64_t fault_around = 64u << 10;
constexpr uint8_t known_all = pte_fact::all | pte_fact::seen;

bool copied_by_fork(const Vma& vma) { return (vma.flags() & vm::shared) == 0; }

uint64_t present_flags(const Vma& vma, bool writable) {
  return (vm_page_prot(vma) & ~x86::rw.mask()) | (writable ? x86::rw.mask() | x86::dirty.mask() : 0);
}

}  // namespace

bool World::may_be_huge(const Vma& vma, uint64_t addr, uint64_t shown_flags) const {
  const uint64_t start = addr & ~(level_size(Level::pmd) - 1);
  if (start < vma.start() || start + level_size(Level::pmd) > vma.end()) return false;
  const uint64_t flags = shown_flags != 0 ? shown_flags : vma.flags();   // madvise may have changed them since
  return (flags & vm::hugepage) != 0 || (huge_pages_always_ && (flags & vm::nohugepage) == 0);
}

World::KnownPte World::known_pte(const AddressSpace& space, uint64_t addr) const {
  if (facts_given_up_) return {};
  const WordIndex word = space.tables().entry_word(Level::pte, addr);
  if (word != no_word) {
    const uint8_t facts = facts_.of(word);
    if ((facts & pte_fact::seen) != 0) return {machine_->load(word), facts};
  }
  return facts_.is_empty(space.id(), addr) ? KnownPte{0, known_all} : KnownPte{};
}

WordIndex World::know_pte(AddressSpace& space, uint64_t addr, uint64_t pte, uint8_t known,
                          Evidence evidence) {
  const WordIndex word = show_entry(space, Level::pte, addr, pte, evidence);
  facts_.set(word, 1, static_cast<uint8_t>(known | pte_fact::seen));
  return word;
}

void World::note_pte(const AddressSpace& space, uint64_t addr, uint8_t known) {
  const WordIndex word = space.tables().entry_word(Level::pte, addr);
  if (word == no_word) return;
  note_change(space, addr, addr + page_bytes);
  note_pte_table(space, addr);
  facts_.set(word, 1, static_cast<uint8_t>(known | pte_fact::seen));
}

void World::watch_changes(bool on) {
  watching_ = on;
  if (!on) return;
  changes_ = {};
  vma_changes_ = {};
}

void World::know_mapped(AddressSpace& space, const Vma& vma, uint64_t addr, std::optional<uint64_t> pfn) {
  know_pte(space, addr, EntryFormat::make(pfn ? *pfn : placeholder_pfn(), present_flags(vma, false)),
           static_cast<uint8_t>(pte_fact::kind | (pfn ? pte_fact::pfn : 0)), Evidence::inferred);
}

void World::know_zero_page(AddressSpace& space, const Vma& vma, uint64_t addr) {
  const uint64_t zero = machine_->physical().zero_pfn();
  know_pte(space, addr, EntryFormat::make(zero, present_flags(vma, false) | x86::special.mask()), pte_fact::all,
           Evidence::inferred);
}

void World::forget_ptes(const AddressSpace& space, uint64_t start, uint64_t end) {
  note_change(space, start, end);
  each_pte_table(space, start, end,
                 [&](uint64_t, WordIndex first, uint32_t count) { forget_words(first, count); });
  facts_.remove_empty(space.id(), start, end);
}

void World::forget_words(WordIndex first, uint32_t count) {
  for (uint32_t k = 0; k < count;) {
    uint32_t known = 0;
    while (k + known < count && (facts_.of(first + k + known) & pte_fact::seen) != 0) ++known;
    if (known != 0) doubt_words(first + k, known);
    k += known + 1;
  }
  facts_.set(first, count, 0);
}

uint64_t World::placeholder_pfn() { return first_stand_in_pfn + placeholders_++; }

bool World::is_placeholder(uint64_t pfn) { return pfn >= first_stand_in_pfn; }

void World::resolve_placeholder(uint64_t addr, uint64_t placeholder, uint64_t pfn) {
  if (!is_placeholder(placeholder) || !spend_entries(machine_->address_spaces().size())) return;
  for (const auto& space : machine_->address_spaces()) {
    const KnownPte is = known_pte(*space, addr);
    if ((is.known & pte_fact::kind) == 0 || !x86::pte_present(is.pte) || x86::pte_pfn(is.pte) != placeholder)
      continue;
    const uint64_t flags = is.pte & ~x86::pfn.mask();
    know_pte(*space, addr, EntryFormat::make(pfn, flags), is.known | pte_fact::pfn, Evidence::inferred);
  }
}

void World::cpu_fault(AddressSpace& space, uint64_t addr, uint64_t flags, uint64_t ret, uint64_t vma_flags) {
  if ((ret & (vm_fault::error | vm_fault::retry)) != 0 || addr >= space.tables().limit()) return;
  addr &= page_mask;
  const Vma vma = space.vma_at(addr);
  if (!vma || in_doubt(vma) || vma.is_hugetlb() || vma.kind() == VmaKind::special)
    return forget_ptes(space, addr, addr + page_bytes);
  const WordIndex pmd = space.tables().entry_word(Level::pmd, addr);
  if (pmd != no_word && x86::pmd_leaf(machine_->load(pmd))) {
    // Whether a write splits the 2M mapping, the next walk shows.
    const uint64_t start = addr & ~(level_size(Level::pmd) - 1);
    return forget_ptes(space, start, start + level_size(Level::pmd));
  }
  const bool write = (flags & fault_flag::write) != 0;
  const KnownPte is = known_pte(space, addr);
  if ((is.known & pte_fact::kind) == 0) return fault_on_unknown(space, vma, addr, write);
  if (x86::pte_none(is.pte)) return fault_on_none(space, vma, addr, write, vma_flags);
  if (x86::pte_present(is.pte)) {
    if (!write || (x86::pte_write(is.pte) && (is.known & pte_fact::write) != 0)) return;
    // Copied or used again: either way writable now.
    const bool keeps_page = (vma.flags() & vm::shared) != 0;
    const uint64_t pfn = keeps_page ? x86::pte_pfn(is.pte) : placeholder_pfn();
    know_pte(
        space, addr, EntryFormat::make(pfn, present_flags(vma, true)),
        static_cast<uint8_t>(pte_fact::kind | pte_fact::write | (keeps_page ? is.known & pte_fact::pfn : 0)),
        Evidence::inferred);
    return;
  }
  const SwapKind kind = entries().swap.kind(is.pte);
  // The way home of a device page, and the end of a migration, have events of their own.
  if (is_device_private(kind) || is_migration(kind)) return;
  if (is_device_exclusive(kind)) {
    know_pte(space, addr, EntryFormat::make(entries().swap.pfn(is.pte), present_flags(vma, write)),
             static_cast<uint8_t>(pte_fact::kind | pte_fact::pfn | (write ? pte_fact::write : 0)),
             Evidence::inferred);
    return;
  }
  fault_on_unknown(space, vma, addr, write);
}

/// Whatever stood there is a mapped page now; a read of an empty place may have mapped the zero page.
void World::fault_on_unknown(AddressSpace& space, const Vma& vma, uint64_t addr, bool write) {
  if (!write) return forget_ptes(space, addr, addr + page_bytes);
  const uint64_t pte = EntryFormat::make(placeholder_pfn(), present_flags(vma, true));
  know_pte(space, addr, pte, pte_fact::kind | pte_fact::write, Evidence::inferred);
}

void World::fault_on_none(AddressSpace& space, const Vma& vma, uint64_t addr, bool write, uint64_t vma_flags) {
  const uint64_t user_filled = vm::uffd_missing | vm::uffd_wp;
  if ((vma.flags() & user_filled) != 0) return forget_ptes(space, addr, addr + page_bytes);
  if (vma.kind() != VmaKind::anonymous) {
    const uint64_t start = std::max(vma.start(), addr & ~(fault_around - 1)),
                   end = std::min(vma.end(), (addr & ~(fault_around - 1)) + fault_around);
    for (uint64_t page = start; page < end; page += page_bytes)
      if (x86::pte_none(known_pte(space, page).pte)) forget_ptes(space, page, page + page_bytes);
    return fault_on_unknown(space, vma, addr, write);
  }
  if (may_be_huge(vma, addr, vma_flags)) {
    const uint64_t start = addr & ~(level_size(Level::pmd) - 1);
    forget_ptes(space, start, start + level_size(Level::pmd));
    return;
  }
  if (write) return fault_on_unknown(space, vma, addr, write);
  const uint64_t zero = machine_->physical().zero_pfn();
  if (zero > x86::pfn.mask() >> page_bits) return forget_ptes(space, addr, addr + page_bytes);
  know_zero_page(space, vma, addr);
}

void World::protect(AddressSpace& space, const Vma& vma, uint64_t start, uint64_t end) {
  const bool writable = (vma.flags() & vm::write) != 0;
  each_pte_table(space, start, end, [&](uint64_t from, WordIndex first, uint32_t count) {
    for (uint32_t k = 0; k < count; ++k) {
      const uint8_t known = facts_.of(first + k);
      const uint64_t pte = machine_->load(first + k);
      if ((known & pte_fact::kind) == 0 || pte == 0) continue;
      protect_pte(space, vma, from + k * page_bytes, {pte, known}, writable);
    }
  });
}

void World::protect_pte(AddressSpace& space, const Vma& vma, uint64_t addr, KnownPte is, bool writable) {
  if (x86::pte_present(is.pte)) {
    // Whether a page becomes writable again depends on who else has it.
    const bool keeps_write = writable && x86::pte_write(is.pte) && (is.known & pte_fact::write) != 0;
    const auto known = static_cast<uint8_t>(writable && !keeps_write ? is.known & ~pte_fact::write
                                                                     : is.known | pte_fact::write);
    const uint64_t special = is.pte & x86::special.mask();
    know_pte(space, addr, EntryFormat::make(x86::pte_pfn(is.pte), present_flags(vma, keeps_write) | special),
             known, Evidence::inferred);
    return;
  }
  const SwapKind kind = entries().swap.kind(is.pte);
  if (writable || kind != SwapKind::device_write) return;
  know_pte(space, addr, make_device_private_entry(entries().swap, entries().swap.pfn(is.pte), false),
           is.known, Evidence::inferred);
}

/// Pages of private mappings become read-only on both sides; shared ones come back by faults. Where no event
/// has shown the VMA, only device-private pages are known to be in a private mapping.
void World::fork_ptes(AddressSpace& from, AddressSpace& to) {
  facts_.copy_empty(from.id(), to.id());
  for (const WordIndex words : from.vmas()) {
    const Vma vma = from.vma(words);
    if (!copied_by_fork(vma)) facts_.add_empty(to.id(), vma.start(), vma.end());
  }
  std::vector<std::pair<uint64_t, KnownPte>> seen;
  each_pte_table(from, 0, from.tables().limit(), [&](uint64_t start, WordIndex first, uint32_t count) {
    for (uint32_t k = 0; k < count; ++k)
      if (const uint8_t known = facts_.of(first + k); (known & pte_fact::seen) != 0)
        seen.push_back({start + k * page_bytes, {machine_->load(first + k), known}});
  });
  if (!spend_forked(seen.size())) return facts_.forget_space(to.id());
  for (const auto& [addr, is] : seen) fork_pte(from, to, addr, is);
}

void World::fork_pte(AddressSpace& from, AddressSpace& to, uint64_t addr, KnownPte is) {
  const Vma vma = from.vma_at(addr);
  if (vma && !copied_by_fork(vma)) return;
  const bool present = x86::pte_present(is.pte), none = x86::pte_none(is.pte);
  const SwapKind kind = present || none ? SwapKind::unused : entries().swap.kind(is.pte);
  uint64_t pte = is.pte;
  if ((is.known & pte_fact::kind) == 0) return forget_ptes(to, addr, addr + page_bytes);
  if (is_device_private(kind)) {
    pte = make_device_private_entry(entries().swap, entries().swap.pfn(pte), false);
  } else if (!vma) {
    if (present) know_pte(from, addr, pte, is.known & ~pte_fact::write, Evidence::inferred);
    return;
  } else if (present) {
    pte = write_protected(machine_->model(), pte);
  } else if (!none) {
    forget_ptes(from, addr, addr + page_bytes);
    return forget_ptes(to, addr, addr + page_bytes);
  }
  const auto known = static_cast<uint8_t>(is.known | pte_fact::write);
  if (pte != is.pte || known != is.known) know_pte(from, addr, pte, known, Evidence::inferred);
  know_pte(to, addr, pte, known, Evidence::inferred);
}

}  // namespace hmmscope::traces
