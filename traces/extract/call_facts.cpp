#include "traces/extract/call_facts.h"

#include <algorithm>

#include "traces/replay/refusal.h"

namespace hmmscope::traces {
namespace {

constexpr size_t max_entries = 1u << 16;

class CallFactCollector {
 public:
  CallFactCollector(const Document& document, CallId call)
      : recording_(*document.recording),
        document_(document),
        id_(call),
        call_(recording_.calls()[call]),
        format_(document.model) {}

  Result<CallFacts> run() {
    if (auto done = arguments(); !done) return tl::unexpected(done.error());
    const StepIndex end = std::min(call_.end_step, recording_.steps());
    for (StepIndex step = begin_; step < end && !parted_; ++step) {
      if (!belongs(step)) continue;
      take(step);
      if (!failure_.empty()) return fail(failure_);
      if (facts_.entries.size() + changes_ > max_entries)
        return fail("the call shows more than 65536 entries");
    }
    return words(end);
  }

 private:
  /// The struct and the array are shown just before the call.
  Result<void> arguments() {
    const auto arguments = recording_.arguments(id_);
    begin_ = call_.first_step;
    while (begin_ > 0) {
      const RuleId fired = recording_.rule_of(begin_ - 1);
      if (fired != RuleId::trace_array_shown && fired != RuleId::trace_array_unknown &&
          fired != RuleId::trace_range_shown && fired != RuleId::trace_migrate_struct)
        break;
      --begin_;
      if (fired == RuleId::trace_range_shown) break;
    }
    const auto shown =
        begin_ < recording_.steps() ? recording_.operands(begin_) : std::span<const uint64_t>();
    if (arguments.size() < 2 || recording_.rule_of(begin_) != RuleId::trace_range_shown || shown.size() < 6)
      return fail("the recording does not show its struct hmm_range");
    facts_.start = shown[0];
    facts_.end = shown[1];
    facts_.default_flags = shown[2];
    facts_.mask = shown[3];
    facts_.owner = shown[4];
    if (!call_.returned) return fail("it does not return in the trace");
    facts_.result = call_.result;
    return {};
  }

  /// Steps of other tasks, and of calls that a fault of this one made, stand between.
  bool belongs(StepIndex step) const {
    if (step < call_.first_step) return true;
    CallId call = recording_.call_of(step);
    while (call != no_call && call != id_) {
      if (recording_.calls()[call].function == Function::hmm_range_fault) return false;
      call = recording_.calls()[call].parent;
    }
    return call == id_;
  }

  void take(StepIndex step) {
    const auto operand = recording_.operands(step);
    const auto at = [&](size_t index) { return index < operand.size() ? operand[index] : 0; };
    take_engines_entries(step);
    switch (recording_.rule_of(step)) {
      case RuleId::trace_migrate_struct:
        if (step < call_.first_step) facts_.prepares = at(1);   // not of a migration that a fault makes
        return;
      case RuleId::trace_migrate_refused:
        if (of_the_walk(step)) facts_.refused.push_back({at(0), at(1), at(2)});
        return;
      case RuleId::split_folio_pinned:   // the kernel had its lock and could not split it
        if (of_the_walk(step))
          facts_.refused.push_back({last_pmd_, last_pmd_ + page_bytes, static_cast<uint64_t>(Refusal::split)});
        return;
      case RuleId::trace_vma_shown:
        return take_vma(step);
      case RuleId::trace_pud_shown:
        return entry({Level::pud, at(0), at(1), false});
      case RuleId::trace_pmd_shown:
        last_pmd_ = at(0) & ~(level_size(Level::pmd) - 1);
        return entry({Level::pmd, at(0), at(1), false});
      case RuleId::trace_pte_shown:
      case RuleId::trace_prepare_pte:
        return entry({Level::pte, at(0), at(1), false});
      case RuleId::trace_ptes_shown:
        return take_ptes(step, at(0));
      case RuleId::trace_pte_overtaken:
        return overtaken(at(0), at(1));
      case RuleId::walk_pud_split:
        // Split, a driver's leaf is gone: shown once more it is a new one.
        known_[{Level::pud, at(0) & ~(level_size(Level::pud) - 1)}] = 0;
        facts_.splits_pud = true;
        return;
      case RuleId::trace_hugetlb_shown:
        return entry({at(2) >= level_size(Level::pud) ? Level::pud : Level::pmd, at(0), at(1), true});
      case RuleId::trace_fault_result:
        return fault(at(0), at(0) + page_bytes, static_cast<uint32_t>(at(2)));
      case RuleId::trace_fault_unseen:
        return fault(at(0), end_of_helper(step, at(0)), static_cast<uint32_t>(at(2)));
      case RuleId::trace_migration_over:
        return wait(at(0));
      case RuleId::trace_sequence:
      case RuleId::trace_sequence_unknown:
        return sequence(at(3) != 0);
      case RuleId::pte_device_private_owner:
        facts_.own_device_pages[at(1)] = true;
        return;
      case RuleId::check_flow:
        parted_ = true;
        return;
      default:
        return;
    }
  }

