// The order in which kernel functions are entered and left, as traces of real kernels show it.

#include <fmt/format.h>

#include "tests/engine/world.h"

namespace hmmscope::test {
namespace {

/// Writes down what the walk reports, as a trace would.
class Log : public WalkHooks {
 public:
  explicit Log(World& world) : world_(&world) {}
  std::string text;

  void before_vma(uint64_t addr, uint64_t) override { note("vma?", addr); }
  void before_pud(uint64_t addr, uint64_t) override { note("pud?", addr); }
  void before_pmd(uint64_t addr, uint64_t) override { note("pmd?", addr); }
  void before_pte(uint64_t addr, uint64_t) override { note("pte?", addr); }
  void before_hugetlb(uint64_t addr, uint64_t, uint64_t) override { note("hugetlb?", addr); }
  std::optional<uint32_t> handle_mm_fault(uint64_t addr, uint32_t) override {
    world_->machine().step(RuleId::numa_restore, {addr, 0});
    world_->pte((addr - base) / page_bytes, pte_rw);
    return 0;
  }
  void entered(Function function, uint64_t addr, uint64_t end, uint64_t detail) override {
    text += fmt::format("{} {}-{} {} ", function_name(function), page(addr), page(end), static_cast<int64_t>(detail));
  }
  void left(Function, uint64_t, int64_t ret) override { text += fmt::format("={} ", ret); }

 private:
  static uint64_t page(uint64_t addr) { return (addr - base) / page_bytes; }
  void note(const char* what, uint64_t addr) { text += fmt::format("{}{} ", what, page(addr)); }
  World* world_;
};

TEST(ControlFlow, AWriteRequestOverUntouchedMemory) {
  World w("6.12");
  w.vma(0, 2);
  w.pte(512, pte_rw);   // gives the pud its table, so that the hole is found at the pmd
  w.range(0, 2, V | W);
  Log log(w);
  EXPECT_EQ(hmm_range_fault(w.machine(), w.call, &log).ret, 0);
  EXPECT_EQ(log.text,
            "vma?0 hmm_vma_walk_test 0-2 0 =0 pud?0 hmm_vma_walk_pud 0-2 0 =0 pmd?0 hmm_vma_walk_hole 0-2 3 "
            "hmm_range_need_fault 0-2 0 =3 hmm_vma_fault 0-2 3 handle_mm_fault 0-1 129 =0 handle_mm_fault 1-2 129 =0 "
            "=-16 =-16 "
            "vma?0 hmm_vma_walk_test 0-2 0 =0 pud?0 hmm_vma_walk_pud 0-2 0 =0 pmd?0 hmm_vma_walk_pmd 0-2 0 "
            "pte?0 hmm_vma_handle_pte 0-2 0 =0 pte?1 hmm_vma_handle_pte 1-2 0 =0 =0 ");
}

TEST(ControlFlow, AnUnsatisfiedPteRestartsThere) {
  World w("6.12");
  w.vma(0, 3);
  w.pte(0, pte_rw);
  w.range(0, 3, V);
  Log log(w);
  EXPECT_EQ(hmm_range_fault(w.machine(), w.call, &log).ret, 0);
  EXPECT_NE(log.text.find("pte?1 hmm_vma_handle_pte 1-3 0 hmm_vma_fault 1-3 1 handle_mm_fault 1-2 128 =0 "
                          "handle_mm_fault 2-3 128 =0 =-16 =-16 =-16 vma?1 hmm_vma_walk_test 1-3 0 =0"),
            std::string::npos)
      << log.text;
}

TEST(ControlFlow, AGapAVmaThatIsRefusedAndAHugetlbSlot) {
  World w("6.12");
  w.vma(512, 512, vm::read, 21);
  w.pmd(512, 0x84000001024000e5);
  w.vma(2, 2, 0);
  w.range(0, 514);
  Log log(w);
  EXPECT_EQ(hmm_range_fault(w.machine(), w.call, &log).ret, 0);
  EXPECT_EQ(log.text,
            "vma?0 hmm_vma_walk_hole 0-2 -1 hmm_range_need_fault 0-2 0 =0 =0 "
            "vma?2 hmm_vma_walk_test 2-4 0 hmm_range_need_fault 2-4 0 =0 =1 "
            "vma?4 hmm_vma_walk_hole 4-512 -1 hmm_range_need_fault 4-512 0 =0 =0 "
            "vma?512 hmm_vma_walk_test 512-514 0 =0 hugetlb?512 hmm_vma_walk_hugetlb_entry 512-514 0 =0 ");
}

TEST(ControlFlow, HoleDepthsFollowTheLevels) {
  const auto depth_of = [](uint8_t levels, Level mapped_beside, uint64_t page) {
    World w("6.12", [&](KernelModel& m) { m.config.levels = levels; });
    w.vma(0, 1024 * pages_1g);
    if (mapped_beside != Level::pgd) w.mm().ensure_entry(mapped_beside, base);
    w.range(page, 1);
    Log log(w);
    hmm_range_fault(w.machine(), w.call, &log);
    const std::string start = fmt::format("hmm_vma_walk_hole {}-{} ", page, page + 1);
    const size_t at = log.text.find(start);
    return at == std::string::npos ? std::string("no hole") : log.text.substr(at + start.size(), 1);
  };
  EXPECT_EQ(depth_of(4, Level::pgd, 0), "0");
  EXPECT_EQ(depth_of(5, Level::pgd, 0), "0");
  EXPECT_EQ(depth_of(5, Level::pud, 512 * pages_1g), "1");
  EXPECT_EQ(depth_of(4, Level::pud, 512 * pages_1g), "0");
  EXPECT_EQ(depth_of(4, Level::pmd, pages_1g), "2");
  EXPECT_EQ(depth_of(5, Level::pmd, 0), "3");
}

/// A replay knows the address space only piece by piece: it says so when asked.
class Revealing : public WalkHooks {
 public:
  explicit Revealing(World& world) : world_(&world) {}
  std::optional<bool> sequence_moved(const RangeFaultCall&) override { return moved_; }
  void before_vma(uint64_t addr, uint64_t) override {
    if (addr == addr_of(1)) world_->vma(1, 2);
  }
  void before_pte(uint64_t addr, uint64_t) override { world_->pte((addr - base) / page_bytes, pte_ro); }
  void before_pmd(uint64_t addr, uint64_t) override { world_->mm().ensure_entry(Level::pte, addr); }
  void before_pud(uint64_t addr, uint64_t) override { world_->mm().ensure_entry(Level::pmd, addr); }
  void before_p4d(uint64_t addr, uint64_t) override { world_->mm().ensure_entry(Level::pud, addr); }
  bool moved_ = false;

 private:
  World* world_;
};

TEST(ControlFlow, HooksMayMakeWhatTheWalkIsAboutToRead) {
  World w("6.12");
  w.range(1, 2);
  Revealing hooks(w);
  EXPECT_EQ(hmm_range_fault(w.machine(), w.call, &hooks).ret, 0);
  EXPECT_EQ(w.out(0), 0x8000000000012345);
  EXPECT_EQ(w.out(1), 0x8000000000012345);
  hooks.moved_ = true;
  EXPECT_EQ(hmm_range_fault(w.machine(), w.call, &hooks).ret, -EBUSY);
}

}  // namespace
}  // namespace hmmscope::test
