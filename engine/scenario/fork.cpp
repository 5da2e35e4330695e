#include "engine/scenario/fork.h"

#include <utility>

#include "engine/fault/cpu_fault.h"
#include "engine/machine/folio.h"
#include "engine/machine/rss.h"
#include "engine/migrate/entry_conversion.h"
#include "engine/scenario/vm_operations.h"

namespace hmmscope {

namespace {

constexpr uint64_t accessed = x86::accessed.mask(), dirty = x86::dirty.mask();

class Copy {
 public:
  Copy(Machine& machine, AddressSpace& parent, AddressSpace& child, Vma vma)
      : m_(machine), parent_(parent), child_(child), vma_(vma), cow_((vma.flags() & vm::shared) == 0) {}

  void run() {
    for (uint64_t addr = vma_.start(), next = addr; addr < vma_.end(); addr = next) {
      next = copy_at(addr);
    }
  }

 private:
  /// Copies the leaf or pte at addr; returns where to go on.
  uint64_t copy_at(uint64_t addr) {
    for (const Level level : {Level::p4d, Level::pud, Level::pmd}) {
      const WordIndex word = parent_.find_entry(level, addr);
      const uint64_t entry = word == no_word ? 0 : m_.load(word);
      const uint64_t next = level_end(level, addr, vma_.end());
      if (x86::pte_none(entry)) return next;
      if ((entry & (x86::present.mask() | x86::pse.mask())) == x86::present.mask()) continue;
      const PageTableLocks locked(m_, parent_, addr, addr + page_bytes);
      if (m_.load(word) != entry) return addr;   // another task was faster: look again
      if (x86::pmd_present(entry))
        copy_leaf(level, addr, word);
      else
        copy_entry(level, addr, word);
      return next;
    }
    const SpinGuard locked(m_, pte_lock(parent_.id(), addr)), child_locked(m_, pte_lock(child_.id(), addr));
    const WordIndex word = parent_.find_entry(Level::pte, addr);
    if (word != no_word && !x86::pte_none(m_.load(word))) {
      if (x86::pte_present(m_.load(word)))
        copy_page(addr, word);
      else
        copy_entry(Level::pte, addr, word);
    }
    return addr + page_bytes;
  }

  /// Present: both sides lose write permission when the memory is private; the child's copy is old.
  void share(Level level, uint64_t addr, WordIndex word, uint64_t pfn, RuleId rule) {
    const uint64_t old = m_.load(word);
    const uint64_t kept = cow_ ? write_protected(m_.model(), old) : old;
    m_.step(rule, {addr, old, kept});
    if (const Folio folio = Folio::of(m_, pfn); folio && !x86::pte_special(old)) {
      folio.take();
      folio.add_rmap();
      if (cow_) folio.set_flag(folio_flag::anon_exclusive, false);
    }
    if (kept != old) m_.store(word, kept);
    set_child(level, addr, kept & ~accessed);
  }

  void set_child(Level level, uint64_t addr, uint64_t entry) {
    child_.set_entry(level, addr, entry);
    if (!vma_.is_hugetlb()) count_entry_added(child_, level, entry);
  }

  void copy_leaf(Level level, uint64_t addr, WordIndex word) {
    const uint64_t pfn = leaf_pfn(level, m_.load(word));
    const bool zero = pfn == m_.physical().huge_zero_pfn();
    if (!zero) return share(level, addr, word, pfn, RuleId::fork_huge);
    m_.step(RuleId::fork_huge, {addr, m_.load(word), m_.load(word)});
    set_child(level, addr, m_.load(word));
  }

  void copy_page(uint64_t addr, WordIndex word) {
    const uint64_t old = m_.load(word);
    const uint64_t pfn = x86::pte_pfn(old);
    const Folio folio = Folio::of(m_, pfn);
    const bool pinned = folio && cow_ && folio.has(folio_flag::anon_exclusive) && folio.maybe_dma_pinned();
    if (!pinned) return share(Level::pte, addr, word, pfn, RuleId::fork_page);
    const uint64_t copy = m_.physical().allocate(0);
    const uint64_t flags = vm_page_prot(vma_) | dirty | ((vma_.flags() & vm::write) != 0 ? vma_.write_bits() : 0);
    m_.step(RuleId::fork_page_pinned, {addr, old, folio.refcount(), copy});
    const Folio fresh = make_allocated_folio(m_, copy, 0);
    fresh.set_flag(folio_flag::anon | folio_flag::anon_exclusive | folio_flag::lru);
    fresh.set(FolioWord::mapping, anon_mapping);
    fresh.set(FolioWord::index, page_index(vma_, addr));
    fresh.add_rmap();
    copy_page_data(m_, pfn, copy);
    set_child(Level::pte, addr, EntryFormat::make(copy, with_dirty_in_place(m_.model(), flags)));
  }

