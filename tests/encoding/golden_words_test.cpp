// Words whose value is known from kernel sources and captures, encoded from their fields and read back.

#include <gtest/gtest.h>

#include "engine/encoding/layout.h"
#include "engine/encoding/swap_entry.h"
#include "engine/encoding/x86_bits.h"

namespace hmmscope {
namespace {

const Layout& layout(const char* id) {
  const Layout* found = find_layout(id);
  EXPECT_NE(found, nullptr) << id;
  return *found;
}

uint64_t word(const char* id, std::vector<FieldValue> values) {
  const auto encoded = encode(layout(id), values);
  EXPECT_TRUE(encoded.has_value()) << (encoded ? "" : encoded.error().message);
  return encoded.value_or(0xdead);
}

constexpr FieldValue V{"VALID", 1};
constexpr FieldValue W{"WRITE", 1};
constexpr FieldValue P{"pfn", 0x12345};

struct HmmSample {
  const char* id;
  uint64_t read_only, read_write, order9_rw, order18_ro;
};

class HmmSamples : public ::testing::TestWithParam<HmmSample> {};

INSTANTIATE_TEST_SUITE_P(Eras, HmmSamples,
                         ::testing::Values(HmmSample{"hmm-5.9", 0x8000000000012345, 0xc000000000012345,
                                                     0xc900000000012345, 0x9200000000012345},
                                           HmmSample{"hmm-6.16", 0x8000000000012345, 0xc000000000012345,
                                                     0xc120000000012345, 0x8240000000012345},
                                           HmmSample{"hmm-unified-rfc", 0x8000000000012345,
                                                     0xc000000000012345, 0xc090000000012345,
                                                     0x8120000000012345},
                                           HmmSample{"hmm-genmask", 0x0010000000012345, 0x0030000000012345,
                                                     0x04b0000000012345, 0x0910000000012345}));

TEST_P(HmmSamples, EncodeAndDecode) {
  const HmmSample& s = GetParam();
  EXPECT_EQ(word(s.id, {V, P}), s.read_only);
  EXPECT_EQ(word(s.id, {V, W, P}), s.read_write);
  EXPECT_EQ(word(s.id, {V, W, {"order", 9}, P}), s.order9_rw);
  EXPECT_EQ(word(s.id, {V, {"order", 18}, P}), s.order18_ro);
  EXPECT_EQ(describe(layout(s.id), s.read_only), "VALID pfn 0x12345");
  EXPECT_EQ(layout(s.id).field(Role::order)->get(s.order9_rw), 9u);
  EXPECT_EQ(layout(s.id).field(Role::order)->get(s.order18_ro), 18u);
  EXPECT_EQ(layout(s.id).field(Role::pfn)->get(s.order18_ro), 0x12345u);
}

TEST(GoldenWords, ErasWithoutAnOrder) {
  EXPECT_EQ(word("hmm-4.14", {V, {"READ", 1}, P}), 0x000000000091a283u);
  EXPECT_EQ(word("hmm-4.14", {V, {"READ", 1}, W, P}), 0x000000000091a287u);
  EXPECT_EQ(word("nouveau-5.1", {V, P}), 0x0000000012345001u);
  EXPECT_EQ(word("nouveau-5.1", {V, W, P}), 0x0000000012345003u);
  EXPECT_EQ(word("hmm-5.8", {V, P}), 0x8000000000012345u);
  EXPECT_EQ(word("hmm-5.8", {V, W, P}), 0xc000000000012345u);
}

TEST(GoldenWords, FlagsMasks) {
  EXPECT_EQ(layout("hmm-5.8").flags_mask(), 0xe000000000000000u);
  EXPECT_EQ(layout("hmm-5.9").flags_mask(), 0xff00000000000000u);
  EXPECT_EQ(layout("hmm-6.16").flags_mask(), 0xffe0000000000000u);
  EXPECT_EQ(layout("hmm-unified-rfc").flags_mask(), 0xfff0000000000000u);
  EXPECT_EQ(layout("hmm-genmask").flags_mask(), 0xfff0000000000000u);
}

TEST(GoldenWords, StickyMasks) {
  EXPECT_EQ(layout("hmm-5.9").sticky_mask(), 0u);
  EXPECT_EQ(layout("hmm-v9-posted").sticky_mask(), 0x0200000000000000u);
  EXPECT_EQ(layout("hmm-6.16").sticky_mask(), 0x1c00000000000000u);
  EXPECT_EQ(layout("hmm-unified-rfc").sticky_mask(), 0x1c00000000000000u);
}

TEST(GoldenWords, GenmaskPositionsFollowThePageSize) {
  const Layout& g = layout("hmm-genmask");
  EXPECT_EQ(g.mask(Role::valid), 0x0010000000000000u);
  EXPECT_EQ(g.mask(Role::write), 1ull << 53);
  EXPECT_EQ(g.mask(Role::error), 1ull << 54);
  EXPECT_EQ(g.mask(Role::order), 0x0f80000000000000u);
  EXPECT_EQ(layout("hmm-genmask-16k").field(Role::valid)->shift, 50);
  EXPECT_EQ(layout("hmm-genmask-64k").field(Role::valid)->shift, 48);
  EXPECT_EQ(layout("hmm-genmask-64k").field(Role::order)->shift, 51);
  EXPECT_EQ(layout("hmm-genmask-32").field(Role::valid)->shift, 20);
  EXPECT_EQ(layout("hmm-genmask-32").mask(Role::order), 0x0f800000u);
}

TEST(GoldenWords, BitsLeftForThePfn) {
  const auto width = [](const char* id) { return static_cast<int>(layout(id).field(Role::pfn)->width); };
  const struct {
    const char* id;
    int wide, narrow;
  } rows[] = {{"hmm-4.14", 57, 25},          {"hmm-5.8", 61, 29},     {"hmm-5.9", 56, 24},
              {"hmm-6.16", 53, 21},          {"hmm-devpriv", 52, 20}, {"hmm-unified-rfc", 52, 20},
              {"hmm-unified-later", 51, 19}, {"migrate-5.16", 58, 26}};
  for (const auto& row : rows) {
    EXPECT_EQ(width(row.id), row.wide) << row.id;
    EXPECT_EQ(width((std::string(row.id) + "-32").c_str()), row.narrow) << row.id;
  }
}

TEST(GoldenWords, MigratePfn) {
  EXPECT_EQ(word("migrate-5.16", {V, {"MIGRATE", 1}, P}), 0x48d143u);
  EXPECT_EQ(word("migrate-5.16", {V, {"MIGRATE", 1}, W, P}), 0x48d14bu);
  EXPECT_EQ(word("migrate-5.16", {{"MIGRATE", 1}}), 0x2u);
  EXPECT_EQ(word("migrate-6.19", {V, {"MIGRATE", 1}, W, {"COMPOUND", 1}, {"pfn", 0x12400}}), 0x49001bu);
  EXPECT_EQ(word("migrate-6.19", {{"MIGRATE", 1}, {"COMPOUND", 1}}), 0x12u);
  EXPECT_EQ(layout("migrate-4.14").mask(Role::locked), 4u);
  EXPECT_EQ(layout("migrate-4.14").mask(Role::device_private), 0x10u);
  EXPECT_EQ(layout("migrate-4.14").mask(Role::error), 0x20u);
  EXPECT_EQ(layout("migrate-5.16").field(Role::locked), nullptr);
  // Captured: src and dst words of a migration to device memory.
  EXPECT_EQ(describe(layout("migrate-5.16"), 0x44ab40b), "VALID MIGRATE WRITE pfn 0x112ad0");
  EXPECT_EQ(describe(layout("migrate-5.16"), 0x3f3ffffc9), "VALID WRITE pfn 0xfcfffff");
}

TEST(GoldenWords, X86PresentEntries) {
  EXPECT_EQ(word("pte-x86-64",
                 {{"P", 1}, {"RW", 1}, {"US", 1}, {"A", 1}, {"D", 1}, {"SOFT_DIRTY", 1}, {"NX", 1}, P}),
            0x8000000012345867u);
  EXPECT_EQ(word("pte-x86-64", {{"P", 1}, {"US", 1}, {"A", 1}, {"NX", 1}, P}), 0x8000000012345025u);
  EXPECT_EQ(word("pte-x86-64", {{"P", 1}, {"US", 1}, {"A", 1}, {"SPECIAL", 1}, {"NX", 1}, {"pfn", 0x5000}}),
            0x8000000005000225u);
  EXPECT_EQ(word("pmd-x86-64", {{"P", 1},
                                {"RW", 1},
                                {"US", 1},
                                {"A", 1},
                                {"D", 1},
                                {"PSE", 1},
                                {"SOFT_DIRTY", 1},
                                {"NX", 1},
                                {"pfn", 0x12400}}),
            0x80000000124008e7u);
  EXPECT_EQ(word("pte-x86-64-protnone", {{"PROTNONE", 1}, {"A", 1}, {"NX", 1}, P}), 0x800fffffedcba120u);
  EXPECT_EQ(describe(layout("pte-x86-64"), 0x8000000012345867), "P RW US A D SOFT_DIRTY NX pfn 0x12345");
  EXPECT_EQ(describe(layout("pmd-x86-64"), 0x80000000124008e7), "P RW US A D PSE SOFT_DIRTY NX pfn 0x12400");
  EXPECT_EQ(describe(layout("pte-x86-64-protnone"), 0x800fffffedcba120), "A PROTNONE NX pfn 0x12345");
  EXPECT_EQ(describe(layout("pte-x86-64"), 0x60), "none (A and D do not count)");
}

TEST(GoldenWords, LayoutForEntryReadsTheWordAsWhatItIs) {
  const Layout& pte = layout("pte-x86-64");
  const Layout& pmd = layout("pmd-x86-64");
  const Layout& swap = layout("swap-x86-64-6.12");
  const auto id = [&swap](const Layout& l, uint64_t w) {
    return std::string(layout_for_entry(l, swap, w).id);
  };
  EXPECT_EQ(id(pte, 0x8000000012345867), "pte-x86-64");
  EXPECT_EQ(id(pte, 0), "pte-x86-64");
  EXPECT_EQ(id(pte, 0x60), "pte-x86-64");
  EXPECT_EQ(id(pte, 0x800fffffedcba120), "pte-x86-64-protnone");
  EXPECT_EQ(id(pte, 0xd7fffffffdb97400), "swap-x86-64-6.12");
  EXPECT_EQ(id(pmd, 0x80000000124008e7), "pmd-x86-64");
  EXPECT_EQ(id(pmd, 0x0000000012345067), "table-x86-64");
  EXPECT_EQ(id(pmd, 0xd7fffffffdb97400), "swap-x86-64-6.12");
  EXPECT_EQ(id(pmd, 0x000fffffedc00080), "pmd-x86-64-protnone") << "a leaf that is being split";
  EXPECT_EQ(id(layout("pud-x86-64"), 0x80000001400000e7), "pud-x86-64");
  const Layout& arm_swap = layout("swap-arm64-6.12");
  EXPECT_EQ(&layout_for_entry(layout("pte-arm64"), arm_swap, 0x12345680), &arm_swap);
  EXPECT_STREQ(layout_for_entry(layout("pte-arm64"), arm_swap, 0x00e8000012345f43).id, "pte-arm64");
  EXPECT_STREQ(layout_for_entry(layout("pte-arm64"), arm_swap, 0x0000000012345800).id, "pte-arm64")
      << "PROT_NONE";
}

TEST(GoldenWords, Arm64NonPresent) {
  EXPECT_EQ(word("swap-arm64-6.12", {{"type", 26}, {"offset", 0x12345}}), 0x0000000012345680u);
  EXPECT_EQ(word("swap-arm64-6.12", {{"type", 27}, {"offset", 0x12345}}), 0x00000000123456c0u);
  EXPECT_EQ(describe(layout("swap-arm64-6.12"), 0x12345680), "migration write pfn 0x12345");
  EXPECT_EQ(describe(layout("swap-arm64-6.12"), 0x123456c0), "device-private write pfn 0x12345");
}

TEST(GoldenWords, DriverValuesAreTestedBeforeFlags) {
  EXPECT_EQ(describe(layout("nouveau-5.1"), 0), "NONE");
  EXPECT_EQ(describe(layout("nouveau-5.1"), 0xfffffffffffffffe), "ERROR")
      << "SPECIAL aliases it and is tested later";
  EXPECT_EQ(describe(layout("nouveau-5.1"), 0x12345013), "VALID WRITE VRAM pfn 0x12345");
  EXPECT_EQ(describe(layout("nouveau-2018-draft"), ~0ull), "ERROR");
  EXPECT_EQ(describe(layout("nouveau-2018-draft"), 1ull << 63), "SPECIAL");
  EXPECT_EQ(describe(layout("nouveau-2018-draft"), 0x1234503), "VALID WRITE pfn 0x12345");
  EXPECT_EQ(word("driver-2019-example", {V, W, {"pfn", 0xa00}}), 0xc000000000000a00u);
  EXPECT_EQ(describe(layout("nouveau-pfnmap"), 0x12345013), "V W APER 1 pfn 0x12345");
}

TEST(GoldenWords, MirrorEntriesMovedTheirBitsPatchByPatch) {
  EXPECT_EQ(word("mirror-pde-2015", {V, P}), 0x12345001u);
  EXPECT_EQ(word("mirror-pte-2015", {{"VALID_PFN", 1}, {"WRITE", 1}, P}), 0x12345006u);
  EXPECT_EQ(word("mirror-pte-2015-device", {{"VALID_PFN", 1}, {"WRITE", 1}, P}), 0x1234500cu);
  EXPECT_EQ(word("mirror-pte-2015-select", {{"VALID_PFN", 1}, {"WRITE", 1}, P}), 0x12345014u);
  EXPECT_EQ(word("mirror-pte-2015-select", {{"VALID_DMA", 1}, {"DIRTY", 1}, {"SELECT", 1}, P}), 0x1234502au);
}

TEST(GoldenWords, CapturedHmmWords) {
  EXPECT_EQ(describe(layout("hmm-5.9"), 0x2000000000000000), "ERROR");
  EXPECT_EQ(describe(layout("hmm-5.9"), 0x800000000000229f), "VALID pfn 0x229f");
  EXPECT_EQ(describe(layout("hmm-5.9"), 0x0900000000000001), "order 9 pfn 0x1");
  EXPECT_EQ(describe(layout("hmm-v9-posted"), 0xcb0000000010d000),
            "VALID WRITE order 11 DMA_MAPPED pfn 0x10d000");
  EXPECT_EQ(describe(layout("hmm-6.16"), 0xd12000000010d200), "VALID WRITE DMA_MAPPED order 9 pfn 0x10d200");
  EXPECT_EQ(describe(layout("hmm-unified-rfc"), 0x8200000000000000), "VALID MIGRATE pfn 0x0");
  EXPECT_EQ(describe(layout("hmm-unified-rfc"), 0xc090000000111c00), "VALID WRITE order 9 pfn 0x111c00");
  EXPECT_EQ(describe(layout("hmm-6.16"), 0), "0");
}

}  // namespace
}  // namespace hmmscope
