#include "engine/test_hmm/device_mirror.h"

#include <algorithm>

#include "engine/driver_format/driver_format.h"
#include "engine/machine/spin_guard.h"
#include "engine/unified/migrate_prepare.h"

namespace hmmscope {

DeviceMirror::DeviceMirror(Machine& machine, AddressSpace& space, std::string name, uint64_t owner, uint32_t id)
    : machine_(&machine), space_(&space), name_(std::move(name)), owner_(owner), id_(id) {
  notifier_ = &space.notifiers().insert(0, space.tables().limit(), name_, this);
}

WordIndex DeviceMirror::add_words(RegionKind kind, uint64_t start, uint64_t pages, const char* what) {
  Region region;
  region.kind = kind;
  region.owner = id_;
  region.count = static_cast<uint32_t>(pages);
  region.address = start;
  region.stride = page_bytes;
  region.name = name_ + what;
  return machine_->add_region(std::move(region));
}

void DeviceMirror::reserve_table(uint64_t start, uint64_t pages) {
  const auto covers = [&](const Table& t) { return t.start == start && t.pages == pages; };
  if (std::any_of(tables_.begin(), tables_.end(), covers)) return;
  tables_.push_back({start, pages, add_words(RegionKind::device_table, start, pages, " page table")});
}

void DeviceMirror::commit(uint64_t start, WordIndex slots, uint64_t pages) {
  const DriverFormat format = DriverFormat::from(*machine_->model().hmm_pfn);
  for (const Table& table : tables_) {
    if (table.start != start || table.pages != pages) continue;
    for (uint32_t k = 0; k < pages; ++k) {
      const uint64_t slot = machine_->load(slots + k);
      const uint64_t entry = format.to_pfn(slot) ? slot : 0;
      if (machine_->load(table.first + k) != entry) machine_->store(table.first + k, entry);
    }
  }
}

void DeviceMirror::close() {
  space_->notifiers().remove(*notifier_);
  for (const Table& table : tables_) {
    machine_->fill_keeping(table.first, static_cast<uint32_t>(table.pages), 0, 0, 0);
    if (table.atomic != no_word) machine_->fill_keeping(table.atomic, static_cast<uint32_t>(table.pages), 0, 0, 0);
  }
}

void DeviceMirror::store_entry(uint64_t addr, uint64_t entry) {
  for (const Table& table : tables_) {
    if (addr < table.start || addr - table.start >= table.pages * page_bytes) continue;
    const WordIndex word = table.first + static_cast<WordIndex>((addr - table.start) / page_bytes);
    if (machine_->load(word) != entry) machine_->store(word, entry);
    if (table.atomic == no_word) continue;
    const WordIndex atomic = table.atomic + (word - table.first);
    if (machine_->load(atomic) != 0) machine_->store(atomic, 0);
  }
}

void DeviceMirror::map(AddressSpace& space, uint64_t addr, uint64_t pfn, bool write) {
  const PfnFormat& format = machine_->pfn_format();
  if (&space == space_) store_entry(addr, format.pfn(pfn) | format.valid | (write ? format.write : 0));
}

void DeviceMirror::unmap(AddressSpace& space, uint64_t addr) {
  if (&space == space_) store_entry(addr, 0);
}

std::optional<uint64_t> DeviceMirror::mapped_pfn(const AddressSpace& space, uint64_t addr) const {
  const uint64_t word = &space == space_ ? entry(addr) : 0;
  return word == 0 ? std::nullopt : std::optional(machine_->model().hmm_pfn->field(Role::pfn)->get(word));
}

uint64_t DeviceMirror::entry(uint64_t addr) const {
  for (const Table& table : tables_) {
    if (addr < table.start || addr - table.start >= table.pages * page_bytes) continue;
    const uint64_t entry = machine_->load(table.first + static_cast<WordIndex>((addr - table.start) / page_bytes));
    if (entry != 0) return entry;
  }
  return 0;
}

void DeviceMirror::map_exclusive(uint64_t addr, uint64_t pfn) {
  const AtomicGuard whole(*machine_);   // so that the rule says what is so when the device maps
  const WordIndex word = space_->find_entry(Level::pte, addr);
  const uint64_t pte = word == no_word ? 0 : machine_->load(word);
  const SwapFormat& format = machine_->entry_format().swap;
  const bool ours = !x86::pte_none(pte) && !x86::pte_present(pte) && is_device_exclusive(format.kind(pte)) &&
                    format.pfn(pte) == pfn;
  machine_->step(ours ? RuleId::driver_map_exclusive : RuleId::driver_map_exclusive_gone, {addr, pfn, pte});
  map(*space_, addr, pfn, true);
}

void DeviceMirror::map_atomic(uint64_t addr, uint64_t pfn) {
  map(*space_, addr, pfn, true);
  for (Table& table : tables_) {
    if (addr < table.start || addr - table.start >= table.pages * page_bytes) continue;
    if (table.atomic == no_word) {
      table.atomic = add_words(RegionKind::counters, table.start, table.pages, " ATOMIC");
    }
    machine_->store(table.atomic + static_cast<WordIndex>((addr - table.start) / page_bytes), 1);
  }
}

bool DeviceMirror::is_atomic(uint64_t addr) const {
  for (const Table& table : tables_) {
    if (table.atomic == no_word || addr < table.start || addr - table.start >= table.pages * page_bytes) continue;
    const auto k = static_cast<WordIndex>((addr - table.start) / page_bytes);
    if (machine_->load(table.first + k) != 0 && machine_->load(table.atomic + k) != 0) return true;
  }
  return false;
}

TrackedRange::~TrackedRange() {
  if (device != nullptr) device->untrack(*this);
}

void DeviceMirror::track(TrackedRange& range, uint64_t start, uint64_t end, WordIndex slots) {
  untrack(range);
  range.device = this;
  range.start = start;
  range.end = end;
  range.slots = slots;
  range.valid = true;
  tracked_.push_back(&range);
}

void DeviceMirror::untrack(TrackedRange& range) {
  std::erase(tracked_, &range);
  range.device = nullptr;
}

/// hmm_invalidate_range() of 4.14 to 5.1, under the lock of the ranges. It takes a range for touched also when the
/// invalidation ends where it begins.
void DeviceMirror::invalidate_tracked(const InvalidateRange& range) {
  if (tracked_.empty()) return;
  const AtomicGuard ranges_locked(*machine_);
  machine_->enter(Function::hmm_invalidate_range, {range.start, range.end});
  for (TrackedRange* tracked : tracked_) {
    if (range.end < tracked->start || range.start >= tracked->end) continue;
    const uint64_t start = std::max(range.start, tracked->start), end = std::min(range.end, tracked->end);
    const auto first = static_cast<uint32_t>((start - tracked->start) / page_bytes);
    const auto count = static_cast<uint32_t>((end - start) / page_bytes);
    machine_->step(RuleId::drv_invalidate_zero, {start, end, first, count});
    tracked->valid = false;
    if (count != 0) machine_->fill_keeping(tracked->slots + first, count, 0, 0, 0);
  }
  machine_->leave();
}

bool DeviceMirror::invalidate(IntervalNotifier& notifier, const InvalidateRange& range, uint64_t cur_seq) {
  if (range.event == NotifyEvent::migrate && range.owner == owner_) return true;
  const uint64_t own_calls = internal_owner(*machine_);
  if (skip_current_ && own_calls != 0 && range.event == NotifyEvent::clear && range.owner == own_calls) {
    machine_->step(RuleId::callback_skip_current, {range.start, range.end, range.owner});
    return true;
  }
  if (!range.blockable && locks_ != nullptr && !locks_->driver_trylock(owner_)) return false;
  if (range.blockable && locks_ != nullptr) locks_->driver_lock(owner_);
  const DriverLockGuard locked(locks_, owner_, DriverLockGuard::held);
  notifier.set_seq(cur_seq);
  invalidate_tracked(range);
  // Another task may add a table between two steps.
  for (size_t k = 0; k < tables_.size(); ++k) {
    const Table table = tables_[k];
    const uint64_t table_end = table.start + table.pages * page_bytes;
    const uint64_t start = std::max(range.start, table.start), end = std::min(range.end, table_end);
    if (start >= end) continue;
    machine_->step(RuleId::scenario_drop, {start, end});
    machine_->fill_keeping(table.first + static_cast<uint32_t>((start - table.start) / page_bytes),
                           static_cast<uint32_t>((end - start) / page_bytes), 0, 0, 0);
  }
  return true;
}

}  // namespace hmmscope
