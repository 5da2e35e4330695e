#pragma once
/// The invariant between the CPU's page tables and the devices': a device never maps a page that the CPU has taken
/// away, and never for writing one that the CPU may only read. Looked at before every step, when the writes of the step
/// before are complete: the pages whose entries were written since, and those that lagged behind (see mirrored_page.h) and
/// whose folio was.
///
/// Eight violations have names of their own, told by their cause, never by their look.
/// thrown_away: MADV_DONTNEED, which needs mmap_lock for reading only, takes the migration entry away and tells the
/// device, and then the driver maps the page it has migrated, as lib/test_hmm.c does (dmirror_migrate_finalize_and_map
/// looks at src and dst words, not at the notifier's sequence; read in 5.9): rule driver.map_thrown_away for this very
/// page, or driver.map of it while somebody else's invalidation is under way, which the device has answered already.
/// thrown_exclusive: the same between make_device_exclusive and the driver's update of its table (dmirror_atomic_map
/// takes the driver's mutex and asks no sequence): rule driver.map_exclusive_thrown_away, or driver.map_exclusive while
/// somebody else's invalidation is under way.
/// moved_home: a CPU fault brings a page of the device home while the device's own range fault has already seen it. The
/// migration's invalidation carries the device's owner, the callback skips it (dmirror_interval_invalidate), so the
/// sequence does not move and read_retry finds nothing: the device maps its page that is about to be freed. It is told
/// by a commit, which read_retry has allowed, of a page of the device's own memory that has moved or is under migration.
/// The posted driver of the unified RFC commits too: it maps every VALID slot before it migrates, its own device pages among
/// them, which it has not selected and whose folios nobody has locked (driver.mirror.page, driver.mirror.placeholder).
/// moved_away: the same the other way round: the device's own migration takes a page into its memory after its range
/// fault has seen the system page, and the commit maps that one. It is told by a commit, which read_retry has allowed, of
/// a page whose CPU entry is under migration or is the device's own page by then.
/// page_zero: under the unified RFC a slot that prepared nothing reads as pfn 0, and the posted driver maps physical page 0.
/// skipped_current: under the unified RFC the device's callback skips a CLEAR that carries `current`, taking it for one of
/// its own call (patch 1/4), and keeps the page: rule callback.skip_current for what it mapped then.
/// kept_unmapped: the later test driver of the unified patches maps nothing of what it has moved when its sequence has moved
/// meanwhile, and its table keeps the page from before, of which nobody has told it: rule driver.keeps_old for what it
/// mapped then, until its table says something else.
/// not_noticed: until 5.4 a range is valid again when the last invalidation has ended, and until 5.1 a call that begins inside
/// one makes its range valid: what was taken away between the walk and the commit is committed all the same.
/// Threads: the running task's.

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/scenario/mirrored_page.h"

namespace hmmscope::scenario {

struct DeviceViolation {
  const Device* device = nullptr;
  uint64_t addr = 0;
  uint64_t entry = 0;      ///< the device's
  uint64_t cpu_entry = 0;
  bool read_only = false;  ///< the same page, but the CPU may only read it
};

/// All pages that devices map against the invariant. Looks at every entry of every table.
std::vector<DeviceViolation> find_device_violations(World& world);

/// The name in a scenario's "allows", and how a finding begins.
inline constexpr std::string_view thrown_away = "thrown-away-while-migrating",
                                  thrown_exclusive = "thrown-away-while-made-exclusive",
                                  moved_home = "moved-home-while-faulting",
                                  moved_away = "moved-to-device-while-faulting",
                                  skipped_current = "kept-because-current-cleared",
                                  page_zero = "page-zero",
                                  kept_unmapped = "kept-after-collision",
                                  not_noticed = "invalidation-not-noticed";

/// Records each violation once, as step invariant.device_maps_taken_page or one of its siblings.
class DeviceInvariant final : public StepObserver {
 public:
  explicit DeviceInvariant(World& world) : world_(world) {}
  void before_step(RuleId rule, std::initializer_list<uint64_t> operands) override;
  void before_enter(Function) override {}
  void check();
  /// The same for every entry of every table: what a run ends with.
  void check_everything();
  /// "device gpu0 maps 0x7f... (pfn 0x1234), which the CPU has taken away", one each.
  const std::vector<std::string>& violations() const { return violations_; }
  struct Finding {
    std::string_view name;
    std::string text;   ///< "thrown-away-while-migrating: device gpu0 maps ..."
  };
  const std::vector<Finding>& findings() const { return findings_; }

 private:
  using Page = std::pair<uint64_t, uint64_t>;               ///< address and pfn
  using Place = std::pair<const Device*, uint64_t>;         ///< a device and an address

  const Recording& so_far() const;
  /// What may have changed since the last look: ranges of addresses, and pages that wait for a folio's lock.
  struct Changed {
    std::vector<std::pair<uint64_t, uint64_t>> ranges;
    std::set<Place> lagging;
  };
  Changed changed();
  std::vector<DeviceViolation> look();
  void look_at(const Device& device, uint64_t addr, uint64_t entry, std::vector<DeviceViolation>& found);
  bool is_ours_now(const DeviceViolation& violation) const;
  std::string_view name_of(const DeviceViolation& violation, uint64_t pfn) const;
  void report(const DeviceViolation& violation);
  void remember_pages_committed_late();
  void remember_page_mapped_meanwhile();
  void remember_pages_kept(uint64_t start, uint64_t end);
  void remember_page_left_unmapped(uint64_t addr, uint64_t kept, uint64_t dst);
  void forget_pages_mapped_anew();
  /// The pages of the commit that the last step is; none when it is another step.
  std::pair<uint64_t, uint64_t> committed() const;

  World& world_;
  std::vector<std::string> violations_;
  std::vector<Finding> findings_;
  struct Reported {
    const Device* device;
    uint64_t addr, pfn;
    bool read_only;
    auto operator<=>(const Reported&) const = default;
  };
  std::set<Reported> reported_;
  std::set<std::pair<Place, uint64_t>> left_unmapped_;     ///< with the pfn that is kept
  std::set<Page> committed_on_the_way_, committed_late_, mapped_thrown_away_, mapped_thrown_exclusive_, kept_;
  std::set<std::pair<uint64_t, Place>> lagging_;   ///< by the first pfn of the folio they wait for
  std::pair<uint64_t, uint64_t> last_commit_;              ///< committed() at this look
  uint32_t seen_writes_ = 0;
  bool inside_ = false;
};

}  // namespace hmmscope::scenario
