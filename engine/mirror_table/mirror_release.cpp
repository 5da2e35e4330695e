// The iterator's other half: dropping protections, the unref race, the dead list and the grace period.

#include <algorithm>

#include "engine/mirror_table/mirror_iterator.h"

namespace hmmscope {

Program<void> MirrorIterator::unprotect(uint32_t level) {
  co_await turns_.next();
  const PageId page = ptd(level);
  const uint64_t count = table_.count(page) - 1;
  machine_.enter(Function::hmm_pt_iter_unprotect_directory, {level, cur()});
  if (count != 0) machine_.step(RuleId::mirror_unprotect, {level, table_.pfn(page), count});
  else machine_.step(RuleId::mirror_unprotect_last, {level, table_.pfn(page)});
  table_.set_count(page, count);
  set_ptd(level, MirrorTable::no_page);
  if (count == 0) table_.set_state(page, MirrorDirectoryState::dying);
  machine_.leave();
  if (count != 0) co_return;
  co_await turns_.next();
  unlink(page);
  co_await turns_.next();
  bury(page);
}

void MirrorIterator::unlink(PageId page) {
  const auto level = static_cast<uint32_t>(table_.get(page, MirrorDirectoryWord::level));
  const uint64_t parent = table_.get(page, MirrorDirectoryWord::parent);
  const PageId upper = parent == 0 ? MirrorTable::no_page : static_cast<PageId>(parent - MirrorTable::first_pfn);
  const WordIndex word = table_.entry_word(level - 1, upper, table_.get(page, MirrorDirectoryWord::address));
  const uint64_t entry = machine_.load(word);
  const bool same = entry == table_.pde(page);
  const bool clears = same || !table_.options().compare_before_clear;
  machine_.enter(Function::hmm_pt_iter_directory_unref, {level, table_.pfn(page)});
  machine_.step(same ? RuleId::mirror_unlink : clears ? RuleId::mirror_unlink_blind : RuleId::mirror_unlink_other,
                {level, entry, table_.pfn(page)});
  if (clears) machine_.store(word, 0);
  table_.set_state(page, MirrorDirectoryState::unlinked);
  const PageId other = table_.page_of(entry);
  if (clears && !same && other != MirrorTable::no_page && table_.count(other) != 0)
    table_.report(MirrorViolation::lost_directory, table_.pfn(other), entry, 0);
  machine_.leave();
}

void MirrorIterator::bury(PageId page) {
  const uint64_t level = table_.get(page, MirrorDirectoryWord::level);
  const uint64_t parent = table_.get(page, MirrorDirectoryWord::parent);
  machine_.enter(Function::hmm_pt_iter_directory_unref, {level, table_.pfn(page)});
  if (parent == 0) {
    machine_.step(RuleId::mirror_dead_root, {level, table_.pfn(page)});
  } else {
    const auto upper = static_cast<PageId>(parent - MirrorTable::first_pfn);
    machine_.step(RuleId::mirror_dead, {level, table_.pfn(page), table_.count(upper) - 1});
    table_.set_count(upper, table_.count(upper) - 1);
  }
  table_.set_state(page, MirrorDirectoryState::dead);
  dead_.push_back(page);
  set(MirrorIteratorWord::dead, dead_.size());
  machine_.leave();
}

Program<void> MirrorIterator::release() {
  for (uint32_t level = table_.geometry().llevel; level >= 1; --level) {
    if (ptd(level) != MirrorTable::no_page) co_await unprotect(level);
  }
}

Program<void> MirrorIterator::fini() {
  co_await release();
  co_await turns_.next();
  machine_.enter(Function::hmm_pt_iter_fini, {});
  if (dead_.empty()) machine_.step(RuleId::mirror_fini_nothing, {});
  if (spare_ != MirrorTable::no_page) free_page(spare_, RuleId::mirror_free);
  spare_ = MirrorTable::no_page;
  const bool waits = !dead_.empty() && table_.options().grace_period;
  if (waits) {
    machine_.step(RuleId::mirror_grace_begin, {dead_.size()});
    set(MirrorIteratorWord::waiting, 1);
    table_.count_up(MirrorCounterWord::grace_periods);
    waits_for_.clear();
    for (const auto& other : everybody_) {
      if (other.get() != this && other->get(MirrorIteratorWord::rcu) != 0) waits_for_.push_back({other.get(), other->section_});
    }
  }
  machine_.leave();
  while (waits && blocked()) {
    co_await turns_.next();
    machine_.enter(Function::hmm_pt_iter_fini, {});
    if (blocked()) machine_.step(RuleId::mirror_grace_wait, {dead_.size()});
    machine_.leave();
  }
  co_await free_dead();
}

bool MirrorIterator::blocked() const {
  return std::any_of(waits_for_.begin(), waits_for_.end(), [](const Inside& inside) {
    return inside.iterator->get(MirrorIteratorWord::rcu) != 0 && inside.iterator->section_ == inside.section;
  });
}

Program<void> MirrorIterator::free_dead() {
  waits_for_.clear();
  const bool early = !table_.options().grace_period;
  while (!dead_.empty()) {
    co_await turns_.next();
    machine_.enter(Function::hmm_pt_iter_fini, {});
    const PageId page = dead_.front();
    dead_.erase(dead_.begin());
    free_page(page, early ? RuleId::mirror_free_early : RuleId::mirror_free);
    set(MirrorIteratorWord::dead, dead_.size());
    if (dead_.empty()) set(MirrorIteratorWord::waiting, 0);
    machine_.leave();
  }
}

void MirrorIterator::free_page(PageId page, RuleId rule) {
  machine_.step(rule, {table_.pfn(page)});
  table_.free(page);
}

}  // namespace hmmscope
