#pragma once
/// mmu interval notifiers: sequence numbers that tell a driver whether what it read is still true.
///
/// Per address space: invalidate_seq (starts at 2; odd while an interval subscription is being invalidated) and the
/// number of running invalidations. Per subscription: its own invalidate_seq, set by the driver's callback under the
/// driver lock. All of them are words (MmWord, NotifierWord). Source: mm/mmu_notifier.c, 5.5 to 6.12.
///
/// Nothing sleeps here: where the kernel would sleep, the call says so and the caller decides.
/// Ownership: subscriptions live as long as their address space. Threads: one at a time.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/machine/words.h"
#include "engine/recording/memory.h"

namespace hmmscope {

class Machine;
class NotifierSubscriptions;

/// include/linux/mmu_notifier.h, in the kernel's order.
enum class NotifyEvent : uint8_t {
  unmap, clear, protection_vma, protection_page, soft_dirty, release, migrate, exclusive,
};

struct InvalidateRange {
  uint64_t start = 0, end = 0;      ///< end exclusive
  NotifyEvent event = NotifyEvent::clear;
  uint64_t owner = 0;               ///< pgmap owner of a migrate or exclusive event, 0 = none
  bool blockable = true;
};

/// One subscription (struct mmu_interval_notifier).
class IntervalNotifier {
 public:
  /// What the driver does when its interval is invalidated. It must call set_seq(cur_seq) and drop its mappings, or
  /// skip both (its own migration). False: it could not without blocking (only when !range.blockable).
  class Ops {
   public:
    virtual ~Ops() = default;
    virtual bool invalidate(IntervalNotifier& notifier, const InvalidateRange& range, uint64_t cur_seq) = 0;
  };

  uint64_t start() const;
  uint64_t last() const;            ///< inclusive
  uint64_t invalidate_seq() const;
  WordIndex word(NotifierWord w) const { return word_of(first_, w); }
  const std::string& name() const { return name_; }
  bool inserted() const;            ///< in the tree now (not deferred, not removed)
  bool removed() const;
  NotifierSubscriptions& subscriptions() const { return *subscriptions_; }

  /// mmu_interval_set_seq: the driver accepts the invalidation (under its own lock).
  void set_seq(uint64_t cur_seq);

  struct ReadBegin {
    uint64_t seq;
    bool would_sleep;   ///< inside an invalidation of this very subscription: the kernel sleeps until mm's seq moves
  };
  ReadBegin read_begin();
  /// True = collided: what was read since read_begin must be thrown away. Call under the driver lock.
  bool read_retry(uint64_t seq);
  /// The same test without the lock, only a hint (hmm_range_fault's outer loop).
  bool check_retry(uint64_t seq) const { return invalidate_seq() != seq; }
  /// An invalidation that called this subscription back has not ended.
  bool being_invalidated() const;

 private:
  friend class NotifierSubscriptions;
  IntervalNotifier(NotifierSubscriptions& subscriptions, WordIndex first, std::string name, Ops* ops)
      : subscriptions_(&subscriptions), first_(first), name_(std::move(name)), ops_(ops) {}
  NotifierSubscriptions* subscriptions_;
  WordIndex first_;
  std::string name_;
  Ops* ops_;
  bool answered_ = false;   ///< set_seq was called during the running callback
};

/// Values of NotifierWord::state.
enum class NotifierState : uint64_t { removed, inserted, insert_deferred, remove_deferred };

/// A running invalidation: give it back to end().
struct Invalidation {
  InvalidateRange range;
  uint64_t cur_seq = 0;
  bool failed = false;     ///< a callback could not run without blocking: the invalidation is refused with -EAGAIN
  uint32_t callbacks = 0;  ///< subscriptions that overlapped
};

class NotifierSubscriptions {
 public:
  NotifierSubscriptions(Machine& machine, uint32_t owner, WordIndex mm);

  /// mmu_interval_notifier_insert for [start, start + length), length > 0. ops may be null (a subscription nobody answers for:
  /// its callback sets the sequence and does nothing else) and must outlive the subscription.
  IntervalNotifier& insert(uint64_t start, uint64_t length, std::string name, IntervalNotifier::Ops* ops);
  /// mmu_interval_notifier_remove. True: the kernel would now wait for the running invalidation to end.
  bool remove(IntervalNotifier& notifier);

  /// mmu_notifier_invalidate_range_start: calls every overlapping subscription back. A refused one (failed) has
  /// already been taken back and must not be ended.
  Invalidation start(const InvalidateRange& range);
  /// mmu_notifier_invalidate_range_end. True when the sequence moved on (sleepers in read_begin and remove wake up).
  bool end(const Invalidation& invalidation);

  uint64_t invalidate_seq() const;
  uint64_t active_invalidate_ranges() const;
  bool is_invalidating() const { return (invalidate_seq() & 1) != 0; }
  std::span<const std::unique_ptr<IntervalNotifier>> all() const { return notifiers_; }   ///< removed ones included
  Machine& machine() const { return *machine_; }

 private:
  friend class IntervalNotifier;
  bool call_back(IntervalNotifier& notifier, const InvalidateRange& range, uint64_t cur_seq);
  bool finish(const InvalidateRange& range);   ///< mn_itree_inv_end
  void process_deferred();
  NotifierState state_of(const IntervalNotifier& notifier) const;

  Machine* machine_;
  uint32_t owner_;
  WordIndex mm_;
  std::vector<std::unique_ptr<IntervalNotifier>> notifiers_;
};

}  // namespace hmmscope
