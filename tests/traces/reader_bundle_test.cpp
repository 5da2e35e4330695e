// What the capture scripts write: a trace with notes in front of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "traces/reader/source.h"

namespace hmmscope::traces {
namespace {

using ::testing::HasSubstr;

const std::string head =
    "# hmmscope-bundle: 1\n"
    "# hmmscope-capture: kernel=6.12.1-test arch=x86_64 page_shift=12 config=DEVICE_PRIVATE=y\n";
const std::string notes =
    "# hmmscope-section: maps 123 start\n"
    "#| 7f0000000000-7f0000021000 rw-p 00000000 00:00 0\n"
    "#| # tracer: not a header\n"
    "#|\n"
    "# hmmscope-section: unobserved\n"
    "#| ptes: no event shows page table entries\n";
const std::string trace =
    "# hmmscope-section: trace\n"
    "# tracer: nop\n"
    "#\n"
    "            prog-123     [001] d....  1.000001: mmf: (handle_mm_fault+0x4/0x80) addr=0x1000\n";

Result<std::shared_ptr<const Trace>> read(const std::string& text) {
  return read_trace({reinterpret_cast<const uint8_t*>(text.data()), text.size()}, "x.hmmcap");
}

TEST(CaptureBundle, IsATraceWithItsNotes) {
  const auto opened = read(head + notes + trace);
  ASSERT_TRUE(opened) << opened.error().to_string();
  const TraceInfo& info = (*opened)->info();
  EXPECT_EQ(info.format, "hmmscope capture");
  EXPECT_EQ(info.kernel, "6.12.1-test");
  EXPECT_EQ(info.tracer, "nop");
  ASSERT_EQ(info.sections.size(), 2u);
  EXPECT_EQ(info.sections[0].title, "maps 123 start");
  EXPECT_EQ(info.sections[0].text,
            "7f0000000000-7f0000021000 rw-p 00000000 00:00 0\n# tracer: not a header\n\n");
  EXPECT_EQ(info.sections[1].text, "ptes: no event shows page table entries\n");
  ASSERT_EQ((*opened)->size(), 1u);
  EXPECT_EQ((**opened)[0].line(), 12u);
  EXPECT_EQ((**opened)[0].number("addr"), 0x1000u);
}

TEST(CaptureBundle, WithoutNotesToo) {
  const auto opened = read(head + trace);
  ASSERT_TRUE(opened) << opened.error().to_string();
  EXPECT_TRUE((*opened)->info().sections.empty());
}

TEST(CaptureBundle, DamageIsAnErrorWithItsLine) {
  const std::string version_two = "# hmmscope-bundle: 2\n" + trace,
                    no_version = "# hmmscope-bundle: x\n" + trace;
  struct Case {
    std::string text;
    uint64_t line;
    const char* message;
  };
  for (const Case& bad : {Case{version_two, 1, "version 2"},
                          {no_version, 1, "not a number"},
                          {head + notes, 9, "ends before its trace"},
                          {head + "#| stray\n" + trace, 3, "in front of the first section"},
                          {head + notes + trace + trace.substr(trace.rfind("\n", trace.size() - 2) + 1, 70), 13, "in the middle of this line"},
                          {head + notes + "hello\n" + trace, 9, "expected a comment line"}}) {
    const auto opened = read(bad.text);
    ASSERT_FALSE(opened) << bad.message;
    EXPECT_EQ(opened.error().line, bad.line);
    EXPECT_EQ(opened.error().file, "x.hmmcap");
    EXPECT_THAT(opened.error().message, HasSubstr(bad.message));
  }
}

TEST(CaptureBundle, CutAnywhereItIsReadOrRefused) {
  const std::string whole = head + notes + trace;
  for (size_t size = 0; size < whole.size(); ++size) {
    const auto opened = read(whole.substr(0, size));
    EXPECT_FALSE(opened) << size;
    EXPECT_FALSE(!opened && opened.error().message.empty()) << size;
  }
}

}  // namespace
}  // namespace hmmscope::traces
