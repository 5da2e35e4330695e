#include "traces/replay/range_call.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "engine/unified/unified_policy.h"

namespace hmmscope::traces {
namespace {

constexpr uint32_t window_words = 64;
constexpr uint64_t max_faulted_pages = uint64_t{1} << 24;
constexpr std::array<std::string_view, 6> window_fields{"a", "b", "c", "d", "e", "f"};

}  // namespace

RangeCall::RangeCall(Replayer& replayer, uint32_t call, RunningMigration* setup, const RangeFaultCall* asked)
    : replayer_(replayer),
      world_(replayer.world()),
      recorder_(world_.recorder()),
      traced_(replayer.calls().calls()[call]),
      judge_(recorder_),
      running_(setup),
      asked_(asked),
      prepare_(*this),
      next_(traced_.first),
      taken_(traced_.in),
      overtaken_(replayer.trace(), replayer.kinds(), traced_.task, traced_.in) {}

void RangeCall::run() {
  world_.at(traced_.in);
  read_arguments();
  if (traced_.gap != nullptr) judge_.excuse("events were lost while the call ran: " + gap_text(*traced_.gap));
  else if (std::string reason = replayer_.why_out_of_turn(); !reason.empty()) judge_.excuse(std::move(reason));
  find_damage();
  read_migrate();
  if (running_ != nullptr) running_->followed = false;
  if (std::string reason = why_not_run(); !reason.empty()) return run_without_engine(std::move(reason));
  show_range();
  read_array();
  requests_can_matter_ = requests_can_matter();
  run_engine();
}

void RangeCall::read_arguments() {
  const uint32_t in = traced_.in;
  notifier_ = number(in, "notifier");
  replayer_.mirrors().begins(traced_.task, notifier_, number(in, "start"), number(in, "end"));
  call_.start = number(in, "start");
  call_.end = number(in, "end");
  call_.default_flags = number(in, "default_flags");
  call_.pfn_flags_mask = number(in, "mask");
  call_.dev_private_owner = number(in, "owner");
  call_.notifier_seq = number(in, "seq");
  AddressSpace* of_notifier = world_.space_of_mm(replayer_.sequences().mm_of(notifier_, in));
  space_ = of_notifier != nullptr ? of_notifier : &world_.space_of(traced_.task);
  if (asked_ != nullptr && asked_->mm != nullptr) space_ = asked_->mm;
  call_.mm = space_;
  if (call_.end > call_.start) pages_ = (call_.end - call_.start) >> page_bits;
}

/// The struct migrate_vma that the range names: the setup's that makes this call, or a driver's own.
void RangeCall::read_migrate() {
  const uint64_t migrate = number(traced_.in, "migrate");
  if (world_.machine().model().unified == UnifiedStyle::none) return;
  call_.prepare_hooks = &prepare_;
  call_.names_notifier = notifier_ != 0;
  if (migrate == 0) return;
  if (running_ == nullptr) {
    held_ = replayer_.running(traced_.task, migrate);
    running_ = held_.get();
    MigrateVma& args = running_->args;
    args.mm = space_;
    args.select = number(traced_.in, "mflags");
    args.pgmap_owner = call_.dev_private_owner;
    args.fault_page = 0;
    args.hooks = nullptr;
  }
  call_.migrate = &running_->args;
}

/// An array that cannot be read leaves out words that the trace meant to show.
void RangeCall::find_damage() {
  const auto look = [&](uint32_t index, std::string_view field) {
    if (event(index).array_damaged(field)) judge_.unknown(call_.start, damaged_array(event(index), field));
  };
  look(traced_.in, "pfns");
  for (const auto* windows : {&traced_.in_windows, &traced_.out_windows})
    for (const uint32_t window : *windows)
      for (const std::string_view field : window_fields) look(window, field);
  if (traced_.out != no_index) look(traced_.out, "pfns");
}

/// After an error the engine takes back what the walk has prepared, by way of src and dst.
bool RangeCall::rolls_back() const {
  return call_.migrate != nullptr && unified_policy(world_.machine().model().unified).rolls_back;
}

/// What is taken back lies inside the array that is walked.
bool RangeCall::migrate_range_fits() const {
  if (asked_ == nullptr && call_.names_notifier) return true;  // the call itself fills the range in
  const MigrateVma& args = *call_.migrate;
  return args.start >= call_.start && args.start <= args.end && args.end <= call_.end;
}

/// Empty when the engine can run the call.
std::string RangeCall::why_not_run() {
  if (number(traced_.in, "migrate") != 0 && world_.machine().model().unified == UnifiedStyle::none)
    return "the call asks for a migration in the same pass, which this kernel model does not have";
  if (pages_ != 0 && !replayer_.trace().info().arrays_reliable) return std::string(unreliable_arrays);
  if (((call_.start | call_.end) & (page_bytes - 1)) != 0) return "the range is not page aligned";
  if (call_.end > space_->tables().limit()) return "the range lies beyond the page tables";
  if (rolls_back() && !migrate_range_fits())
    return "which range struct migrate_vma holds is not shown, or is another one than that of the walk";
  if (pages_ > max_faulted_pages || !world_.spend_pages(pages_)) return "the range is too large to be replayed";
  return {};
}

void RangeCall::show_range() {
  call_.pfns = world_.array(RegionKind::hmm_pfns, *space_, number(traced_.in, "pfns_ptr"), call_.start,
                            static_cast<uint32_t>(std::max<uint64_t>(pages_, 1)), "hmm_pfns");
  call_.range = world_.range(*space_, traced_.range);
  recorder_.step(RuleId::trace_range_shown,
                 {call_.start, call_.end, call_.default_flags, call_.pfn_flags_mask, call_.dev_private_owner,
                  call_.notifier_seq});
  const auto set = [&](RangeWord word, uint64_t value) {
    recorder_.write(word_of(call_.range, word), value, Evidence::observed);
  };
  set(RangeWord::start, call_.start);
  set(RangeWord::end, call_.end);
  set(RangeWord::default_flags, call_.default_flags);
  set(RangeWord::pfn_flags_mask, call_.pfn_flags_mask);
  set(RangeWord::dev_private_owner, call_.dev_private_owner);
  set(RangeWord::notifier_seq, call_.notifier_seq);
  recorder_.write(word_of(call_.range, RangeWord::last), call_.start, Evidence::inferred);
  // A setup has its arrays; where a driver's own lie nothing shows before its migrate_hmm_range_setup.
  if (rolls_back() && asked_ == nullptr) {
    const auto count = static_cast<uint32_t>(std::max<uint64_t>(pages_, 1));
    const uint64_t migrate = number(traced_.in, "migrate");
    MigrateVma& args = *call_.migrate;
    args.src = world_.array(RegionKind::migrate_src, *space_, migrate, call_.start, count, "migrate.src");
    args.dst = world_.array(RegionKind::migrate_dst, *space_, migrate, call_.start, count, "migrate.dst");
  }
  if (call_.migrate != nullptr)
    recorder_.step(RuleId::trace_migrate_struct, {number(traced_.in, "migrate"), call_.migrate->select});
}

void RangeCall::read_array() {
  unknown_in_.assign(pages_, true);
  for (const uint32_t window : traced_.in_windows) {
    uint64_t first = number(window, "first");
    for (const std::string_view field : window_fields) {
      show_window(window, first, field);
      first += window_words;
    }
  }
  show_window(traced_.in, 0, "pfns");
  // Runs of words that nothing shows.
  std::sort(shown_in_.begin(), shown_in_.end());
  shown_in_.emplace_back(pages_, pages_);
  uint64_t first = 0;
  bool all = true;
  for (const auto& [begin, end] : shown_in_) {
    if (begin > first) {
      const auto count = static_cast<uint32_t>(begin - first);
      recorder_.step(RuleId::trace_array_unknown, {first, count});
      recorder_.fill(slot_word(first), count, 0, 0, Evidence::unknown);
      all = false;
    }
    first = std::max(first, end);
  }
  if (all) unknown_in_.clear();
}

void RangeCall::show_window(uint32_t index, uint64_t first, std::string_view field) {
  std::array<uint64_t, window_words> words{};
  const auto shown = event(index).array(field, words);
  if (!shown || first >= pages_) return;
  const auto count = static_cast<uint32_t>(std::min<uint64_t>({*shown, window_words, pages_ - first}));
  if (count == 0) return;
  recorder_.step(RuleId::trace_array_shown, {first, count});
  recorder_.copy(slot_word(first), std::span(words).first(count), Evidence::observed);
  std::fill_n(unknown_in_.begin() + static_cast<std::ptrdiff_t>(first), count, false);
  shown_in_.emplace_back(first, first + count);
}

/// Do requests in words that no window shows count?
bool RangeCall::requests_can_matter() const {
  if (unknown_in_.empty()) return false;
  const PfnFormat& format = world_.machine().pfn_format();
  const uint64_t requests = format.req_fault() | format.req_write();
  if ((call_.default_flags & requests) == requests || (call_.pfn_flags_mask & requests) == 0) return false;
  return ((call_.default_flags | call_.pfn_flags_mask) & format.req_fault()) != 0;
}

void RangeCall::run_engine() {
  call_id_ = static_cast<CallId>(recorder_.peek().calls().size());
  if (asked_ != nullptr) compare_arguments();
  result_ = hmm_range_fault(world_.machine(), call_, this);
  finish(result_);
}

/// What the engine's setup hands to its walk, held against what the kernel's did.
void RangeCall::compare_arguments() {
  judge_.value("start of the setup's walk", call_.start, asked_->start);
  judge_.value("end of the setup's walk", call_.end, asked_->end);
  judge_.value("default_flags of the setup's walk", call_.default_flags, asked_->default_flags);
  judge_.value("pfn_flags_mask of the setup's walk", call_.pfn_flags_mask, asked_->pfn_flags_mask);
  judge_.value("dev_private_owner of the setup's walk", call_.dev_private_owner, asked_->dev_private_owner);
}

void RangeCall::finish(const RangeFaultResult& result) {
  if (judge_.in_step() && peek() != no_index)
    part(result.last, 0, static_cast<uint64_t>(result.ret),
         "the engine returned, the kernel went on: " + describe_next());
  pass_rest();
  if (traced_.out == no_index) return finish_without_return(result);
  replayer_.pass_until(traced_.out);
  world_.at(traced_.out);
  const int64_t kernel_ret = event(traced_.out).integer("ret").value_or(0);
  if (judge_.in_step() && kernel_ret != result.ret)
    part(result.last, static_cast<uint64_t>(kernel_ret),
         static_cast<uint64_t>(static_cast<int64_t>(result.ret)),
         fmt::format("the kernel returned {}, the engine {}", kernel_ret, result.ret));
  if (judge_.in_step()) {
    compare_array();
    compare_migrate(result);
  } else {
    keep_kernel_array();
  }
  judge_.finish(call_id_, kernel_ret);
  // What a walk has prepared for migration, the driver migrates before its device maps anything.
  if (kernel_ret == 0 && call_.migrate == nullptr) tell_mirror();
}

/// The driver's device may map what the walk returned.
void RangeCall::tell_mirror() {
  Mirrors::Walk walk{space_, notifier_, call_.start, call_.end, call_.pfns, {}};
  each_result_window([&](uint64_t first, std::span<const uint64_t> words) { walk.shown.emplace_back(first, static_cast<uint32_t>(words.size())); });
  replayer_.mirrors().walked(traced_.task, std::move(walk));
}

std::string RangeCall::why_no_return() const {
  if (traced_.gap != nullptr) return "no event shows its return: " + gap_text(*traced_.gap);
  if (traced_.over != no_index)
    return fmt::format("an event is missing: no rf_out shows its return, though by {} in line {} it is over",
                       event(traced_.over).kind_name(), event(traced_.over).line());
  return "the trace ends inside the call";
}

/// The trace ends inside the call. When the engine says that it never returns, that is no loss: the kernel
/// went as far as this, and no further.
void RangeCall::finish_without_return(const RangeFaultResult& result) {
  if (!hung_) judge_.lost(call_.start, why_no_return());
  judge_.finish(call_id_, result.ret);
}

/// struct migrate_vma as the caller finds it.
void RangeCall::compare_migrate(const RangeFaultResult& result) {
  if (running_ == nullptr) return;
  running_->followed = true;
  running_->hmm_pfns = call_.pfns;
  running_->hmm_pages = pages_;
  MigrateVma& args = running_->args;
  const auto start = event(traced_.out).number("m_start"), end = event(traced_.out).number("m_end");
  const auto vma = event(traced_.out).number("m_vma");
  if (!start || !end) return;
  // Where the call writes nothing, only an earlier one tells what the driver has there.
  if (!result.filled_migrate && asked_ == nullptr && !running_->range_known) {
    args.start = *start;
    args.end = *end;
    args.vma = *vma == 0 ? Vma() : space_->vma_at(*start);
  }
  running_->range_known = true;
  judge_.value("start of struct migrate_vma", *start, args.start);
  judge_.value("end of struct migrate_vma", *end, args.end);
  if (const auto known = vma ? vma_starts_.find(*vma) : vma_starts_.end(); known != vma_starts_.end())
    judge_.value("start of the VMA in struct migrate_vma", known->second, args.vma ? args.vma.start() : 0);
  else if (vma == uint64_t{0} && result.filled_migrate)
    judge_.value("the VMA in struct migrate_vma", 0, args.vma.start());
}

/// visit(first slot, words) for every piece of the array at return, cut at the end of the array.
template <class Visit>
void RangeCall::each_result_window(Visit visit) {
  std::array<uint64_t, window_words> words{};
  const auto piece = [&](uint32_t index, uint64_t first, std::string_view field) {
    const auto shown = event(index).array(field, words);
    if (!shown || first >= pages_) return;
    const auto count = static_cast<size_t>(std::min<uint64_t>({*shown, window_words, pages_ - first}));
    if (count != 0) visit(first, std::span<const uint64_t>(words).first(count));
  };
  piece(traced_.out, 0, "pfns");
  for (const uint32_t window : traced_.out_windows) {
    uint64_t first = number(window, "first");
    for (const std::string_view field : window_fields) {
      piece(window, first, field);
      first += window_words;
    }
  }
}

/// The word of this slot as the call returned it, when an event shows it.
std::optional<uint64_t> RangeCall::result_word(uint64_t slot) {
  std::optional<uint64_t> word;
  if (traced_.out == no_index) return word;
  each_result_window([&](uint64_t first, std::span<const uint64_t> words) {
    if (slot >= first && slot < first + words.size()) word = words[slot - first];
  });
  return word;
}

void RangeCall::find_written_slots() {
  if (unknown_in_.empty()) return;
  written_.assign(pages_, false);
  const Recording& recording = recorder_.peek();
  const Call& call = recording.calls()[call_id_];
  const WordIndex first = call_.pfns, last = call_.pfns + static_cast<WordIndex>(pages_);
  for (StepIndex step = call.first_step; step < call.end_step && step < recording.steps(); ++step) {
    for (uint32_t k = 0; k < recording.write_count(step); ++k) {
      const WriteView write = recording.write(step, k);
      if (write.evidence != Evidence::computed || write.first < first || write.first >= last) continue;
      const auto count = std::min<WordIndex>(write.count, last - write.first);
      std::fill_n(written_.begin() + static_cast<std::ptrdiff_t>(write.first - first), count, true);
    }
  }
}

void RangeCall::compare_array() {
  find_written_slots();
  const Machine& machine = world_.machine();
  uint64_t shown = 0;
  each_result_window([&](uint64_t first, std::span<const uint64_t> words) {
    shown += words.size();
    for (size_t k = 0; k < words.size(); ++k) {
      const uint64_t slot = first + k;
      const uint64_t known = known_bits(slot, !slot_unknown(slot) || written_[slot]);
      if (known == 0)
        judge_.unseen_words(1);
      else
        judge_.compare(slot_word(slot), words[k], machine.load(slot_word(slot)), known, call_id_);
    }
  });
  if (shown < pages_) judge_.unseen_words(static_cast<uint32_t>(pages_ - shown));
  if (shown == 0 && pages_ != 0)
    judge_.unknown(call_.start,
                   "no event shows a word of its output; probe the return of hmm_range_fault with its array "
                   "(rf_out with pfns)");
}

void RangeCall::keep_kernel_array() {
  const int64_t ret = event(traced_.out).integer("ret").value_or(0);
  each_result_window([&](uint64_t first, std::span<const uint64_t> words) {
    recorder_.step(RuleId::trace_array_result, {first, words.size(), static_cast<uint64_t>(ret)});
    recorder_.copy(slot_word(first), words, Evidence::observed);
    judge_.unseen_words(static_cast<uint32_t>(words.size()));
  });
}

void RangeCall::run_without_engine(std::string reason) {
  const bool array = pages_ != 0 && pages_ <= window_words && call_.start % page_bytes == 0 &&
                     replayer_.trace().info().arrays_reliable;
  if (array) {
    show_range();
    read_array();
  }
  call_id_ = recorder_.enter(Function::hmm_range_fault,
                             {call_.start, call_.end, call_.default_flags, call_.pfn_flags_mask,
                              call_.dev_private_owner, call_.notifier_seq},
                             traced_.task);
  judge_.lost(call_.start, std::move(reason));
  pass_rest();
  int64_t ret = 0;
  if (traced_.out != no_index) {
    replayer_.pass_until(traced_.out);
    world_.at(traced_.out);
    if (array) keep_kernel_array();
    ret = event(traced_.out).integer("ret").value_or(0);
    recorder_.leave(ret);
  } else {
    recorder_.leave();
  }
  judge_.finish(call_id_, ret);
}

}  // namespace hmmscope::traces
