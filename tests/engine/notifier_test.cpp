// The sequence numbers of interval notifiers over time.

#include "tests/engine/world.h"

namespace hmmscope::test {
namespace {

struct Timeline {
  World w{"6.12"};
  NotifierSubscriptions& all = w.mm().notifiers();
  IntervalNotifier& sub = all.insert(base, 0x10000, "device", nullptr);
  IntervalNotifier& other = all.insert(base + 0x100000, 0x10000, "other device", nullptr);

  void expect(uint64_t mm_seq, uint64_t sub_seq, const char* when) const {
    EXPECT_EQ(all.invalidate_seq(), mm_seq) << when;
    EXPECT_EQ(sub.invalidate_seq(), sub_seq) << when;
  }
};

TEST(IntervalNotifier, OneInvalidationFromStartToEnd) {
  Timeline t;
  t.expect(2, 1, "registered");
  EXPECT_EQ(t.sub.read_begin().seq, 1u);
  EXPECT_FALSE(t.sub.read_begin().would_sleep);
  const Invalidation running = t.all.start({base, base + 0x1000});
  t.expect(3, 3, "the callback has set the sequence");
  EXPECT_TRUE(t.sub.read_retry(1));
  EXPECT_EQ(t.sub.read_begin().seq, 3u);
  EXPECT_TRUE(t.sub.read_begin().would_sleep);
  EXPECT_TRUE(t.all.end(running));
  t.expect(4, 3, "ended");
  EXPECT_FALSE(t.sub.read_begin().would_sleep);
  EXPECT_FALSE(t.sub.read_retry(3));
  const Invalidation elsewhere = t.all.start({base + 0x100000, base + 0x101000});
  t.expect(5, 3, "another subscription is touched");
  EXPECT_FALSE(t.sub.read_retry(3));
  EXPECT_FALSE(t.sub.read_begin().would_sleep);
  t.all.end(elsewhere);
  t.expect(6, 3, "ended");
}

TEST(IntervalNotifier, TheLastByteBelongsToTheInterval) {
  Timeline t;
  EXPECT_EQ(t.sub.last(), base + 0xffff);
  const auto touches = [&](uint64_t start, uint64_t end) {
    const Invalidation running = t.all.start({start, end});
    t.all.end(running);
    return running.callbacks != 0;
  };
  EXPECT_FALSE(touches(base - 0x1000, base));
  EXPECT_TRUE(touches(base - 0x1000, base + 1));
  EXPECT_TRUE(touches(base + 0xf000, base + 0x11000));
  EXPECT_FALSE(touches(base + 0x10000, base + 0x11000));
  EXPECT_TRUE(touches(0, ~0ull));
}

TEST(IntervalNotifier, AStalePageIsCaughtByRetryOnly) {
  Timeline t;
  t.w.vma(0, 1);
  t.w.pte(0, pte_rw);
  t.w.range(0, 1);
  t.w.call.notifier = &t.sub;
  t.w.call.notifier_seq = t.sub.read_begin().seq;
  EXPECT_EQ(t.w.run().ret, 0);
  EXPECT_EQ(t.w.out(0), 0xc000000000012345);
  t.all.end(t.all.start({base, base + 0x1000, NotifyEvent::unmap}));
  t.w.pte(0, 0);
  EXPECT_TRUE(t.sub.read_retry(1));
  EXPECT_FALSE(t.sub.read_retry(t.sub.read_begin().seq)) << "reading the sequence again vouches for the old array";
  EXPECT_EQ(t.w.run().ret, -EBUSY) << "the call itself would notice";
}

}  // namespace
}  // namespace hmmscope::test
