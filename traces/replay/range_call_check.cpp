// The half of RangeCall that holds the engine's way against the kernel's: entries, returns, faults, words.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "engine/fault/handle_mm_fault.h"
#include "traces/replay/missing_event.h"
#include "traces/replay/range_call.h"

namespace hmmscope::traces {
namespace {

struct Probed {
  EventKind entry, ret;
  bool optional;  ///< compilers inline it here and there, so a missing event says nothing
};

std::optional<Probed> probed(Function function) {
  switch (function) {
    case Function::hmm_vma_walk_test:
      return Probed{EventKind::w_test, EventKind::w_test_r, false};
    case Function::hmm_vma_walk_hole:
      return Probed{EventKind::w_hole, EventKind::w_hole_r, false};
    case Function::hmm_vma_walk_pud:
      return Probed{EventKind::w_pud, EventKind::w_pud_r, false};
    case Function::hmm_vma_walk_pmd:
      return Probed{EventKind::w_pmd, EventKind::w_pmd_r, false};
    case Function::hmm_vma_handle_pmd:
      return Probed{EventKind::h_pmd, EventKind::h_pmd_r, true};
    case Function::hmm_vma_handle_pte:
      return Probed{EventKind::h_pte, EventKind::h_pte_r, false};
    case Function::hmm_vma_walk_hugetlb_entry:
      return Probed{EventKind::w_htlb, EventKind::w_htlb_r, false};
    case Function::hmm_range_need_fault:
      return Probed{EventKind::need_range, EventKind::need_range_r, true};
    case Function::hmm_vma_handle_migrate_prepare:
      return Probed{EventKind::prep, EventKind::prep_r, false};
    case Function::hmm_vma_walk_split:
      return Probed{EventKind::split, EventKind::split_r, false};
    case Function::hmm_vma_fault:
      return Probed{EventKind::fault, EventKind::fault_r, false};
    default:
      return std::nullopt;
  }
}

std::string_view start_field(EventKind kind) {
  switch (kind) {
    case EventKind::w_test:
    case EventKind::w_pud:
    case EventKind::w_pmd:
    case EventKind::w_htlb:
      return "start";
    default:
      return "addr";
  }
}

}  // namespace

void RangeCall::part(uint64_t addr, uint64_t kernel, uint64_t engine, std::string reason) {
  if (traced_.gap == nullptr && peek() == no_index && traced_.out == no_index) return judge_.lost(addr, why_no_return());
  std::vector<uint32_t> events;
  for (uint32_t own = traced_.first; own != no_index; own = replayer_.calls().next(own)) events.push_back(own);
  std::string missing = missing_event(replayer_.trace(), replayer_.kinds(), events, traced_.out != no_index);
  if (traced_.gap == nullptr && !missing.empty()) return judge_.lost(addr, std::move(missing));
  judge_.other_way(addr, kernel, engine, std::move(reason));
}

void RangeCall::expect(uint64_t addr, std::string_view what, uint64_t kernel, uint64_t engine) {
  if (kernel != engine && judge_.in_step())
    part(addr, kernel, engine,
         fmt::format("{}: the kernel has {:#x}, the engine {:#x}", what, kernel, engine));
}

void RangeCall::entered(Function function, uint64_t addr, uint64_t end, uint64_t detail) {
  const auto probe = probed(function);
  if (!probe) return;
  shown_.push_back(false);
  if (!judge_.in_step()) return;
  if (function == Function::hmm_vma_fault) {
    unseen_noted_ = false;
    helper_result_.reset();
  }
  if (next_is(probe->entry)) {
    shown_.back() = true;
    check_entry(take(), function, addr, end, detail);
    if (function == Function::hmm_range_need_fault) consult(addr, end);
    return;
  }
  if (function == Function::hmm_range_need_fault) consult(addr, end);
  // A hole below the pmd is a direct call, which the compiler may have inlined.
  const bool direct =
      function == Function::hmm_vma_walk_hole && static_cast<int64_t>(detail) == -1 && vm_flags_ != 0;
  if (probe->optional || !replayer_.kinds().has(probe->entry) || direct) return;
  part(addr, 0, static_cast<uint64_t>(function),
       fmt::format("the engine enters {} at {:#x}, the kernel: {}", function_name(function), addr,
                   describe_next()));
}

void RangeCall::check_entry(uint32_t index, Function function, uint64_t addr, uint64_t end, uint64_t detail) {
  const EventView shown = event(index);
  const EventKind entry = kind(index);
  const std::string_view name = function_name(function);
  const auto compare = [&](std::string_view field, uint64_t engine) {
    if (const auto kernel = shown.number(field); kernel && *kernel != engine)
      expect(addr, fmt::format("{} {}", name, field), *kernel, engine);
  };
  if (entry != EventKind::need_range) {
    compare(start_field(entry), addr);
    compare("end", end);
  }
  switch (entry) {
    case EventKind::w_hole:
      compare("depth", detail);
      break;
    case EventKind::fault:
      compare("need", detail);
      break;
    case EventKind::need_range:
      compare("npages", (end - addr) >> page_bits);
      compare("cpu_flags", detail);
      if (const auto word = shown.number("pfn0")) compare_slot(addr, *word);
      break;
    case EventKind::h_pte:
      if (const auto word = shown.number("pfn")) compare_slot(addr, *word);
      consult(addr, addr + page_bytes);
      break;
    case EventKind::prep:
      if (const auto word = shown.number("pfn")) compare_slot(addr, *word);
      break;
    case EventKind::h_pmd:
      if (const auto word = shown.number("pfn0")) compare_slot(addr, *word);
      break;
    default:
      break;
  }
}

void RangeCall::left(Function function, uint64_t addr, int64_t ret) {
  const auto probe = probed(function);
  if (!probe) return;
  const bool shown = !shown_.empty() && shown_.back();
  if (!shown_.empty()) shown_.pop_back();
  if (!judge_.in_step() || hung_) return;
  const bool after_helper = faulted_;
  if (function == Function::hmm_vma_fault)
    faulted_ = true;
  else if (function != Function::hmm_range_need_fault)
    faulted_ = false;
  if (!shown) return;
  if (next_is(probe->ret)) return check_return(take(), function, addr, ret);
  if (probe->optional || !replayer_.kinds().has(probe->ret)) return;
  // Where the handler ends with a jump to the fault helper (6.1), the helper returns in its place.
  if (after_helper && (function == Function::hmm_vma_handle_pte || function == Function::hmm_vma_handle_pmd))
    return;
  part(addr, 0, static_cast<uint64_t>(ret),
       fmt::format("the engine returns {} from {} at {:#x}, the kernel: {}", ret, function_name(function),
                   addr, describe_next()));
}

void RangeCall::check_return(uint32_t index, Function function, uint64_t addr, int64_t ret) {
  const EventView shown = event(index);
  if (const auto at = shown.number(start_field(probed(function)->entry));
      at && *at != addr && function != Function::hmm_range_need_fault)
    expect(addr, fmt::format("address of the return of {}", function_name(function)), *at, addr);
  // A split that fails has several error numbers; the walk asks only whether it failed.
  const auto same = [&](int64_t kernel) {
    return function == Function::hmm_vma_walk_split ? (kernel == 0) == (ret == 0) : kernel == ret;
  };
  if (const auto kernel = shown.integer("ret"); kernel && !same(*kernel) && judge_.in_step())
    part(addr, static_cast<uint64_t>(*kernel), static_cast<uint64_t>(ret),
         fmt::format("{} at {:#x}: the kernel returned {}, the engine {}", function_name(function), addr,
                     *kernel, ret));
  if (!judge_.in_step()) return;
  if (function == Function::hmm_vma_handle_pte || function == Function::hmm_vma_handle_migrate_prepare)
    if (const auto word = shown.number("pfn")) compare_slot(addr, *word);
  if (function == Function::hmm_vma_handle_pmd)
    if (const auto word = shown.number("pfn0");
        word && (ret != 0 || !slot_unknown((addr - call_.start) >> page_bits)))
      compare_slot(addr, *word);
}

/// A word of the array as an event inside the call shows it. A word that nothing showed so far is taken over.
void RangeCall::compare_slot(uint64_t addr, uint64_t kernel) {
  const uint64_t slot = (addr - call_.start) >> page_bits;
  if (addr < call_.start || slot >= pages_) return;
  const WordIndex word = slot_word(slot);
  if (!slot_unknown(slot))
    return judge_.compare(word, kernel, world_.machine().load(word), ~uint64_t{0}, call_id_);
  recorder_.step(RuleId::trace_array_shown, {slot, 1});
  recorder_.write(word, kernel, Evidence::observed);
  unknown_in_[slot] = false;
}

void RangeCall::consult(uint64_t addr, uint64_t end) {
  if (!requests_can_matter_ || addr < call_.start || end <= addr) return;
  const auto first = static_cast<std::ptrdiff_t>((addr - call_.start) >> page_bits);
  const auto last = static_cast<std::ptrdiff_t>(std::min(pages_, (end - call_.start) >> page_bits));
  if (first >= last) return;
  if (std::find(unknown_in_.begin() + first, unknown_in_.begin() + last, true) == unknown_in_.begin() + last)
    return;
  judge_.doubt(
      addr,
      "requests in array words outside every probe window count here (pfn_flags_mask); probe them with "
      "further windows (rf_in_b, rf_in_c)");
}

/// Bits of a slot that the engine can know: all of them, except the sticky bits that an unknown input may
/// have left.
uint64_t RangeCall::known_bits(uint64_t slot, bool written) const {
  if (!slot_unknown(slot)) {
    return prepare_.undecided(slot) ? ~world_.machine().model().hmm_pfn->mask(Role::migrate) : ~uint64_t{0};
  }
  if (!written) return 0;
  const uint64_t sticky = world_.machine().pfn_format().sticky;
  return ~sticky | (world_.machine().load(slot_word(slot)) & sticky);
}

std::optional<uint32_t> RangeCall::handle_mm_fault(uint64_t addr, uint32_t flags) {
  if (!judge_.in_step()) return vm_fault::sigbus;
  if (next_fault() == addr) return shown_fault(addr, flags);
  return unseen_fault(addr, flags);
}

uint32_t RangeCall::shown_fault(uint64_t addr, uint32_t flags) {
  const uint32_t entry = take();
  if (const auto kernel = event(entry).number("flags"))
    expect(addr, "flags of handle_mm_fault", *kernel, flags);
  if (!judge_.in_step()) return vm_fault::sigbus;
  if (!next_is(EventKind::mmf_r)) {
    part(addr, 0, flags, "handle_mm_fault does not return in the trace: " + describe_next());
    return vm_fault::sigbus;
  }
  const uint32_t back = take();
  const auto ret = static_cast<uint32_t>(number(back, "ret"));
  recorder_.step(RuleId::trace_fault_result, {addr, flags, ret});
  world_.cpu_fault(*space_, addr, flags, ret, vm_flags_);
  return ret;
}

/// An event filter may leave faults out. The helper faults page by page until one fails, so its own result
/// tells.
uint32_t RangeCall::unseen_fault(uint64_t addr, uint32_t flags) {
  if (!helper_result_) helper_result_ = helper_result();
  const std::optional<int64_t> result = helper_result_;
  if (!result) {
    judge_.lost(addr,
                fmt::format("no event shows how the fault at {:#x} ended; probe handle_mm_fault", addr));
    return vm_fault::sigbus;
  }
  if (world_.spend_unseen_faults(1) == 0) {
    judge_.lost(addr, "more faults without events than can be replayed");
    return vm_fault::sigbus;
  }
  const bool failed = unseen_fault_fails();
  const uint32_t ret = failed ? vm_fault::sigbus : 0;
  if (!unseen_noted_ || failed) recorder_.step(RuleId::trace_fault_unseen, {addr, flags, ret});
  unseen_noted_ = true;
  world_.forget_ptes(*space_, addr, addr + page_bytes);
  return ret;
}

/// Behind an unseen fault, all of them up to the next one that is shown.
uint64_t RangeCall::faults_to_skip(uint64_t addr, uint64_t end) {
  if (!judge_.in_step() || !unseen_noted_ || unseen_fault_fails()) return 0;
  const std::optional<uint64_t> shown = next_fault();
  if (shown && *shown >= addr && *shown < end) end = *shown & ~(page_bytes - 1);
  if (end <= addr) return 0;
  const uint64_t pages = world_.spend_unseen_faults((end - addr) >> page_bits);
  world_.forget_ptes(*space_, addr, addr + (pages << page_bits));
  return pages;
}

/// What the fault helper under way will return; nothing when no event shows it.
std::optional<int64_t> RangeCall::helper_result() {
  uint32_t index = peek();
  while (index != no_index &&
         (kind(index) == EventKind::mmf || kind(index) == EventKind::mmf_r || !is_walk_event(kind(index))))
    index = replayer_.calls().next(index);
  if (index == no_index || kind(index) != EventKind::fault_r) return std::nullopt;
  return event(index).integer("ret");
}

}  // namespace hmmscope::traces
