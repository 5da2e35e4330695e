// The version column of the rules: what fires under a kernel is a rule of that kernel.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "engine/rules/rule_versions.h"
#include "tests/scenario/scenario_support.h"

namespace hmmscope::scenario {
namespace {

TEST(RuleVersions, WhatTheyCover) {
  EXPECT_TRUE(versions_cover("all", 4, 14));
  EXPECT_TRUE(versions_cover("5.9..6.15", 6, 15));
  EXPECT_FALSE(versions_cover("5.9..6.15", 6, 16));
  EXPECT_FALSE(versions_cover("5.9..6.15", 5, 8));
  EXPECT_TRUE(versions_cover("6.16+", 7, 3));
  EXPECT_FALSE(versions_cover("6.16+", 6, 9));
  EXPECT_TRUE(versions_cover("..6.4, 6.19+", 6, 4));
  EXPECT_FALSE(versions_cover("..6.4, 6.19+", 6, 5));
  EXPECT_TRUE(versions_cover("5.4", 5, 4));
  EXPECT_FALSE(versions_cover("5.4", 5, 5));
  EXPECT_FALSE(versions_cover("RFC", 6, 12));
}

/// Versions that name no release belong to patches and to other designs.
bool names_releases(std::string_view versions) {
  for (const char* word : {"RFC", "later", "2015"}) {
    if (versions.find(word) != std::string_view::npos) return false;
  }
  return true;
}

TEST(RuleVersions, NoRuleFiresUnderAKernelItDoesNotName) {
  std::set<std::string> wrong;
  size_t looked_at = 0;
  for (const auto& entry : std::filesystem::directory_iterator(HMMSCOPE_SOURCE_DIR "/lessons/scenarios")) {
    if (entry.path().extension() != ".json") continue;
    std::ifstream in(entry.path(), std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    const auto scenario = parse(text, entry.path().filename().string());
    ASSERT_TRUE(scenario);
    // The test device's driver is of 5.8; under an earlier kernel it brings its interval notifier along.
    const bool has_notifier = text.find("\"ioctl\"") != std::string::npos;
    for (const char* kernel : {"4.14", "4.17", "5.1", "5.2", "5.3", "5.4", "5.6", "5.7", "5.8", "5.13", "5.15", "6.1", "6.6", "6.12", "6.16", "6.18", "6.19", "7.3"}) {
      const auto outcome = run(*scenario, kernel);
      if (!outcome) continue;
      const uint32_t version = outcome->model.version;
      for (const std::string_view id : fired(outcome->recording)) {
        const std::string_view versions = find_rule(id)->versions;
        ++looked_at;
        if (has_notifier && id.starts_with("read_")) continue;
        if (names_releases(versions) && !versions_cover(versions, version / 1000, version % 1000))
          wrong.insert(std::string(id) + " (" + std::string(versions) + ") under " + kernel);
      }
    }
  }
  EXPECT_GT(looked_at, 10000u);
  for (const std::string& text : wrong) ADD_FAILURE() << text;
}

}  // namespace
}  // namespace hmmscope::scenario
