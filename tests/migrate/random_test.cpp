// Random small machines and operations: whatever happens, locks are released, migration entries are gone, and the
// counters of every folio are what the page tables say.
#include <gtest/gtest.h>

#include <initializer_list>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "engine/scenario/run.h"
#include "tests/support/end_state.h"
#include "tests/support/shrink.h"

namespace hmmscope::scenario {
namespace {

constexpr uint32_t page_count = 12;

class MigrationGenerator {
 public:
  explicit MigrationGenerator(uint32_t seed) : random_(seed) {}

  Sample sample() {
    sample_.kernel = pick({"6.1", "6.12", "6.12", "6.15", "6.18", "6.19", "7.3", "7.3"});
    const auto device = [](const char* name, uint32_t pages) { return Item().with("name", name).with("pages", pages); };
    sample_.devices = {device("gpu0", 4096), device("gpu1", 16), device("apu", 1024).raw("coherent", "true"), device("nic", 1024).raw("p2pdma", "true")};
    const auto vma = [](const char* name, const char* start, const char* size) { return Item().with("name", name).with("start", start).with("size", size); };
    sample_.vmas = {vma("heap", "0x7f0000000000", "128K"), vma("huge", "0x7f0000200000", "2M").raw("thp", "true"),
                    vma("shm", "0x7f0000600000", "64K").with("kind", "shmem"),
                    vma("doc", "0x7f0000700000", "64K").with("kind", "file-private").with("file_pages", 12)};
    declare_pages();
    for (uint32_t k = 3 + number(9); k > 0; --k) operation();
    return sample_;
  }

 private:
  uint32_t number(uint32_t below) { return static_cast<uint32_t>(random_() % below); }
  std::string pick(std::initializer_list<const char*> from) { return *(from.begin() + number(static_cast<uint32_t>(from.size()))); }
  std::string device() { return pick({"gpu0", "gpu0", "gpu1", "apu"}); }

  void declare_pages() {
    const auto page = [&](const std::string& at, uint32_t pages, const std::string& state) {
      if (state != R"("none")") sample_.pages.push_back(Item().with("at", at).with("pages", pages).raw("state", state));
    };
    for (uint32_t k = 0; k < page_count; ++k) {
      page("heap+" + std::to_string(k), 1,
           pick({R"("none")", R"("present")", R"("present")", R"("present", "writable": false)", R"("zero-page")", R"("swapped")",
                 R"("device-private", "device": "gpu0")", R"("device-private", "device": "gpu1")",
                 R"("device-private", "device": "gpu0", "writable": false)", R"("device-coherent", "device": "apu")", R"("hwpoison")",
                 R"("present", "dirty": false, "soft_dirty": true)", R"("present", "writable": false, "exclusive": false)",
                 R"("present", "swapcache": "shared")", R"("special")"}));
    }
    const std::string large = pick({R"("none")", R"("thp")", R"("huge-zero")", R"("thp", "writable": false)", R"("device-private-thp", "device": "gpu0")"});
    const bool large_devices = sample_.kernel == "6.19" || sample_.kernel == "7.3";
    if (large_devices || large.find("device") == std::string::npos) page("huge", 512, large);
  }

  Item op(const std::string& name) { return Item().with("op", name); }
  void add(const Item& item) { sample_.operations.push_back(item); }
  /// Somewhere, and a number of pages that fits.
  Item at(const std::string& name) {
    Item item = op(name);
    if (number(6) == 0) return item.with("at", pick({"shm+", "doc+"}) + std::to_string(number(8))).with("pages", 1 + number(8));
    if (number(5) == 0) return item.with("at", "huge+" + std::to_string(number(4) * 16)).with("pages", 16 + number(48));
    if (number(4) == 0) return item.with("at", "huge").with("pages", 512);
    const uint32_t page = number(page_count);
    return item.with("at", "heap+" + std::to_string(page)).with("pages", 1 + number(page_count - page));
  }
  Item by_somebody(Item item) { return forked_ && number(2) == 0 ? item.with("process", "child") : item; }
  void touch() { add(by_somebody(at("touch").with("access", pick({"read", "write"})))); }