  /// The walk's own step, not one of a fault that it makes.
  bool of_the_walk(StepIndex step) const {
    for (CallId call = recording_.call_of(step); call != no_call && call != id_; call = recording_.calls()[call].parent)
      if (recording_.calls()[call].function == Function::handle_mm_fault) return false;
    return true;
  }

  /// What the walk makes of entries (migration entries, split mappings) is no news when it is shown again.
  void take_engines_entries(StepIndex step) {
    if (!of_the_walk(step)) return;
    for (uint32_t k = 0; k < recording_.write_count(step); ++k) {
      const WriteView write = recording_.write(step, k);
      if (write.evidence != Evidence::computed) continue;
      const RegionId id = recording_.region_of(write.first);
      if (id == no_region) continue;
      const Region& region = recording_.regions()[id];
      if (region.kind != RegionKind::pte && region.kind != RegionKind::pmd) continue;
      const Level level = region.kind == RegionKind::pte ? Level::pte : Level::pmd;
      for (uint32_t n = 0; n < write.count; ++n)
        known_[{level, region.address + (write.first - region.first + n) * region.stride}] = write.new_at(n);
    }
  }

  void take_vma(StepIndex step) {
    FactVma vma;
    for (uint32_t k = 0; k < recording_.write_count(step); ++k) {
      const WriteView write = recording_.write(step, k);
      const RegionId id = recording_.region_of(write.first);
      if (id == no_region || recording_.regions()[id].kind != RegionKind::vma) continue;
      const uint64_t value = write.new_at(0);
      switch (static_cast<VmaWord>(write.first - recording_.regions()[id].first)) {
        case VmaWord::start:
          vma.start = value;
          break;
        case VmaWord::end:
          vma.end = value;
          break;
        case VmaWord::flags:
          vma.flags = value;
          break;
        case VmaWord::kind:
          vma.kind = static_cast<VmaKind>(value);
          break;
        case VmaWord::file:
          vma.file = value;
          break;
        case VmaWord::page_shift:
          vma.page_shift = static_cast<uint32_t>(value);
          break;
        default:
          break;
      }
    }
    for (FactVma& known : facts_.vmas) {
      if (known.start == vma.start && known.end == vma.end) return;
      if (vma.start < known.end && known.start < vma.end) {
        failure_ = "a VMA changes while it runs";
        return;
      }
    }
    if (vma.end > vma.start) facts_.vmas.push_back(vma);
  }

  void take_ptes(StepIndex step, uint64_t addr) {
    for (uint32_t k = 0; k < recording_.write_count(step); ++k) {
      const WriteView write = recording_.write(step, k);
      const RegionId id = recording_.region_of(write.first);
      if (id == no_region || recording_.regions()[id].kind != RegionKind::pte) continue;
      for (uint32_t n = 0; n < write.count; ++n) {
        const uint64_t at = addr + n * page_bytes;
        if (at >= facts_.start && at < facts_.end) entry({Level::pte, at, write.new_at(n), false});
      }
    }
  }

  /// The CPU sets A and D beside everything else.
  static bool same_mapping(uint64_t known, uint64_t shown) {
    constexpr uint64_t cpus = x86::accessed.mask() | x86::dirty.mask();
    return known == shown || (x86::pte_present(known) && x86::pte_present(shown) && ((known ^ shown) & ~cpus) == 0);
  }

  void entry(FactEntry shown) {
    shown.addr &= ~(level_size(shown.level) - 1);
    looked_ = true;
    const bool table = shown.level != Level::pte && !shown.hugetlb && x86::pte_present(shown.value) &&
                       !format_.is_huge(shown.value);
    if (shown.level == Level::pte && !x86::pte_present(shown.value) && !x86::pte_none(shown.value)) {
      const SwapKind kind = format_.swap.kind(shown.value);
      if (is_device_private(kind)) facts_.own_device_pages.try_emplace(format_.swap.pfn(shown.value), false);
    }
    const auto key = std::pair(shown.level, shown.addr);
    const auto [known, fresh] = known_.try_emplace(key, shown.value);
    if (!fresh && same_mapping(known->second, shown.value)) return;
    known->second = shown.value;
    if (table) return;
    const bool nothing = x86::pte_none(shown.value) && !x86::pte_present(shown.value);
    FactBatch* batch = facts_.batches.empty() ? nullptr : &facts_.batches[batch_begin_];
    const bool touched = batch != nullptr && shown.addr < facts_.batches.back().end &&
                         shown.addr + level_size(shown.level) > batch->start;
    if (batch == nullptr || (fresh && !touched)) {
      if (!fresh)
        failure_ = "another task changes an entry while it runs";
      else if (!nothing || shown.hugetlb ||
               shown.level == Level::pte)  // an empty entry of a table that is there
        facts_.entries.push_back(shown);
      return;
    }
    if (fresh && nothing && shown.level != Level::pte && !shown.hugetlb) return;
    ++changes_;
    batch->then.push_back(shown);
  }

