#pragma once
/// A small machine for engine tests: one address space, one range call, an answer for faults, all set up in a line or
/// two. Setting up happens before recording starts, so a recording holds the call alone.

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "engine/fault/handle_mm_fault.h"
#include "engine/machine/machine.h"
#include "engine/recording/cursor.h"
#include "engine/walk/hooks.h"
#include "engine/walk/range_fault.h"

namespace hmmscope::test {

inline constexpr uint64_t V = 1ull << 63, W = 1ull << 62, E = 1ull << 61;   // every layout from 5.8 to the merged one
inline constexpr uint64_t all_ones = ~0ull;
inline constexpr uint64_t base = 0x7f0000000000;
inline constexpr uint64_t pages_2m = 512, pages_1g = 512 * 512;

inline constexpr uint64_t addr_of(uint64_t page) { return base + page * page_bytes; }

class World : public FaultHandler {
 public:
  explicit World(std::string_view model_id, const std::function<void(KernelModel&)>& change = {}) {
    KernelModel model = kernel_model(model_id).value();
    if (change) change(model);
    machine_ = Machine::create(std::move(model)).value();
    mm_ = &machine_->add_address_space("mm");
    machine_->set_fault_handler(this);
    machine_->physical().set_zero_pfn(0x5000);
    call.mm = mm_;
  }
  explicit World(KernelModel model) : World(model.id, [&](KernelModel& m) { m = model; }) {}

  Machine& machine() { return *machine_; }
  AddressSpace& mm() { return *mm_; }

  Vma vma(uint64_t first_page, uint64_t pages, uint64_t flags = vm::read | vm::write, uint32_t page_shift = 12) {
    VmaSpec spec;
    spec.start = addr_of(first_page);
    spec.end = addr_of(first_page + pages);
    spec.flags = flags | (page_shift == 12 ? 0 : vm::hugetlb);
    spec.kind = page_shift == 12 ? VmaKind::anonymous : VmaKind::hugetlb;
    spec.page_shift = page_shift;
    spec.name = "vma";
    return mm_->add_vma(spec).value();
  }
  void pte(uint64_t page, uint64_t value) { mm_->set_entry(Level::pte, addr_of(page), value); }
  void pmd(uint64_t page, uint64_t value) { mm_->set_entry(Level::pmd, addr_of(page), value); }
  void pud(uint64_t page, uint64_t value) { mm_->set_entry(Level::pud, addr_of(page), value); }
  /// The pte table for that page exists, all entries empty.
  void table(uint64_t page) { mm_->ensure_entry(Level::pte, addr_of(page)); }
  void device(uint64_t first_pfn, uint64_t pages, uint64_t owner) {
    machine_->physical().add_device({first_pfn, pages, owner, false, "device"});
  }

  /// The range [first_page, first_page + pages) with a fresh array.
  void range(uint64_t first_page, uint32_t pages, uint64_t defaults = 0, uint64_t mask = 0) {
    call.start = addr_of(first_page);
    call.end = addr_of(first_page + pages);
    call.default_flags = defaults;
    call.pfn_flags_mask = mask;
    call.pfns = machine_->add_hmm_pfns(*mm_, call.start, pages);
    slots_ = pages;
  }
  void in(uint32_t slot, uint64_t value) { machine_->memory().store(call.pfns + slot, value); }
  void in_all(uint64_t value) {
    for (uint32_t i = 0; i < slots_; ++i) in(i, value);
  }
  uint64_t out(uint32_t slot) const { return machine_->load(call.pfns + slot); }
  uint32_t slots() const { return slots_; }

  /// Answers faults: gets the page index (from base) and the flags, returns vm_fault bits.
  std::function<uint32_t(World&, uint64_t page, uint32_t flags)> on_fault;
  std::vector<std::pair<uint64_t, uint32_t>> faults;   ///< (page, flags) in order
  uint32_t handle_mm_fault(Machine&, AddressSpace&, uint64_t addr, uint32_t flags) override {
    faults.emplace_back((addr - base) / page_bytes, flags);
    if (!on_fault) return vm_fault::sigbus;
    machine_->step(RuleId::numa_restore, {addr, 0});   // any step to hold the handler's writes
    return on_fault(*this, faults.back().first, flags);
  }

  /// What waiting for a migration entry does; unset: no hooks are passed, the wait never ends.
  std::function<bool(World&, uint64_t page)> on_wait;
  /// Called whenever the walk enters a kernel function (through hooks).
  std::function<void(World&, Function, uint64_t addr)> on_enter;
  bool needs_hooks() const { return on_wait || on_enter; }

  RangeFaultResult run(PtePath path = PtePath::block_when_possible) {
    return hmm_range_fault(*machine_, call, needs_hooks() ? &hooks_ : nullptr, path);
  }

  void start_recording() {
    recorder_.emplace(machine_->memory());
    machine_->set_recorder(&*recorder_);
  }
  std::shared_ptr<const Recording> stop_recording() {
    machine_->set_recorder(nullptr);
    auto recording = std::make_shared<const Recording>(std::move(*recorder_).finish());
    recorder_.reset();
    return recording;
  }

  RangeFaultCall call;

 private:
  class Hooks : public WalkHooks {
   public:
    explicit Hooks(World& world) : world_(&world) {}
    bool wait_for_migration(uint64_t addr) override {
      world_->machine().step(RuleId::numa_restore, {addr, 0});
      return world_->on_wait(*world_, (addr - base) / page_bytes);
    }
    void entered(Function function, uint64_t addr, uint64_t, uint64_t) override {
      if (!world_->on_enter) return;
      world_->machine().step(RuleId::numa_restore, {addr, 0});
      world_->on_enter(*world_, function, addr);
    }

   private:
    World* world_;
  };

  Hooks hooks_{*this};
  std::unique_ptr<Machine> machine_;
  AddressSpace* mm_ = nullptr;
  uint32_t slots_ = 0;
  std::optional<Recorder> recorder_;
};

/// Ids of the rules that fired, in order.
inline std::vector<std::string> fired_rules(const Recording& recording) {
  std::vector<std::string> ids;
  for (StepIndex s = 0; s < recording.steps(); ++s) ids.emplace_back(rule(recording.rule_of(s)).id);
  return ids;
}

// Entries of the notes' samples, pfn 0x12345 unless the name says otherwise.
inline constexpr uint64_t pte_rw = 0x8000000012345867, pte_ro = 0x8000000012345025, pte_zero_page = 0x8000000005000225,
                          pte_numa_hint = 0x800fffffedcba120, pmd_rw = 0x80000000124008e7;
namespace v612 {   // non-present entries with 6.12's type numbers
inline constexpr uint64_t migration_read = 0xc7fffffffdb97400, migration_write = 0xd7fffffffdb97400,
                          migration_write_ad = 0xd7ffe7fffdb97400, device_write = 0xdffffffffdb97400,
                          device_read = 0xe7fffffffdb97400, hwpoison = 0xbffffffffdb97400,
                          marker_wp = 0xfffffffffffffc00, swap = 0x07fffffffff11000;
}

}  // namespace hmmscope::test
