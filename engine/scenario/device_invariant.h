#pragma once
/// The invariant between the CPU's page tables and the devices': a device never maps a page that the CPU has taken
/// away. Looked at before every step, when the writes of the step before are complete.
///
/// A device's own migration is told to it by itself, not by a callback: while the CPU's entry is the migration entry of
/// the page, or already names memory of this device, its table may lag behind. Threads: the running task's.

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "engine/scenario/world.h"

namespace hmmscope::scenario {

struct DeviceViolation {
  const Device* device = nullptr;
  uint64_t addr = 0;
  uint64_t entry = 0;      ///< the device's
  uint64_t cpu_entry = 0;
};

/// The first page, if any, that a device maps although the CPU's tables name another page, or none.
std::optional<DeviceViolation> find_device_violation(World& world);

/// Records each violation once, as step invariant.device_maps_taken_page.
class DeviceInvariant final : public StepObserver {
 public:
  explicit DeviceInvariant(World& world) : world_(world) {}
  void before_step(RuleId, std::initializer_list<uint64_t>) override { check(); }
  void before_enter(Function) override {}
  void check();
  /// "device gpu0 maps 0x7f... (pfn 0x1234), which the CPU has taken away", one each.
  const std::vector<std::string>& violations() const { return violations_; }

 private:
  World& world_;
  std::vector<std::string> violations_;
  std::set<std::pair<const Device*, uint64_t>> reported_;
  bool inside_ = false;
};

}  // namespace hmmscope::scenario
