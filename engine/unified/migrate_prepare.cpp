// The page-table side of the unified fault-and-migrate patches (mm/hmm.c of RFC 2/4).
#include "engine/unified/migrate_prepare.h"

#include <cerrno>
#include <optional>

#include "engine/machine/spin_guard.h"
#include "engine/migrate/entry_conversion.h"
#include "engine/migrate/migrate_internal.h"

namespace hmmscope {

namespace {

uint64_t want_migrate(const Machine& machine, const RangeFaultCall& call) {
  const uint64_t asked = call.migrate != nullptr ? call.migrate->select : 0;
  const bool requested = (call.default_flags & machine.model().hmm_pfn->mask(Role::migrate)) != 0;
  return asked | (requested ? migrate_select::system : 0);
}

}  // namespace

MigratePrepare::MigratePrepare(Machine& machine, const RangeFaultCall& call)
    : machine_(machine),
      call_(call),
      mm_(*call.mm),
      policy_(unified_policy(machine.model().unified)),
      migrate_flag_(machine.model().hmm_pfn->mask(Role::migrate)),
      valid_flag_(machine.pfn_format().valid),
      hole_word_(policy_.hole_is_valid ? migrate_flag_ | valid_flag_ : migrate_flag_),
      select_(want_migrate(machine, call)) {}

int MigratePrepare::begin() {
  if (!wanted() || !policy_.array_cleared) return 0;
  if ((policy_.refuses_lock_drop && call_.may_drop_lock) || call_.pfn_flags_mask != 0) {
    machine_.step(RuleId::range_migrate_refused, {call_.may_drop_lock, call_.pfn_flags_mask});
    return -EINVAL;
  }
  const auto pages = static_cast<uint32_t>((call_.end - call_.start) / page_bytes);
  machine_.step(RuleId::range_array_cleared, {call_.start, call_.end});
  machine_.fill_keeping(call_.pfns, pages, 0, 0, 0);
  return 0;
}

int MigratePrepare::capture(const Vma& vma, uint64_t start, uint64_t end) {
  if (!wanted()) return 0;
  machine_.enter(Function::hmm_vma_capture_migrate_range, {start, end});
  if (vma_ && !(vma_ == vma)) {
    machine_.step(RuleId::capture_other_vma, {start, end, vma.start(), vma_.start()});
    machine_.leave(-ERANGE);
    return -ERANGE;
  }
  machine_.step(RuleId::capture_remember, {start, end, vma.start(), select_});
  vma_ = vma;
  end_ = end;
  const uint64_t owner = call_.dev_private_owner;
  // The kernel remembers a started notifier by its owner, so without one every part starts another.
  if (starts_ == 0 || owner == 0) {
    machine_.step(owner == 0 ? RuleId::capture_notify_unowned : RuleId::capture_notify,
                  {start, end, owner, starts_});
    running_ = begin_invalidation(mm_, {start, end, NotifyEvent::migrate, owner}, hooks());
    ++starts_;
  }
  machine_.leave(0);
  return 0;
}

uint64_t MigratePrepare::fill_value(uint64_t addr, uint64_t end, uint64_t value) {
  if (!wanted() || value == machine_.pfn_format().error || !vma_ || vma_.kind() != VmaKind::anonymous)
    return value;
  machine_.step(RuleId::fill_migrate_hole, {addr, end, value | hole_word_});
  return value | hole_word_;
}

void MigratePrepare::filled(WordIndex slot, uint64_t addr, uint64_t end, uint64_t value) {
  if (wanted() && value == hole_word_ && whole_units(addr, end)) whole_holes(slot, addr, end);
}

/// As migrate_vma_collect_hole of 6.19: the selftests that such a kernel has (migrate_anon_huge_empty) ask for it.
void MigratePrepare::whole_holes(WordIndex slot, uint64_t addr, uint64_t end) {
  const uint64_t word = hole_word_ | machine_.model().hmm_pfn->mask(Role::compound);
  machine_.step(RuleId::prepare_huge_hole, {addr, end, word});
  for (; addr < end; addr += level_size(Level::pmd), slot += entries_per_table) {
    machine_.store(slot, word);
    machine_.fill_keeping(slot + 1, entries_per_table - 1, 0, 0, 0);
  }
}

bool MigratePrepare::finish(int ret) {
  if (!wanted() || starts_ == 0) return false;
  if (call_.dev_private_owner == 0 || call_.migrate == nullptr) {
    machine_.step(RuleId::range_notifier_left_open, {call_.start, call_.end, call_.dev_private_owner,
                                                     mm_.notifiers().active_invalidate_ranges()});
    return false;
  }
  const bool fills = call_.notifier != nullptr || call_.names_notifier;
  if (fills) {
    machine_.step(RuleId::range_fill_migrate, {vma_.start(), call_.start, end_});
    call_.migrate->mm = &mm_;
    call_.migrate->vma = vma_;
    call_.migrate->start = call_.start;
    call_.migrate->end = end_;
  }
  end_invalidation(mm_, running_, hooks());
  if (ret != 0 && policy_.rolls_back && prepared_ != 0) roll_back(ret);
  return fills;
}

void MigratePrepare::roll_back(int ret) {
  machine_.step(RuleId::range_rollback, {static_cast<uint64_t>(static_cast<int64_t>(ret)), prepared_});
  take_back(machine_, call_.pfns, *call_.migrate);
}

void MigratePrepare::enter(Function function, uint64_t addr, uint64_t end) {
  if (hooks() != nullptr) hooks()->entered(function, addr, end, 0);
}

void MigratePrepare::leave(Function function, uint64_t addr, int64_t ret) {
  if (hooks() != nullptr) hooks()->left(function, addr, ret);
}

void MigratePrepare::name_own_entry(uint64_t addr, uint64_t entry) {
  const uint64_t pfn = machine_.entry_format().swap.pfn(entry);
  const Folio folio = Folio::of(machine_, pfn);
  const auto migration = static_cast<uint64_t>(FolioLocker::migration);
  if (!folio || folio.get(FolioWord::lock_owner) != migration) return;
  machine_.step(RuleId::stuck_own_entry, {addr, entry, pfn, migration});
}

void MigratePrepare::mark_hole(WordIndex slot) {
  // The whole word is overwritten, sticky bits too (the later form has cleared them before).
  machine_.store(slot, hole_word_);
}

MigratePrepare::Next MigratePrepare::pte(const Vma& vma, WordIndex word, WordIndex slot, uint64_t addr,
                                         SpinGuard& ptl) {
  machine_.enter(Function::hmm_vma_handle_migrate_prepare, {addr});
  enter(Function::hmm_vma_handle_migrate_prepare, addr, addr + page_bytes);
  Next next = Next::go_on;
  if (wanted()) {
    if (!policy_.one_lock) machine_.step(RuleId::prepare_read_again, {addr});
    next = pte_decide(vma, word, slot, addr, ptl);
  } else {
    machine_.step(RuleId::prepare_not_wanted);
  }
  leave(Function::hmm_vma_handle_migrate_prepare, addr, 0);
  machine_.leave();
  return next;
}

MigratePrepare::Next MigratePrepare::pte_decide(const Vma& vma, WordIndex word, WordIndex slot, uint64_t addr,
                                                SpinGuard& ptl) {
  ptl.lock();   // as posted; the later form has held it since hmm_vma_handle_pte
  ptl_ = &ptl;
  const uint64_t pte = machine_.load(word), hmm_pfn = machine_.load(slot);
  if (x86::pte_none(pte)) {
    const bool fillable = vma.kind() == VmaKind::anonymous;
    machine_.step(fillable ? RuleId::prepare_none_anonymous : RuleId::prepare_none_other,
                  {addr, pte, hmm_pfn});
    if (fillable) mark_hole(slot);
    return Next::go_on;
  }
  if ((hmm_pfn & valid_flag_) == 0) {
    machine_.step(RuleId::prepare_not_valid, {addr, pte, hmm_pfn});
    return Next::go_on;
  }
  Candidate candidate;
  const bool go_on =
      x86::pte_present(pte) ? present(pte, slot, addr, candidate) : nonpresent(pte, addr, candidate);
  return go_on ? lock_and_replace(word, slot, addr, candidate) : Next::go_on;
}

bool MigratePrepare::nonpresent(uint64_t pte, uint64_t addr, Candidate& candidate) {
  const SwapFormat& swap = machine_.entry_format().swap;
  const SwapKind kind = swap.kind(pte);
  if (!is_device_private(kind)) {
    machine_.step(RuleId::prepare_other_entry, {addr, pte});
    return false;
  }
  if ((select_ & migrate_select::device_private) == 0) {
    machine_.step(RuleId::prepare_device_not_selected, {addr, pte, select_});
    return false;
  }
  candidate = {swap.pfn(pte), is_writable(kind)};
  machine_.step(RuleId::prepare_device, {addr, pte, candidate.pfn});
  return true;
}

bool MigratePrepare::present(uint64_t pte, WordIndex slot, uint64_t addr, Candidate& candidate) {
  const uint64_t pfn = x86::pte_pfn(pte);
  if (machine_.physical().is_zero_pfn(pfn) && system_selected()) {
    machine_.step(RuleId::prepare_zero_page, {addr, pte, machine_.load(slot)});
    mark_hole(slot);
    return false;
  }
  const bool no_page = x86::pte_special(pte);
  const DeviceMemory* device = no_page ? nullptr : machine_.physical().device_of(pfn);
  if (!no_page && device == nullptr && !system_selected()) {
    machine_.step(RuleId::prepare_system_not_selected, {addr, pte, select_});
    return false;
  }
  const uint64_t owner = call_.migrate != nullptr ? call_.migrate->pgmap_owner : 0;
  if (device != nullptr && device->coherent &&
      ((select_ & migrate_select::device_coherent) == 0 || device->owner != owner)) {
    machine_.step(RuleId::prepare_coherent_not_selected, {addr, pte, select_, device->owner, owner});
    return false;
  }
  if (no_page) {
    machine_.step(RuleId::prepare_no_page, {addr, pte});
    return false;
  }
  candidate = {pfn, machine_.entry_format().allows_write(pte)};
  machine_.step(RuleId::prepare_present, {addr, pte, pfn});
  return true;
}

bool MigratePrepare::may_take(uint64_t addr, const Folio& folio) {
  if (!policy_.anonymous_only) return true;
  if (!folio.has(folio_flag::anon)) {
    machine_.step(RuleId::prepare_not_anonymous, {addr, folio.pfn(), folio.mapping()});
    return false;
  }
  if (folio.has(folio_flag::swap_shared)) {
    machine_.step(RuleId::prepare_swap_shared, {addr, folio.pfn()});
    return false;
  }
  return true;
}

MigratePrepare::Next MigratePrepare::lock_and_replace(WordIndex word, WordIndex slot, uint64_t addr,
                                                      const Candidate& candidate) {
  std::optional<AtomicGuard> trylock(std::in_place, machine_);
  const Folio folio = Folio::of(machine_, candidate.pfn);
  if (!folio || folio.mapping() == 0) {
    machine_.step(RuleId::prepare_no_mapping, {addr, candidate.pfn});
    return Next::go_on;
  }
  if (!may_take(addr, folio)) return Next::go_on;
  if (folio.large()) return mapped_large(addr, folio);
  if (is_fault_folio(folio)) {
    machine_.step(RuleId::prepare_fault_folio, {addr, folio.pfn(), folio.refcount()});
    folio.take();
  } else if (busy(addr, folio)) {
    machine_.step(RuleId::prepare_locked, {addr, folio.pfn(), folio.get(FolioWord::lock_owner)});
    return Next::go_on;
  } else {
    machine_.step(RuleId::prepare_lock, {addr, folio.pfn(), folio.refcount()});
    folio.take();
    folio.lock(FolioLocker::migration);
  }
  trylock.reset();
  const uint64_t pte = machine_.load(word);
  const bool exclusive = folio.has(folio_flag::anon) && folio.has(folio_flag::anon_exclusive);
  if (exclusive && !take_exclusive(word, addr, folio)) return Next::go_on;
  replace(word, slot, addr, folio, pte,
          migration_kind(machine_.entry_format().swap, candidate.writable, exclusive));
  return Next::go_on;
}

bool MigratePrepare::take_exclusive(WordIndex word, uint64_t addr, const Folio& folio) {
  const uint64_t pte = machine_.load(word);
  const bool flush = (pte & x86::present.mask()) != 0;
  if (!pinned(addr, folio)) {
    machine_.step(RuleId::prepare_exclusive, {addr, pte, folio.refcount()});
    machine_.store(word, 0);
    if (flush) count_flush(machine_, mm_);
    folio.set_flag(folio_flag::anon_exclusive, false);
    return true;
  }
  machine_.step(RuleId::prepare_pinned, {addr, pte, folio.refcount(), is_fault_folio(folio)});
  if (flush) count_flush(machine_, mm_);
  // As posted the lock goes even when it is the fault path's.
  if (!policy_.keeps_fault_lock || !is_fault_folio(folio)) folio.unlock();
  folio.put();
  return false;
}

void MigratePrepare::replace(WordIndex word, WordIndex slot, uint64_t addr, const Folio& folio, uint64_t pte,
                             SwapKind kind) {
  constexpr uint64_t accessed_dirty = x86::accessed.mask() | x86::dirty.mask() | x86::saved_dirty.mask();
  const bool present = x86::pte_present(pte);
  // As posted neither A nor D goes into the entry, and the folio is not marked dirty: the collector did both.
  const bool forgets = present && !policy_.carries_bits;
  const uint64_t remembered = forgets ? pte & ~accessed_dirty : pte;
  const uint64_t entry =
      make_migration_entry(machine_.model(), machine_.entry_format().swap, remembered, folio.pfn(), kind);
  machine_.step(kind == SwapKind::migration_write            ? RuleId::prepare_entry_write
                : kind == SwapKind::migration_read_exclusive ? RuleId::prepare_entry_read_exclusive
                                                             : RuleId::prepare_entry_read,
                {addr, pte, entry});
  if (present && policy_.carries_bits && entry_dirty(pte)) folio.set_flag(folio_flag::dirty);
  machine_.store(word, entry);
  ++prepared_;
  if (hooks() != nullptr) hooks()->replaced(mm_, addr, pte, entry);
  folio.remove_rmap();
  folio.put();
  machine_.store(slot, machine_.load(slot) | migrate_flag_);
  if (!present) return;
  if (forgets && (pte & accessed_dirty) != 0) {
    machine_.step(RuleId::prepare_bits_lost, {addr, pte & accessed_dirty, folio.has(folio_flag::dirty)});
  }
  if (policy_.flushes_per_part) {
    unflushed_ = true;
    return;
  }
  machine_.step(RuleId::prepare_flush, {addr});
  count_flush(machine_, mm_);
}

void MigratePrepare::part_done(uint64_t addr, uint64_t end) {
  if (!unflushed_) return;
  unflushed_ = false;
  machine_.step(RuleId::prepare_flush_part, {addr, end});
  count_flush(machine_, mm_);
}

}  // namespace hmmscope
