// Random address spaces: recording changes nothing, every step can be undone, runs repeat exactly.

#include <random>

#include "tests/engine/world.h"

namespace hmmscope::test {
namespace {

constexpr uint64_t span_pages = 4 * pages_2m;

/// VMAs of all sorts with gaps, 2M units as leaf, table, non-present or hugetlb, faults that sometimes fail.
void build(World& w, std::mt19937_64& rng) {
  const KernelModel& model = w.machine().model();
  for (uint64_t unit = 0; unit < span_pages; unit += pages_2m) {
    if (rng() % 5 == 0) continue;
    const bool huge = rng() % 4 == 0;
    const uint64_t flags = (rng() % 6 ? vm::read : 0) | (rng() % 3 ? vm::write : 0) | (rng() % 8 ? 0 : vm::pfnmap);
    const uint64_t from = huge ? 0 : rng() % 100, count = huge ? pages_2m : pages_2m - from - rng() % 100;
    w.vma(unit + from, count, flags, huge ? 21 : 12);
    switch (rng() % 5) {
      case 0: break;
      case 1: w.pmd(unit, EntryFormat::make(0x40000 + unit, rng() % 2 ? 0xe7 : 0xe5)); break;
      case 2: w.pmd(unit, make_swap_word(model.types.migration_read, 0x40000)); break;
      default:
        if (huge) {
          w.pmd(unit, 0);
          break;
        }
        for (uint64_t page = unit; page < unit + pages_2m; ++page) {
          const uint64_t kind = rng() % 40;
          const uint64_t pfn = 0x12000 + rng() % 0x1000;
          w.pte(page, kind < 12   ? 0
                      : kind < 22 ? EntryFormat::make(pfn, 0x67)
                      : kind < 36 ? EntryFormat::make(pfn, 0x25)
                      : kind < 38 ? make_swap_word(model.types.device_write, pfn)
                      : kind < 39 ? make_swap_word(0, pfn)
                                  : pte_zero_page);
        }
    }
  }
  w.device(0x12000, 0x800, 7);
  w.device(0x12800, 0x800, 8);
  w.call.dev_private_owner = 7;
  const uint64_t start = rng() % (span_pages - 1);
  const uint64_t flag_sets[] = {0, 0, V, V | W, W};
  w.range(start, static_cast<uint32_t>(1 + rng() % (span_pages - start)), flag_sets[rng() % 5],
          rng() % 2 ? 0 : V | W);
  for (uint32_t i = 0; i < w.slots(); ++i) w.in(i, rng() % 64 ? rng() & ~(V | W) : rng());
  const uint64_t failing_page = rng() % (2 * span_pages);
  w.on_fault = [failing_page](World& world, uint64_t page, uint32_t flags) -> uint32_t {
    if (page == failing_page) return vm_fault::sigbus;
    const uint64_t access = (flags & fault_flag::write) != 0 ? 0x67 : 0x25;
    const Vma vma = world.mm().vma_at(addr_of(page));
    if (vma.is_hugetlb()) world.pmd(page, EntryFormat::make(0x80000 + (page & ~511ull), access | 0x80));
    else world.pte(page, EntryFormat::make(0x80000 + page, access));
    return 0;
  };
}

struct WalkOutcome {
  RangeFaultResult result;
  std::vector<uint64_t> words;
  std::shared_ptr<const Recording> recording;
};

WalkOutcome run(const char* model, uint64_t seed, bool recorded, PtePath path = PtePath::block_when_possible) {
  std::mt19937_64 rng(seed);
  World w(model, [&](KernelModel& m) { m.config.levels = seed % 2 ? 5 : 4; });
  build(w, rng);
  w.call.range = [&] { return add_range_words(w.machine(), w.call); }();
  if (recorded) w.start_recording();
  WalkOutcome outcome;
  outcome.result = w.run(path);
  if (recorded) outcome.recording = w.stop_recording();
  outcome.words.assign(w.machine().memory().words().begin(), w.machine().memory().words().end());
  return outcome;
}

class RandomWalk : public testing::TestWithParam<const char*> {};

TEST_P(RandomWalk, IsTheSameRecordedUnrecordedAndByRulesOnly) {
  std::map<int, int> returns;
  for (uint64_t seed = 0; seed < 60; ++seed) {
    const WalkOutcome plain = run(GetParam(), seed, false), recorded = run(GetParam(), seed, true);
    ASSERT_EQ(plain.result.ret, recorded.result.ret) << "seed " << seed;
    ASSERT_EQ(plain.result.faults, recorded.result.faults) << "seed " << seed;
    ASSERT_EQ(plain.words, recorded.words) << "seed " << seed;
    ASSERT_EQ(plain.words, run(GetParam(), seed, false, PtePath::rules_only).words) << "seed " << seed;
    ++returns[plain.result.ret];
  }
  EXPECT_GT(returns[0], 10);
  EXPECT_GE(returns.size(), 3u) << "the seeds should reach several return codes";
}

TEST_P(RandomWalk, StepsBackToEveryEarlierState) {
  for (uint64_t seed = 0; seed < 8; ++seed) {
    const WalkOutcome outcome = run(GetParam(), seed, true);
    Cursor cursor(outcome.recording);
    std::vector<uint64_t> hashes;
    const StepIndex steps = outcome.recording->steps();
    // Hashing reads every word, so a long walk is looked at in places.
    const StepIndex every = 1 + steps / 200;
    while (cursor.position() < steps) {
      if (cursor.position() % every == 0) hashes.push_back(cursor.hash());
      cursor.step();
    }
    ASSERT_TRUE(std::equal(cursor.state().begin(), cursor.state().end(), outcome.words.begin(), outcome.words.end()));
    while (cursor.back()) {
      if (cursor.position() % every != 0) continue;
      ASSERT_EQ(cursor.hash(), hashes.back()) << "seed " << seed << " position " << cursor.position();
      hashes.pop_back();
    }
    EXPECT_TRUE(hashes.empty());
  }
}

TEST_P(RandomWalk, KeepsTheRestartInvariant) {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    const WalkOutcome outcome = run(GetParam(), seed, true);
    // Every restart goes on at the last fault or wait, and last never moves back.
    uint64_t last = 0;
    for (StepIndex s = 0; s < outcome.recording->steps(); ++s) {
      if (outcome.recording->rule_of(s) != RuleId::range_walk) continue;
      ASSERT_GE(outcome.recording->operands(s)[0], last) << "seed " << seed;
      last = outcome.recording->operands(s)[0];
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, RandomWalk, testing::Values("5.9", "6.1", "6.12", "6.12-v9", "6.16", "6.18", "7.3"),
                         [](const auto& each) {
                           std::string name = each.param;
                           for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
                           return name;
                         });

}  // namespace
}  // namespace hmmscope::test
