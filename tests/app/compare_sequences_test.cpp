// hmmscope compare-sequences: what it prints, the picture, and what it refuses.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/program.h"

namespace hmmscope {
namespace {

using ::testing::HasSubstr;
using testing_support::content_of;
using testing_support::Ran;
using testing_support::run_program;
using testing_support::ScratchDirectory;

TEST(CompareSequencesCommand, PrintsATableWithModelAndMeasurement) {
  const Ran ran = run_program({"compare-sequences", "--pages", "4,100", "--mix", "present"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  for (const char* text : {"RFC S3", "control S2", "14282", "Cost model", "pte prepared under its lock"})
    EXPECT_THAT(ran.out, HasSubstr(text));
}

TEST(CompareSequencesCommand, JsonHasEveryCellAndTheFit) {
  const Ran ran = run_program({"compare-sequences", "--pages", "1,64", "--mix", "half,none", "--json"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  const auto json = nlohmann::json::parse(ran.out);
  EXPECT_EQ(json.at("cells").size(), 2u * 2 * 2 * 5);
  EXPECT_EQ(json.at("cost_model").at("cells"), 200);
  for (const auto& cell : json.at("cells")) {
    EXPECT_GT(cell.at("instructions").get<double>(), 0);
    EXPECT_TRUE(cell.at("counts").contains("walk_page_range"));
    EXPECT_FALSE(cell.at("measured").is_null());
  }
}

// 513 zero pages on the posted patches: the second part faults with pages of the first prepared, the driver calls again
// and waits for itself. The row says so, the others are as they would be without it.
TEST(CompareSequencesCommand, KeepsTheOtherRowsWhenOneHangs) {
  const ScratchDirectory scratch;
  const auto file = scratch.path() / "plot.svg";
  const Ran text = run_program({"compare-sequences", "--pages", "4,513", "--mix", "zero", "--plot", file.string()});
  EXPECT_EQ(text.code, 1) << text.err;
  for (const char* part : {"hangs", "Did not end", "stuck.own_entry", "control S2", "Cost model"}) EXPECT_THAT(text.out, HasSubstr(part));
  const std::string picture = content_of(file);
  EXPECT_THAT(picture, HasSubstr("RFC S3 hangs: stuck.own_entry"));
  for (const char* bad : {"nan", "inf"}) EXPECT_THAT(picture, ::testing::Not(HasSubstr(bad)));

  const Ran ran = run_program({"compare-sequences", "--pages", "513", "--mix", "zero", "--json"});
  EXPECT_EQ(ran.code, 1) << ran.err;
  const auto cells = nlohmann::json::parse(ran.out).at("cells");
  ASSERT_EQ(cells.size(), 10u);
  for (const auto& cell : cells) {
    const bool hangs = cell.at("intent") == "write" && cell.at("sequence") == "RFC S3";
    SCOPED_TRACE(cell.at("intent").get<std::string>() + " " + cell.at("sequence").get<std::string>());
    EXPECT_EQ(cell.at("outcome"), hangs ? "deadlock" : "0");
    EXPECT_EQ(cell.at("hang").is_null(), !hangs);
    EXPECT_EQ(cell.at("instructions").is_null(), hangs);
    EXPECT_EQ(cell.at("counts").at("migrated_slots"), hangs ? 0 : 513);
  }
}

TEST(CompareSequencesCommand, DrawsAPicture) {
  const ScratchDirectory scratch;
  const auto file = scratch.path() / "plot.svg";
  const Ran ran = run_program(
      {"compare-sequences", "--pages", "1,4,64", "--mix", "present,zero", "--plot", file.string()});
  EXPECT_EQ(ran.code, 0) << ran.err;
  const std::string picture = content_of(file);
  EXPECT_TRUE(picture.starts_with("<svg"));
  EXPECT_TRUE(picture.ends_with("</svg>\n"));
  for (const char* text : {"present, read", "zero, write", "<polyline", "<circle", "RFC S3"})
    EXPECT_THAT(picture, HasSubstr(text));
  EXPECT_THAT(picture, ::testing::Not(HasSubstr("nan")));
  const Ran refused = run_program(
      {"compare-sequences", "--pages", "1", "--plot", (scratch.path() / "none/plot.svg").string()});
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.err, HasSubstr("none/plot.svg"));
}

TEST(CompareSequencesCommand, RefusesWhatIsNoSizeOrMix) {
  for (const char* pages : {"0", "16385", "-1", "", "4,x", "1e3", "18446744073709551617"}) {
    const Ran ran = run_program({"compare-sequences", std::string("--pages=") + pages});
    EXPECT_EQ(ran.code, 2) << pages;
    EXPECT_THAT(ran.err, HasSubstr("--pages")) << pages;
  }
  const Ran ran = run_program({"compare-sequences", "--mix", "present,wet"});
  EXPECT_EQ(ran.code, 2);
  EXPECT_THAT(ran.err, HasSubstr("'wet'"));
}

}  // namespace
}  // namespace hmmscope
