#include "engine/fault/cpu_fault.h"

#include "engine/machine/page_data.h"
#include "engine/machine/rss.h"

namespace hmmscope {

uint64_t mapping_flags(const Vma& vma, bool writable) {
  if ((vma.flags() & (vm::read | vm::write | vm::exec)) == 0) return x86::protnone.mask() | bit::accessed | bit::no_execute;
  uint64_t flags = bit::present | bit::user | bit::accessed;
  if ((vma.flags() & vm::exec) == 0) flags |= bit::no_execute;
  if (writable) flags |= (vma.flags() & vm::write) != 0 ? vma.write_bits() : bit::dirty;
  return flags;
}

void add_anon_folio(Machine& machine, const Vma& vma, uint64_t addr, uint64_t pfn, uint32_t order, bool exclusive) {
  const Folio folio = make_folio(machine, pfn, order);
  uint64_t flags = folio.get(FolioWord::flags) | folio_flag::anon | (exclusive ? folio_flag::anon_exclusive : 0);
  if (!folio.zone_device()) flags |= folio_flag::lru;
  folio.set(FolioWord::flags, flags);
  folio.set(FolioWord::refcount, exclusive ? 1 : 2);
  folio.set(FolioWord::mapcount, exclusive ? 1 : 2);
  folio.set(FolioWord::mapping, anon_mapping);
  folio.set(FolioWord::index, page_index(vma, addr & ~((page_bytes << order) - 1)));
  if (PageData* data = machine.page_data(); data != nullptr) data->clear(pfn, 1ull << order);
}

void copy_page_data(Machine& machine, uint64_t from, uint64_t to, uint32_t order) {
  if (PageData* data = machine.page_data(); data != nullptr) data->copy(from, to, 1ull << order);
}

void add_file_folio(Machine& machine, uint64_t file, uint64_t index, uint64_t pfn) {
  const Folio folio = make_allocated_folio(machine, pfn, 0);
  folio.set_flag(folio_flag::lru);
  folio.set(FolioWord::mapping, file_mapping(file));
  folio.set(FolioWord::index, index);
}

void map_folio(Machine& machine, uint64_t pfn) {
  const Folio folio = Folio::of(machine, pfn);
  if (!folio) return;
  folio.take();
  folio.add_rmap();
}

void unmap_folio(Machine& machine, uint64_t pfn) {
  const Folio folio = Folio::of(machine, pfn);
  if (!folio || !folio.mapped()) return;
  folio.remove_rmap();
  folio.put();
}

WordIndex find_pud_leaf(const Machine& machine, const AddressSpace& space, uint64_t addr) {
  const WordIndex pud = space.find_entry(Level::pud, addr);
  if (pud == no_word) return no_word;
  const uint64_t entry = machine.load(pud);
  return x86::pmd_present(entry) && machine.entry_format().is_huge(entry) ? pud : no_word;
}

void split_huge_pud(Machine& machine, AddressSpace& space, uint64_t addr, RuleId rule, std::initializer_list<uint64_t> operands) {
  const uint64_t first = addr & ~(level_size(Level::pud) - 1);
  const Invalidation running = space.notifiers().start({first, first + level_size(Level::pud), NotifyEvent::clear});
  machine.step(rule, operands);
  if (const WordIndex pud = find_pud_leaf(machine, space, addr); pud != no_word) {
    const uint64_t entry = machine.load(pud);
    count_entry_removed(space, Level::pud, entry);
    unmap_folio(machine, leaf_pfn(Level::pud, entry));
    machine.store(pud, 0);
  }
  if (!running.failed) space.notifiers().end(running);
}

uint64_t CpuFault::allocate(Fault& fault, uint32_t order) {
  const uint64_t pages = 1ull << order;
  if (options_.pages_until_oom < pages) return 0;
  if (options_.pages_until_oom != ~0ull) options_.pages_until_oom -= pages;
  return fault.machine.physical().allocate(order);
}

uint32_t CpuFault::handle_mm_fault(Machine& machine, AddressSpace& space, uint64_t addr, uint32_t flags) {
  addr &= ~(page_bytes - 1);
  const Vma vma = space.vma_at(addr);
  if (!vma) {
    machine.step(RuleId::fault_no_vma, {addr});
    return vm_fault::sigsegv;
  }
  Fault fault{machine, space, machine.entry_format(), vma, addr, flags};
  const uint64_t needed = fault.write() ? vm::write : vm::read;
  // Only the CPU's own instructions write to a shadow stack; drivers and ptrace may (FOLL_FORCE and remote accesses).
  const bool plain_write = fault.write() && vma.is_shadow_stack() && (flags & fault_flag::remote) == 0;
  // Nobody asked for a driver until HMM itself did, in 5.4: a write is handled and the entry stays read-only.
  const bool unasked = (flags & fault_flag::remote) != 0 && !machine.model().driver_faults_ask_the_vma;
  if ((vma.flags() & needed) == 0 && unasked) {
    machine.step(RuleId::fault_access_unasked, {addr, vma.flags(), flags});
  } else if ((vma.flags() & needed) == 0 || plain_write) {
    machine.step(RuleId::fault_access_denied, {addr, vma.flags(), flags});
    return vm_fault::sigsegv;
  }
  if (vma.is_hugetlb()) {
    machine.step(RuleId::fault_hugetlb, {addr, vma.flags(), flags});
    machine.enter(Function::hugetlb_fault, {addr, flags});
    const uint32_t ret = hugetlb_fault(fault);
    machine.leave(ret);
    return ret;
  }
  return handle_pud(fault) ? 0 : handle_pmd(fault);
}

bool CpuFault::handle_pud(Fault& fault) {
  Machine& m = fault.machine;
  const WordIndex word = find_pud_leaf(m, fault.space, fault.addr);
  if (word == no_word) return false;
  if (fault.write() && !fault.entry.allows_write(m.load(word))) {
    split_huge_pud(m, fault.space, fault.addr, RuleId::fault_pud_write, {fault.addr, m.load(word), fault.flags});
    return false;
  }
  const SpinGuard locked(m, pmd_lock(fault.space.id(), fault.addr));
  const uint64_t pud = m.load(word);
  // Another task was faster: the access is tried again.
  if (find_pud_leaf(m, fault.space, fault.addr) == no_word || (fault.write() && !fault.entry.allows_write(pud))) return true;
  m.step(RuleId::fault_pud_present, {fault.addr, pud, fault.flags});
  m.store(word, pud | bit::accessed | (fault.write() ? bit::dirty : 0));
  return true;
}

bool CpuFault::pmd_raced(Fault& fault, std::optional<uint64_t> read) {
  Machine& m = fault.machine;
  const WordIndex word = fault.space.find_entry(Level::pmd, fault.addr);
  const uint64_t now = word == no_word ? 0 : m.load(word);
  const bool raced = read ? now != *read : !x86::pte_none(now);
  if (raced) m.step(RuleId::fault_pmd_raced, {fault.addr, read.value_or(0), now});
  return raced;
}

uint32_t CpuFault::handle_pmd(Fault& fault) {
  Machine& m = fault.machine;
  const WordIndex word = fault.space.find_entry(Level::pmd, fault.addr);
  const uint64_t pmd = word == no_word ? 0 : m.load(word);
  const EntryFormat& e = fault.entry;
  if (x86::pte_none(pmd)) {
    if (thp_fits(fault)) {
      m.step(RuleId::fault_pmd_none_thp, {fault.addr, pmd, fault.flags});
      m.enter(Function::do_huge_pmd_anonymous_page, {fault.addr, fault.flags});
      const uint32_t ret = do_huge_pmd_anonymous_page(fault);
      m.leave(ret);
      if ((ret & vm_fault::fallback) == 0) return ret;
    }
    {
      const SpinGuard locked(m, pmd_lock(fault.space.id(), fault.addr));
      if (pmd_raced(fault, pmd)) return 0;
      m.step(RuleId::fault_pmd_none_small, {fault.addr, pmd, fault.flags});
      fault.space.ensure_entry(Level::pte, fault.addr);
    }
    return handle_pte(fault);
  }
  if (!x86::pmd_present(pmd) && is_device_private(e.swap.kind(pmd)) && m.model().compound_migration) {
    m.step(RuleId::fault_pmd_device, {fault.addr, pmd, fault.flags});
    m.enter(Function::do_huge_pmd_device_private, {fault.addr, fault.flags});
    const uint32_t ret = do_huge_pmd_device_private(fault, word, pmd);
    m.leave(ret);
    return ret;
  }
  if (!x86::pmd_present(pmd)) {
    const bool migration = is_migration(e.swap.kind(pmd));
    m.step(migration ? RuleId::fault_pmd_migration : RuleId::fault_pmd_bad, {fault.addr, pmd});
    return migration ? 0 : vm_fault::sigbus;
  }
  if (!e.is_huge(pmd)) return handle_pte(fault);
  SpinGuard locked(m, pmd_lock(fault.space.id(), fault.addr));
  if (pmd_raced(fault, pmd)) return 0;
  if (e.is_protnone(pmd)) {
    m.step(RuleId::fault_pmd_protnone, {fault.addr, pmd});
    m.store(word, e.make(leaf_pfn(Level::pmd, pmd), mapping_flags(fault.vma, e.allows_write(pmd)) | bit::huge));
    return 0;
  }
  if (fault.write() && !e.allows_write(pmd)) {
    m.step(RuleId::fault_pmd_write, {fault.addr, pmd, fault.flags});
    locked.unlock();
    m.enter(Function::do_wp_page, {fault.addr, fault.flags});
    const uint32_t ret = do_wp_huge(fault, word);
    m.leave(ret);
    // A split mapping is handled again as small pages within the same fault.
    return (ret & vm_fault::fallback) != 0 ? handle_pte(fault) : ret;
  }
  m.step(RuleId::fault_pmd_present, {fault.addr, pmd, fault.flags});
  m.store(word, pmd | bit::accessed | (fault.write() ? bit::dirty : 0));
  return 0;
}

uint32_t CpuFault::handle_pte(Fault& fault) {
  Machine& m = fault.machine;
  const EntryFormat& e = fault.entry;
  const WordIndex word = fault.space.find_entry(Level::pte, fault.addr);
  if (word == no_word) {
    m.step(RuleId::fault_table_gone, {fault.addr});
    return 0;
  }
  const uint64_t pte = m.load(word);
  SpinGuard locked(m, pte_lock(fault.space.id(), fault.addr), SpinGuard::later);
  fault.ptl = &locked;
  const auto raced = [&] {
    locked.lock();
    const bool gone = fault.space.find_entry(Level::pte, fault.addr) == no_word;
    const uint64_t now = m.load(word);
    if (gone) m.step(RuleId::fault_table_gone, {fault.addr});
    else if (now != pte) m.step(RuleId::fault_pte_raced, {fault.addr, pte, now});
    return gone || now != pte;
  };
  const auto inside = [&](RuleId rule, Function function, auto handler) {
    m.step(rule, {fault.addr, pte, fault.flags});
    m.enter(function, {fault.addr, fault.flags});
    const uint32_t ret = raced() ? 0 : handler();
    m.leave(ret);
    return ret;
  };
  if (x86::pte_none(pte)) {
    const VmaKind kind = fault.vma.kind();
    const bool file = kind == VmaKind::file_private || kind == VmaKind::file_shared || kind == VmaKind::shmem;
    return file ? inside(RuleId::fault_pte_none, Function::do_fault, [&] { return do_fault(fault, word); })
                : inside(RuleId::fault_pte_none, Function::do_anonymous_page,
                         [&] { return do_anonymous_page(fault, word); });
  }
  if (!x86::pte_present(pte)) {
    return inside(RuleId::fault_pte_absent, Function::do_swap_page, [&] { return do_swap_page(fault, word); });
  }
  if (e.is_protnone(pte)) {
    if (raced()) return 0;
    m.step(RuleId::fault_pte_protnone, {fault.addr, pte, fault.flags});
    m.enter(Function::do_numa_page, {fault.addr, fault.flags});
    m.step(RuleId::numa_restore, {fault.addr, pte});
    const bool writable = e.allows_write(pte) && (fault.vma.flags() & vm::write) != 0;
    m.store(word, e.make(x86::pte_pfn(pte), mapping_flags(fault.vma, writable)));
    m.leave(0);
    return 0;
  }
  if (fault.write() && !e.allows_write(pte)) {
    return inside(RuleId::fault_pte_write, Function::do_wp_page, [&] { return do_wp_page(fault, word); });
  }
  if (raced()) return 0;
  m.step(RuleId::fault_pte_present, {fault.addr, pte, fault.flags});
  m.store(word, pte | bit::accessed | (fault.write() ? bit::dirty : 0));
  return 0;
}

}  // namespace hmmscope