  void three_calls() {
    const std::string name = "m" + std::to_string(++migrations_);
    add(at("migrate-setup").with("migration", name).with("expect", "0").with("device", device())
            .raw("select", pick({R"(["system"])", R"(["device-private"])", R"(["device-coherent"])", R"(["system", "device-private"])",
                                 R"(["system", "compound"])", R"(["device-private", "compound"])"})));
    if (number(2) == 0) touch();
    Item pages = op("migrate-pages").with("migration", name);
    add(number(3) == 0 ? pages.raw("slots", R"([{"index": 0}])") : pages);
    if (number(3) == 0) touch();
    add(op("migrate-finalize").with("migration", name));
  }

  /// Somebody holds the page of a write while it is to be migrated, and lets go of it.
  void held() {
    const std::string where = "heap+" + std::to_string(16 + number(8)), what = pick({"pin", "get-page", "lock-folio"});
    const auto there = [&](const std::string& name) { return op(name).with("at", where); };
    add(there("touch").with("access", "write"));
    add(there(what));
    add(there("migrate-to-device").with("pages", 1).with("device", device()));
    add(there(what).raw("release", "true"));
  }

  void operation() {
    switch (number(14)) {
      case 0:
      case 1: return touch();
      case 2:
      case 3: {
        Item item = at("migrate-to-device").with("device", device());
        return add(number(2) == 0 ? item : item.with("migration", "same"));
      }
      case 4: return add(at("migrate-to-system").with("device", device()));
      case 5: return add(at("make-exclusive").with("device", "gpu0"));
      case 6: return add(op("evict-device").with("device", device()));
      case 7:
        if (forked_) return touch();
        forked_ = true;
        return add(op("fork").with("child", "child"));
      case 8: return add(by_somebody(at("madvise-dontneed")));
      case 9: return add(op("ioctl").with("device", "gpu0").with("command", "FLAGS").with("pages", 1));   // the next allocation fails
      case 11: return held();
      case 10: return add(by_somebody(at("page-out")));
      default: return three_calls();
    }
  }

  std::mt19937 random_;
  Sample sample_;
  bool forked_ = false;
  int migrations_ = 0;
};

/// What is wrong after the run; nothing when the scenario itself is not one (shrinking makes such).
struct Judged {
  std::string wrong, mistake;
};

Judged judge(const Sample& sample) {
  const auto parsed = parse(sample.text(), "random.json");
  if (!parsed) return {{}, parsed.error().to_string()};
  const auto outcome = run(*parsed);
  if (!outcome) return {{}, outcome.error().to_string()};
  for (const Failure& failure : outcome->failures) return {failure.text, {}};   // every migrate-setup expects success
  return {complaint(*outcome, holds_of(outcome->recording)), {}};
}

TEST(RandomMigrations, LocksAndEntriesAreGoneAndCountersAgree) {
  const Seeds seeds = Seeds::of(1, 400);
  for (uint32_t k = 0; k < seeds.count; ++k) {
    const uint32_t seed = seeds.first + k;
    const Sample sample = MigrationGenerator(seed).sample();
    const Judged found = judge(sample);
    ASSERT_EQ(found.mistake, "") << report(sample, seed, found.mistake);
    if (found.wrong.empty()) continue;
    const Sample small = shrunk(sample, [](const Sample& smaller) { return judge(smaller).wrong; });
    FAIL() << report(small, seed, found.wrong);
  }
}

// The same with a page that is exchanged behind everybody's back while it migrates.
TEST(RandomMigrations, ABrokenCountIsFoundAndShrinks) {
  Sample sample = MigrationGenerator(5).sample();
  ASSERT_EQ(judge(sample).wrong, "");
  for (const char* const state : {R"("present")", R"("none")"})
    sample.operations.push_back(Item().with("op", "set-page").with("at", "heap+20").raw("state", state));
  const std::string wrong = judge(sample).wrong;
  ASSERT_NE(wrong.find("mapcount 1, mapped 0"), std::string::npos) << wrong;
  const Sample small = shrunk(sample, [](const Sample& smaller) { return judge(smaller).wrong; });
  EXPECT_LE(small.operations.size(), 2u) << small.text();
  EXPECT_LE(small.vmas.size(), 1u) << small.text();
  EXPECT_TRUE(small.pages.empty()) << small.text();
  EXPECT_TRUE(small.devices.empty()) << small.text();
}

}  // namespace
}  // namespace hmmscope::scenario
