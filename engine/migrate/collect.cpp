// migrate_vma_collect: one page walk that turns mappings into src words (mm/migrate_device.c).
#include "engine/migrate/collect.h"

namespace hmmscope {
namespace {

RuleId hole_rule(Level level) {
  switch (level) {
    case Level::pgd:
      return RuleId::walk_pgd_hole;
    case Level::p4d:
      return RuleId::walk_p4d_hole;
    case Level::pud:
      return RuleId::walk_pud_hole;
    default:
      return RuleId::walk_pmd_hole;
  }
}

}  // namespace

bool Collect::run() {
  machine_.enter(Function::migrate_vma_collect, {args_.start, args_.end});
  entered(Function::migrate_vma_collect, args_.start, args_.end, 0);
  const Invalidation running = begin_invalidation(
      *args_.mm, {args_.start, args_.end, NotifyEvent::migrate, args_.pgmap_owner}, args_.hooks);
  machine_.enter(Function::walk_page_range, {args_.start, args_.end});
  const bool came_back = walk(args_.mm->tables().top(), args_.start, args_.end);
  machine_.leave(0);
  if (came_back) {
    end_invalidation(*args_.mm, running, args_.hooks);
    args_.end = args_.start + args_.npages * page_bytes;
  }
  left(Function::migrate_vma_collect, args_.start, 0);
  machine_.leave();
  return came_back;
}

bool Collect::walk(Level level, uint64_t addr, uint64_t end) {
  for (uint64_t next = addr; addr < end; addr = next) {
    next = level_end(level, addr, end);
    before(level, addr, next);
    const WordIndex word = args_.mm->tables().ensure_word(level, addr);
    const uint64_t entry = machine_.load(word);
    if (x86::pte_none(entry)) {
      machine_.step(hole_rule(level), {addr, next, entry});
      hole(addr, next, depth(level));
    } else if (level == Level::pmd) {
      if (!pmd(word, addr, next)) return false;
    } else if (points_to_table(entry)) {
      if (!walk(below(level), addr, next)) return false;
    } else {
      if (level == Level::pud && x86::pud_leaf(entry)) {
        split_huge_pud(machine_, *args_.mm, addr, RuleId::walk_pud_split, {addr, next, entry});
      } else {
        machine_.step(RuleId::walk_table_bad, {addr, next, entry});   // cannot be descended into
        machine_.store(word, 0);
      }
      hole(addr, next, depth(level));
    }
  }
  return true;
}

void Collect::before(Level level, uint64_t addr, uint64_t end) {
  if (args_.hooks == nullptr) return;
  switch (level) {
    case Level::pgd:
      return args_.hooks->before_pgd(addr, end);
    case Level::p4d:
      return args_.hooks->before_p4d(addr, end);
    case Level::pud:
      return args_.hooks->before_pud(addr, end);
    default:
      return args_.hooks->before_pmd(addr, end);
  }
}

/// Depths follow the kernel's levels; a folded p4d counts as the pgd.
uint64_t Collect::depth(Level level) const {
  const bool folded = args_.mm->tables().levels() == 4;
  switch (level) {
    case Level::pgd:
      return 0;
    case Level::p4d:
      return folded ? 0 : 1;
    case Level::pud:
      return 2;
    default:
      return 3;
  }
}

void Collect::hole(uint64_t addr, uint64_t end, uint64_t depth) {
  machine_.enter(Function::migrate_vma_collect_hole, {addr, end, depth});
  entered(Function::migrate_vma_collect_hole, addr, end, depth);
  const auto pages = static_cast<uint32_t>((end - addr) / page_bytes);
  const bool fillable = args_.vma.kind() == VmaKind::anonymous;
  if (fillable && whole_units(addr, end)) {
    machine_.step(RuleId::collect_hole_compound, {addr, end});
    push(format_.migrate | format_.compound);
    push_run(pages - 1, 0);
    ++args_.cpages;
    left(Function::migrate_vma_collect_hole, addr, 0);
    machine_.leave(0);
    return;
  }
  machine_.step(fillable ? RuleId::collect_hole_anonymous : RuleId::collect_hole_skip, {addr, end});
  push_run(pages, fillable ? format_.migrate : 0);
  if (fillable) args_.cpages += pages;
  left(Function::migrate_vma_collect_hole, addr, 0);
  machine_.leave(0);
}

/// migrate_vma_collect_skip: the part is left alone. `rule` says why.
void Collect::skip(RuleId rule, uint64_t addr, uint64_t end, uint64_t detail) {
  machine_.step(rule, {addr, end, detail});
  push_run(static_cast<uint32_t>((end - addr) / page_bytes), 0);
}

void Collect::push_run(uint32_t pages, uint64_t value) {
  machine_.fill_keeping(args_.src + static_cast<WordIndex>(args_.npages), pages, value, 0, 0);
  machine_.fill_keeping(args_.dst + static_cast<WordIndex>(args_.npages), pages, 0, 0, 0);
  args_.npages += pages;
}

void Collect::push(uint64_t mpfn) {
  machine_.store(args_.src + static_cast<WordIndex>(args_.npages), mpfn);
  machine_.store(args_.dst + static_cast<WordIndex>(args_.npages), 0);
  ++args_.npages;
}

bool Collect::pmd(WordIndex word, uint64_t addr, uint64_t end) {
  machine_.enter(Function::migrate_vma_collect_pmd, {addr, end});
  entered(Function::migrate_vma_collect_pmd, addr, end, 0);
  const Pmd outcome = huge_pmd(word, addr, end);
  if (outcome == Pmd::table) ptes(addr, end);
  left(Function::migrate_vma_collect_pmd, addr, 0);
  machine_.leave(0);
  return outcome != Pmd::stuck;
}

Collect::Pmd Collect::huge_pmd(WordIndex word, uint64_t addr, uint64_t end) {
  if (points_to_table(machine_.load(word))) return Pmd::table;
  SpinGuard locked(machine_, pmd_lock(args_.mm->id(), addr));
  const uint64_t pmd = machine_.load(word);
  const KernelModel& model = machine_.model();
  if (points_to_table(pmd)) return Pmd::table;
  if (model.collect_splits_mapped_large) return collect_huge_pmd(word, addr, end, locked);
  if (!x86::pmd_present(pmd)) {
    if (model.collect_spins_on_pmd_migration) {
      machine_.step(RuleId::collect_pmd_spin, {addr, pmd});
      args_.stuck_at = addr;
      return Pmd::stuck;
    }
    skip(RuleId::collect_pmd_not_present, addr, end, pmd);
    return Pmd::done;
  }
  const uint64_t pfn = leaf_pfn(Level::pmd, pmd);
  if (pfn == machine_.physical().huge_zero_pfn()) {
    locked.unlock();
    split_huge_pmd(machine_, *args_.mm, addr, RuleId::collect_pmd_zero);
    return Pmd::table;
  }
  const Folio folio = Folio::of(machine_, pfn);
  {
    const AtomicGuard trylock(machine_);
    if (!folio || busy(addr, folio)) {
      skip(RuleId::collect_pmd_locked, addr, end, folio ? folio.get(FolioWord::lock_owner) : 0);
      return Pmd::done;
    }
    machine_.step(RuleId::collect_pmd_split, {addr, pmd, folio.refcount()});
    folio.take();
    folio.lock(FolioLocker::migration);
  }
  locked.unlock();
  return split_candidate(folio, addr, end);
}

bool collect(Machine& machine, MigrateVma& args) { return Collect(machine, args).run(); }

}  // namespace hmmscope
