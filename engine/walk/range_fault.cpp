// The outer loop of hmm_range_fault and the fault step (mm/hmm.c).

#include "engine/walk/range_fault.h"

#include <cassert>
#include <cerrno>

#include "engine/fault/handle_mm_fault.h"
#include "engine/walk/fault_answer.h"
#include "engine/walk/range_walk.h"

namespace hmmscope {
namespace {

/// HMM_FAULT_PENDING of 7.2: a callback wants pages faulted in, the outer loop does it.
constexpr int fault_pending = -EAGAIN;
/// HMM_FAULT_UNLOCKED of 7.3: the fault handler dropped mmap_lock.
constexpr int fault_unlocked = -ENOLCK;

}  // namespace

RangeWalk::RangeWalk(Machine& machine, const RangeFaultCall& call, WalkHooks* hooks, PtePath path)
    : machine_(machine), call_(call), hooks_(hooks), mm_(*call.mm), model_(machine.model()),
      pfn_(machine.pfn_format()), entry_(machine.entry_format()),
      block_(pfn_, call.default_flags, call.pfn_flags_mask),
      use_block_(path == PtePath::block_when_possible && hooks == nullptr && machine.recorder() == nullptr &&
                 !entry_.shadow_stack),
      can_ask_(((call.default_flags | call.pfn_flags_mask) & pfn_.req_fault()) != 0), last_(call.start), reached_(call.start) {
  if (model_.unified == UnifiedStyle::none) return;
  prepare_.emplace(machine, call);
  use_block_ = use_block_ && !prepare_->wanted();
}

bool RangeWalk::sequence_moved() {
  if (hooks_ != nullptr) {
    if (const std::optional<bool> moved = hooks_->sequence_moved(call_)) return *moved;
  }
  return call_.notifier != nullptr && call_.notifier->check_retry(call_.notifier_seq);
}

RangeFaultResult RangeWalk::run() {
  machine_.enter(Function::hmm_range_fault, {call_.start, call_.end, call_.default_flags, call_.pfn_flags_mask,
                                             call_.dev_private_owner, call_.notifier_seq});
  int ret = prepare_ ? prepare_->begin() : 0;
  while (ret == 0) {
    if (sequence_moved()) {
      const uint64_t current = call_.notifier != nullptr ? call_.notifier->invalidate_seq() : 0;
      machine_.step(RuleId::range_sequence_moved, {call_.notifier_seq, current, last_});
      ret = -EBUSY;
      break;
    }
    machine_.step(RuleId::range_walk, {last_, call_.end, call_.notifier_seq});
    ++result_.walks;
    ret = walk_page_range(last_, call_.end);
    if (ret == fault_pending) ret = fault_outside();
    if (ret == fault_unlocked) {
      result_.lock_dropped = true;
      ret = call_.fatal_signal ? -EINTR : -EBUSY;
      machine_.step(RuleId::range_return, {static_cast<uint64_t>(static_cast<int64_t>(ret)), last_});
      break;
    }
    if (ret != -EBUSY) {
      machine_.step(RuleId::range_return, {static_cast<uint64_t>(static_cast<int64_t>(ret)), last_});
      break;
    }
    if (result_.walks > call_.max_restarts || circle_.circles(machine_, last_, hooks_, call_.undisturbed)) {
      machine_.step(RuleId::range_livelock, {last_, result_.walks});
      result_.stuck = Stuck::livelock;
      result_.stuck_at = last_;
      ret = -EDEADLK;
      break;
    }
    machine_.step(RuleId::range_restart, {last_});
    ret = 0;
  }
  if (prepare_ && result_.stuck == Stuck::no) result_.filled_migrate = prepare_->finish(ret);
  machine_.leave(ret);
  result_.ret = ret;
  result_.last = ret == 0 ? call_.end : last_;
  result_.reached = reached_;
  return result_;
}

void RangeWalk::let_go_of_pte() {
  if (ptl_ != nullptr) ptl_->unlock();
  ptl_ = nullptr;
}

int RangeWalk::need_pages(uint64_t addr, uint64_t end, unsigned need) {
  let_go_of_pte();
  if (model_.fault_style == FaultStyle::inside_walk) return fault_pages(Function::hmm_vma_fault, addr, end, need);
  enter_with(Function::hmm_record_fault, addr, end, need);
  machine_.step(RuleId::record_fault, {addr, end, need});
  set_last(addr);
  pending_end_ = end;
  pending_need_ = need;
  return leave(Function::hmm_record_fault, addr, fault_pending);
}

int RangeWalk::fault_outside() {
  machine_.step(RuleId::range_fault_outside, {last_, pending_end_, pending_need_});
  vma_ = mm_.vma_at(last_);
  return fault_pages(Function::hmm_do_fault, last_, pending_end_, pending_need_);
}

int RangeWalk::fault_pages(Function function, uint64_t addr, uint64_t end, unsigned need) {
  assert(vma_ && need != 0);
  enter_with(function, addr, end, need);
  machine_.step(RuleId::vma_fault_begin, {addr, end, need, vma_.flags()});
  if (prepare_ && prepare_->faults_one_page() && end - addr > page_bytes) {
    end = addr + page_bytes;
    machine_.step(RuleId::vma_fault_one_page, {addr, end});
  }
  set_last(addr);
  return leave(function, addr, fault_each(addr, end, need));
}

int RangeWalk::fault_each(uint64_t addr, uint64_t end, unsigned need) {
  uint32_t flags = fault_flag::remote;
  if ((need & need_write_bit) != 0) {
    if ((vma_.flags() & vm::write) == 0) {
      machine_.step(RuleId::vma_fault_write_denied, {addr, vma_.flags()});
      return -EPERM;
    }
    flags |= fault_flag::write;
  }
  if (call_.may_drop_lock) flags |= fault_flag::allow_retry | fault_flag::killable;
  // Every page of the part, asked for or not; the slots are not looked at again.
  for (uint64_t page = addr; page < end; page += page_bytes) {
    const uint32_t fault = handle_mm_fault(page, flags);
    if (call_.may_drop_lock && (fault & (vm_fault::retry | vm_fault::completed)) != 0) {
      machine_.step(call_.fatal_signal ? RuleId::vma_fault_killed : RuleId::vma_fault_dropped, {page, fault});
      return fault_unlocked;
    }
    if ((fault & vm_fault::error) == 0) {
      if (hooks_ != nullptr) page += skip_faults(page + page_bytes, end);
      continue;
    }
    const int ret = model_.fault_errno_mapped && (fault & vm_fault::oom) != 0 ? -ENOMEM : -EFAULT;
    machine_.step(RuleId::vma_fault_error, {page, fault, static_cast<uint64_t>(static_cast<int64_t>(ret))});
    return ret;
  }
  machine_.step(RuleId::vma_fault_busy, {addr, end});
  return -EBUSY;
}

/// Bytes that the hooks have answered at once.
uint64_t RangeWalk::skip_faults(uint64_t addr, uint64_t end) {
  if (addr >= end) return 0;
  const uint64_t skipped = hooks_->faults_to_skip(addr, end);
  assert(skipped <= (end - addr) >> page_bits);
  result_.faults += skipped;
  return skipped << page_bits;
}

uint32_t RangeWalk::handle_mm_fault(uint64_t addr, uint32_t flags) {
  ++result_.faults;
  enter_with(Function::handle_mm_fault, addr, addr + page_bytes, flags);
  const uint32_t fault = fault_answer(machine_, hooks_, mm_, addr, flags);
  leave(Function::handle_mm_fault, addr, static_cast<int>(fault));
  return fault;
}

int RangeWalk::wait_for_migration(uint64_t addr, uint64_t entry) {
  let_go_of_pte();
  machine_.enter(Function::migration_entry_wait, {addr, entry});
  const bool over = hooks_ != nullptr && hooks_->wait_for_migration(addr);
  if (!over && prepare_) prepare_->name_own_entry(addr, entry);
  machine_.step(over ? RuleId::migration_wait_over : RuleId::migration_wait_stuck, {addr, entry});
  machine_.leave();
  if (over) return -EBUSY;
  result_.stuck = Stuck::migration_wait;
  result_.stuck_at = addr;
  return -EDEADLK;
}

RangeFaultResult hmm_range_fault(Machine& machine, const RangeFaultCall& call, WalkHooks* hooks, PtePath path) {
  assert(call.mm != nullptr && call.pfns != no_word);
  assert(((call.start | call.end) & (page_bytes - 1)) == 0);
  return RangeWalk(machine, call, hooks, path).run();
}

WordIndex add_range_words(Machine& machine, const RangeFaultCall& call, std::string name) {
  Region region;
  region.kind = RegionKind::range;
  region.owner = call.mm->id();
  region.count = static_cast<uint32_t>(RangeWord::count_);
  region.address = call.start;
  region.name = std::move(name);
  const WordIndex first = machine.add_region(std::move(region));
  const auto set = [&](RangeWord w, uint64_t value) { machine.store(word_of(first, w), value); };
  set(RangeWord::start, call.start);
  set(RangeWord::end, call.end);
  set(RangeWord::default_flags, call.default_flags);
  set(RangeWord::pfn_flags_mask, call.pfn_flags_mask);
  set(RangeWord::dev_private_owner, call.dev_private_owner);
  set(RangeWord::notifier_seq, call.notifier_seq);
  set(RangeWord::last, call.start);
  return first;
}

}  // namespace hmmscope