  void copy_entry(Level level, uint64_t addr, WordIndex word) {
    const SwapFormat& format = m_.entry_format().swap;
    const uint64_t old = m_.load(word);
    const SwapKind kind = format.kind(old);
    if (is_device_exclusive(kind)) return end_exclusive(addr, word);
    if (kind == SwapKind::pte_marker && (format.offset(old) & marker_uffd_wp) != 0) return;
    uint64_t kept = old & ~(kind == SwapKind::swap ? x86::swp_exclusive.mask() : 0);
    if (cow_ && is_migration(kind)) kept = with_kind(old, SwapKind::migration_read);
    if (cow_ && is_device_private(kind)) kept = with_kind(old, SwapKind::device_read);
    m_.step(RuleId::fork_entry, {addr, old, kept});
    if (is_device_private(kind)) {
      if (const Folio folio = Folio::of(m_, format.pfn(old)); folio) {
        folio.take();
        folio.add_rmap();
        if (cow_) folio.set_flag(folio_flag::anon_exclusive, false);
      }
    }
    if (kept != old) m_.store(word, kept);
    set_child(level, addr, kept);
  }

  uint64_t with_kind(uint64_t entry, SwapKind kind) const {
    const uint8_t type = m_.entry_format().swap.type(kind);
    return (entry & ~x86::swp_type.mask()) | x86::swp_type.put(type);
  }

  /// The invalidation of the fork has told the device; the page is shared like any other.
  void end_exclusive(uint64_t addr, WordIndex word) {
    const SwapFormat& format = m_.entry_format().swap;
    const uint64_t old = m_.load(word);
    const Folio folio = Folio::of(m_, format.pfn(old));
    const bool folio_dirty = folio && folio.has(folio_flag::dirty);
    const bool exclusive = !folio || folio.has(folio_flag::anon_exclusive);
    const uint64_t entry = restore_exclusive_entry(m_.model(), format, vma_, old, folio_dirty, exclusive);
    m_.step(RuleId::fork_exclusive, {addr, old, entry});
    m_.store(word, entry);
    if (folio && !m_.model().exclusive_entries_are_mapped) folio.add_rmap();
    copy_page(addr, word);
  }

  Machine& m_;
  AddressSpace& parent_;
  AddressSpace& child_;
  Vma vma_;
  bool cow_;
};

bool needs_copy(const Vma& vma) { return vma.kind() != VmaKind::shmem && vma.kind() != VmaKind::file_shared; }

}  // namespace

AddressSpace& fork_space(Machine& machine, AddressSpace& parent, std::string name) {
  machine.enter(Function::fork, {parent.id()});
  machine.step(RuleId::fork_begin, {parent.id()});
  AddressSpace& child = machine.add_address_space(std::move(name));
  for (const WordIndex first : parent.vmas()) {
    const Vma vma = parent.vma(first);
    const VmaSpec spec = parent.spec_of(vma);
    const bool copied = needs_copy(vma);
    machine.step(copied ? RuleId::fork_vma : RuleId::fork_vma_later, {spec.start, spec.end, spec.flags});
    if (!child.add_vma(spec) || !copied) continue;  // a copy of a good VMA is good
    const bool told = (spec.flags & vm::shared) == 0;
    Invalidation running;
    if (told) running = parent.notifiers().start({spec.start, spec.end, NotifyEvent::protection_page});
    Copy(machine, parent, child, vma).run();
    if (told && !running.failed) parent.notifiers().end(running);
  }
  machine.leave(static_cast<int64_t>(child.id()));
  return child;
}

}  // namespace hmmscope
