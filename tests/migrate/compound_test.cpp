// 2M pages that migrate whole (6.19 and later): the words, and what is left of the mapping afterwards.
#include <gtest/gtest.h>

#include "engine/encoding/layout.h"
#include "engine/migrate/device_migration.h"
#include "engine/migrate/rmap.h"
#include "tests/migrate/direct.h"

namespace hmmscope::test {
namespace {

constexpr uint64_t pfn = 0x12400, pages = 512;

class Compound : public testing::Test {
 protected:
  explicit Compound(uint64_t flags = vm::read | vm::write) : d_("7.3", flags) {}

  void map(uint64_t pmd_flags) {
    add_anon_folio(d_.machine(), d_.vma(), base, pfn, 9, true);
    d_.mm().set_entry(Level::pmd, base, EntryFormat::make(pfn, pmd_flags | bit::huge));
  }
  uint64_t pmd() { return d_.machine().load(d_.mm().find_entry(Level::pmd, base)); }
  MigrateVma args() { return d_.args(pages, migrate_select::system | migrate_select::compound); }

  Direct d_;
};

TEST_F(Compound, WordsOfAHugePageAndOfAHole) {
  map(mapping_flags(d_.vma(), true));
  MigrateVma args = this->args();
  ASSERT_EQ(migrate_vma_setup(d_.machine(), args), 0);
  EXPECT_EQ(args.cpages, 1u);
  EXPECT_EQ(args.npages, pages);
  EXPECT_EQ(d_.machine().load(args.src), 0x49001bu);
  for (WordIndex k = 1; k < pages; ++k) ASSERT_EQ(d_.machine().load(args.src + k), 0u) << k;
  migrate_vma_finalize(d_.machine(), args);

  MigrateVma hole = this->args();
  hole.start += pages * page_bytes;
  hole.end += pages * page_bytes;
  ASSERT_EQ(migrate_vma_setup(d_.machine(), hole), 0);
  EXPECT_EQ(d_.machine().load(hole.src), 0x12u);
}

// A migration that comes to nothing leaves the pmd as it was, with every bit the entry can carry.
TEST_F(Compound, ThePmdComesBackBitForBit) {
  constexpr uint64_t plain = bit::present | bit::user | bit::no_execute;
  for (const uint64_t flags : {plain | bit::rw | bit::dirty | bit::accessed, plain | bit::rw | bit::accessed, plain | bit::rw,
                               plain, plain | bit::accessed, plain | x86::saved_dirty.mask(),
                               plain | bit::uffd_wp | bit::accessed, plain | x86::soft_dirty.mask()}) {
    map(flags);
    const uint64_t before = pmd();
    MigrateVma args = this->args();
    ASSERT_EQ(migrate_vma_setup(d_.machine(), args), 0);
    ASSERT_FALSE(x86::pmd_present(pmd()));
    ASSERT_TRUE(is_migration(d_.machine().entry_format().swap.kind(pmd())));
    migrate_vma_finalize(d_.machine(), args);
    EXPECT_EQ(pmd(), before) << std::hex << flags;
    const Folio folio = Folio::of(d_.machine(), pfn);
    EXPECT_TRUE(folio.has(folio_flag::anon_exclusive));
    EXPECT_EQ(folio.refcount(), 1u);
    EXPECT_EQ(folio.mapcount(), 1u);
  }
}

// Soft-dirty and uffd-wp survive the way to the device and the split of the entry there; a writable one loses neither.
TEST_F(Compound, MarksReachTheDeviceEntryAndItsPtes) {
  map(bit::present | bit::user | bit::no_execute | bit::uffd_wp | x86::soft_dirty.mask());
  d_.machine().physical().add_device({0xfa00000, pages, gpu_owner, false, "large", nullptr});
  MigrateVma args = this->args();
  ASSERT_EQ(migrate_vma_setup(d_.machine(), args), 0);
  allocate_device_pages(d_.machine(), args, d_.machine().physical().devices()[1]);
  migrate_vma_pages(d_.machine(), args);
  migrate_vma_finalize(d_.machine(), args);
  const SwapFormat& format = d_.machine().entry_format().swap;
  const SwapEntry whole = decode_swap(format, pmd());
  EXPECT_EQ(whole.kind, SwapKind::device_read);
  EXPECT_EQ(whole.pfn, 0xfa00000u);
  EXPECT_TRUE(whole.soft_dirty);
  EXPECT_TRUE(whole.uffd_wp);
  split_huge_pmd(d_.machine(), d_.mm(), base, RuleId::split_pmd_device);
  for (uint64_t k = 0; k < pages; ++k) {
    const SwapEntry part = decode_swap(format, d_.machine().load(d_.mm().find_entry(Level::pte, base + k * page_bytes)));
    ASSERT_EQ(part.kind, SwapKind::device_read) << k;
    ASSERT_EQ(part.pfn, 0xfa00000u + k);
    ASSERT_TRUE(part.soft_dirty && part.uffd_wp) << k;
  }
  const Folio folio = Folio::of(d_.machine(), 0xfa00000);
  EXPECT_EQ(folio.order(), 9u);
  EXPECT_EQ(folio.refcount(), pages);
  EXPECT_EQ(folio.mapcount(), pages);
}

TEST(DeviceMemoryBlocks, AreAlignedReusedAndTakenApartLast) {
  Direct d("7.3");
  PhysicalMemory& memory = d.machine().physical();
  memory.add_device({0xfa00010, 1200, gpu_owner, false, "odd", nullptr});
  const DeviceMemory& device = memory.devices()[1];
  EXPECT_EQ(memory.allocate_device_page(device, 9), 0xfa00200u);   // the only aligned one of 0xfa00010 .. 0xfa004c0
  EXPECT_EQ(memory.allocate_device_page(device, 9), 0u);
  const uint64_t rest = 1200 - 512;
  for (uint64_t k = 0; k < rest; ++k) {
    const uint64_t single = memory.allocate_device_page(device);
    ASSERT_NE(single, 0u) << k;
    ASSERT_FALSE(single >= 0xfa00200 && single < 0xfa00400) << k;
  }
  EXPECT_EQ(memory.allocate_device_page(device), 0u);
  memory.free_device_page(0xfa00200, 9);
  EXPECT_EQ(memory.allocate_device_page(device, 9), 0xfa00200u);
  memory.free_device_page(0xfa00200, 9);
  EXPECT_NE(memory.allocate_device_page(device), 0u);   // from the freed block, as nothing else is left
  EXPECT_EQ(memory.allocate_device_page(device, 9), 0u);
}

}  // namespace
}  // namespace hmmscope::test
