// The counts of compare-sequences against those taken on real kernels (6.12.117 with the merged layout,
// without and with the posted patches; tests/unified/data/unified_counts.csv holds their count columns).
#include "engine/scenario/compare_sequences.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>

#include "engine/scenario/sequence_cost.h"

namespace hmmscope::scenario {
namespace {

using Row = std::map<std::string, std::string>;

std::vector<Row> kernel_rows() {
  std::ifstream in(HMMSCOPE_SOURCE_DIR "/tests/unified/data/unified_counts.csv");
  std::vector<Row> rows;
  std::vector<std::string> names;
  for (std::string line; std::getline(in, line);) {
    std::istringstream fields(line);
    std::vector<std::string> values;
    for (std::string field; std::getline(fields, field, ',');) values.push_back(field);
    if (names.empty()) {
      names = values;
      continue;
    }
    Row row;
    for (size_t k = 0; k < values.size(); ++k) row[names[k]] = values[k];
    rows.push_back(row);
  }
  return rows;
}

Result<SequenceCell> engine_cell(const Row& row) {
  const auto mix =
      std::find(page_mix_names.begin(), page_mix_names.end(), row.at("mix")) - page_mix_names.begin();
  const int contender = row.at("sequence")[1] - '1' + (row.at("kernel") == "rfc" ? 2 : 0);
  return run_sequence(static_cast<PageMix>(mix), row.at("intent") == "write", std::stoull(row.at("pages")),
                      static_cast<Contender>(contender));
}

TEST(CompareSequences, EveryCountIsTheKernels) {
  const std::vector<Row> rows = kernel_rows();
  ASSERT_EQ(rows.size(), 200u);
  size_t compared = 0;
  for (const Row& row : rows) {
    const auto cell = engine_cell(row);
    ASSERT_TRUE(cell) << cell.error().to_string();
    for (const CountColumn& column : count_columns()) {
      const auto known = row.find(std::string(column.name));
      if (known == row.end()) continue;
      EXPECT_EQ(cell->counts.*column.value, std::stoull(known->second))
          << column.name << ": " << row.at("kernel") << " " << row.at("mix") << " " << row.at("intent") << " "
          << row.at("pages") << " " << row.at("sequence");
      ++compared;
    }
    EXPECT_EQ(cell->counts.pte_visits(), std::stoull(row.at("pte_visits_total")));
  }
  EXPECT_EQ(compared, rows.size() * 16);
}

// Sizes nobody measured: what is known of them is how they grow.
TEST(CompareSequences, OtherSizesFollowTheSameLines) {
  const auto counts = [](PageMix mix, Contender contender, uint64_t pages) {
    return run_sequence(mix, false, pages, contender).value().counts;
  };
  EXPECT_EQ(counts(PageMix::present, Contender::rfc_s3, 2048).pte_visits(), 2 * 2048u);
  EXPECT_EQ(counts(PageMix::present, Contender::rfc_s3, 2048).flush_tlb_mm_range, 2 * 2048u);
  EXPECT_EQ(counts(PageMix::present, Contender::control_s1, 2048).flush_tlb_mm_range, 2048u + 2048 / 512);
  EXPECT_EQ(counts(PageMix::half, Contender::control_s2, 100).pages_home, 49u);
  EXPECT_EQ(counts(PageMix::half, Contender::control_s2, 100).migrated_slots, 50u + 99);
}

TEST(CompareSequences, ImpossibleSizesAreRefused) {
  EXPECT_FALSE(run_sequence(PageMix::present, false, 0, Contender::rfc_s3));
  EXPECT_FALSE(run_sequence(PageMix::present, false, max_compared_pages + 1, Contender::rfc_s3));
}

TEST(SequenceCost, ReproducesWhichSequenceWins) {
  const auto model = SequenceCost::fit();
  ASSERT_TRUE(model) << model.error().to_string();
  const FitReport& report = model->report();
  EXPECT_EQ(report.cells, 200u);
  EXPECT_EQ(report.contests, 40u);
  EXPECT_LT(report.mean_error, 0.02);
  EXPECT_LT(report.worst_error, 0.12);
  // Where the model names another winner the two were measured less than one percent apart.
  EXPECT_GE(report.same_winner, report.contests - 2);
  EXPECT_LT(report.widest_wrong_winner, 0.01);
  EXPECT_GT(report.same_order, report.pairs * 95 / 100);
  for (const Price& price : model->prices()) EXPECT_GT(price.instructions, 0) << price.what;
}

}  // namespace
}  // namespace hmmscope::scenario
