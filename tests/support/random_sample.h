#pragma once
/// A scenario made at random, in parts that can be left out one by one: what the property tests run, shrink and write
/// to a file that `hmmscope run` runs again.

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace hmmscope::scenario {

/// A JSON object whose values are JSON text.
class Item {
 public:
  Item() = default;
  Item& with(const std::string& key, const std::string& value) { return raw(key, "\"" + value + "\""); }
  Item& with(const std::string& key, uint64_t value) { return raw(key, std::to_string(value)); }
  Item& raw(const std::string& key, const std::string& json) {
    for (auto& [name, value] : keys_) {
      if (name == key) return value = json, *this;
    }
    keys_.emplace_back(key, json);
    return *this;
  }
  void erase(size_t key) { keys_.erase(keys_.begin() + static_cast<std::ptrdiff_t>(key)); }
  std::vector<std::pair<std::string, std::string>>& keys() { return keys_; }
  bool has(const std::string& key) const {
    for (const auto& [name, value] : keys_) {
      if (name == key) return true;
    }
    return false;
  }
  std::string text() const {
    std::string all;
    for (const auto& [name, value] : keys_) all += (all.empty() ? "\"" : ", \"") + name + "\": " + value;
    return "{" + all + "}";
  }

 private:
  std::vector<std::pair<std::string, std::string>> keys_;
};

struct Sample {
  std::string kernel = "6.12";
  bool by_rule = false;
  bool keeps_swap_cache = false;
  bool numa_balancing = false;
  std::string schedule;
  std::optional<uint64_t> seed;   ///< of the schedule, until a run has said which one that was
  std::vector<Item> devices, vmas, pages, operations, inject;

  std::string text() const {
    const auto list = [](const char* name, const std::vector<Item>& items) {
      std::string all;
      for (const Item& item : items) all += (all.empty() ? "\n  " : ",\n  ") + item.text();
      return std::string(",\n \"") + name + "\": [" + all + "]";
    };
    return R"({"hmmscope-scenario": 1, "title": "random", "kernel": ")" + kernel + R"(", "granularity": ")" + (by_rule ? "rule" : "lock") +
           "\"" + (schedule.empty() ? "" : ", \"schedule\": \"" + schedule + "\"") + (keeps_swap_cache ? R"(, "keeps_swap_cache": true)" : "") +
           (numa_balancing ? R"(, "config": "NUMA_BALANCING=y")" : "") +
           R"(,
 "allows": ["thrown-away-while-migrating", "thrown-away-while-made-exclusive", "moved-home-while-faulting", "kept-because-current-cleared")" +
           (kernel.ends_with("-unified-rfc") ? R"(, "left-behind"])" : "]") +
           list("devices", devices) + list("vmas", vmas) + list("pages", pages) + list("inject", inject) +
           list("operations", operations) + "}\n";
  }
};

/// The seeds to run: HMMSCOPE_RANDOM_SEED is the first one, HMMSCOPE_RANDOM_RUNS how many.
struct Seeds {
  uint32_t first, count;
  bool usual;   ///< nobody chose others: what they reach between them is known

  static Seeds of(uint32_t first, uint32_t count) {
    const char* const seed = std::getenv("HMMSCOPE_RANDOM_SEED");
    const char* const runs = std::getenv("HMMSCOPE_RANDOM_RUNS");
    const auto number = [](const char* text, uint32_t otherwise) {
      return text == nullptr || *text == 0 ? otherwise : static_cast<uint32_t>(std::strtoul(text, nullptr, 10));
    };
    return {number(seed, first), number(runs, count), seed == nullptr && runs == nullptr};
  }
};

/// Writes the sample to hmmscope-random-SEED.json, in $TMPDIR or here, and says how to run it.
inline std::string report(const Sample& sample, uint32_t seed, const std::string& complaint) {
  const char* const folder = std::getenv("TMPDIR");
  const std::string file = (folder == nullptr || *folder == 0 ? std::string() : std::string(folder) + "/") + "hmmscope-random-" +
                           std::to_string(seed) + ".json";
  std::ofstream(file) << sample.text();
  return "seed " + std::to_string(seed) + ": " + complaint + "\nhmmscope run " + file + "\n" + sample.text();
}

}  // namespace hmmscope::scenario
