// The same state under every model: what each era makes of it.

#include "tests/engine/world.h"

namespace hmmscope::test {
namespace {

uint64_t snapshot(const char* model, Level level, uint64_t entry, uint64_t in = 0, uint64_t flags = vm::read) {
  World w(model);
  w.vma(0, pages_1g, flags);
  w.mm().set_entry(level, base, entry);
  w.device(0x12000, 0x1000, 7);
  w.call.dev_private_owner = 7;
  w.range(0, 1);
  w.in(0, in);
  EXPECT_EQ(w.run().ret, 0);
  return w.out(0);
}

TEST(Versions, OrderOfA2MLeaf) {
  EXPECT_EQ(snapshot("5.8", Level::pmd, pmd_rw), 0xc000000000012400);
  for (const char* model : {"5.9", "5.13", "5.15", "6.1", "6.6", "6.12", "6.12-v9", "6.15"}) {
    EXPECT_EQ(snapshot(model, Level::pmd, pmd_rw), 0xc900000000012400) << model;
  }
  for (const char* model : {"6.12-fixed", "6.16", "6.18", "7.3"}) {
    EXPECT_EQ(snapshot(model, Level::pmd, pmd_rw), 0xc120000000012400) << model;
  }
}

TEST(Versions, StickyBits) {
  EXPECT_EQ(snapshot("6.12", Level::pte, pte_ro, all_ones), 0x8000000000012345);
  EXPECT_EQ(snapshot("6.12-v9", Level::pte, pte_ro, all_ones), 0x8200000000012345);
  EXPECT_EQ(snapshot("6.12-fixed", Level::pte, pte_ro, all_ones), 0x9c00000000012345);
  EXPECT_EQ(snapshot("6.16", Level::pte, pte_ro, all_ones), 0x9c00000000012345);
}

TEST(Versions, OneNonPresentWordMeansDifferentEntries) {
  constexpr uint64_t word = v612::device_read;   // type 28
  EXPECT_EQ(snapshot("6.12", Level::pte, word), 0x8000000000012345) << "device read";
  EXPECT_EQ(snapshot("6.15", Level::pte, word), 0xc000000000012345) << "device write";
  EXPECT_EQ(snapshot("6.18", Level::pte, word), 0xc000000000012345) << "device write";
  constexpr uint64_t one_lower = v612::device_write;   // type 27
  EXPECT_EQ(snapshot("6.12", Level::pte, one_lower), 0xc000000000012345) << "device write";
  EXPECT_EQ(snapshot("6.15", Level::pte, one_lower), 0u) << "migration write";
}

TEST(Versions, MixedMapIsRefusedBefore517) {
  EXPECT_EQ(snapshot("5.13", Level::pte, pte_ro, 0, vm::read | vm::mixedmap), E);
  EXPECT_EQ(snapshot("5.15", Level::pte, pte_ro, 0, vm::read | vm::mixedmap), E);
  EXPECT_EQ(snapshot("6.1", Level::pte, pte_ro, 0, vm::read | vm::mixedmap), 0x8000000000012345);
}

TEST(Versions, FaultsHappenInsideTheWalkUntil72) {
  const auto parent_of_faults = [](const char* model) {
    World w(model);
    w.vma(0, 2);
    w.table(0);
    w.range(0, 2, V);
    w.on_fault = [](World& world, uint64_t page, uint32_t) {
      world.pte(page, pte_ro);
      return 0u;
    };
    w.start_recording();
    const RangeFaultResult result = w.run();
    EXPECT_EQ(result.ret, 0);
    EXPECT_EQ(result.walks, 2u);
    EXPECT_EQ(result.faults, 2u);
    const auto recording = w.stop_recording();
    std::string path;
    for (CallId c = 0; c < recording->calls().size(); ++c) {
      if (recording->calls()[c].function != Function::handle_mm_fault) continue;
      for (const CallId at : recording->path(c)) path += std::string(function_name(recording->calls()[at].function)) + " ";
      break;
    }
    return path;
  };
  EXPECT_EQ(parent_of_faults("6.12"),
            "hmm_range_fault walk_page_range hmm_vma_walk_pmd hmm_vma_handle_pte hmm_vma_fault handle_mm_fault ");
  EXPECT_EQ(parent_of_faults("7.3"), "hmm_range_fault hmm_do_fault handle_mm_fault ");
}

TEST(Versions, FaultsOutsideTheWalkBeginAtThePageThatNeedsThem) {
  World w("7.3");
  w.vma(0, 6);
  w.pte(0, pte_ro);
  w.pte(1, pte_ro);
  w.range(0, 6, V);
  w.on_fault = [](World& world, uint64_t page, uint32_t) {
    world.pte(page, pte_ro);
    return 0u;
  };
  EXPECT_EQ(w.run().ret, 0);
  std::vector<uint64_t> pages;
  for (const auto& fault : w.faults) pages.push_back(fault.first);
  EXPECT_EQ(pages, (std::vector<uint64_t>{2, 3, 4, 5}));
}

TEST(Versions, EveryModelWalks) {
  for (const KernelModel& model : kernel_models()) {
    if (model.walks_old_way()) continue;   // engine/driver_format does
    World w(model);
    w.vma(0, 4);
    w.pte(1, pte_rw);
    w.range(0, 4);
    EXPECT_EQ(w.run().ret, 0) << model.id;
    const uint64_t flags = model.hmm_pfn->mask(Role::valid) | model.hmm_pfn->mask(Role::write);
    EXPECT_EQ(w.out(1), model.hmm_pfn->field(Role::pfn)->put(0x12345) | flags) << model.id;
  }
}

}  // namespace
}  // namespace hmmscope::test
