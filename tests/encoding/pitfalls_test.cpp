// The encoding pitfalls that lessons teach, each as arithmetic on the tables.

#include <gtest/gtest.h>

#include "engine/encoding/layout.h"
#include "engine/encoding/swap_entry.h"
#include "engine/encoding/x86_bits.h"

namespace hmmscope {
namespace {

uint64_t order_of(const char* id, uint64_t word) { return find_layout(id)->field(Role::order)->get(word); }
uint64_t flag_of(const char* id, Role role, uint64_t word) { return find_layout(id)->field(role)->get(word); }

TEST(Pitfalls, FlagInsideTheOrderField) {
  const uint64_t order11 = 0x8b00000000012345;
  EXPECT_EQ(order_of("hmm-v9-posted", order11), 11u);
  EXPECT_EQ(order11 & find_layout("hmm-v9-posted")->mask(Role::dma_mapped), 0x0200000000000000u);
  const uint64_t tagged = 0x8000000000012345 | find_layout("hmm-v9-posted")->mask(Role::dma_mapped);
  EXPECT_EQ(order_of("hmm-v9-posted", tagged), 2u);
}

TEST(Pitfalls, TheSameMistakeAgain) {
  EXPECT_EQ(order_of("hmm-devpriv-posted", 0x8320000000012345), 25u);
  EXPECT_EQ(flag_of("hmm-devpriv-posted", Role::device_private, 0x8320000000012345), 1u);
  for (const uint64_t order : {16u, 18u, 19u}) {
    const uint64_t word = find_layout("hmm-devpriv-posted")->field(Role::order)->put(order);
    EXPECT_EQ(flag_of("hmm-devpriv-posted", Role::device_private, word), 1u) << order;
  }
}

TEST(Pitfalls, OrderNineSetsTheseBits) {
  EXPECT_EQ(find_layout("hmm-5.9")->field(Role::order)->put(9), 0x0900000000000000u);
}

TEST(Pitfalls, ShiftPrecedence) {
  EXPECT_EQ(find_layout("hmm-genmask")->mask(Role::write), 0x0020000000000000u);
}

TEST(Pitfalls, InAndOutShareBits) {
  const Layout& l = *find_layout("hmm-6.16");
  EXPECT_TRUE(l.field(Role::valid)->input);
  EXPECT_TRUE(l.field(Role::write)->input);
  EXPECT_FALSE(l.field(Role::error)->input);
  EXPECT_EQ(0xc000000000012345 & (l.mask(Role::valid) | l.mask(Role::write)), 0xc000000000000000u);
  EXPECT_EQ(0xdeadbeefdeadbeef & (l.mask(Role::valid) | l.mask(Role::write)), 0xc000000000000000u);
}

TEST(Pitfalls, StickyFlagWithoutAPage) {
  EXPECT_EQ(describe(*find_layout("hmm-6.16"), 0x1000000000000000), "DMA_MAPPED");
  EXPECT_EQ(describe(*find_layout("hmm-6.16"), 0x9000000000054321), "VALID DMA_MAPPED pfn 0x54321");
}

TEST(Pitfalls, NonValidIsNotZero) {
  const uint64_t hint = 0x800fffffedcba120;
  EXPECT_TRUE(x86::pte_protnone(hint));
  EXPECT_TRUE(x86::pte_present(hint));
  EXPECT_EQ(x86::pte_pfn(hint), 0x12345u);
}

TEST(Pitfalls, NearestUnitOfAnOrder9Slot) {
  const uint64_t addr = 0x7f0000345000;
  EXPECT_EQ(0x12345 - ((addr & 0x1fffff) >> 12), 0x12200u);
  EXPECT_TRUE(find_layout("pmd-x86-64")->field(Role::pfn)->fits(0x12200));
}

TEST(Pitfalls, RfcHoleIsPfnZero) {
  const Layout& rfc = *find_layout("hmm-unified-rfc");
  EXPECT_EQ(rfc.mask(Role::valid) | rfc.mask(Role::migrate), 0x8200000000000000u);
  EXPECT_EQ(rfc.field(Role::pfn)->get(0x8200000000000000), 0u);
}

TEST(Pitfalls, MigrateAndDevicePrivateWantTheSameBit) {
  EXPECT_EQ(find_layout("hmm-unified-rfc")->mask(Role::migrate),
            find_layout("hmm-devpriv")->mask(Role::device_private));
}

TEST(Pitfalls, OldDumpsDecodeWronglyAfterTheOrderMoved) {
  EXPECT_EQ(order_of("hmm-6.16", 0x0090000000000000), 4u);
  EXPECT_EQ(order_of("hmm-unified-rfc", 0x0090000000000000), 9u);
  EXPECT_EQ(order_of("hmm-unified-rfc", 0x0120000000000000), 18u);
}

TEST(Pitfalls, SilentLossInMigratePages) {
  const Layout& l = *find_layout("migrate-5.16");
  EXPECT_EQ(0x48d14b & ~l.mask(Role::migrate), 0x48d149u);
  EXPECT_EQ(describe(l, 0x48d149), "VALID WRITE pfn 0x12345");
}

TEST(X86Bits, Predicates) {
  EXPECT_TRUE(x86::pte_none(0));
  EXPECT_TRUE(x86::pte_none(0x60)) << "A and D alone are none";
  EXPECT_FALSE(x86::pte_none(0x61));
  EXPECT_FALSE(x86::pte_present(0xd7fffffffdb97400));
  EXPECT_TRUE(x86::pte_write(0x8000000012345867));
  EXPECT_FALSE(x86::pte_write(0x8000000012345025));
  EXPECT_TRUE(x86::pte_special(0x8000000005000225));
  EXPECT_EQ(x86::pte_pfn(0x8000000012345867), 0x12345u);
  EXPECT_EQ(x86::invert_mask(0), 0u);
  EXPECT_EQ(x86::pmd_pfn(0x80000000124008e7), 0x12400u);
  EXPECT_TRUE(x86::pmd_leaf(0x80000000124008e7));
  EXPECT_TRUE(x86::pmd_trans_huge(0x80000000124008e7));
  EXPECT_FALSE(x86::pmd_bad(0x0000000012345067));
  EXPECT_FALSE(x86::pmd_bad(0x0000000012345063)) << "kernel table";
  EXPECT_TRUE(x86::pmd_bad(0x80000000124008e7)) << "a leaf is no table";
  EXPECT_TRUE(x86::pmd_bad(0x0000000012345065)) << "a table must be writable";
  EXPECT_EQ(x86::table_page(0x0000000012345067), 0x12345u);
  EXPECT_TRUE(x86::pud_leaf(0x80000001400000e7));
  EXPECT_EQ(x86::pud_pfn(0x80000001400000e7), 0x140000u);
  EXPECT_FALSE(x86::pmd_present(0xd7fffffffdb97400));
}

}  // namespace
}  // namespace hmmscope
