#include "traces/replay/migrate_call.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "traces/replay/replayer.h"

namespace hmmscope::traces {
namespace {

constexpr uint64_t max_migrated_pages = uint64_t{1} << 20;

Function migrate_function(EventKind kind) {
  switch (kind) {
    case EventKind::mv_setup_in:
      return Function::migrate_vma_setup;
    case EventKind::hmm_setup_in:
      return Function::migrate_hmm_range_setup;
    case EventKind::mv_pages_in:
      return Function::migrate_vma_pages;
    default:
      return Function::migrate_vma_finalize;
  }
}

}  // namespace

MigrateCall::MigrateCall(Replayer& replayer, uint32_t call, RunningMigration& running)
    : replayer_(replayer),
      world_(replayer.world()),
      recorder_(world_.recorder()),
      traced_(replayer.migrations().calls()[call]),
      running_(running),
      judge_(recorder_),
      format_(MigrateFormat::from(world_.machine().model())),
      folios_(world_) {}

void MigrateCall::run() {
  world_.at(traced_.in);
  floor_ = recorder_.current_call();
  if (traced_.gap != nullptr) judge_.excuse("events were lost while the call ran: " + gap_text(*traced_.gap));
  else if (std::string reason = replayer_.why_out_of_turn(); !reason.empty()) judge_.excuse(std::move(reason));
  const bool setup = traced_.kind == EventKind::mv_setup_in;
  if (setup) {
    running_.begin();
    args().start = number(traced_.in, "start");
    args().end = number(traced_.in, "end");
    args().select = number(traced_.in, "flags");
    args().pgmap_owner = number(traced_.in, "owner");
    AddressSpace* of_notifier = nullptr;
    for (const uint32_t own : replayer_.migrations().events(traced_))
      if (kind(own) == EventKind::mn_start && of_notifier == nullptr)
        of_notifier = world_.space_of_mm(number(own, "mm"));
    if (of_notifier == nullptr && traced_.walk != no_index) of_notifier = space_of_walk();
    args().mm = of_notifier != nullptr ? of_notifier : &world_.space_of(traced_.task);
  }
  if (args().mm == nullptr) {
    args().mm = &world_.space_of(traced_.task);
    args().start = number(traced_.in, "start");
    args().end = number(traced_.in, "end");
  }
  if (traced_.kind == EventKind::hmm_setup_in) {
    args().start = number(traced_.in, "start");
    args().end = number(traced_.in, "end");
  }
  pages_ = args().end > args().start ? (args().end - args().start) >> page_bits : 0;
  if (std::string reason = why_not_run(); !reason.empty()) return run_without_engine(std::move(reason));
  read_arrays();
  known_.assign(pages_, ~uint64_t{0});
  known_dst_.assign(pages_, ~uint64_t{0});
  refused_.assign(pages_, false);
  index_rebuilt();
  switch (traced_.kind) {
    case EventKind::mv_setup_in:
      return run_setup();
    case EventKind::hmm_setup_in:
      return run_range_setup();
    case EventKind::mv_pages_in:
      return run_pages();
    default:
      return run_finalize();
  }
}

/// Empty when the engine can run the call.
std::string MigrateCall::why_not_run() const {
  const bool of_unified = traced_.kind == EventKind::hmm_setup_in || traced_.walk != no_index;
  if (of_unified && !unified())
    return "the setup walks by a range fault (unified fault and migrate), which this kernel model does not "
           "have";
  if (traced_.kind == EventKind::hmm_setup_in && (!running_.followed || running_.hmm_pfns == no_word))
    return "the range fault that prepared these pages is not in the trace, or could not be followed";
  if (traced_.kind == EventKind::hmm_setup_in && pages_ > running_.hmm_pages)
    return "the range is longer than the array that was walked";
  if (traced_.kind != EventKind::mv_setup_in && running_.gap != nullptr)
    return "events were lost during this migration: " + gap_text(*running_.gap);
  if (traced_.kind != EventKind::mv_setup_in && !running_.followed)
    return "the setup of this migration is not in the trace, or could not be followed";
  if (args().end > space().tables().limit() || args().start > args().end)
    return "the range lies beyond the page tables";
  if (pages_ > max_migrated_pages || !world_.spend_pages(pages_)) return "the range is too large to be replayed";
  if (pages_ != 0 && !replayer_.trace().info().arrays_reliable) return std::string(unreliable_arrays);
  return {};
}

void MigrateCall::read_arrays() {
  src_in_ = shown(traced_.in, "src");
  dst_in_ = shown(traced_.in, "dst");
  note_damage(traced_.in, "src", src_in_);
  note_damage(traced_.in, "dst", dst_in_);
  src_out_ = shown(traced_.out, "src");
  Shown dst = shown(traced_.out, "dst");
  note_damage(traced_.out, "src", src_out_);
  note_damage(traced_.out, "dst", dst);
  const uint32_t after = traced_.after == no_index ? no_index : replayer_.migrations().calls()[traced_.after].in;
  if (src_out_.present) {
    result_ = traced_.out;
    if (after != no_index) later_ = shown(after, "src");
  } else {
    result_ = traced_.kind == EventKind::mv_fin_in ? no_index : after;
    src_out_ = shown(result_, "src");
    dst = shown(result_, "dst");
    note_damage(result_, "src", src_out_);
    note_damage(result_, "dst", dst);
  }
  // Behind a setup the driver sets dst: what the next call finds there is not what setup left.
  if (result_ == traced_.out || traced_.kind == EventKind::mv_pages_in) dst_out_ = dst;
}

MigrateCall::Shown MigrateCall::shown(uint32_t index, std::string_view field) const {
  Shown array;
  if (index == no_index) return array;
  if (const auto count = event(index).array(field, array.words)) {
    array.count = static_cast<uint32_t>(std::min<uint64_t>({*count, array.words.size(), pages_}));
    array.present = true;
  } else {
    array.present = array.damaged = event(index).array_damaged(field);
  }
  return array;
}

void MigrateCall::note_damage(uint32_t index, std::string_view field, const Shown& array) {
  if (array.damaged) judge_.unknown(args().start, damaged_array(event(index), field));
}

void MigrateCall::show_array(WordIndex first, const Shown& array, RuleId rule) {
  if (array.count == 0) return;
  recorder_.step(rule, {args().start, array.count});
  recorder_.copy(first, std::span(array.words).first(array.count), Evidence::observed);
}

void MigrateCall::show_arrays() {
  show_array(args().src, src_in_, RuleId::trace_migrate_src);
  show_array(args().dst, dst_in_, RuleId::trace_migrate_dst);
}

void MigrateCall::show_vma() {
  if (event(traced_.in).number("vma") == uint64_t{0}) return;
  ShownVma vma;
  const Vma before = space().vma_at(args().start);
  vma.start = number(traced_.in, "vm_start");
  vma.end = number(traced_.in, "vm_end");
  vma.flags = number(traced_.in, "vm_flags");
  if (vma.end == 0 || !event(traced_.in).number("vm_flags")) {
    args().vma = before;
    return;
  }
  if (before) {
    vma.kind = before.kind();
    vma.file = before.file();
    vma.pgoff = before.pgoff() + (vma.start >> page_bits) - (before.start() >> page_bits);
    vma.page_shift = before.huge_shift();
  } else {
    vma.kind = (vma.flags & vm::hugetlb) != 0  ? VmaKind::hugetlb
               : (vma.flags & vm::shared) != 0 ? VmaKind::shmem
                                               : VmaKind::anonymous;
    vma.page_shift = vma.kind == VmaKind::hugetlb ? 21 : page_bits;
    vma.pgoff = vma.start >> page_bits;
  }
  // The reverse map needs a number for every file; its first address will do.
  if (vma.kind != VmaKind::anonymous && vma.file == 0) vma.file = vma.start;
  recorder_.step(RuleId::trace_vma_shown, {vma.start, vma.end, vma.flags});
  if (auto now = world_.show_vma(space(), vma, Evidence::observed))
    args().vma = *now;
  else
    judge_.lost(vma.start, "the VMA shown cannot be: " + now.error().message);
}

void MigrateCall::run_setup() {
  recorder_.step(RuleId::trace_migrate_args, {args().start, args().end, args().select, args().pgmap_owner,
                                              number(traced_.in, "fault_page")});
  show_vma();
  const auto array = [&](RegionKind kind, std::string_view name) {
    return world_.array(kind, space(), traced_.args, args().start,
                        static_cast<uint32_t>(std::max<uint64_t>(pages_, 1)), name);
  };
  args().src = array(RegionKind::migrate_src, "migrate.src");
  args().dst = array(RegionKind::migrate_dst, "migrate.dst");
  show_arrays();
  args().fault_page = fault_page();
  // Where the fault path locks its page, setup insists on the lock.
  if (args().fault_page != 0 && world_.machine().model().fault_page_locked)
    prepare_page(args().start & ~(page_bytes - 1), args().fault_page);
  call_id_ = static_cast<CallId>(recorder_.peek().calls().size());
  args().hooks = this;
  const int ret = migrate_vma_setup(world_.machine(), args());
  args().hooks = nullptr;
  finish(ret);
}

/// The page a CPU fault is about: the trace has its struct page, the entry at its address has its pfn.
uint64_t MigrateCall::fault_page() const {
  if (number(traced_.in, "fault_page") == 0) return 0;
  const uint64_t addr = args().start & ~(page_bytes - 1);
  const World::KnownPte is = world_.known_pte(space(), addr);
  uint64_t pfn = 0;
  if ((is.known & pte_fact::kind) != 0 && !x86::pte_present(is.pte) && !x86::pte_none(is.pte))
    pfn = world_.entries().swap.pfn(is.pte);
  else if (const auto word = src_out_.at(0); word && format_.has_page(*word))
    pfn = format_.pfn(*word);
  const DeviceMemory* device = world_.machine().physical().device_of(pfn);
  return device != nullptr && !device->coherent ? pfn : 0;
}

void MigrateCall::run_pages() {
  show_arrays();
  if (std::string reason = unsound_arrays(); !reason.empty()) return run_without_engine(std::move(reason));
  expect_src_kept();
  prepare_slots();
  call_id_ = static_cast<CallId>(recorder_.peek().calls().size());
  args().hooks = this;
  migrate_vma_pages(world_.machine(), args());
  args().hooks = nullptr;
  finish(0);
}

void MigrateCall::run_finalize() {
  show_arrays();
  if (std::string reason = unsound_arrays(); !reason.empty()) return run_without_engine(std::move(reason));
  expect_src_kept();
  prepare_slots();
  call_id_ = static_cast<CallId>(recorder_.peek().calls().size());
  args().hooks = this;
  migrate_vma_finalize(world_.machine(), args());
  args().hooks = nullptr;
  finish(0);
}

void MigrateCall::finish(int64_t ret) {
  pass_rest();
  if (judge_.in_step()) expect_all_rebuilt();
  if (traced_.out == no_index)
    judge_.lost(args().start, traced_.gap == nullptr ? "the trace does not show the return of the call"
                                                     : "no event shows its return: " + gap_text(*traced_.gap));
  if (traced_.out != no_index) {
    replayer_.pass_until(traced_.out);
    world_.at(traced_.out);
  }
  if (judge_.in_step()) {
    if (traced_.kind == EventKind::mv_setup_in) {
      if (const auto kernel = event(traced_.out).integer("ret")) judge_.returned(*kernel, ret);
    }
    compare_field("npages", args().npages);
    // Which pages a unified setup gave back its own events show, the others only the words.
    if (unified() || src_out_.count >= args().npages) compare_field("cpages", args().cpages);
    compare_field("start", args().start);
    compare_field("end", args().end);
  }
  // A unified setup whose walk failed has converted what was prepared; the driver may go on with that.
  const bool converted = ret == 0 || (unified() && ret != -EINVAL && args().stuck_at == 0);
  if (judge_.in_step() && converted) {
    if (traced_.child == no_index) keep_arrays();
    compare_array(args().src, src_out_, true);
    compare_array(args().dst, dst_out_, false);
    if (args().npages != 0 && src_out_.count == 0 && dst_out_.count == 0 && traced_.kind != EventKind::mv_fin_in)
      judge_.unknown(args().start, "no event shows a word of src or dst as the call leaves them; probe its return "
                                   "with both arrays");
  } else if (judge_.in_step() && ret == -EINVAL && traced_.kind == EventKind::mv_setup_in) {
    compare_untouched(args().src, src_in_, src_out_);
    compare_untouched(args().dst, dst_in_, dst_out_);
  } else {
    judge_.unseen_words(src_out_.count + dst_out_.count);
  }
  running_.followed = judge_.in_step() && converted;
  // Where no return shows it (6.1), what the next call finds has been compared as what this one left.
  running_.left_src.assign(src_out_.words.begin(),
                           src_out_.words.begin() + (result_ == traced_.out ? src_out_.count : 0));
  judge_.finish(call_id_, ret);
}

/// What a setup returns is held against the engine's words, whatever its migrate_hmm_range_setup was seen to
/// leave.
void MigrateCall::keep_arrays() {
  const Machine& machine = world_.machine();
  running_.src.clear();
  running_.dst.clear();
  for (uint32_t k = 0; k < args().npages; ++k) {
    running_.src.push_back(machine.load(args().src + k));
    running_.dst.push_back(machine.load(args().dst + k));
  }
}

void MigrateCall::compare_field(std::string_view field, uint64_t engine) {
  const uint32_t index = result_ == no_index ? traced_.out : result_;
  if (const auto kernel = event(index).number(field)) judge_.value(field, *kernel, engine);
}

void MigrateCall::compare_array(WordIndex first, const Shown& kernel, bool is_src) {
  const std::vector<uint64_t>& engine = is_src ? running_.src : running_.dst;
  const auto pages = static_cast<uint32_t>(std::min<uint64_t>(args().npages, engine.size()));
  for (uint32_t k = 0; k < std::min(pages, kernel.count); ++k)
    judge_.compare(first + k, kernel.words[k], engine[k], is_src ? known_[k] : known_dst_[k], call_id_);
  if (pages > kernel.count) judge_.unseen_words(pages - kernel.count);
}

/// Between the calls src is the driver's, which may give a page up (MIGRATE cleared). Any other change has no
/// writer that the trace could show.
void MigrateCall::expect_src_kept() {
  const Shown& now = src_in_;
  const size_t count = std::min<size_t>(now.count, running_.left_src.size());
  for (size_t k = 0; k < count; ++k) {
    const uint64_t left = running_.left_src[k];
    if (now.words[k] == left || now.words[k] == (left & ~format_.migrate)) continue;
    return judge_.unknown(address(k), fmt::format("word {} of src is {:#x} here, the call before left {:#x}: no "
                                                  "event shows who changed it",
                                                  k, now.words[k], left));
  }
}

/// A call that refuses its arguments leaves the arrays as the driver had them.
void MigrateCall::compare_untouched(WordIndex first, const Shown& at_entry, const Shown& kernel) {
  const uint32_t before = std::min(at_entry.count, kernel.count);
  for (uint32_t k = 0; k < before; ++k)
    judge_.compare(first + k, kernel.words[k], world_.machine().load(first + k), ~uint64_t{0}, call_id_);
  judge_.unseen_words(kernel.count - before);
}

void MigrateCall::run_without_engine(std::string reason) {
  call_id_ =
      recorder_.enter(migrate_function(traced_.kind), {args().start, args().end, args().select}, traced_.task);
  judge_.lost(args().start, std::move(reason));
  pass_rest();
  for (const auto& [key, events] : rebuilt_)
    for (const uint32_t position : events) show_rebuilt(position);
  int64_t ret = 0;
  if (traced_.out != no_index) {
    replayer_.pass_until(traced_.out);
    world_.at(traced_.out);
    ret = event(traced_.out).integer("ret").value_or(0);
  }
  running_.followed = false;
  world_.forget_ptes(space(), args().start & ~(page_bytes - 1), args().end);
  recorder_.leave(ret);
  judge_.finish(call_id_, ret);
}

}  // namespace hmmscope::traces
