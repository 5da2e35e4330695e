// The compact index gives back what was put in, whatever it is; prefixes and copies do not change with it.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "traces/reader/event_table.h"

namespace hmmscope::traces {
namespace {

bool same(const TraceEvent& a, const TraceEvent& b) {
  return a.time_ns == b.time_ns && a.offset == b.offset && a.line == b.line && a.task == b.task && a.cpu == b.cpu && a.kind == b.kind &&
         a.fields_at == b.fields_at && a.format_data == b.format_data;
}

void expect_rows(const EventTable& table, const std::vector<TraceEvent>& rows, size_t count) {
  ASSERT_EQ(table.size(), count);
  for (size_t i = 0; i < count; ++i) {
    ASSERT_TRUE(same(table[i], rows[i])) << i;
    ASSERT_EQ(table.kind(i), rows[i].kind) << i;
    ASSERT_EQ(table.task(i), rows[i].task) << i;
  }
}

/// Mostly what a trace holds; every `odd`th row has a value at an edge of what fits a compact row.
std::vector<TraceEvent> random_rows(std::mt19937_64& random, size_t count, uint64_t odd) {
  std::vector<TraceEvent> rows;
  TraceEvent row{1000, 0, 1, 0, 0, 0, 60, 0};
  for (size_t i = 0; i < count; ++i) {
    row.time_ns += static_cast<int64_t>(random() % 5000);
    row.offset += random() % 300;
    row.line += 1 + (random() % 20 == 0);
    row.task = static_cast<uint32_t>(random() % 50);
    row.cpu = static_cast<uint16_t>(random() % 3);
    row.kind = static_cast<KindId>(random() % 40);
    row.format_data = static_cast<uint16_t>(random() % 2);
    TraceEvent changed = row;
    if (odd != 0 && random() % odd == 0) {
      switch (random() % 7) {
        case 0: changed.time_ns = row.time_ns += 0xffffffff + static_cast<int64_t>(random() % 3); break;
        case 1: changed.time_ns = static_cast<int64_t>(random()); break;
        case 2: changed.offset = random(); break;
        case 3: changed.line = row.line += 254 + static_cast<uint32_t>(random() % 3); break;
        case 4: changed.task = 0xfffe + static_cast<uint32_t>(random() % 3); break;
        case 5: changed.cpu = static_cast<uint16_t>(random()); break;
        default: changed.kind = static_cast<KindId>(random()), changed.format_data = static_cast<uint16_t>(random());
      }
    }
    rows.push_back(changed);
  }
  return rows;
}

TEST(Index, GivesBackEveryRow) {
  std::mt19937_64 random(1);
  for (const uint64_t odd : {0u, 1000u, 20u, 1u}) {
    const auto rows = random_rows(random, 50000, odd);
    EventTable table;
    for (const TraceEvent& row : rows) table.push_back(row);
    expect_rows(table, rows, rows.size());
    size_t i = 0;
    for (const TraceEvent& row : table) {
      ASSERT_TRUE(same(row, rows[i])) << i;
      ++i;
    }
    EXPECT_EQ(i, rows.size());
  }
}

/// Behind any number of rows, narrow and wide ones, with numbers of kinds and tasks that change on the way.
TEST(Index, AppendsAnotherTable) {
  std::mt19937_64 random(4);
  std::vector<KindId> kinds(size_t{1} << 16);
  std::vector<uint32_t> tasks(size_t{1} << 17);
  for (size_t i = 0; i < kinds.size(); ++i) kinds[i] = static_cast<KindId>(i * 7);
  for (size_t i = 0; i < tasks.size(); ++i) tasks[i] = static_cast<uint32_t>(i + random() % 2);
  for (const uint64_t odd : {0u, 1000u, 20u, 1u}) {
    for (const size_t before : {0u, 1u, 127u, 128u, 5000u, 16384u, 20001u}) {
      const auto first = random_rows(random, before, odd), second = random_rows(random, 20000, odd);
      const uint32_t lines = first.empty() ? 5 : first.back().line;
      std::vector<TraceEvent> expected = first;
      EventTable table, other;
      for (const TraceEvent& row : first) table.push_back(row);
      for (TraceEvent row : second) {
        other.push_back(row);
        row.kind = kinds[row.kind];
        row.task = tasks[row.task];
        row.line += lines;
        expected.push_back(row);
      }
      table.append(other, kinds, tasks, lines);
      expect_rows(table, expected, expected.size());
      if (odd == 0 && before != 0) {
        EventTable one_by_one;
        for (const TraceEvent& row : expected) one_by_one.push_back(row);
        EXPECT_EQ(table.bytes(), one_by_one.bytes()) << "rows that fit are kept narrow";
      }
    }
  }
}

TEST(Index, OfATraceTakes17BytesARow) {
  std::mt19937_64 random(2);
  EventTable table;
  for (const TraceEvent& row : random_rows(random, 1u << 20, 0)) table.push_back(row);
  EXPECT_LE(table.bytes(), table.size() * 17);
}

TEST(Index, PrefixesAndCopiesStayAsTheyWere) {
  std::mt19937_64 random(3);
  const auto rows = random_rows(random, 60000, 50);
  EventTable table;
  std::vector<std::pair<size_t, EventTable>> kept;
  for (size_t i = 0; i < rows.size(); ++i) {
    table.push_back(rows[i]);
    if (i % 7001 == 0) kept.emplace_back(table.size(), table);
    if (i % 9001 == 0) kept.emplace_back(table.size() / 2, table.prefix(table.size() / 2));
  }
  kept.emplace_back(size_t{1} << 14, table.prefix(size_t{1} << 14));
  kept.emplace_back(rows.size(), table.prefix(rows.size() + 5));
  for (const auto& [count, prefix] : kept) expect_rows(prefix, rows, count);
  // A copy may grow on its own.
  EventTable longer = table.prefix(100);
  longer.push_back(rows[7]);
  EXPECT_TRUE(same(longer[100], rows[7]));
  expect_rows(table, rows, rows.size());
}

TEST(Index, SortsByTimeAndKeepsTies) {
  std::mt19937_64 random(4);
  auto rows = random_rows(random, 40000, 0);
  for (TraceEvent& row : rows) row.time_ns = static_cast<int64_t>(random() % 500);
  EventTable table;
  for (const TraceEvent& row : rows) table.push_back(row);
  table.sort_by_time();
  std::stable_sort(rows.begin(), rows.end(), [](const TraceEvent& a, const TraceEvent& b) { return a.time_ns < b.time_ns; });
  expect_rows(table, rows, rows.size());
}

}  // namespace
}  // namespace hmmscope::traces
