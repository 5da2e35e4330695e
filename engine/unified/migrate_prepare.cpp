// The page-table side of the unified fault-and-migrate patches (mm/hmm.c of RFC 2/4).
#include "engine/unified/migrate_prepare.h"

#include <cerrno>

#include "engine/fault/cpu_fault.h"
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
      later_(machine.model().unified == UnifiedStyle::later),
      migrate_flag_(machine.model().hmm_pfn->mask(Role::migrate)),
      valid_flag_(machine.pfn_format().valid),
      hole_word_(later_ ? migrate_flag_ : migrate_flag_ | valid_flag_),
      select_(want_migrate(machine, call)) {}

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

bool MigratePrepare::finish() {
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
  return fills;
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
  // As posted the whole word is overwritten, sticky bits too.
  const uint64_t kept = later_ ? machine_.load(slot) & machine_.pfn_format().sticky : 0;
  machine_.store(slot, kept | hole_word_);
}

void MigratePrepare::pte(const Vma& vma, WordIndex word, WordIndex slot, uint64_t addr) {
  machine_.enter(Function::hmm_vma_handle_migrate_prepare, {addr});
  enter(Function::hmm_vma_handle_migrate_prepare, addr, addr + page_bytes);
  if (wanted())
    pte_decide(vma, word, slot, addr);
  else
    machine_.step(RuleId::prepare_not_wanted);
  leave(Function::hmm_vma_handle_migrate_prepare, addr, 0);
  machine_.leave();
}

void MigratePrepare::pte_decide(const Vma& vma, WordIndex word, WordIndex slot, uint64_t addr) {
  const uint64_t pte = machine_.load(word), hmm_pfn = machine_.load(slot);
  if (x86::pte_none(pte)) {
    const bool fillable = vma.kind() == VmaKind::anonymous;
    machine_.step(fillable ? RuleId::prepare_none_anonymous : RuleId::prepare_none_other,
                  {addr, pte, hmm_pfn});
    if (fillable) mark_hole(slot);
    return;
  }
  if ((hmm_pfn & valid_flag_) == 0) {
    machine_.step(RuleId::prepare_not_valid, {addr, pte, hmm_pfn});
    return;
  }
  Candidate candidate;
  const bool go_on =
      x86::pte_present(pte) ? present(pte, slot, addr, candidate) : nonpresent(pte, addr, candidate);
  if (go_on) lock_and_replace(word, slot, addr, candidate);
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
  candidate = {pfn, x86::pte_write(pte)};
  machine_.step(RuleId::prepare_present, {addr, pte, pfn});
  return true;
}

void MigratePrepare::lock_and_replace(WordIndex word, WordIndex slot, uint64_t addr,
                                      const Candidate& candidate) {
  const Folio folio = Folio::of(machine_, candidate.pfn);
  if (!folio || folio.mapping() == 0) {
    machine_.step(RuleId::prepare_no_mapping, {addr, candidate.pfn});
    return;
  }
  if (folio.large()) {
    machine_.step(RuleId::prepare_large, {addr, folio.pfn(), folio.order()});
    return;
  }
  if (is_fault_folio(folio)) {
    machine_.step(RuleId::prepare_fault_folio, {addr, folio.pfn(), folio.refcount()});
    folio.take();
  } else if (busy(addr, folio)) {
    machine_.step(RuleId::prepare_locked, {addr, folio.pfn(), folio.get(FolioWord::lock_owner)});
    return;
  } else {
    machine_.step(RuleId::prepare_lock, {addr, folio.pfn(), folio.refcount()});
    folio.take();
    folio.lock(FolioLocker::migration);
  }
  const uint64_t pte = machine_.load(word);
  const bool exclusive = folio.has(folio_flag::anon) && folio.has(folio_flag::anon_exclusive);
  if (exclusive && !take_exclusive(word, addr, folio)) return;
  replace(word, slot, addr, folio, pte,
          migration_kind(machine_.entry_format().swap, candidate.writable, exclusive));
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
  // The lock goes even when it is the fault path's.
  machine_.step(RuleId::prepare_pinned, {addr, pte, folio.refcount(), is_fault_folio(folio)});
  if (flush) count_flush(machine_, mm_);
  folio.unlock();
  folio.put();
  return false;
}

void MigratePrepare::replace(WordIndex word, WordIndex slot, uint64_t addr, const Folio& folio, uint64_t pte,
                             SwapKind kind) {
  constexpr uint64_t accessed_dirty = x86::accessed.mask() | x86::dirty.mask() | x86::saved_dirty.mask();
  const bool present = x86::pte_present(pte);
  // Neither A nor D goes into the entry, and the folio is not marked dirty: the collector did both.
  const uint64_t remembered = present ? pte & ~accessed_dirty : pte;
  const uint64_t entry =
      make_migration_entry(machine_.model(), machine_.entry_format().swap, remembered, folio.pfn(), kind);
  machine_.step(kind == SwapKind::migration_write            ? RuleId::prepare_entry_write
                : kind == SwapKind::migration_read_exclusive ? RuleId::prepare_entry_read_exclusive
                                                             : RuleId::prepare_entry_read,
                {addr, pte, entry});
  machine_.store(word, entry);
  if (hooks() != nullptr) hooks()->replaced(mm_, addr, pte, entry);
  folio.remove_rmap();
  folio.put();
  machine_.store(slot, machine_.load(slot) | migrate_flag_);
  if (!present) return;
  if ((pte & accessed_dirty) != 0) {
    machine_.step(RuleId::prepare_bits_lost, {addr, pte & accessed_dirty, folio.has(folio_flag::dirty)});
  }
  machine_.step(RuleId::prepare_flush, {addr});
  count_flush(machine_, mm_);
}

bool MigratePrepare::split(WordIndex word, uint64_t addr, uint64_t end) {
  machine_.enter(Function::hmm_vma_walk_split, {addr, end});
  enter(Function::hmm_vma_walk_split, addr, end);
  const bool split = split_decide(word, addr);
  leave(Function::hmm_vma_walk_split, addr, split ? 0 : -EBUSY);
  machine_.leave(split ? 0 : -EBUSY);
  machine_.step(split ? RuleId::split_restart : RuleId::split_failed, {addr, end});
  return split;
}

bool MigratePrepare::split_decide(WordIndex word, uint64_t addr) {
  const uint64_t pmd = machine_.load(word);
  const uint64_t pfn = leaf_pfn(Level::pmd, pmd);
  if (pfn == machine_.physical().huge_zero_pfn()) {
    split_huge_pmd(machine_, mm_, addr, RuleId::split_huge_zero);
    return true;
  }
  const Folio folio = Folio::of(machine_, pfn);
  if (folio && is_fault_folio(folio)) {
    machine_.step(RuleId::split_fault_folio, {addr, pfn});
    return false;
  }
  if (!folio || busy(addr, folio)) {
    machine_.step(RuleId::split_locked, {addr, pfn, folio ? folio.get(FolioWord::lock_owner) : 0});
    return false;
  }
  machine_.step(RuleId::split_try, {addr, pmd, folio.refcount()});
  folio.take();
  folio.lock(FolioLocker::migration);
  const bool done = split_folio(machine_, folio, hooks());
  const Folio head = Folio::of(machine_, pfn);  // the first of the small ones after a split
  machine_.step(done ? RuleId::split_unlock : RuleId::split_refused, {addr, pfn, head.refcount()});
  head.unlock();
  head.put();
  return done;
}

}  // namespace hmmscope