  /// The walk met another entry than the one shown just before: a scenario begins with what it met.
  void overtaken(uint64_t addr, uint64_t pte) {
    known_[{Level::pte, addr}] = pte;
    const auto met = [&](std::vector<FactEntry>& list) {
      const auto last = std::find_if(list.rbegin(), list.rend(), [&](const FactEntry& one) {
        return one.level == Level::pte && one.addr == addr;
      });
      if (last != list.rend()) last->value = pte;
      return last != list.rend();
    };
    if (facts_.batches.empty() || !met(facts_.batches[batch_begin_].then)) met(facts_.entries);
  }

  void fault(uint64_t start, uint64_t end, uint32_t result) {
    if (looked_ || facts_.batches.empty()) batch_begin_ = facts_.batches.size();
    const bool joins = !looked_ && facts_.batches.size() > batch_begin_;
    looked_ = false;
    if (joins) {
      FactBatch& last = facts_.batches.back();
      if (!last.wait && last.end == start && last.result == result) {
        last.end = end;
        return;
      }
    }
    facts_.batches.push_back({false, start, end, result, false, {}});
  }

  void wait(uint64_t addr) {
    batch_begin_ = facts_.batches.size();
    looked_ = false;
    facts_.batches.push_back({true, addr, addr + page_bytes, 0, false, {}});
  }

  void sequence(bool moved) {
    if (!moved) return;
    if (facts_.batches.empty())
      facts_.stale = true;
    else
      facts_.batches.back().invalidates = true;
  }

  /// The part that the fault helper under way was asked to fault.
  uint64_t end_of_helper(StepIndex step, uint64_t addr) const {
    for (CallId call = recording_.call_of(step); call != no_call && call != id_;
         call = recording_.calls()[call].parent) {
      const auto arguments = recording_.arguments(call);
      const Function function = recording_.calls()[call].function;
      if ((function == Function::hmm_vma_fault || function == Function::hmm_do_fault) &&
          arguments.size() >= 2)
        return arguments[1];
    }
    return addr + page_bytes;
  }

  Result<CallFacts> words(StepIndex end) {
    const auto array = array_of_call(recording_, id_);
    if (!array) return fail("the recording does not show its array");
    Cursor cursor(document_.recording, document_.keyframes);
    cursor.seek(call_.first_step);
    const auto now = [&] { return cursor.words(array->first, array->count); };
    facts_.in.assign(now().begin(), now().end());
    // What the engine could not know, or has otherwise, is written just behind the call.
    StepIndex last = end;
    bool kernels_alone = false;
    for (; last < recording_.steps(); ++last) {
      const RuleId fired = recording_.rule_of(last);
      if (fired == RuleId::trace_array_result) kernels_alone = true;
      else if (fired != RuleId::check_unknown && fired != RuleId::check_diverged) break;
    }
    cursor.seek(last);
    facts_.out.assign(now().begin(), now().end());
    if (kernels_alone) find_shown(*array, last);
    // A sticky bit that came out of a word nobody saw go in was in it.
    const uint64_t sticky = document_.model.sticky_mask;
    for (StepIndex step = begin_; sticky != 0 && step < call_.first_step; ++step) {
      if (recording_.rule_of(step) != RuleId::trace_array_unknown) continue;
      const auto unknown = recording_.operands(step);
      for (uint64_t slot = unknown[0]; slot < unknown[0] + unknown[1] && slot < facts_.in.size(); ++slot)
        facts_.in[slot] |= facts_.out[slot] & sticky;
    }
    return std::move(facts_);
  }

  /// Where the engine did not come to the end, the words are the kernel's where an event shows them, and nobody's elsewhere.
  void find_shown(const CallArray& array, StepIndex last) {
    for (uint32_t k = 0; k < array.count; ++k) {
      const auto write = document_.history->last_write(array.first + k, last);
      facts_.shown_out.push_back(write && write->evidence == Evidence::observed && write->step >= call_.first_step);
    }
  }

  const Recording& recording_;
  const Document& document_;
  CallId id_;
  const Call& call_;
  EntryFormat format_;
  CallFacts facts_;
  StepIndex begin_ = 0;
  std::map<std::pair<Level, uint64_t>, uint64_t> known_;
  size_t batch_begin_ = 0;  ///< first batch since the tables were last looked at
  size_t changes_ = 0;
  uint64_t last_pmd_ = 0;   ///< address of the pmd shown last
  bool looked_ = false;
  bool parted_ = false;     ///< engine and kernel went other ways
  std::string failure_;
};

}  // namespace

Result<CallFacts> facts_of_call(const Document& document, CallId call) {
  return CallFactCollector(document, call).run();
}

}  // namespace hmmscope::traces
