// Every scenario of a defect of the RFC, run under the RFC and under the later form: how it ends.
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "engine/machine/entry_format.h"
#include "tests/unified/unified_support.h"

namespace hmmscope::scenario {
namespace {

using Json = nlohmann::json;

/// What a driver's operation returns and how many pages it moved (or, for a setup, collected).
struct End {
  const char* result;
  int64_t pages = -1;   ///< -1: the operation has no such number
};

struct Row {
  const char* scenario;
  bool rfc_clean;              ///< as posted nothing stays locked or behind a migration entry
  std::vector<End> later;      ///< of the operations in their order
  bool later_clean = true;
  const char* why = "";        ///< where the later form still misbehaves
};

std::vector<Row> table() {
  const char* as_posted = "no source says this was changed";
  return {
      {"unified-lost-dirty", true, {{"0", 0}}},
      {"unified-lost-data", true, {{"0", 0}}},
      {"unified-hang-foreign", false, {{"0", 8}}},
      {"unified-hang-exclusive", false, {{"0", 8}}},
      {"unified-hang-cow", false, {{"0", 8}}},
      {"unified-hang-zero", false, {{"0", 8}}},
      {"unified-hang-two-thps", false, {{"0", 512}, {"0", 1024}, {"0", 1024}}},
      {"unified-hang-munmap", false, {{"0", 8}}},
      {"unified-owner-null", false, {{"deadlock", 0}}, false, as_posted},
      {"unified-owner-null-setup", true, {{"0", 8}, {"deadlock"}}, true, as_posted},
      {"unified-busy-thp", true, {{"0", 0}}},
      {"unified-system-forced", false, {{"0", 8}}, false, as_posted},
      {"unified-system-forced-home", true, {{"0", 2}}},
      {"unified-page-zero", true, {{"0", 0}}},
      {"unified-sticky", true, {{"0", 0}, {"0", 8}}},
      {"unified-stale-dst", false, {{"0", 8}}},
      {"unified-mmap-lock", true, {{"0", 4}, {"0", 4}}},
      {"unified-setup-error", false, {{"-EFAULT", 0}}},
      {"unified-setup-error-finished", true, {{"-EFAULT", 0}}},
      {"unified-two-vmas", true, {{"-ERANGE", 0}, {"-EFAULT", 0}, {"-EPERM", 0}}},
      {"unified-early-error", true, {{"-EFAULT", 0}}},
      {"unified-oops", true, {{"0", 8}, {"0", 0}}},
      {"unified-no-access", true, {{"0", 0}}, true, as_posted},
      {"unified-harmless", true, {{"0", 8}, {"0", 8}, {"0", 8}, {"-EBUSY", 0}, {"0", 4}}},
  };
}

/// The scenario with the row's ends expected instead of the RFC's, and nothing else.
std::string with_ends(const Row& row) {
  Json root = Json::parse(shipped_text(row.scenario));
  root.erase("ends");
  Json kept = Json::array();
  size_t judged = 0;
  for (Json& op : root["operations"]) {
    const std::string name = op["op"];
    if (name.starts_with("expect")) continue;
    op.erase("unwritten");
    op.erase("data");
    op.erase("data_step");
    const char* count = name == "fault-and-migrate"                               ? "moved"
                        : name == "migrate-setup" || name == "migrate-to-system" ? "cpages"
                                                                                  : nullptr;
    if (count != nullptr || name == "range-fault") {
      const End end = judged < row.later.size() ? row.later[judged] : End{"?"};
      ++judged;
      op["expect"] = end.result;
      if (count != nullptr && end.pages >= 0) op[count] = end.pages;
    } else {
      op.erase("expect");
    }
    kept.push_back(op);
  }
  EXPECT_EQ(judged, row.later.size()) << row.scenario;
  root["operations"] = kept;
  return root.dump();
}

/// No page is locked or behind a migration entry, no two entries lead to one device page.
bool clean(const Outcome& outcome) {
  const auto recording = std::make_shared<const Recording>(outcome.recording);
  const EntryFormat format(outcome.model);
  Cursor cursor(recording);
  cursor.seek(recording->steps());
  std::set<uint64_t> device_pages;
  for (const Region& region : recording->regions()) {
    if (region.kind == RegionKind::folio) {
      if ((cursor.load(word_of(region.first, FolioWord::flags)) & folio_flag::locked) != 0) return false;
      continue;
    }
    if (region.kind != RegionKind::pte) continue;
    for (uint32_t k = 0; k < region.count; ++k) {
      const uint64_t pte = cursor.load(region.first + k);
      if (x86::pte_none(pte) || x86::pte_present(pte)) continue;
      const SwapKind kind = format.swap.kind(pte);
      if (is_migration(kind)) return false;
      if (is_device_private(kind) && !device_pages.insert(format.swap.pfn(pte)).second) return false;
    }
  }
  return true;
}

TEST(UnifiedTable, EveryDefectOfTheRfcUnderBothForms) {
  for (const Row& row : table()) {
    SCOPED_TRACE(row.scenario);
    const Outcome posted = run_shipped(row.scenario, rfc);
    EXPECT_TRUE(posted.failures.empty()) << posted.failures.front().text;
    EXPECT_EQ(clean(posted), row.rfc_clean) << "as posted";
    const auto scenario = parse(with_ends(row), row.scenario);
    ASSERT_TRUE(scenario) << scenario.error().to_string();
    const auto later = run(*scenario, "7.1-unified-later");
    ASSERT_TRUE(later) << later.error().to_string();
    EXPECT_TRUE(later->failures.empty()) << later->failures.front().text;
    EXPECT_EQ(clean(*later), row.later_clean) << row.why;
  }
}

TEST(UnifiedTable, NoScenarioOfTheRfcIsMissing) {
  std::set<std::string> listed{"unified-later", "unified-kept-data", "unified-words", "unified-fork"};
  for (const Row& row : table()) listed.insert(row.scenario);
  for (const auto& entry : std::filesystem::directory_iterator(HMMSCOPE_SOURCE_DIR "/lessons/scenarios")) {
    const std::string name = entry.path().stem().string();
    if (name.starts_with("unified-")) {
      EXPECT_TRUE(listed.contains(name)) << name;
    }
  }
}

}  // namespace
}  // namespace hmmscope::scenario
