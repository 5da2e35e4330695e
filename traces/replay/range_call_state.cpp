// The half of RangeCall that makes the machine what the trace shows, just before the engine looks at it.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>

#include "traces/replay/range_call.h"

namespace hmmscope::traces {
namespace {

constexpr uint32_t ptes_limit = 64;
/// Looking a device page up is linear in the pieces of device memory.
constexpr uint64_t page_cost = 1024;

VmaKind kind_of_vma(std::string_view ops, uint64_t flags, uint64_t file) {
  if ((flags & vm::hugetlb) != 0) return VmaKind::hugetlb;
  if (ops.starts_with("shmem")) return (flags & vm::shared) != 0 ? VmaKind::shmem : VmaKind::file_private;
  if ((flags & (vm::pfnmap | vm::io | vm::mixedmap)) != 0) return VmaKind::special;
  if (file == 0) return VmaKind::anonymous;
  return (flags & vm::shared) != 0 ? VmaKind::file_shared : VmaKind::file_private;
}

}  // namespace

std::optional<bool> RangeCall::sequence_moved(const RangeFaultCall&) {
  if (!judge_.in_step()) return true;
  const bool kernel_moved =
      peek() == no_index && traced_.out != no_index && event(traced_.out).integer("ret") == -EBUSY;
  const SequenceBounds bounds = replayer_.sequences().during(notifier_, call_.notifier_seq, taken_, next_or_end());
  const auto decide = [&](RuleId rule, bool moved) {
    recorder_.step(rule,
                   {call_.notifier_seq, bounds.lowest, bounds.highest, moved ? uint64_t{1} : uint64_t{0}});
    return moved;
  };
  if (bounds.lowest != call_.notifier_seq) return decide(RuleId::trace_sequence, true);
  const bool blind =
      !replayer_.kinds().has(EventKind::callback) && !replayer_.kinds().has(EventKind::mn_start);
  if (bounds.callbacks_missing || (blind && kernel_moved)) {
    judge_.unknown(call_.start,
                   "whether the sequence moved is not shown; probe the driver's interval callback and "
                   "__mmu_notifier_invalidate_range_start");
    return decide(RuleId::trace_sequence_unknown, kernel_moved);
  }
  if (bounds.gap != nullptr && kernel_moved) {
    judge_.unknown(call_.start, "whether the sequence moved is not shown: " + gap_text(*bounds.gap));
    return decide(RuleId::trace_sequence_unknown, true);
  }
  if (bounds.highest == call_.notifier_seq) return decide(RuleId::trace_sequence, false);
  judge_.unknown(call_.start,
                 "another task's interval callback was under way when the sequence was compared; no probe "
                 "tells which came first");
  return decide(RuleId::trace_sequence_unknown, kernel_moved);
}

void RangeCall::before_vma(uint64_t addr, uint64_t end) {
  if (!judge_.in_step()) return;
  const uint32_t next = peek();
  if (next != no_index && kind(next) == EventKind::w_test) return show_test(next);
  if (next != no_index && kind(next) == EventKind::w_hole && number(next, "vma") == 0)
    return show_gap_event(next, end);
  if (!replayer_.kinds().has(EventKind::w_test))
    return judge_.lost(addr, "no event shows the VMA; probe hmm_vma_walk_test");
  if (next == no_index) part(addr, 0, 0, "the engine looks for a VMA, the kernel: " + describe_next());
}

void RangeCall::show_test(uint32_t index) {
  const EventView test = event(index);
  ShownVma vma;
  vma.start = number(index, "vm_start");
  vma.end = number(index, "vm_end");
  vma.flags = vm_flags_ = number(index, "vm_flags");
  if (running_ != nullptr) vma_starts_[number(index, "vma")] = vma.start;
  vma.pgoff = number(index, "vm_pgoff");
  vma.file = number(index, "vm_file");
  vma.kind = kind_of_vma(test.text("vm_ops").value_or(""), vma.flags, vma.file);
  if ((vma.flags & vm::hugetlb) != 0) vma.page_shift = hugetlb_shift(index, vma);
  recorder_.step(RuleId::trace_vma_shown, {vma.start, vma.end, vma.flags});
  if (auto shown = world_.show_vma(*space_, vma, Evidence::observed); !shown)
    judge_.lost(vma.start, "the VMA shown cannot be: " + shown.error().message);
}

/// The page size of a hugetlb VMA: from the mask of its first entry. With no entry to go by, the largest size
/// that its bounds allow.
uint32_t RangeCall::hugetlb_shift(uint32_t test, const ShownVma& vma) const {
  uint32_t index = test;
  for (int looked = 0; looked < 8 && index != no_index; ++looked, index = replayer_.calls().next(index)) {
    if (kind(index) != EventKind::w_htlb) continue;
    const auto shift = static_cast<uint32_t>(std::countr_zero(number(index, "hmask")));
    return shift >= level_shift(Level::pud) ? level_shift(Level::pud) : level_shift(Level::pmd);
  }
  return ((vma.start | vma.end) & (level_size(Level::pud) - 1)) == 0 ? level_shift(Level::pud)
                                                                     : level_shift(Level::pmd);
}

/// The test_walk event of this call, from `index` on, that begins at addr; no_index when there is none.
uint32_t RangeCall::next_test_at(uint32_t index, uint64_t addr) const {
  for (int looked = 0; looked < 16 && index != no_index; ++looked, index = replayer_.calls().next(index))
    if (kind(index) == EventKind::w_test && number(index, "start") == addr) return index;
  return no_index;
}

void RangeCall::show_gap_event(uint32_t index, uint64_t end) {
  const uint64_t start = number(index, "addr"),
                 gap_end = std::min(number(index, "end"), space_->tables().limit());
  if (gap_end <= start) return;
  recorder_.step(RuleId::trace_vma_gap, {start, gap_end});
  world_.show_gap(*space_, start, gap_end);
  if (gap_end >= end) return;
  // Something begins where the gap ends: the VMA that the walk tests next, or one it never came to.
  if (const uint32_t test = next_test_at(index, gap_end); test != no_index) return show_test(test);
  const Vma known = space_->vma_at(gap_end);
  if (known && known.start() == gap_end) return;
  recorder_.step(RuleId::trace_vma_shown, {gap_end, gap_end + page_bytes, 0});
  (void)world_.show_vma(*space_, {gap_end, gap_end + page_bytes, 0, 0, 0, VmaKind::anonymous, page_bits},
                        Evidence::inferred);
}

bool RangeCall::hole_next(uint64_t addr, int depth) {
  if (!next_is(EventKind::w_hole)) return false;
  return number(peek(), "vma") != 0 && number(peek(), "addr") == addr &&
         event(peek()).integer("depth") == depth;
}

void RangeCall::show_absent(Level level, uint64_t addr, uint64_t end, int depth) {
  recorder_.step(RuleId::trace_table_absent, {addr, end, static_cast<uint64_t>(static_cast<int64_t>(depth))});
  world_.show_entry(*space_, level, addr, 0, Evidence::inferred);
}

void RangeCall::show_upper(Level level, uint64_t addr, uint64_t end, int hole_depth) {
  if (!judge_.in_step()) return;
  if (hole_next(addr, hole_depth)) return show_absent(level, addr, end, hole_depth);
  recorder_.step(RuleId::trace_table_present, {addr});
  world_.ensure_tables(*space_, static_cast<Level>(static_cast<uint8_t>(level) - 1), addr);
}

void RangeCall::before_pgd(uint64_t addr, uint64_t end) { show_upper(Level::pgd, addr, end, 0); }

void RangeCall::before_p4d(uint64_t addr, uint64_t end) {
  show_upper(Level::p4d, addr, end, space_->tables().levels() == 5 ? 1 : 0);
}

void RangeCall::before_pud(uint64_t addr, uint64_t end) {
  if (!judge_.in_step()) return;
  if (next_is(EventKind::w_pud) && number(peek(), "start") == addr) {
    const uint64_t pud = number(peek(), "pud");
    recorder_.step(RuleId::trace_pud_shown, {addr, pud});
    world_.show_entry(*space_, Level::pud, addr, pud, Evidence::observed);
  } else if (hole_next(addr, 2)) {
    show_absent(Level::pud, addr, end, 2);
  } else if (!replayer_.kinds().has(EventKind::w_pud)) {
    recorder_.step(RuleId::trace_table_present, {addr});
    world_.ensure_tables(*space_, Level::pmd, addr);
  }
}

void RangeCall::before_pmd(uint64_t addr, uint64_t end) {
  if (!judge_.in_step()) return;
  pmd_end_ = end;
  ptes_start_ = ptes_end_ = 0;
  if (next_is(EventKind::w_pmd) && number(peek(), "start") == addr) {
    const uint64_t pmd = number(peek(), "pmd");
    recorder_.step(RuleId::trace_pmd_shown, {addr, pmd});
    world_.show_entry(*space_, Level::pmd, addr, pmd, Evidence::observed);
  } else if (hole_next(addr, 3)) {
    show_absent(Level::pmd, addr, end, 3);
  } else if (!replayer_.kinds().has(EventKind::w_pmd)) {
    judge_.lost(addr, "no event shows the pmd; probe hmm_vma_walk_pmd");
  }
}

void RangeCall::before_pte(uint64_t addr, uint64_t) {
  if (!judge_.in_step()) return;
  faulted_ = false;
  if (next_is(EventKind::ptes)) load_ptes();
  if (next_is(EventKind::h_pte) && number(peek(), "addr") == addr) {
    const auto pte = event(peek()).number("pte");
    if (!pte) return judge_.lost(addr, "the pte could not be read by the probe");
    recorder_.step(RuleId::trace_pte_shown, {addr, *pte});
    world_.show_entry(*space_, Level::pte, addr, *pte, Evidence::observed);
    return note_special(addr, *pte);
  }
  consult(addr, addr + page_bytes);
  if (addr >= ptes_start_ && addr < ptes_end_ && overtaken_.any()) settle_overtaken(addr);
  if (addr >= ptes_start_ && addr < ptes_end_)
    return note_special(addr, world_.machine().load(space_->tables().ensure_word(Level::pte, addr)));
  if (!replayer_.kinds().has(EventKind::h_pte))
    judge_.lost(
        addr,
        fmt::format("no event shows the pte at {:#x}; probe hmm_vma_handle_pte, or __pte_offset_map where "
                    "it is inlined",
                    addr));
}

/// What a kernel without a probe at each pte shows instead: up to 64 ptes of the table, as it was mapped.
void RangeCall::load_ptes() {
  const uint32_t before = taken_, index = take();
  std::array<uint64_t, ptes_limit> ptes{};
  const uint64_t addr = number(index, "addr");
  const uint32_t shown = std::min(event(index).array("ptes", ptes).value_or(0), ptes_limit);
  const uint64_t room = pmd_end_ > addr ? (pmd_end_ - addr) >> page_bits : 0;
  const auto count = static_cast<uint32_t>(std::min<uint64_t>(shown, room));
  if (count == 0) return;
  recorder_.step(RuleId::trace_ptes_shown, {addr, count});
  world_.show_ptes(*space_, addr, std::span(ptes).first(count), Evidence::observed);
  ptes_start_ = addr;
  ptes_end_ = addr + count * page_bytes;
  overtaken_.show(ptes_start_, ptes_end_, before, next_or_end());
}

/// Which entry the walk met at addr, where another CPU was changing it: one without a page when it waited
/// there (the return of the pmd handler names the address) or left no page in the word; else that page. Where
/// neither is shown, the entry as the event shows it.
void RangeCall::settle_overtaken(uint64_t addr) {
  const uint32_t next = peek();
  if (next == no_index || kind(next) != EventKind::w_pmd_r) return;
  const bool waited = event(next).integer("ret") == -EBUSY && number(next, "last") == addr;
  std::optional<uint64_t> pfn;
  if (!waited) {
    if (event(next).integer("ret") == -EBUSY && number(next, "last") < addr) return;
    const auto word = result_word((addr - call_.start) >> page_bits);
    if (!word) return;
    const PfnFormat& format = world_.machine().pfn_format();
    if ((*word & format.valid) != 0)
      pfn = (*word & world_.machine().model().hmm_pfn->mask(Role::pfn)) >> format.pfn_shift;
  }
  const uint64_t shown = world_.machine().load(space_->tables().ensure_word(Level::pte, addr));
  const auto other = overtaken_.other(addr, shown, pfn);
  if (!other) return;
  recorder_.step(RuleId::trace_pte_overtaken, {addr, *other});
  world_.show_entry(*space_, Level::pte, addr, *other, Evidence::inferred);
}

/// The word that the kernel made of the pte it looks at now, when an event shows it.
std::optional<uint64_t> RangeCall::stored_next() {
  const uint32_t entry = peek();
  if (entry == no_index || kind(entry) != EventKind::h_pte) return std::nullopt;
  const uint32_t back = replayer_.calls().next(entry);
  if (back == no_index || kind(back) != EventKind::h_pte_r || event(back).integer("ret") != 0)
    return std::nullopt;
  return event(back).number("pfn");
}

/// Facts about an entry that only other events can tell: who owns a device page, and whether a special page
/// is the zero page. When none does, the call is unknown, and the kernel's own answer is followed so that the
/// rest of the call can be compared.
void RangeCall::note_special(uint64_t addr, uint64_t pte) {
  PhysicalMemory& physical = world_.machine().physical();
  const uint64_t valid = world_.machine().pfn_format().valid;
  if (x86::pte_present(pte)) {
    if (!x86::pte_special(pte) || (vm_flags_ & vm::mixedmap) == 0 || replayer_.facts().zero_pfn()) return;
    judge_.unknown(addr, "no event shows which page is the zero page");
    const bool zero = (stored_next().value_or(0) & valid) != 0;
    physical.set_zero_pfn(zero ? x86::pte_pfn(pte) : ~uint64_t{0});
    return;
  }
  if (x86::pte_none(pte)) return;
  const SwapFormat& swap = world_.entries().swap;
  if (!is_device_private(swap.kind(pte)) || replayer_.facts().owner_known(swap.pfn(pte))) return;
  const uint64_t pfn = swap.pfn(pte);
  judge_.unknown(addr,
                 fmt::format("no event shows the owner of device page {:#x}; probe migrate_vma_setup and "
                             "migrate_vma_pages with their arrays",
                             pfn));
  const bool own = (stored_next().value_or(0) & valid) != 0;
  if ((physical.owner_of(pfn) == call_.dev_private_owner) == own) return;
  DeviceMemory page;
  page.first_pfn = pfn;
  page.pages = 1;
  page.owner = own ? call_.dev_private_owner : ~call_.dev_private_owner;
  page.name = "device page of an owner not shown";
  if (world_.spend_inferred(page_cost)) physical.add_device(std::move(page));
}

void RangeCall::before_hugetlb(uint64_t addr, uint64_t end, uint64_t page_size) {
  if (!judge_.in_step()) return;
  const Level level = page_size >= level_size(Level::pud) ? Level::pud : Level::pmd;
  consult(addr, addr + page_bytes);  // of a huge page's slots only the first counts
  if (next_is(EventKind::w_htlb) && number(peek(), "start") == addr) {
    const uint64_t pte = number(peek(), "pte");
    recorder_.step(RuleId::trace_hugetlb_shown, {addr, pte, page_size});
    world_.show_entry(*space_, level, addr, pte, Evidence::observed);
  } else if (hole_next(addr, -1)) {
    show_absent(static_cast<Level>(static_cast<uint8_t>(level) + 1), addr, end, -1);
  } else if (!replayer_.kinds().has(EventKind::w_htlb)) {
    judge_.lost(addr, "no event shows the hugetlb entry; probe hmm_vma_walk_hugetlb_entry");
  }
}

bool RangeCall::wait_for_migration(uint64_t addr) {
  if (!judge_.in_step()) return false;
  // The task has locked the page itself, and nothing follows: it waits for itself.
  const bool silent = peek() == no_index && traced_.out == no_index && traced_.gap == nullptr;
  hung_ = silent && running_ != nullptr && running_->prepared.contains(addr);
  if (hung_) return false;
  recorder_.step(RuleId::trace_migration_over, {addr});
  return true;
}

}  // namespace hmmscope::traces
