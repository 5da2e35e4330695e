// The kernel's selftests hold under the models they belong to, and end as their files say under the others.
#include "engine/selftest/selftest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "engine/recording/cursor.h"

namespace hmmscope::selftest {
namespace {

TEST(Selftests, AreTheKernels) {
  std::vector<std::string_view> names;
  for (const Source& source : sources()) names.push_back(source.name);
  EXPECT_THAT(names, testing::IsSupersetOf(
                         {"open_close",       "anon_read",        "anon_read_prot",     "anon_write",
                          "anon_write_prot",  "anon_write_child", "anon_write_child_shared", "anon_write_huge",
                          "anon_write_hugetlbfs", "file_read",    "file_write",         "migrate",
                          "migrate_file_private", "migrate_fault", "migrate_release",   "migrate_shared",
                          "migrate_mixed",    "migrate_multiple", "anon_read_multiple", "anon_teardown",
                          "mixedmap",         "snapshot",         "compound",           "double_map",
                          "exclusive",        "exclusive_mprotect", "exclusive_cow",    "hmm_gup_test",
                          "hmm_cow_in_device", "migrate_anon_huge_empty", "migrate_anon_huge_zero",
                          "migrate_anon_huge_free", "migrate_anon_huge_fault", "migrate_partial_unmap_fault",
                          "migrate_remap_fault", "migrate_anon_huge_err", "migrate_anon_huge_zero_err",
                          "benchmark_thp_migration", "userfaultfd_read", "migrate_on_fault"}));
}

class SelftestsUnder : public testing::TestWithParam<std::string> {};

TEST_P(SelftestsUnder, EndAsTheirFilesSay) {
  for (const Source& source : sources()) {
    const auto results = run(source, GetParam());
    ASSERT_TRUE(results) << results.error().to_string();
    ASSERT_FALSE(results->empty());
    for (const Result& result : *results) {
      EXPECT_NE(result.verdict, Verdict::failed) << source.name << " " << result.variant << ": " << result.text;
      if (result.verdict == Verdict::passed) {
        EXPECT_TRUE(result.expectations > 0 || source.name == "open_close") << source.name;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, SelftestsUnder, testing::Values("4.14", "4.17", "5.2", "5.2-odp", "5.7", "5.8", "5.13", "5.15", "6.1", "6.12", "6.12-unified-rfc", "6.16",
                                          "6.19", "7.1-unified-later", "7.3"),
                         [](const auto& model) {
                           std::string name = model.param;
                           for (char& c : name) c = c == '.' || c == '-' ? '_' : c;
                           return "Linux" + name;
                         });

// Test 39 comes with the unified fault-and-migrate patches: other kernels do not know its ioctl.
TEST(Selftests, MigrateOnFaultNeedsThePatches) {
  const Source& source = *find_source("migrate_on_fault");
  for (const auto& [kernel, verdict] : {std::pair("6.12-unified-rfc", Verdict::passed),
                                        std::pair("7.1-unified-later", Verdict::passed),
                                        std::pair("6.12", Verdict::failed_as_documented),
                                        std::pair("7.3", Verdict::failed_as_documented)}) {
    auto results = run(source, kernel, {true});
    ASSERT_TRUE(results) << results.error().to_string();
    ASSERT_EQ(results->size(), 2u);   // private and coherent
    for (const Result& result : *results) {
      EXPECT_EQ(result.verdict, verdict) << kernel << " " << result.variant << ": " << result.text;
      size_t walks = 0, pages = 0;
      for (const Call& call : result.recording.calls()) walks += call.function == Function::migrate_hmm_range_setup;
      for (StepIndex step = 0; step < result.recording.steps(); ++step) pages += result.recording.rule_of(step) == RuleId::pages_moved;
      EXPECT_EQ(walks > 0, verdict == Verdict::passed) << kernel;
      EXPECT_EQ(pages, verdict == Verdict::passed ? 1024u : 0u) << kernel << " " << result.variant;   // all were written
    }
  }
}

// A test that could not fail would be worth nothing: a wrong expectation must be seen.
TEST(Selftests, CanFail) {
  for (const auto& [name, right, wrong] : {std::tuple("anon_write", "\"faults\": 1", "\"faults\": 2"),
                                           std::tuple("migrate", "\"data\": 0", "\"data\": 7"),
                                           std::tuple("snapshot", "ZERO|READ", "ZERO|WRITE"),
                                           std::tuple("migrate_shared", "-ENOENT", "-EINVAL")}) {
    std::string text = find_source(name)->text;
    const size_t at = text.rfind(right);
    ASSERT_NE(at, std::string::npos) << name;
    text.replace(at, std::string_view(right).size(), wrong);
    const auto results = run(Source{name, text.c_str()}, "7.3");
    ASSERT_TRUE(results) << results.error().to_string();
    EXPECT_THAT(*results, testing::Contains(testing::Field(&Result::verdict, Verdict::failed))) << name;
  }
}

TEST(Selftests, StepBackToWhereTheyBegan) {
  for (const std::string_view name : {"migrate_mixed", "snapshot", "exclusive_cow", "hmm_gup_test", "userfaultfd_read",
                                      "migrate_anon_huge_err", "migrate_partial_unmap_fault"}) {
    auto results = run(*find_source(name), "7.3", {true});
    ASSERT_TRUE(results);
    for (Result& result : *results) {
      Cursor cursor(std::make_shared<const Recording>(std::move(result.recording)));
      std::vector<uint64_t> hashes{cursor.hash()};
      while (cursor.step()) hashes.push_back(cursor.hash());
      while (cursor.back()) ASSERT_EQ(cursor.hash(), hashes[cursor.position()]) << name;
    }
  }
}

}  // namespace
}  // namespace hmmscope::selftest
