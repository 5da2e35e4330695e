// Random small machines and operations: whatever happens, locks are released, migration entries are gone, and the
// counters of every folio are what the page tables say.
#include <gtest/gtest.h>

#include <random>

#include "tests/migrate/migrate_support.h"
#include "tests/support/end_state.h"

namespace hmmscope::scenario {
namespace {

constexpr int page_count = 12;

class Generator {
 public:
  explicit Generator(uint32_t seed) : random_(seed) {}

  std::string kernel() {
    const std::string kernel = pick({"6.1", "6.12", "6.12", "6.15", "6.18", "6.19", "7.3", "7.3"});
    large_devices_ = kernel == "6.19" || kernel == "7.3";
    return kernel;
  }

  std::string declared() {
    std::string all;
    for (int page = 0; page < page_count; ++page) {
      const std::string state = pick({R"("none")", R"("present")", R"("present")", R"("present", "writable": false)", R"("zero-page")",
                                      R"("swapped")", R"("device-private", "device": "gpu0")", R"("device-private", "device": "gpu1")",
                                      R"("device-private", "device": "gpu0", "writable": false)", R"("device-coherent", "device": "apu")",
                                      R"("hwpoison")", R"("present", "dirty": false, "soft_dirty": true)"});
      all += (page == 0 ? "" : ", ") + std::string(R"({"at": "heap+)") + std::to_string(page) + R"(", "state": )" + state + "}";
    }
    const std::string tail = pick({"", R"(, {"at": "huge", "pages": 512, "state": "thp"})", R"(, {"at": "huge", "pages": 512, "state": "huge-zero"})",
                                   R"(, {"at": "huge", "pages": 512, "state": "thp", "writable": false})",
                                   R"(, {"at": "huge", "pages": 512, "state": "device-private-thp", "device": "gpu0"})"});
    if (tail.find("device-private-thp") != std::string::npos && !large_devices_) return all;
    return all + tail;
  }

  std::vector<std::string> operations() {
    std::vector<std::string> all(static_cast<size_t>(3 + number(9)));
    for (std::string& one : all) one = operation();
    return all;
  }

 private:
  int number(int below) { return static_cast<int>(random_() % static_cast<uint32_t>(below)); }
  std::string pick(std::initializer_list<std::string> from) { return *(from.begin() + number(static_cast<int>(from.size()))); }
  std::string device() { return R"("device": ")" + pick({"gpu0", "gpu0", "gpu1", "apu"}) + "\""; }
  std::string process() { return forked_ && number(2) == 0 ? R"("process": "child")" : ""; }

  /// "heap+3", and a number of pages that fits.
  std::pair<std::string, int> place() {
    if (number(6) == 0) return {pick({"shm+", "doc+"}) + std::to_string(number(8)), 1 + number(8)};
    if (number(5) == 0) return {"huge+" + std::to_string(number(4) * 16), 16 + number(48)};
    if (number(4) == 0) return {"huge", 512};
    const int page = number(page_count);
    return {"heap+" + std::to_string(page), 1 + number(page_count - page)};
  }
  std::string at(const std::string& name, const std::string& more) {
    const auto [where, count] = place();
    return op(name, R"("pages": )" + std::to_string(count) + (more.empty() ? "" : ", " + more), where);
  }
  std::string touch() {
    const std::string who = process();
    return at("touch", R"("access": ")" + pick({"read", "write"}) + "\"" + (who.empty() ? "" : ", " + who));
  }

  std::string three_calls() {
    const auto [where, count] = place();
    const std::string name = "m" + std::to_string(++migrations_);
    const std::string select = pick({R"(["system"])", R"(["device-private"])", R"(["device-coherent"])", R"(["system", "device-private"])",
                                     R"(["system", "compound"])", R"(["device-private", "compound"])"});
    const std::string named = R"("migration": ")" + name + "\"";
    std::string all = op("migrate-setup", named + R"(, "expect": "0", )" + device() + R"(, "pages": )" + std::to_string(count) + R"(, "select": )" + select, where);
    if (number(2) == 0) all += ", " + touch();
    all += R"(, {"op": "migrate-pages", )" + named + (number(3) == 0 ? R"(, "slots": [{"index": 0}])" : "") + "}";
    if (number(3) == 0) all += ", " + touch();
    return all + R"(, {"op": "migrate-finalize", )" + named + "}";
  }

  std::string operation() {
    switch (number(12)) {
      case 0:
      case 1: return touch();
      case 2:
      case 3: return at("migrate-to-device", device());
      case 4: return at("migrate-to-system", device());
      case 5: return at("make-exclusive", R"("device": "gpu0")");
      case 6: return R"({"op": "evict-device", )" + device() + "}";
      case 7:
        if (forked_) return touch();
        forked_ = true;
        return fork_child;
      case 8: return at("madvise-dontneed", process());
      case 9: return R"({"op": "ioctl", "device": "gpu0", "command": "FLAGS", "pages": 1})";   // the next allocation fails
      default: return three_calls();
    }
  }

  std::mt19937 random_;
  bool forked_ = false, large_devices_ = false;
  int migrations_ = 0;
};

struct Sample {
  std::string kernel, declared;
  std::vector<std::string> operations;

  std::string text() const {
    std::string all;
    for (const std::string& one : operations) all += (all.empty() ? "" : ", ") + one;
    return json_of(heap + R"(, {"name": "huge", "start": "0x7f0000200000", "size": "2M", "thp": true})"
                          R"(, {"name": "shm", "start": "0x7f0000600000", "size": "64K", "kind": "shmem"})"
                          R"(, {"name": "doc", "start": "0x7f0000700000", "size": "64K", "kind": "file-private", "file_pages": 12})",
                   declared, all);
  }
  /// What is wrong after the run; nothing when the scenario itself is not one (shrinking makes such).
  std::string wrong() const {
    const auto parsed = parse(text(), "random.json");
    if (!parsed) return {};
    const auto outcome = run(*parsed, kernel);
    return outcome ? complaint(*outcome) : "";
  }
};

/// Leaves operations out while the complaint stays.
Sample shrunk(Sample sample) {
  for (size_t k = sample.operations.size(); k-- > 0;) {
    Sample smaller = sample;
    smaller.operations.erase(smaller.operations.begin() + static_cast<std::ptrdiff_t>(k));
    if (!smaller.wrong().empty()) sample = std::move(smaller);
  }
  return sample;
}

TEST(RandomMigrations, LocksAndEntriesAreGoneAndCountersAgree) {
  uint32_t runs = 0;
  for (uint32_t seed = 1; seed <= 400; ++seed) {
    Generator generator(seed);
    Sample sample;
    sample.kernel = generator.kernel();
    sample.declared = generator.declared();
    sample.operations = generator.operations();
    const auto parsed = parse(sample.text(), "random.json");
    ASSERT_TRUE(parsed) << "seed " << seed << ": " << parsed.error().to_string();
    const auto outcome = run(*parsed, sample.kernel);
    ASSERT_TRUE(outcome) << "seed " << seed << ": " << outcome.error().to_string();
    runs += outcome->failures.empty() ? 1 : 0;
    if (complaint(*outcome).empty()) continue;
    const Sample small = shrunk(sample);
    FAIL() << "seed " << seed << ", kernel " << small.kernel << ": " << small.wrong() << "\n" << small.text();
  }
  EXPECT_EQ(runs, 400u);   // every migrate-setup expects success
}

}  // namespace
}  // namespace hmmscope::scenario
