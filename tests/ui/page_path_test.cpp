#include "ui/panels/page_path.h"

#include <gtest/gtest.h>

#include "engine/recording/recorder.h"
#include "tests/ui/stage.h"
#include "ui/panels/walk_scene.h"
#include "ui/theme/theme.h"

namespace hmmscope::ui::test {
namespace {

constexpr uint64_t start = 0x7f0000000000;

/// Address space 5 with a table of ptes and an array; devices 0 and 1 with tables over parts of it.
struct Devices {
  Devices(uint64_t entry) {
    Memory memory;
    const auto add = [&](RegionKind kind, uint32_t owner, uint64_t address, uint32_t count, const char* name) {
      Region region;
      region.kind = kind;
      region.owner = owner;
      region.address = address;
      region.count = count;
      region.stride = 4096;
      region.name = name;
      return memory.region(memory.add_region(std::move(region))).first;
    };
    pte = add(RegionKind::pte, 5, start, 512, "pte");
    array = add(RegionKind::hmm_pfns, 5, start, 16, "hmm_pfns");
    near = add(RegionKind::device_table, 0, start, 16, "gpu0 page table");
    far = add(RegionKind::device_table, 1, start + 0x8000, 16, "gpu1 page table");
    Recorder recorder(memory);
    for (WordIndex i = 0; i < 512; ++i) {
      recorder.step(RuleId::pte_none_zero, {});
      recorder.write(pte + i, entry | (uint64_t{i} << 12));
    }
    auto made = std::make_shared<traces::Document>();
    made->model = *kernel_model("6.12");
    made->recording = std::make_shared<const Recording>(std::move(recorder).finish());
    made->keyframes = std::make_shared<const Keyframes>(made->recording);
    made->history = std::make_shared<const History>(made->recording);
    document = made;
  }
  WordIndex pte = 0, array = 0, near = 0, far = 0;
  std::shared_ptr<const traces::Document> document;
};

constexpr uint64_t present = 0x67, prot_none = 0x100 | 0x42, swapped = 0x1ull << 58 | 0x400;

TEST(RegionIndex, FindsTheTablesOfEveryDevice) {
  const Devices world(present);
  RegionIndex index;
  index.update(world.document->recording.get());
  EXPECT_EQ(index.owners(RegionKind::device_table), (std::vector<uint32_t>{0, 1}));
  EXPECT_EQ(index.owners(RegionKind::hmm_pfns), (std::vector<uint32_t>{5}));
  EXPECT_TRUE(index.owners(RegionKind::mirror_table).empty());
  EXPECT_EQ(index.covering(RegionKind::device_table, start).size(), 1u);
  EXPECT_EQ(index.covering(RegionKind::device_table, start + 0x9000).size(), 2u);
  EXPECT_EQ(index.covering(RegionKind::device_table, start + 0x11000).size(), 1u);
  EXPECT_TRUE(index.covering(RegionKind::device_table, start - 0x1000).empty());
}

TEST(Walk, AWordOfADevicesTableLeadsToTheCpusEntry) {
  const Devices world(present);
  Stage stage("walk", world.document, 512);
  stage.view.selection.word = world.far + 2;
  RegionIndex index;
  index.update(world.document->recording.get());
  const WalkScene scene = walk_scene(stage.view, index);
  EXPECT_EQ(scene.owner, 5u);
  EXPECT_EQ(scene.address, start + 0xa000);
  ASSERT_EQ(scene.path.size(), 1u);
  EXPECT_EQ(scene.path[0].word, world.pte + 10);
  EXPECT_EQ(scene.slot, world.array + 10);
}

/// A trace knows which address space a device's words are of; another process has the same address, too.
TEST(Walk, AWordOfATracesDeviceLeadsToItsOwnProcess) {
  Memory memory;
  const auto add = [&](RegionKind kind, uint32_t owner) {
    Region region;
    region.kind = kind;
    region.owner = owner;
    region.address = start;
    region.count = 16;
    region.stride = 4096;
    region.name = "region";
    return memory.region(memory.add_region(std::move(region))).first;
  };
  add(RegionKind::hmm_pfns, 2);
  add(RegionKind::hmm_pfns, 5);
  const WordIndex device = add(RegionKind::device_table, 5);
  Recorder recorder(memory);
  recorder.add_event({1000, 1, 0, 0, 0});
  recorder.set_event(0);
  recorder.step(RuleId::trace_mirror_maps, {1, start, start + 0x10000});
  recorder.write(device, 0x8000000000001234, Evidence::inferred);
  const auto document = std::make_shared<traces::Document>();
  document->model = *kernel_model("6.12");
  document->recording = std::make_shared<const Recording>(std::move(recorder).finish());
  document->keyframes = std::make_shared<const Keyframes>(document->recording);
  document->history = std::make_shared<const History>(document->recording);
  RegionIndex index;
  index.update(document->recording.get());
  Stage stage("walk", document, 1);
  stage.view.selection.word = device;
  EXPECT_EQ(walk_scene(stage.view, index).owner, 5u);
}

/// Two calls with an array each: the walk of a struct hmm_range is that of its own pages, not of the last array.
TEST(Walk, AWordOfARangeLeadsToItsOwnPages) {
  Memory memory;
  const auto add = [&](RegionKind kind, uint64_t address, uint32_t count, uint64_t stride) {
    Region region;
    region.kind = kind;
    region.owner = 5;
    region.address = address;
    region.count = count;
    region.stride = stride;
    region.name = "region";
    return memory.region(memory.add_region(std::move(region))).first;
  };
  const auto range_words = static_cast<uint32_t>(RangeWord::count_);
  const WordIndex arrays[] = {add(RegionKind::hmm_pfns, start, 4, 4096), add(RegionKind::hmm_pfns, start + 0x8000, 4, 4096)};
  const WordIndex ranges[] = {add(RegionKind::range, 0, range_words, 0), add(RegionKind::range, 0, range_words, 0)};
  Recorder recorder(memory);
  for (uint64_t k = 0; k < 2; ++k) {
    recorder.step(RuleId::pte_none_zero, {});
    recorder.write(ranges[k] + static_cast<WordIndex>(RangeWord::start), start + k * 0x8000);
  }
  const auto document = std::make_shared<traces::Document>();
  document->model = *kernel_model("6.12");
  document->recording = std::make_shared<const Recording>(std::move(recorder).finish());
  document->keyframes = std::make_shared<const Keyframes>(document->recording);
  document->history = std::make_shared<const History>(document->recording);
  RegionIndex index;
  index.update(document->recording.get());
  for (uint64_t k = 0; k < 2; ++k) {
    Stage stage("walk", document, 2);
    stage.view.selection.word = ranges[k] + static_cast<WordIndex>(RangeWord::notifier_seq);
    const WalkScene scene = walk_scene(stage.view, index);
    EXPECT_EQ(scene.address, start + k * 0x8000);
    EXPECT_EQ(scene.slot, arrays[k]);
  }
  Stage before("walk", document, 0);   // nothing is filled in: the last array
  before.view.selection.word = ranges[0];
  EXPECT_EQ(walk_scene(before.view, index).slot, arrays[1]);
}

int migrate_pixels(uint64_t entry) {
  const Devices world(entry);
  Stage stage("walk", world.document, 512);
  stage.size = {900, 330, 1};
  stage.view.selection.word = world.array;
  const Image image = stage.picture();
  return static_cast<int>(
      std::count(image.pixels.begin(), image.pixels.end(), theme(ThemeKind::dark).field(Role::migrate)));
}

TEST(Walk, AProtNoneEntryIsNotDrawnAsASwapEntry) {
  const int swap = migrate_pixels(swapped);
  EXPECT_GT(swap, 500);
  EXPECT_LT(migrate_pixels(prot_none), swap / 10);
  EXPECT_LT(migrate_pixels(present), swap / 10);
}

}  // namespace
}  // namespace hmmscope::ui::test
