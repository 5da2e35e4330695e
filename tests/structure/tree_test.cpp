// What keeps the tree readable: short files, no strangers at the top, nothing left unfinished.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <regex>
#include <set>

#include "tests/structure/source_files.h"

namespace hmmscope::structure {
namespace {

constexpr long longest_file = 500;

TEST(Tree, NoSourceFileIsLong) {
  for (const SourceFile& file : source_files()) {
    if (!file.has_suffix({".cpp", ".h"})) continue;
    EXPECT_LE(std::count(file.text.begin(), file.text.end(), '\n'), longest_file) << file.path;
  }
}

TEST(Tree, NothingUnexpectedAtTheTop) {
  const std::set<std::string> expected = {
      "CMakeLists.txt", "CMakePresets.json", "README.md", "LICENSE", "app", "cmake",
      "engine",         "lessons",           "tests",     "traces",  "ui"};
  for (const std::string& name : file_names()) {
    const std::string top = name.substr(0, name.find('/'));
    EXPECT_TRUE(expected.contains(top) || top.starts_with('.')) << name;
  }
  for (const std::string& name : expected) EXPECT_TRUE(std::filesystem::exists(root / name)) << name;
}

TEST(Tree, EveryHeaderIsGuarded) {
  for (const SourceFile& file : source_files()) {
    if (!file.has_suffix({".h"})) continue;
    EXPECT_NE(file.text.find("#pragma once"), std::string::npos) << file.path;
  }
}

TEST(Tree, EveryFileEndsWithANewline) {
  for (const SourceFile& file : source_files())
    EXPECT_TRUE(file.text.empty() || file.text.back() == '\n') << file.path;
}

// The words are put together here, so that this file does not find itself.
TEST(Tree, NothingIsLeftUnfinished) {
  const std::string words = std::string(R"(\b(TO)") + "DO|FIX" + "ME|XX" + "X|HA" + R"(CK)\b|not imple)" +
                            "mented|unimple" + "mented";
  const std::regex marker(words);
  EXPECT_TRUE(std::regex_search(std::string("// TO") + "DO later", marker));
  for (const SourceFile& file : source_files())
    EXPECT_FALSE(std::regex_search(file.text, marker)) << file.path;
}

TEST(Tree, NoTestIsSwitchedOff) {
  const std::regex marker(std::string("GTEST_SK") + "IP|DISAB" + "LED_|EXPECT_TRUE\\(tr" + "ue\\)|SUCC" +
                          "EED\\(\\)");
  for (const SourceFile& file : source_files()) {
    if (file.room() != "tests") continue;
    EXPECT_FALSE(std::regex_search(file.text, marker)) << file.path;
  }
}

TEST(Tree, NoPathOfOneMachine) {
  const std::regex path("(^|[^A-Za-z0-9.])/(home|root|work|Users)/[A-Za-z]");
  EXPECT_TRUE(std::regex_search(std::string("see /ho") + "me/me/x", path));
  for (const SourceFile& file : source_files()) EXPECT_FALSE(std::regex_search(file.text, path)) << file.path;
}

TEST(Tree, TheCommandsCanBeRun) {
  for (const char* script : {"app/run", "tests/run", "tests/bench/run", ".ci/run"}) {
    const auto permissions = std::filesystem::status(root / script).permissions();
    EXPECT_NE(permissions & std::filesystem::perms::owner_exec, std::filesystem::perms::none) << script;
  }
}

// The scripts promise to install what the build asks for.
TEST(Tree, EveryLibraryTheBuildAsksForIsInThePackageList) {
  const std::string packages = read(root / "cmake/packages.txt");
  const std::string asked = read(root / "cmake/HmmscopeDependencies.cmake");
  const std::map<std::string, std::string> package_of = {{"fmt", "libfmt-dev"},
                                                         {"nlohmann_json", "nlohmann-json3-dev"},
                                                         {"tl-expected", "libexpected-dev"},
                                                         {"CLI11", "libcli11-dev"},
                                                         {"Qt6", "qt6-base-dev"},
                                                         {"GTest", "libgtest-dev"},
                                                         {"benchmark", "libbenchmark-dev"},
                                                         {"PkgConfig", "pkg-config"},
                                                         {"Threads", "g++"},
                                                         {"zstd", "libzstd-dev"},
                                                         {"lzma", "liblzma-dev"},
                                                         {"zlib", "zlib1g-dev"},
                                                         {"imgui", "libimgui-dev"},
                                                         {"fontconfig", "libfontconfig-dev"},
                                                         {"png", "libpng-dev"},
                                                         {"traceevent", "libtraceevent-dev"}};
  const std::regex call(R"((find_package|pkg_check_modules)\(([A-Za-z0-9_-]+))");
  int found = 0;
  for (std::sregex_iterator match(asked.begin(), asked.end(), call), end; match != end; ++match, ++found) {
    const auto package = package_of.find((*match)[2]);
    ASSERT_NE(package, package_of.end()) << "which package has " << (*match)[2] << "?";
    EXPECT_NE(packages.find(" " + package->second + "\n"), std::string::npos) << package->second;
  }
  EXPECT_GT(found, 10);
}

}  // namespace
}  // namespace hmmscope::structure
