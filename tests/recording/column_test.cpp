// A column holds what was put in, however it grew.
#include "engine/recording/column.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace hmmscope {
namespace {

TEST(Column, IsAVector) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 40; ++round) {
    Column<uint64_t> column;
    std::vector<uint64_t> truth;
    if (random() % 2 == 0) column.reserve(random() % 5000);
    for (int k = 0; k < 60; ++k) {
      std::vector<uint64_t> some(random() % 10);
      for (uint64_t& word : some) word = random();
      switch (random() % 6) {
        case 0:
          column.push(k);
          truth.push_back(static_cast<uint64_t>(k));
          break;
        case 1: {
          // Some of them more than half of all, which takes them from fresh pages.
          const size_t zeros = random() % 4 == 0 ? random() % 200000 : random() % 50;
          column.append_zeros(zeros);
          truth.resize(truth.size() + zeros, 0);
          break;
        }
        case 2:
          column.shrink_to_fit();
          break;
        default:
          column.append(some.data(), some.size());
          truth.insert(truth.end(), some.begin(), some.end());
      }
      ASSERT_EQ(column.size(), truth.size());
      ASSERT_GE(column.bytes(), column.size() * sizeof(uint64_t));
    }
    EXPECT_TRUE(std::equal(column.begin(), column.end(), truth.begin(), truth.end()));
    const Column<uint64_t> copy = column;
    EXPECT_TRUE(std::equal(copy.begin(), copy.end(), truth.begin(), truth.end()));
  }
}

}  // namespace
}  // namespace hmmscope
