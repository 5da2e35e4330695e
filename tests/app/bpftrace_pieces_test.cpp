// Tagged pieces of bpftrace's output, some of them lost, as lines of a trace.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "tests/support/program.h"

namespace hmmscope {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using testing_support::ScratchDirectory;

/// The lines that bpftrace.awk makes of pieces.
std::string lines_of_pieces(const ScratchDirectory& scratch, const std::string& pieces) {
  const std::string awk =
      (std::filesystem::path(HMMSCOPE_SOURCE_DIR) / "traces/capture/bpftrace.awk").string();
  const std::string from = scratch.write("pieces", pieces).string(), to = (scratch.path() / "lines").string();
  EXPECT_EQ(std::system(("awk -f '" + awk + "' " + from + " | sort -s -k 1,1n >" + to).c_str()), 0);
  return testing_support::content_of(to);
}

/// A lost word does not move the others: the array is left out, and the loss stands where it was.
TEST(BpftracePieces, LostBpftracePiecesShiftNoWords) {
  const ScratchDirectory scratch;
  const std::string lines = lines_of_pieces(
      scratch,
      "E 8 1000000001 0 7 prog rf_in start=0x1000\nF 8 end=0x3801\nW 8 0x1\nW 8 0x2\nW 8 0x3\nZ 8\n"
      "E 8 1000000002 0 7 prog rf_out ret=0 start=0x1000 end=0x4000\nW 8 0xc1\nLost 1 events\nW 8 0xc3\nZ 8\n"
      "E 8 1000000003 0 7 prog rf_in start=0x1000\nW 8 0x1\nZ 8\n"
      "E 8 1000000004 0 7 prog mmf addr=0x1000\nZ 8\n");
  EXPECT_THAT(lines, HasSubstr("start=0x1000 end=0x3801 pfns={0x1,0x2,0x3}\n"));
  EXPECT_THAT(lines, HasSubstr("ret=0 start=0x1000 end=0x4000\n")) << "which words these are is not known";
  EXPECT_THAT(lines, Not(HasSubstr("1.000000003"))) << "without its end it is no call";
  const size_t lost = lines.find("1000000002\tCPU:0 [LOST 1 EVENTS]\n");
  ASSERT_NE(lost, std::string::npos) << lines;
  EXPECT_LT(lost, lines.find("mmf"));
}

TEST(BpftracePieces, TaskNamesMayHoldEventNames) {
  const ScratchDirectory scratch;
  const std::string lines =
      lines_of_pieces(scratch,
                      "E 8 1000000001 0 7 x mmf y rf_out ret=0 start=0x1000 end=0x2000\nW 8 0x1\nZ 8\nE 9 "
                      "1000000002 0 9  mmf addr=0x1\nZ 9\n");
  EXPECT_THAT(lines, HasSubstr("x mmf y-8 "));
  EXPECT_THAT(lines,
              HasSubstr(": rf_out: (0x0 <- hmm_range_fault) ret=0 start=0x1000 end=0x2000 pfns={0x1}\n"));
  EXPECT_THAT(lines, HasSubstr("<...>-9 "));
}

}  // namespace
}  // namespace hmmscope
