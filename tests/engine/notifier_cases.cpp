#include "tests/engine/case.h"

namespace hmmscope::test {
namespace {

/// Answers callbacks as told: take the sequence over, skip, or refuse.
class Driver : public IntervalNotifier::Ops {
 public:
  enum class Answer { accept, skip, refuse };
  explicit Driver(Answer answer) : answer_(answer) {}
  bool invalidate(IntervalNotifier& notifier, const InvalidateRange&, uint64_t cur_seq) override {
    if (answer_ == Answer::accept) notifier.set_seq(cur_seq);
    return answer_ != Answer::refuse;
  }

 private:
  Answer answer_;
};
Driver accepting(Driver::Answer::accept), skipping(Driver::Answer::skip), refusing(Driver::Answer::refuse);

constexpr InvalidateRange here{base, base + 0x1000, NotifyEvent::clear, 0, true};
constexpr InvalidateRange elsewhere{base + 0x100000, base + 0x101000, NotifyEvent::unmap, 0, true};

IntervalNotifier& watch(World& w, Driver& driver) {
  return w.mm().notifiers().insert(base, 0x10000, "device", &driver);
}

}  // namespace

std::vector<Case> notifier_cases() {
  const auto nothing = [](World&) {};
  return {
      {"insert, invalidate, read", "6.12", nothing, 0, {},
       {"notifier.insert", "read_begin.return", "notifier.start.overlap", "callback.set_seq", "read_retry.collided",
        "read_begin.sleep", "notifier.end.advance", "read_begin.return", "read_retry.valid", "notifier.remove"},
       {},
       [](World& w) {
         IntervalNotifier& n = watch(w, accepting);
         const uint64_t seq = n.read_begin().seq;
         const Invalidation running = w.mm().notifiers().start(here);
         EXPECT_TRUE(n.read_retry(seq));
         EXPECT_TRUE(n.read_begin().would_sleep);
         EXPECT_TRUE(w.mm().notifiers().end(running));
         EXPECT_FALSE(n.read_retry(n.read_begin().seq));
         EXPECT_FALSE(w.mm().notifiers().remove(n));
         EXPECT_TRUE(n.removed());
       }},
      {"nobody overlaps", "6.12", nothing, 0, {},
       {"notifier.start.untouched", "notifier.insert.force_odd", "read_begin.sleep", "notifier.end.advance"}, {},
       [](World& w) {
         const Invalidation running = w.mm().notifiers().start(elsewhere);
         EXPECT_EQ(w.mm().notifiers().invalidate_seq(), 2u);
         IntervalNotifier& n = watch(w, accepting);
         EXPECT_EQ(n.invalidate_seq(), 3u);
         EXPECT_TRUE(n.read_begin().would_sleep);
         w.mm().notifiers().end(running);
       }},
      {"an untouched invalidation ends", "6.12", nothing, 0, {}, {"notifier.start.untouched", "notifier.end.even"}, {},
       [](World& w) {
         watch(w, accepting);
         EXPECT_FALSE(w.mm().notifiers().end(w.mm().notifiers().start(elsewhere)));
         EXPECT_EQ(w.mm().notifiers().invalidate_seq(), 2u);
       }},
      {"two at once share one odd value", "6.12", nothing, 0, {},
       {"notifier.start.overlap", "notifier.start.overlap", "notifier.end.nested", "notifier.end.advance"}, {},
       [](World& w) {
         IntervalNotifier& n = watch(w, accepting);
         const Invalidation a = w.mm().notifiers().start(here), b = w.mm().notifiers().start(here);
         EXPECT_EQ(a.cur_seq, 3u);
         EXPECT_EQ(b.cur_seq, 3u);
         EXPECT_FALSE(w.mm().notifiers().end(a));
         EXPECT_TRUE(n.read_begin().would_sleep);
         EXPECT_TRUE(w.mm().notifiers().end(b));
         EXPECT_EQ(w.mm().notifiers().invalidate_seq(), 4u);
       }},
      {"insert and remove during an invalidation", "6.12", nothing, 0, {},
       {"notifier.insert.deferred", "notifier.remove.deferred", "notifier.remove.never_inserted",
        "notifier.end.advance", "notifier.end.remove", "notifier.end.insert"},
       {},
       [](World& w) {
         NotifierSubscriptions& all = w.mm().notifiers();
         IntervalNotifier& old = watch(w, accepting);
         const Invalidation running = all.start(here);
         IntervalNotifier& late = watch(w, accepting);
         IntervalNotifier& brief = watch(w, accepting);
         EXPECT_FALSE(late.inserted());
         EXPECT_TRUE(late.read_begin().would_sleep);
         EXPECT_TRUE(all.remove(old));     // the remover waits
         EXPECT_TRUE(old.inserted());
         EXPECT_FALSE(all.remove(brief));
         EXPECT_TRUE(all.end(running));
         EXPECT_TRUE(old.removed());
         EXPECT_TRUE(brief.removed());
         EXPECT_TRUE(late.inserted());
         EXPECT_EQ(all.start(here).callbacks, 1u);
       }},
      {"a driver skips its own migration", "6.12", nothing, 0, {}, {"callback.skip", "read_retry.valid"}, {},
       [](World& w) {
         IntervalNotifier& n = watch(w, skipping);
         const uint64_t seq = n.read_begin().seq;
         w.mm().notifiers().end(w.mm().notifiers().start({base, base + 0x1000, NotifyEvent::migrate, 7, true}));
         EXPECT_FALSE(n.read_retry(seq));
       }},
      {"a driver cannot block", "6.12", nothing, 0, {},
       {"callback.refuse", "notifier.start.refused", "notifier.end.advance"}, {},
       [](World& w) {
         watch(w, refusing);
         const Invalidation running = w.mm().notifiers().start({base, base + 0x1000, NotifyEvent::clear, 0, false});
         EXPECT_TRUE(running.failed);
         EXPECT_EQ(w.mm().notifiers().active_invalidate_ranges(), 0u);
       }},
  };
}

}  // namespace hmmscope::test
