// A page that a process outside the scenario maps too migrates like one shared by fork: the rmap finds both mappings.
#include <gmock/gmock.h>

#include "tests/migrate/migrate_support.h"

namespace hmmscope::scenario {
namespace {

const std::string one_vma = R"({"name": "heap", "start": "0x7f0000000000", "size": "16K"})";
const std::string shared_page = R"({"at": "heap", "state": "present", "writable": false, "exclusive": false})";
const std::string there_and_back =
    R"({"op": "migrate-to-device", "at": "heap", "pages": 1, "device": "gpu0", "expect": "0", "cpages": 1},
       {"op": "expect-page", "at": "heap", "state": "device-private", "writable": false, "exclusive": false, "refcount": 2, "mapcount": 2, "locked": false},
       {"op": "touch", "at": "heap", "access": "read", "expect": "ok"},
       {"op": "expect-page", "at": "heap", "state": "present", "writable": false, "exclusive": false, "refcount": 2, "mapcount": 2, "locked": false},
       {"op": "touch", "at": "heap", "access": "write", "expect": "ok"},
       {"op": "expect-page", "at": "heap", "state": "present", "writable": true, "exclusive": true, "refcount": 1, "mapcount": 1})";

/// The rules of a run from its first migration on.
std::vector<std::string_view> sequence(const Recording& recording) {
  std::vector<std::string_view> rules;
  for (StepIndex step = 0; step < recording.steps(); ++step) {
    const std::string_view id = rule(recording.rule_of(step)).id;
    if (!rules.empty() || id == "setup.begin") rules.push_back(id);
  }
  return rules;
}

TEST(SharedOutside, MovesAsAPageSharedByForkDoes) {
  for (const char* kernel : {"5.15", "6.1", "6.12", "6.16", "7.3"}) {
    SCOPED_TRACE(kernel);
    const Outcome declared = run_text(json_of(one_vma, shared_page, there_and_back), kernel);
    EXPECT_THAT(fired(declared.recording), testing::IsSupersetOf({"try_to_migrate.present", "try_to_migrate.device"}));
    EXPECT_THAT(fired(declared.recording), testing::Not(testing::Contains("unmap.still_mapped")));
    const Outcome forked = run_text(json_of(one_vma, R"({"at": "heap", "state": "present"})", R"({"op": "fork", "child": "child"}, )" + there_and_back), kernel);
    EXPECT_EQ(sequence(declared.recording), sequence(forked.recording));
    EXPECT_GT(sequence(declared.recording).size(), 30u);
  }
}

TEST(SharedOutside, ARefusedMigrationPutsBothMappingsBack) {
  const std::string refused =
      R"({"op": "get-page", "at": "heap"},
         {"op": "migrate-setup", "migration": "m", "at": "heap", "pages": 1, "device": "gpu0", "expect": "0", "cpages": 0},
         {"op": "expect-page", "at": "heap", "state": "present", "writable": false, "refcount": 3, "mapcount": 2, "locked": false})";
  for (const char* kernel : {"6.1", "6.12", "7.3"}) {
    const Outcome outcome = run_text(json_of(one_vma, shared_page, refused), kernel);
    EXPECT_THAT(fired(outcome.recording), testing::IsSupersetOf({"try_to_migrate.present", "unmap.pinned", "unmap.restore"}));
  }
}

TEST(SharedOutside, DevicePagesComeHomeForBoth) {
  const std::string device = R"({"at": "heap", "pages": 2, "state": "device-private", "device": "gpu0", "writable": false, "exclusive": false})";
  const std::string home =
      R"({"op": "expect-page", "at": "heap", "pages": 2, "state": "device-private", "refcount": 2, "mapcount": 2},
         {"op": "touch", "at": "heap", "access": "read", "expect": "ok"}, {"op": "evict-device", "device": "gpu0", "moved": 1},
         {"op": "expect-page", "at": "heap", "pages": 2, "state": "present", "writable": false, "refcount": 2, "mapcount": 2})";
  for (const char* kernel : {"6.1", "6.12", "7.3"}) run_text(json_of(one_vma, device, home), kernel);
}

}  // namespace
}  // namespace hmmscope::scenario
