#include "engine/base/errno_name.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace hmmscope {
namespace {

TEST(ErrnoName, NamesWhatTheCallsReturn) {
  EXPECT_EQ(errno_name(0), "0");
  EXPECT_EQ(errno_name(-EBUSY), "-EBUSY");
  EXPECT_EQ(errno_name(-ERANGE), "-ERANGE");
  EXPECT_EQ(errno_name(-EDEADLK), "-EDEADLK");
  EXPECT_EQ(errno_name(4), std::nullopt) << "a count";
  EXPECT_EQ(errno_name(-4095), std::nullopt);
}

}  // namespace
}  // namespace hmmscope
