#pragma once
/// The invariant between the CPU's page tables and the devices': a device never maps a page that the CPU has taken
/// away. Looked at before every step, when the writes of the step before are complete.
///
/// A device's own migration is told to it by itself, not by a callback: while the CPU's entry is the migration entry of
/// the page, or already names memory of this device, its table may lag behind.
///
/// Two violations have names of their own. thrown_away: MADV_DONTNEED, which needs mmap_lock for reading only, takes the
/// migration entry away and tells the device, and then the driver maps the page it has migrated, as lib/test_hmm.c does
/// (dmirror_migrate_finalize_and_map looks at src and dst words, not at the notifier's sequence; read in 5.9). It is told
/// by its cause, never by its look: rule driver.map_thrown_away for this very page, or driver.map of it while somebody
/// else's invalidation is under way, which the device has answered already.
/// moved_home: a CPU fault brings a page of the device home while the device's own range fault has already seen it. The
/// migration's invalidation carries the device's owner, the callback skips it (dmirror_interval_invalidate), so the
/// sequence does not move and read_retry finds nothing: the device maps its page that is about to be freed. It is told
/// by a commit, which read_retry has allowed, of a page of the device's own memory that has moved or is under migration.
/// Threads: the running task's.

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
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

/// The pages that devices map although the CPU's tables name another page, or none.
std::vector<DeviceViolation> find_device_violations(World& world);

/// The name in a scenario's "allows", and how a finding begins.
inline constexpr std::string_view thrown_away = "thrown-away-while-migrating", moved_home = "moved-home-while-faulting";

/// Records each violation once, as step invariant.device_maps_taken_page.
class DeviceInvariant final : public StepObserver {
 public:
  explicit DeviceInvariant(World& world) : world_(world) {}
  void before_step(RuleId rule, std::initializer_list<uint64_t> operands) override;
  void before_enter(Function) override {}
  void check();
  /// "device gpu0 maps 0x7f... (pfn 0x1234), which the CPU has taken away", one each.
  const std::vector<std::string>& violations() const { return violations_; }
  struct Finding {
    std::string_view name;
    std::string text;   ///< "thrown-away-while-migrating: device gpu0 maps ..."
  };
  const std::vector<Finding>& findings() const { return findings_; }

 private:
  World& world_;
  struct Reported {
    const Device* device;
    uint64_t addr, pfn;
    auto operator<=>(const Reported&) const = default;
  };
  std::string_view name_of(const DeviceViolation& violation, uint64_t pfn) const;

  std::vector<std::string> violations_;
  std::vector<Finding> findings_;
  void remember_pages_on_their_way_home();
  void remember_page_mapped_meanwhile();
  /// The step whose writes are being looked at is a commit.
  bool committed() const;

  std::set<std::pair<uint64_t, uint64_t>> committed_on_the_way_;   ///< address and pfn
  std::set<Reported> reported_;
  std::set<std::pair<uint64_t, uint64_t>> mapped_thrown_away_;   ///< address and pfn
  bool inside_ = false;
};

}  // namespace hmmscope::scenario
