// The block path and the rules must give the same words, whatever the table holds.

#include <random>

#include "engine/walk/pte_block.h"
#include "tests/engine/world.h"

namespace hmmscope::test {
namespace {

/// Mostly plain ptes, so that blocks form, with every other kind among them.
uint64_t random_pte(std::mt19937_64& rng, const KernelModel& model, unsigned oddness) {
  const uint64_t pfn = 0x12000 + rng() % 0x1000;
  if (rng() % 100 >= oddness) {
    switch (rng() % 4) {
      case 0: return 0;
      case 1: return EntryFormat::make(pfn, 0x8000000000000867);
      case 2: return EntryFormat::make(pfn, 0x25);
      default: return EntryFormat::make(pfn, 0x8400000000000067);
    }
  }
  switch (rng() % 9) {
    case 0: return rng() % 2 ? 0x60 : 0x20;                                  // none all the same
    case 1: return pte_zero_page;
    case 2: return EntryFormat::make(pfn, 0x120);                            // PROTNONE
    case 3: return EntryFormat::make(pfn, 0x8000000000000267);               // special
    case 4: return EntryFormat::make(pfn, 0x8200000000000267);               // special devmap
    case 5: return make_swap_word(static_cast<uint8_t>(rng() % 32), pfn);
    case 6: return make_swap_word(model.types.device_write, pfn);
    case 7: return make_swap_word(model.types.device_read, pfn);
    default: return rng();
  }
}

struct Walked {
  RangeFaultResult result;
  std::vector<uint64_t> words;
};

Walked walk(const char* model, uint64_t seed, PtePath path) {
  std::mt19937_64 rng(seed);
  World w(model, [&](KernelModel& m) { m.config.numa_balancing = seed % 2 == 0; });
  const uint64_t length = 1 + rng() % 1500, offset = rng() % 700;
  w.vma(0, offset + length);
  const unsigned oddness = seed % 3 == 0 ? 30 : 1;
  for (uint64_t page = 0; page < offset + length; ++page) w.pte(page, random_pte(rng, w.machine().model(), oddness));
  w.device(0x12000, 0x800, 7);
  w.call.dev_private_owner = seed % 5 == 0 ? 8 : 7;
  const uint64_t flag_sets[] = {0, 0, 0, V, W, V | W};
  const uint64_t masks[] = {0, 0, V, V | W, all_ones};
  w.range(offset, static_cast<uint32_t>(length), flag_sets[rng() % 6], masks[rng() % 5]);
  for (uint32_t i = 0; i < length; ++i) w.in(i, seed % 4 == 0 ? rng() : rng() & ~(V | W));
  Walked run;
  run.result = w.run(path);
  run.words.assign(w.machine().memory().words().begin(), w.machine().memory().words().end());
  return run;
}

TEST(PteBlock, AgreesWithTheRulesOnRandomTables) {
  uint64_t errors = 0;
  for (const char* model : {"5.9", "6.12", "6.12-v9", "6.16", "7.3"}) {
    for (uint64_t seed = 0; seed < 120; ++seed) {
      const Walked block = walk(model, seed, PtePath::block_when_possible), rules = walk(model, seed, PtePath::rules_only);
      ASSERT_EQ(block.result.ret, rules.result.ret) << model << " seed " << seed;
      ASSERT_EQ(block.result.last, rules.result.last) << model << " seed " << seed;
      errors += block.result.ret != 0;
      // An error leaves what lies behind it as it was on both paths.
      ASSERT_EQ(block.words, rules.words) << model << " seed " << seed;
    }
  }
  EXPECT_GT(errors, 20u) << "the seeds should also produce failing calls";
}

TEST(PteBlock, ConvertsAWholePlainTableAtOnce) {
  PfnFormat format;
  format.valid = V;
  format.write = W;
  std::vector<uint64_t> ptes(entries_per_table, pte_rw), slots(entries_per_table, 0x77);
  EXPECT_EQ(convert_ptes(PteBlock(format, 0, 0), ptes.data(), slots.data(), 512), 512u);
  EXPECT_EQ(slots, std::vector<uint64_t>(512, 0xc000000000012345));
  EXPECT_EQ(convert_ptes(PteBlock(format, V | W, 0), ptes.data(), slots.data(), 509), 509u);
}

TEST(PteBlock, StopsAtTheFirstUnusualPteWhereverItIs) {
  PfnFormat format;
  format.valid = V;
  format.write = W;
  for (uint32_t odd = 0; odd < 200; ++odd) {
    std::vector<uint64_t> ptes(200, pte_rw), slots(200, 0);
    ptes[odd] = pte_numa_hint;
    EXPECT_EQ(convert_ptes(PteBlock(format, 0, 0), ptes.data(), slots.data(), 200), odd);
    ptes[odd] = pte_ro;
    slots.assign(200, 0);
    EXPECT_EQ(convert_ptes(PteBlock(format, V | W, 0), ptes.data(), slots.data(), 200), odd);
    EXPECT_EQ(slots[odd], 0u) << "a slot that asks is not written before it is served";
  }
}

}  // namespace
}  // namespace hmmscope::test
