// What a slot keeps when hmm_range_fault writes it: the flags that belong to the driver (HMM_PFN_INOUT_FLAGS) and nothing
// else, whatever is mapped, whatever is asked for.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/schedule/random_check.h"
#include "tests/schedule/random_generator.h"
#include "tests/support/shrink.h"

namespace hmmscope::scenario {
namespace {

constexpr uint32_t slot_count = 8;
// include/linux/hmm.h of 6.16: VALID and WRITE, which are also the requests, then ERROR, then what goes in and out.
constexpr uint64_t asked = 1ull << 63 | 1ull << 62;
constexpr uint64_t dma_flags = 1ull << 60 | 1ull << 59 | 1ull << 58;   // DMA_MAPPED, P2PDMA, P2PDMA_BUS

struct StickyKernel {
  const char* kernel;
  uint64_t sticky;
};
const StickyKernel sticky_kernels[] = {{"6.1", 0}, {"6.12", 0}, {"6.12-fixed", dma_flags}, {"6.16", dma_flags}, {"6.18", dma_flags}, {"7.3", dma_flags}};

/// What the words "dirty" got before the call, and both arrays after it.
struct Slots {
  std::vector<uint64_t> given, dirty, clean;
};

Slots slots_of(const Outcome& outcome) {
  Cursor cursor(std::make_shared<const Recording>(outcome.recording));
  std::map<std::string, WordIndex> first;
  for (const Region& region : cursor.recording().regions()) {
    if (region.kind == RegionKind::hmm_pfns && region.count == slot_count) first[region.name] = region.first;
  }
  Slots slots;
  const auto read = [&](const char* name, std::vector<uint64_t>& into) {
    if (first.contains(name)) {
      for (WordIndex k = 0; k < slot_count; ++k) into.push_back(cursor.load(first.at(name) + k));
    }
  };
  uint32_t calls = 0;
  while (calls < 2 && cursor.step()) calls += cursor.recording().rule_of(cursor.position() - 1) == RuleId::scenario_range ? 1 : 0;
  read("dirty", slots.given);
  cursor.seek(cursor.recording().steps());
  read("dirty", slots.dirty);
  read("clean", slots.clean);
  return slots;
}

/// The range-fault `dirty` had anything at all in its slots, `clean` only the same requests.
std::string sticky_complaint(const Sample& sample) {
  const auto parsed = parse(sample.text(), "sticky.json");
  if (!parsed) return "mistake: " + parsed.error().to_string();
  const auto outcome = run(*parsed);
  if (!outcome) return "mistake: " + outcome.error().to_string();
  uint64_t sticky = 0;
  for (const StickyKernel& known : sticky_kernels) {
    if (known.kernel == sample.kernel) sticky = known.sticky;
  }
  const Slots slots = slots_of(*outcome);
  if (slots.given.size() != slot_count || slots.clean.size() != slot_count) return {};
  for (uint32_t k = 0; k < slot_count; ++k) {
    if (slots.dirty[k] != (slots.clean[k] | (slots.given[k] & sticky)))
      return "slot " + std::to_string(k) + " was " + std::to_string(slots.given[k]) + " and became " + std::to_string(slots.dirty[k]) + ", not " +
             std::to_string(slots.clean[k] | (slots.given[k] & sticky));
    if ((slots.clean[k] & sticky) != 0) return "slot " + std::to_string(k) + " has a driver's flag that nobody gave it";
  }
  return {};
}

Item sticky_call(const std::string& array, const std::string& where, const std::string& flags, const std::string& mask,
                 const std::vector<uint64_t>& values) {
  std::string slots;
  for (size_t k = 0; k < values.size(); ++k) {
    slots += (k == 0 ? "" : ", ") + std::string(R"({"index": )") + std::to_string(k) + fmt::format(R"(, "value": "{:#x}"}})", values[k]);
  }
  return Item().with("op", "range-fault").with("array", array).with("at", where).with("pages", slot_count).with("default", flags).with("mask", mask)
      .raw("slots", "[" + slots + "]");
}

/// Two calls over the same pages. A first one has faulted what is asked for, so that both find the same.
Sample sticky_sample(Generator& generator) {
  Sample sample;
  sample.kernel = sticky_kernels[generator.number(std::size(sticky_kernels))].kernel;
  sample.devices = {Item().with("name", "gpu0").with("pages", 1088)};
  const std::string where = generator.pick({"heap", "heap", "huge", "big", "doc"});
  const auto vma = [&](const char* name, const char* size) { return Item().with("name", name).with("start", "0x7f0000200000").with("size", size); };
  if (where == "heap") sample.vmas = {vma("heap", "32K")};
  if (where == "huge") sample.vmas = {vma("huge", "2M").raw("thp", "true")};
  if (where == "big") sample.vmas = {vma("big", "2M").with("kind", "hugetlb-2m")};
  if (where == "doc") sample.vmas = {vma("doc", "32K").with("kind", "shmem")};
  const auto page = [&](uint32_t k, uint32_t pages, const std::string& state) {
    if (state != R"("none")") sample.pages.push_back(Item().with("at", where + "+" + std::to_string(k)).with("pages", pages).raw("state", state));
  };
  if (where == "huge") page(0, 512, generator.pick({R"("none")", R"("thp")", R"("thp", "writable": false)", R"("huge-zero")"}));
  if (where == "big") page(0, 512, generator.pick({R"("none")", R"("present")", R"("present", "writable": false)"}));
  for (uint32_t k = 0; k < slot_count && (where == "heap" || where == "doc"); ++k) {
    page(k, 1, where == "doc" ? generator.pick({R"("none")", R"("file-cached")", R"("present")", R"("present", "writable": false)"})
                              : generator.pick({R"("none")", R"("present")", R"("present", "writable": false)", R"("zero-page")", R"("swapped")",
                                                R"("device-private", "device": "gpu0")", R"("device-exclusive", "device": "gpu0")"}));
  }
  const std::string flags = generator.pick({"0", "REQ_FAULT", "REQ_FAULT|REQ_WRITE"});
  const std::string mask = generator.pick({"0", "~0", "REQ_FAULT", "REQ_FAULT|REQ_WRITE", "REQ_WRITE"});
  std::vector<uint64_t> anything, requests;
  for (uint32_t k = 0; k < slot_count; ++k) {
    anything.push_back(generator.word() >> 1 << (generator.number(4) == 0 ? 1 : 0));   // mostly without REQ_FAULT
    requests.push_back(anything.back() & asked);
  }
  sample.operations = {sticky_call("first", where, flags, mask, requests), sticky_call("dirty", where, flags, mask, anything), sticky_call("clean", where, flags, mask, requests)};
  return sample;
}

TEST(RandomSlots, StickyBitsSurviveAndNothingElse) {
  const Seeds seeds = Seeds::of(5'000, 150);
  for (uint32_t k = 0; k < seeds.count; ++k) {
    Generator generator(seeds.first + k);
    const Sample sample = sticky_sample(generator);
    const std::string wrong = sticky_complaint(sample);
    if (wrong.empty()) continue;
    const Sample small = shrunk(sample, [](Sample& smaller) { return sticky_complaint(smaller); });
    FAIL() << report(small, seeds.first + k, wrong);
  }
}

// A flag that is lost, and one that should not be there.
TEST(RandomSlots, AFlagThatChangesOnItsOwnIsFoundAndShrinks) {
  for (const uint64_t bits : {1ull << 60, 1ull << 40}) {
    Sample sample;
    for (uint32_t seed = 1; sample.kernel != "6.16"; ++seed) {
      Generator generator(seed);
      sample = sticky_sample(generator);
    }
    ASSERT_EQ(sticky_complaint(sample), "");
    const auto undisturbed = run(*parse(sample.text(), "sticky.json"));
    ASSERT_TRUE(undisturbed);
    sample.inject = {Item().with("what", "flip").with("array", "dirty").with("index", 3).with("step", undisturbed->recording.steps())
                         .with("bits", std::to_string(bits))};
    ASSERT_NE(sticky_complaint(sample), "");
    const Sample small = shrunk(sample, [](Sample& smaller) { return sticky_complaint(smaller); });
    EXPECT_NE(sticky_complaint(small), "");
    EXPECT_LE(small.operations.size(), 3u);
    EXPECT_TRUE(small.devices.empty());
  }
}

}  // namespace
}  // namespace hmmscope::scenario
