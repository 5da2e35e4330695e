#include "tests/engine/case.h"

namespace hmmscope::test {
namespace {

/// Four pages, the third one empty; a fault answers with `answer` and maps nothing.
std::function<void(World&)> failing(uint32_t answer) {
  return [=](World& w) {
    w.vma(0, 4);
    w.pte(0, pte_ro);
    w.pte(1, pte_ro);
    w.range(0, 4, V);
    w.on_fault = [answer](World&, uint64_t, uint32_t) { return answer; };
  };
}
constexpr uint64_t there = 0x8000000000012345;

}  // namespace

std::vector<Case> fault_cases() {
  return {
      {"the fault handler fails", "6.12", failing(vm_fault::sigbus), -EFAULT, {there, there, 0, 0},
       {"pte.none.fault", "vma_fault.begin", "vma_fault.error", "range.return"}},
      {"out of memory", "6.12", failing(vm_fault::oom), -EFAULT, {there, there, 0, 0}, {"vma_fault.error"}},
      {"out of memory since 7.2", "7.3", failing(vm_fault::oom), -ENOMEM, {there, there, 0, 0},
       {"record_fault.record", "range.fault_outside", "vma_fault.begin", "vma_fault.error", "range.return"}},
      {"poison is -EFAULT since 7.2 too", "7.3", failing(vm_fault::hwpoison), -EFAULT, {there, there, 0, 0},
       {"vma_fault.error"}},
      {"write into a read-only VMA", "6.12",
       [](World& w) {
         w.vma(0, 4, vm::read);
         w.pte(0, pte_ro);
         w.range(0, 4, V | W);
       },
       -EPERM, {0, 0, 0, 0}, {"need.write", "pte.present.fault", "vma_fault.begin", "vma_fault.write_denied"}},
      {"a fault that never helps", "6.12",
       [](World& w) {
         failing(0)(w);
         w.call.max_restarts = 5;
       },
       -EDEADLK, {there, there, 0, 0}, {"range.restart", "range.livelock"}},
      {"a hole is faulted as a whole", "6.12",
       [](World& w) {
         w.vma(0, 4);
         w.range(0, 4, V);
         w.on_fault = [](World& world, uint64_t page, uint32_t) {
           world.pte(page, pte_ro);
           return 0u;
         };
       },
       0, {there, there, there, there}, {"walk.p4d.hole", "range_need.fault", "hole.fault", "vma_fault.busy"}},
      {"the sequence has moved before the walk", "6.12",
       [](World& w) {
         w.vma(0, 4);
         w.pte(0, pte_rw);
         IntervalNotifier& notifier = w.mm().notifiers().insert(base, 0x4000, "device", nullptr);
         w.call.notifier = &notifier;
         w.call.notifier_seq = 77;
         w.range(0, 1);
         w.in(0, 0x77);
       },
       -EBUSY, {0x77}, {"range.sequence_moved"}},
      {"a fault invalidates the caller's own range", "6.12",
       [](World& w) {
         failing(0)(w);
         IntervalNotifier& notifier = w.mm().notifiers().insert(base, 0x4000, "device", nullptr);
         w.call.notifier = &notifier;
         w.call.notifier_seq = notifier.invalidate_seq();
         w.on_fault = [](World& world, uint64_t page, uint32_t) {
           NotifierSubscriptions& all = world.mm().notifiers();
           const Invalidation running = all.start({addr_of(page), addr_of(page + 1)});
           world.machine().step(RuleId::numa_restore, {0, 0});
           world.pte(page, pte_ro);
           all.end(running);
           return 0u;
         };
       },
       -EBUSY, {there, there, 0, 0},
       {"vma_fault.begin", "notifier.start.overlap", "callback.set_seq", "notifier.end.advance", "vma_fault.busy",
        "range.restart", "range.sequence_moved"}},
  };
}

}  // namespace hmmscope::test
