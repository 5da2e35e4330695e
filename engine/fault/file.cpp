// File and shmem mappings: the page cache, fault-around, private copies.
#include <algorithm>

#include "engine/fault/cpu_fault.h"
#include "engine/machine/page_data.h"
#include "engine/machine/rss.h"

namespace hmmscope {

namespace {

uint64_t file_index(const Fault& fault, uint64_t addr) {
  return fault.vma.pgoff() + (addr - fault.vma.start()) / page_bytes;
}

/// A shmem page of a shared writable mapping is writable from the first read on: nothing wants to know of writes.
bool writable_when_read(const Fault& fault) {
  constexpr uint64_t both = vm::shared | vm::write;
  return fault.vma.kind() == VmaKind::shmem && (fault.vma.flags() & both) == both;
}

}  // namespace

std::optional<uint32_t> CpuFault::fault_on_poison(Fault& fault, uint64_t pfn) {
  Machine& m = fault.machine;
  const Folio folio = Folio::of(m, pfn);
  if (!folio || !folio.has(folio_flag::hwpoison)) return std::nullopt;
  const bool locked = folio.locked();   // others may go on before the step
  m.step(locked ? RuleId::file_hwpoison_locked : RuleId::file_hwpoison, {fault.addr, pfn});
  return locked ? 0 : vm_fault::hwpoison;
}

uint32_t CpuFault::do_fault(Fault& fault, WordIndex pte) {
  Machine& m = fault.machine;
  const EntryFormat& e = fault.entry;
  const uint64_t file = fault.vma.file();
  const uint64_t index = file_index(fault, fault.addr);
  if (index >= cache_.size(file)) {
    m.step(RuleId::file_past_eof, {fault.addr, index, cache_.size(file)});
    return vm_fault::sigbus;
  }
  const bool read_in = !cache_.find(file, index);
  const bool shared = (fault.vma.flags() & vm::shared) != 0;
  // finish_fault() asks for every fault of a private mapping, which may have lost a copy of its own. For reading, what is in
  // the cache is mapped by fault-around before it comes to that, and nobody asks.
  const bool refused = !shared && fault.space.unstable() && (fault.write() || read_in);
  if (refused && !fault.write()) fault_around(fault);
  const uint64_t pfn = cache_.get(m.physical(), file, index);
  if (pfn == 0) {
    m.step(RuleId::anon_oom, {fault.addr});
    return vm_fault::oom;
  }
  const auto poison = read_in ? std::nullopt : fault_on_poison(fault, pfn);
  if (poison) return *poison;
  const auto step = [&](RuleId rule, auto... operands) {
    m.step(rule, {fault.addr, operands...});
    if (!read_in) return;
    add_file_folio(m, file, index, pfn);
    if (PageData* data = m.page_data(); data != nullptr) data->read_file(file, index, pfn);
  };
  if (refused) {
    step(RuleId::file_unstable, pfn);
    return vm_fault::sigbus;
  }
  if (!fault.write()) {
    step(RuleId::file_read, pfn);
    map_folio(m, pfn);
    const uint64_t flags = mapping_flags(fault.vma, false) | (writable_when_read(fault) ? bit::rw : 0);
    m.store(pte, e.make(pfn, flags));
    add_rss(fault.space, MmWord::rss_file, 1);
    fault_around(fault);
    return 0;
  }
  if (shared) {
    step(RuleId::file_shared_write, pfn);
    map_folio(m, pfn);
    m.store(pte, e.make(pfn, mapping_flags(fault.vma, true)));
    add_rss(fault.space, MmWord::rss_file, 1);
    return 0;
  }
  const uint64_t copy = allocate(fault, 0);
  if (copy == 0) {
    step(RuleId::anon_oom);
    return vm_fault::oom;
  }
  step(RuleId::file_cow, copy);
  add_anon_folio(m, fault.vma, fault.addr, copy, 0, true);
  copy_page_data(m, pfn, copy);
  add_rss(fault.space, MmWord::rss_anon, 1);
  m.store(pte, e.make(copy, mapping_flags(fault.vma, true)));
  return 0;
}

void CpuFault::fault_around(Fault& fault) {
  constexpr uint64_t window = 64 * 1024;
  Machine& m = fault.machine;
  const EntryFormat& e = fault.entry;
  const uint64_t first = std::max(fault.addr & ~(window - 1), fault.vma.start());
  const uint64_t last = std::min((fault.addr & ~(window - 1)) + window, fault.vma.end());
  for (uint64_t addr = first; addr < last; addr += page_bytes) {
    const uint64_t index = file_index(fault, addr);
    const auto cached = index < cache_.size(fault.vma.file()) ? cache_.find(fault.vma.file(), index) : std::nullopt;
    const WordIndex word = fault.space.find_entry(Level::pte, addr);
    if (!cached || word == no_word || !x86::pte_none(m.load(word))) continue;
    if (const Folio folio = Folio::of(m, *cached); folio && folio.has(folio_flag::hwpoison)) continue;
    m.step(RuleId::file_around, {addr, *cached});
    map_folio(m, *cached);
    // Neighbours are mapped old: nobody has used them yet.
    const uint64_t flags = (mapping_flags(fault.vma, false) & ~bit::accessed) | (writable_when_read(fault) ? bit::rw : 0);
    m.store(word, e.make(*cached, flags));
    add_rss(fault.space, MmWord::rss_file, 1);
  }
}

}  // namespace hmmscope
