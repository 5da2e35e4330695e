// Type numbering by version and configuration, and the words of non-present entries.

#include "engine/encoding/swap_entry.h"

#include <gtest/gtest.h>

namespace hmmscope {
namespace {

constexpr uint64_t pfn = 0x12345;

SwapEntry entry(SwapKind kind, uint64_t number = pfn) {
  SwapEntry e;
  e.kind = kind;
  (is_pfn_entry(kind) ? e.pfn : e.offset) = number;
  return e;
}

TEST(SwapTypes, Linux612WithEverythingOn) {
  const SwapTypes t = swap_types(6012, {});
  EXPECT_EQ(t.max_swapfiles, 23);
  EXPECT_EQ(t.hwpoison, 23);
  EXPECT_EQ(t.migration_read, 24);
  EXPECT_EQ(t.migration_read_exclusive, 25);
  EXPECT_EQ(t.migration_write, 26);
  EXPECT_EQ(t.device_write, 27);
  EXPECT_EQ(t.device_read, 28);
  EXPECT_EQ(t.device_exclusive_write, 29);
  EXPECT_EQ(t.device_exclusive_read, 30);
  EXPECT_EQ(t.pte_marker, 31);
  EXPECT_EQ(t.swapin_error, SwapTypes::absent);
}

TEST(SwapTypes, Linux615HasOneExclusiveType) {
  const SwapTypes t = swap_types(6015, {});
  EXPECT_EQ(t.max_swapfiles, 24);
  EXPECT_EQ(t.hwpoison, 24);
  EXPECT_EQ(t.migration_read, 25);
  EXPECT_EQ(t.migration_write, 27);
  EXPECT_EQ(t.device_write, 28);
  EXPECT_EQ(t.device_read, 29);
  EXPECT_EQ(t.device_exclusive_write, 30);
  EXPECT_EQ(t.device_exclusive_read, 30);
  EXPECT_EQ(t.pte_marker, 31);
}

TEST(SwapTypes, Linux61IsOneLowerBecauseOfSwapInErrors) {
  const SwapTypes t = swap_types(6001, {});
  EXPECT_EQ(t.migration_read, 23);
  EXPECT_EQ(t.device_write, 26);
  EXPECT_EQ(t.device_read, 27);
  EXPECT_EQ(t.device_exclusive_write, 28);
  EXPECT_EQ(t.device_exclusive_read, 29);
  EXPECT_EQ(t.pte_marker, 30);
  EXPECT_EQ(t.swapin_error, 31);
}

TEST(SwapTypes, MemoryFailureMovesOnlyTheSwapFiles) {
  KernelConfig c;
  c.memory_failure = false;
  const SwapTypes t = swap_types(6012, c);
  EXPECT_EQ(t.max_swapfiles, 24);
  EXPECT_EQ(t.hwpoison, SwapTypes::absent);
  EXPECT_EQ(t.migration_read, 24);
  EXPECT_EQ(t.device_write, 27);
}

TEST(SwapTypes, WithoutDevicePrivateMigrationMovesUpByFour) {
  KernelConfig c;
  c.device_private = false;
  const SwapTypes t = swap_types(6012, c);
  EXPECT_EQ(t.max_swapfiles, 27);
  EXPECT_EQ(t.hwpoison, 27);
  EXPECT_EQ(t.migration_read, 28);
  EXPECT_EQ(t.migration_write, 30);
  EXPECT_EQ(t.device_write, SwapTypes::absent);
  EXPECT_EQ(t.device_exclusive_read, SwapTypes::absent);
  EXPECT_EQ(t.pte_marker, 31);
}

TEST(SwapTypes, OldKernelsHadFewerTypes) {
  const SwapTypes t59 = swap_types(5009, {});
  EXPECT_EQ(t59.max_swapfiles, 32 - 1 - 2 - 2);
  EXPECT_EQ(t59.migration_read_exclusive, SwapTypes::absent);
  EXPECT_EQ(t59.device_exclusive_write, SwapTypes::absent);
  EXPECT_EQ(t59.pte_marker, SwapTypes::absent);
  EXPECT_EQ(t59.device_read, 31);
  EXPECT_EQ(swap_types(5014, {}).device_exclusive_read, 31);
  KernelConfig no_marker;
  no_marker.pte_marker = false;
  EXPECT_EQ(swap_types(6001, no_marker).pte_marker, SwapTypes::absent);
  EXPECT_EQ(swap_types(6001, no_marker).device_exclusive_read, 30);
  EXPECT_EQ(swap_types(6012, no_marker).pte_marker, 31) << "always compiled in from 6.2";
}

struct Golden {
  SwapKind kind;
  uint64_t number, word;
};

TEST(SwapEntry, GoldenWordsOf612) {
  const SwapFormat format(swap_types(6012, {}), physmem_bits(4));
  for (const Golden& g : {Golden{SwapKind::migration_read, pfn, 0xc7fffffffdb97400},
                          Golden{SwapKind::migration_read_exclusive, pfn, 0xcffffffffdb97400},
                          Golden{SwapKind::migration_write, pfn, 0xd7fffffffdb97400},
                          Golden{SwapKind::device_write, pfn, 0xdffffffffdb97400},
                          Golden{SwapKind::device_read, pfn, 0xe7fffffffdb97400},
                          Golden{SwapKind::hwpoison, pfn, 0xbffffffffdb97400},
                          Golden{SwapKind::pte_marker, marker_uffd_wp, 0xfffffffffffffc00},
                          Golden{SwapKind::swap, 0x777, 0x07fffffffff11000}}) {
    EXPECT_EQ(encode_swap(format, entry(g.kind, g.number)).value(), g.word) << swap_kind_name(g.kind);
    const SwapEntry e = decode_swap(format, g.word);
    EXPECT_EQ(e.kind, g.kind);
    EXPECT_EQ(is_pfn_entry(g.kind) ? e.pfn : e.offset, g.number);
  }
  SwapEntry exclusive = entry(SwapKind::swap, 0x777);
  exclusive.exclusive = true;
  EXPECT_EQ(encode_swap(format, exclusive).value(), 0x07fffffffff11008u);
}

TEST(SwapEntry, AccessedAndDirtySitAboveThePfn) {
  SwapEntry e = entry(SwapKind::migration_write);
  e.accessed = e.dirty = true;
  const SwapFormat four(swap_types(6012, {}), physmem_bits(4));
  const SwapFormat five(swap_types(6012, {}), physmem_bits(5));
  EXPECT_EQ(encode_swap(four, e).value(), 0xd7ffe7fffdb97400u);
  EXPECT_EQ(encode_swap(five, e).value(), 0xd7f9fffffdb97400u);
  EXPECT_EQ(four.offset(0xd7ffe7fffdb97400), 0xc00012345u) << "the raw offset is not the pfn";
  EXPECT_EQ(four.pfn(0xd7ffe7fffdb97400), pfn);
  EXPECT_EQ(describe_swap(decode_swap(four, 0xd7ffe7fffdb97400)), "migration write pfn 0x12345 A D");
}

TEST(SwapEntry, MigrationEntriesRememberAccessesSince61) {
  SwapEntry e = entry(SwapKind::migration_write);
  e.accessed = e.dirty = true;
  const SwapFormat before(swap_types(6000, {}), 46), since(swap_types(6001, {}), 46);
  EXPECT_EQ(before.offset(encode_swap(before, e).value()), pfn);
  EXPECT_EQ(since.offset(encode_swap(since, e).value()), 0xc00012345u);
  EXPECT_FALSE(decode_swap(before, encode_swap(since, e).value()).accessed);
}

TEST(SwapEntry, MarkerBitsAreNamedByTheKernelsThatHaveThem) {
  const auto text = [](uint32_t version, uint64_t bits) {
    const SwapTypes types = swap_types(version, {});
    SwapEntry marker;
    marker.kind = SwapKind::pte_marker;
    marker.offset = bits;
    const SwapFormat format(types, 46);
    return describe_swap(decode_swap(format, encode_swap(format, marker).value()), types.marker_bits);
  };
  EXPECT_EQ(text(6013, marker_guard), "pte marker guard");
  EXPECT_EQ(text(6012, marker_guard), "pte marker 0x4");
  EXPECT_EQ(text(6012, marker_poisoned | marker_uffd_wp), "pte marker uffd-wp poisoned");
  EXPECT_EQ(text(6001, marker_uffd_wp), "pte marker uffd-wp");
  EXPECT_EQ(text(6001, marker_poisoned), "pte marker 0x2");
}

TEST(SwapEntry, TheSameWordMeansSomethingElseOnAnotherKernel) {
  const uint64_t word = 0xe7fffffffdb97400;
  const auto kind = [word](uint32_t version) { return SwapFormat(swap_types(version, {}), 46).kind(word); };
  EXPECT_EQ(kind(6012), SwapKind::device_read);
  EXPECT_EQ(kind(6015), SwapKind::device_write);
  EXPECT_EQ(kind(6001), SwapKind::device_exclusive_write);
  // Captured words: writable on 6.12, read-only on 6.1.
  const SwapFormat f612(swap_types(6012, {}), 46);
  const SwapFormat f61(swap_types(6001, {}), 46);
  EXPECT_EQ(f61.kind(0xdfffffe060000000), SwapKind::device_read);
  EXPECT_EQ(f612.kind(0xdfffffe060000000), SwapKind::device_write);
  EXPECT_EQ(f612.kind(0xe7ffffe062000200), SwapKind::device_read);
  EXPECT_EQ(f612.pfn(0xdfffffe060000000), 0xfcfffffu);
}

TEST(SwapEntry, Predicates) {
  EXPECT_TRUE(is_migration(SwapKind::migration_read_exclusive));
  EXPECT_FALSE(is_migration(SwapKind::device_write));
  EXPECT_TRUE(is_device_private(SwapKind::device_read));
  EXPECT_FALSE(is_device_private(SwapKind::device_exclusive_read));
  EXPECT_TRUE(is_device_exclusive(SwapKind::device_exclusive_write));
  EXPECT_TRUE(is_writable(SwapKind::device_write));
  EXPECT_FALSE(is_writable(SwapKind::migration_read_exclusive));
  EXPECT_TRUE(is_pfn_entry(SwapKind::hwpoison));
  EXPECT_FALSE(is_pfn_entry(SwapKind::swap));
  EXPECT_FALSE(is_pfn_entry(SwapKind::pte_marker));
}

TEST(SwapEntry, WhatTheKernelLacksCannotBeEncoded) {
  KernelConfig c;
  c.device_private = false;
  const SwapFormat format(swap_types(6012, c), 46);
  EXPECT_FALSE(encode_swap(format, entry(SwapKind::device_write)).has_value());
  EXPECT_FALSE(encode_swap(format, entry(SwapKind::migration_read, 1ull << 34)).has_value()) << "34 pfn bits";
  SwapEntry file = entry(SwapKind::swap, 0);
  file.type = 27;
  EXPECT_FALSE(encode_swap(format, file).has_value()) << "type 27 is hwpoison here";
}

TEST(SwapEntry, Texts) {
  const SwapFormat format(swap_types(6012, {}), 46);
  const auto text = [&format](uint64_t word) { return describe_swap(decode_swap(format, word)); };
  EXPECT_EQ(text(0x07fffffffff11008), "swap type 0 offset 0x777 E");
  EXPECT_EQ(text(0xfffffffffffffc00), "pte marker uffd-wp");
  EXPECT_EQ(text(make_swap_word(31, marker_poisoned | marker_guard)), "pte marker poisoned guard");
  EXPECT_EQ(text(0xbffffffffdb97400), "hwpoison pfn 0x12345");
  EXPECT_EQ(describe(*find_layout("swap-x86-64-6.12"), 0xdffffffffdb97400),
            "device-private write pfn 0x12345");
  EXPECT_EQ(describe(*find_layout("swap-x86-64-6.1"), 0xdffffffffdb97400), "device-private read pfn 0x12345");
}

TEST(SwapEntry, LayoutsFollowTheVersion) {
  EXPECT_STREQ(swap_layout(Family::x86_swap, 5009).id, "swap-x86-64-5.9");
  EXPECT_STREQ(swap_layout(Family::x86_swap, 5015).id, "swap-x86-64-5.14");
  EXPECT_STREQ(swap_layout(Family::x86_swap, 6001).id, "swap-x86-64-6.1");
  EXPECT_STREQ(swap_layout(Family::x86_swap, 6002).id, "swap-x86-64-6.12");
  EXPECT_STREQ(swap_layout(Family::x86_swap, 6014).id, "swap-x86-64-6.12");
  EXPECT_STREQ(swap_layout(Family::x86_swap, 7003).id, "swap-x86-64-6.15");
  EXPECT_STREQ(swap_layout(Family::arm64_swap, 6012).id, "swap-arm64-6.12");
  EXPECT_EQ(swap_version(*find_layout("swap-x86-64-6.12")), 6012u);
  EXPECT_EQ(swap_version(*find_layout("pte-x86-64")), 0u);
}

}  // namespace
}  // namespace hmmscope
