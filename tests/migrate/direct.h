#pragma once
/// A machine and migrate_vma calls by hand, for what no scenario can say.

#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "engine/fault/cpu_fault.h"
#include "engine/migrate/migrate_internal.h"
#include "engine/recording/recorder.h"

namespace hmmscope::test {

inline constexpr uint64_t base = 0x7f0000000000;
inline constexpr uint64_t gpu_owner = 0xa100;

class Direct {
 public:
  explicit Direct(std::string_view model_id = "6.12", uint64_t flags = vm::read | vm::write,
                  VmaKind kind = VmaKind::anonymous)
      : machine_(Machine::create(kernel_model(model_id).value()).value()) {
    machine_->set_fault_handler(&faults_);
    mm_ = &machine_->add_address_space("mm");
    VmaSpec spec;
    spec.start = base;
    spec.end = base + 0x400000;
    spec.flags = flags;
    spec.kind = kind;
    spec.file = kind == VmaKind::anonymous ? 0 : 1;
    spec.name = "vma";
    vma_ = mm_->add_vma(spec).value();
    machine_->physical().add_device({0xfc00000, 64, gpu_owner, false, "gpu", nullptr});
    arrays_ = add_migrate_arrays(*machine_, *mm_, base, 1024, "m");
  }
  ~Direct() { machine_->set_recorder(nullptr); }

  Machine& machine() { return *machine_; }
  AddressSpace& mm() { return *mm_; }
  Vma vma() const { return vma_; }
  const MigrateArrays& arrays() const { return arrays_; }

  /// From here on everything is recorded.
  void record() {
    recorder_.emplace(machine_->memory());
    recorder_->add_task({1, "test"});
    machine_->set_recorder(&*recorder_);
  }
  Recording finish() {
    machine_->set_recorder(nullptr);
    return std::move(*recorder_).finish();
  }

  /// A mapped anonymous page; returns its folio.
  Folio page(uint64_t index, bool writable = true, uint64_t pfn = 0) {
    const uint64_t addr = base + index * page_bytes;
    if (pfn == 0) pfn = machine_->physical().allocate(0);
    add_anon_folio(*machine_, vma_, addr, pfn, 0, true);
    mm_->set_entry(Level::pte, addr, EntryFormat::make(pfn, mapping_flags(vma_, writable)));
    return Folio::of(*machine_, pfn);
  }

  MigrateVma args(uint64_t pages = 1, uint64_t select = migrate_select::system) {
    MigrateVma a;
    a.mm = mm_;
    a.vma = vma_;
    a.start = base;
    a.end = base + pages * page_bytes;
    a.src = arrays_.src;
    a.dst = arrays_.dst;
    a.select = select;
    a.pgmap_owner = gpu_owner;
    return a;
  }

 private:
  std::unique_ptr<Machine> machine_;
  CpuFault faults_;
  AddressSpace* mm_ = nullptr;
  Vma vma_;
  MigrateArrays arrays_;
  std::optional<Recorder> recorder_;
};

/// Recordings of the branches that only a caller by hand reaches, for the coverage test.
std::vector<Recording> direct_recordings();

}  // namespace hmmscope::test
