// The iterator's walk: lookup, populate, protect and unprotect, leaf entries.

#include "engine/mirror_table/mirror_iterator.h"

#include <algorithm>
#include <cassert>

namespace hmmscope {

namespace {

/// One atomic action: its steps belong to the kernel function it is part of.
class Called {
 public:
  Called(Machine& machine, Function function, std::initializer_list<uint64_t> arguments) : machine_(machine) {
    machine_.enter(function, arguments);
  }
  ~Called() { machine_.leave(); }
  Called(const Called&) = delete;
  Called& operator=(const Called&) = delete;

 private:
  Machine& machine_;
};

}  // namespace

std::optional<Role> MirrorAction::role() const {
  switch (kind) {
    case Kind::map_pfn: return Role::valid;
    case Kind::map_dma: return Role::dma_mapped;
    case Kind::map_dev: return Role::device_private;
    case Kind::dirty: return Role::dirty;
    case Kind::select: return Role::select;
    default: return std::nullopt;
  }
}

MirrorIterator::MirrorIterator(MirrorTable& table, const Everybody& everybody, std::string name)
    : table_(table), machine_(table.machine()), everybody_(everybody), name_(std::move(name)) {
  Region region;
  region.kind = RegionKind::mirror_iterator;
  region.count = static_cast<uint32_t>(MirrorIteratorWord::count_);
  region.name = name_ + " iterator";
  words_ = machine_.add_region(std::move(region));
}

void MirrorIterator::begin(std::vector<MirrorAction> actions) {
  assert(done());
  program_.emplace(run(std::move(actions)));
  program_->start();
}

void MirrorIterator::turn() {
  assert(!done());
  machine_.set_task(task);
  turns_.give();
  machine_.set_task(0);
}

MirrorIterator::PageId MirrorIterator::ptd(uint32_t level) const {
  const uint64_t pfn = get(ptd_word(level));
  return pfn == 0 ? MirrorTable::no_page : static_cast<PageId>(pfn - MirrorTable::first_pfn);
}

void MirrorIterator::set_ptd(uint32_t level, PageId page) {
  set(ptd_word(level), page == MirrorTable::no_page ? 0 : table_.pfn(page));
}

void MirrorIterator::add_protected(std::vector<uint32_t>& protectors) const {
  protectors.resize(std::max(protectors.size(), table_.page_count()));
  for (uint32_t level = 1; level <= table_.geometry().llevel; ++level) {
    if (const PageId page = ptd(level); page != MirrorTable::no_page) ++protectors[page];
  }
}

void MirrorIterator::enter_rcu() {
  ++section_;
  set(MirrorIteratorWord::rcu, 1);
}

Program<void> MirrorIterator::run(std::vector<MirrorAction> actions) {
  for (const MirrorAction& action : actions) co_await perform(action);
}

Program<void> MirrorIterator::perform(MirrorAction action) {
  using Kind = MirrorAction::Kind;
  switch (action.kind) {
    case Kind::lookup:
      co_await lookup(action.addr);
      break;
    case Kind::populate:
      co_await populate(action.addr);
      break;
    case Kind::map_pfn:
    case Kind::map_dma:
    case Kind::map_dev:
      co_await populate(action.addr);
      co_await turns_.next();
      set_pte(action);
      break;
    case Kind::unmap: {
      const bool found = co_await lookup(action.addr);
      co_await turns_.next();
      if (found) clear_pte(action.addr);
      else machine_.step(RuleId::mirror_no_pte, {action.addr});
      break;
    }
    case Kind::dirty:
    case Kind::select: {
      const bool found = co_await lookup(action.addr);
      co_await turns_.next();
      if (found) mark_pte(action);
      else machine_.step(RuleId::mirror_no_pte, {action.addr});
      break;
    }
    case Kind::release:
      co_await release();
      break;
    case Kind::fini:
      co_await fini();
      break;
  }
}

Program<void> MirrorIterator::move_to(uint64_t addr) {
  const MirrorGeometry& g = table_.geometry();
  for (uint32_t level = g.llevel; level >= 1; --level) {
    const PageId page = ptd(level);
    if (page == MirrorTable::no_page) continue;
    if (table_.get(page, MirrorDirectoryWord::address) == g.level_start(level, addr)) continue;
    co_await unprotect(level);
  }
  co_await turns_.next();
  Called called(machine_, Function::hmm_pt_iter_lookup, {addr});
  machine_.step(RuleId::mirror_move, {addr});
  set(MirrorIteratorWord::cur, addr);
}

Program<bool> MirrorIterator::protect(uint32_t level) {
  const uint64_t addr = cur();
  co_await turns_.next();
  uint64_t entry = 0;
  {
    Called called(machine_, Function::hmm_pt_protect_directory, {level, addr});
    entry = machine_.load(table_.entry_word(level - 1, above(level), addr));
    const bool valid = table_.page_of(entry) != MirrorTable::no_page;
    machine_.step(valid ? RuleId::mirror_read : RuleId::mirror_read_invalid, {level, addr, entry});
    if (valid) enter_rcu();
  }
  const PageId page = table_.page_of(entry);
  if (page == MirrorTable::no_page) co_return false;
  const uint64_t life = table_.life(page);
  co_await turns_.next();
  Called called(machine_, Function::hmm_pt_protect_directory, {level, addr});
  if (table_.life(page) != life) {
    machine_.step(RuleId::mirror_use_after_free, {level, table_.pfn(page), static_cast<uint64_t>(table_.state(page))});
    leave_rcu();
    table_.report(MirrorViolation::use_after_free, table_.pfn(page));
    co_return false;
  }
  if (table_.count(page) == 0) {
    machine_.step(RuleId::mirror_dying, {level, table_.pfn(page)});
    leave_rcu();
    co_return false;
  }
  machine_.step(RuleId::mirror_ref, {level, table_.pfn(page), table_.count(page) + 1});
  table_.set_count(page, table_.count(page) + 1);
  set_ptd(level, page);
  leave_rcu();
  co_return true;
}

Program<bool> MirrorIterator::lookup(uint64_t addr) {
  co_await move_to(addr);
  for (uint32_t level = 1; level <= table_.geometry().llevel; ++level) {
    if (ptd(level) != MirrorTable::no_page) continue;
    const bool there = co_await protect(level);
    if (there) continue;
    co_await turns_.next();
    Called called(machine_, Function::hmm_pt_iter_lookup, {addr});
    machine_.step(RuleId::mirror_not_found, {addr, level});
    co_return false;
  }
  co_await turns_.next();
  Called called(machine_, Function::hmm_pt_iter_lookup, {addr});
  machine_.step(RuleId::mirror_found, {addr, machine_.load(pte_word(addr))});
  co_return true;
}

Program<void> MirrorIterator::populate(uint64_t addr) {
  co_await move_to(addr);
  for (uint32_t level = 1; level <= table_.geometry().llevel; ++level) {
    while (ptd(level) == MirrorTable::no_page) {
      const bool there = co_await protect(level);
      if (!there) co_await make_directory(level);
    }
  }
}

Program<void> MirrorIterator::make_directory(uint32_t level) {
  const uint64_t addr = cur();
  co_await turns_.next();
  {
    Called called(machine_, Function::hmm_pt_iter_populate, {level, addr});
    const bool spare_fits = spare_ != MirrorTable::no_page && table_.get(spare_, MirrorDirectoryWord::level) == level;
    if (spare_fits) {
      machine_.step(RuleId::mirror_spare_used, {level, table_.pfn(spare_)});
      table_.set(spare_, MirrorDirectoryWord::address, table_.geometry().level_start(level, addr));
    } else {
      if (spare_ != MirrorTable::no_page) free_page(spare_, RuleId::mirror_free);
      machine_.step(RuleId::mirror_alloc, {level, MirrorTable::first_pfn + table_.page_count()});
      spare_ = table_.allocate(level, addr);
    }
  }
  co_await turns_.next();
  Called called(machine_, Function::hmm_pt_iter_populate, {level, addr});
  const PageId fresh = spare_;
  if (install(level, fresh)) spare_ = MirrorTable::no_page;
}

bool MirrorIterator::install(uint32_t level, PageId fresh) {
  const WordIndex word = table_.entry_word(level - 1, above(level), cur());
  const uint64_t entry = machine_.load(word);
  const PageId there = table_.page_of(entry);
  if (there != MirrorTable::no_page && table_.count(there) != 0) {
    machine_.step(RuleId::mirror_lost_race, {level, entry, table_.pfn(fresh)});
    return false;
  }
  machine_.step(there == MirrorTable::no_page ? RuleId::mirror_install : RuleId::mirror_replace, {level, entry, table_.pde(fresh)});
  machine_.store(word, table_.pde(fresh));
  const PageId upper = above(level);
  table_.set(fresh, MirrorDirectoryWord::parent, upper == MirrorTable::no_page ? 0 : table_.pfn(upper));
  table_.set_state(fresh, MirrorDirectoryState::live);
  if (upper != MirrorTable::no_page) table_.set_count(upper, table_.count(upper) + 1);
  set_ptd(level, fresh);
  if (table_.options().keep_until_unmap) {
    machine_.step(RuleId::mirror_keep, {level, table_.pfn(fresh), table_.count(fresh) + 1});
    table_.set_count(fresh, table_.count(fresh) + 1);
  }
  return true;
}

void MirrorIterator::set_pte(const MirrorAction& action) {
  Called called(machine_, Function::hmm_pt_iter_directory_ref, {action.addr});
  const Layout& layout = table_.pte_layout();
  const Role role = action.role().value_or(Role::valid);
  assert(layout.mask(role) != 0);
  uint64_t pte = (action.value << table_.geometry().page_shift) | layout.mask(role);
  if (action.write) pte |= layout.mask(Role::write);
  const WordIndex word = pte_word(action.addr);
  const bool was_valid = table_.pte_valid(machine_.load(word));
  const PageId page = leaf();
  const uint64_t count = page == MirrorTable::no_page ? 0 : table_.count(page) + (was_valid ? 0 : 1);
  machine_.step(was_valid ? RuleId::mirror_change_pte : RuleId::mirror_set_pte, {action.addr, pte, count});
  machine_.store(word, pte);
  if (page != MirrorTable::no_page) table_.set_count(page, count);
}

void MirrorIterator::clear_pte(uint64_t addr) {
  Called called(machine_, Function::hmm_pt_iter_directory_unref, {addr});
  const WordIndex word = pte_word(addr);
  const uint64_t pte = machine_.load(word);
  if (!table_.pte_valid(pte)) {
    machine_.step(RuleId::mirror_no_pte, {addr});
    return;
  }
  const PageId page = leaf();
  const uint64_t count = page == MirrorTable::no_page ? 0 : table_.count(page) - 1;
  machine_.step(RuleId::mirror_clear_pte, {addr, pte, count});
  machine_.store(word, 0);
  if (page != MirrorTable::no_page) table_.set_count(page, count);
}

void MirrorIterator::mark_pte(const MirrorAction& action) {
  Called called(machine_, Function::hmm_pt_iter_directory_ref, {action.addr});
  const WordIndex word = pte_word(action.addr);
  const uint64_t pte = machine_.load(word);
  if (!table_.pte_valid(pte)) {
    machine_.step(RuleId::mirror_no_pte, {action.addr});
    return;
  }
  const Role role = action.role().value_or(Role::dirty);
  assert(table_.pte_layout().mask(role) != 0);
  const uint64_t marked = pte | table_.pte_layout().mask(role);
  machine_.step(role == Role::dirty ? RuleId::mirror_set_dirty : RuleId::mirror_set_select, {action.addr, marked});
  machine_.store(word, marked);
}

}  // namespace hmmscope
