// "-" as a file: whatever can be opened by name can be piped in, packed or not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/program.h"

namespace hmmscope {
namespace {

using ::testing::HasSubstr;
using testing_support::content_of;
using testing_support::Ran;
using testing_support::run_program;
using testing_support::ScratchDirectory;

const std::filesystem::path root = HMMSCOPE_SOURCE_DIR;

Ran piped(std::vector<std::string> arguments, const std::filesystem::path& in) {
  return run_program(arguments, {}, {}, in.string());
}

TEST(StandardInput, ATraceOfEveryPacking) {
  for (const char* name : {"kinds.txt", "kinds.gz", "kinds.xz", "kinds.zst"}) {
    const std::string file = "tests/fuzz/corpus/ftrace/" + std::string(name);
    const Ran named = run_program({"replay", file, "--kernel", "6.12", "--steps"});
    const Ran in = piped({"replay", "-", "--kernel", "6.12", "--steps"}, root / file);
    ASSERT_EQ(named.code, 0) << named.err;
    EXPECT_EQ(in.code, 0) << in.err;
    EXPECT_EQ(in.out.substr(in.out.find('\n')), named.out.substr(named.out.find('\n'))) << name;
  }
}

TEST(StandardInput, ATraceDatIsCheckedWithTheModelAskedFor) {
  const std::string file = "traces/samples/6.12-snapshot.trace.txt";
  const Ran text = piped({"check", "-"}, root / file);
  EXPECT_EQ(text.code, 0) << text.err;
  EXPECT_THAT(text.out, HasSubstr("calls 1, agreed 1, diverged 0, unknown 0"));
  for (const char* dat :
       {"traces/samples/dat/6.12-snapshot-v7.dat.xz", "traces/samples/dat/6.12-snapshot-v6.dat.xz"}) {
    const Ran named = run_program({"check", dat});
    EXPECT_EQ(named.code, 0) << dat << named.err;
    EXPECT_THAT(named.out, HasSubstr("calls 1, agreed 1, diverged 0, unknown 0")) << dat;
    const Ran in = piped({"check", "-"}, root / dat);
    EXPECT_NE(in.code, -1) << dat;
    EXPECT_THAT(in.out + in.err, HasSubstr("calls 1")) << dat;
  }
}

TEST(StandardInput, ARecordingIsReplayedAndChecked) {
  const ScratchDirectory scratch;
  const std::string saved = (scratch.path() / "saved.hmmrec").string();
  const std::string source = "traces/samples/6.12-overlap-4k.trace.txt.xz";
  const Ran wrote = run_program({"export", source, "--as", "hmmrec", "-o", saved});
  ASSERT_EQ(wrote.code, 0) << wrote.err;
  const Ran first = run_program({"check", source});
  for (const Ran& again : {run_program({"check", saved}), piped({"check", "-"}, saved)}) {
    EXPECT_EQ(again.code, first.code) << again.err;
    EXPECT_EQ(again.out.substr(again.out.find(':')).substr(0, 60),
              first.out.substr(first.out.find(':')).substr(0, 60));
  }
}

TEST(StandardInput, AScenarioRuns) {
  const ScratchDirectory scratch;
  const auto file = scratch.write("s.json", R"({"hmmscope-scenario": 1, "title": "one page", "kernel": "6.12",
    "vmas": [{"name": "heap", "start": "0x7f0000000000", "size": "2M", "prot": "rw"}],
    "operations": [{"op": "touch", "at": "heap", "pages": 1, "access": "write"}]})");
  const Ran named = run_program({"run", file.string()});
  const Ran in = piped({"run", "-"}, file);
  EXPECT_EQ(named.code, 0) << named.err;
  EXPECT_EQ(in.code, 0) << in.err;
}

TEST(StandardInput, WordsToDecode) {
  const ScratchDirectory scratch;
  const auto file = scratch.write("words", "0xc000000000000001\n 0x2000000000000000\n\n");
  const Ran in = piped({"decode", "-"}, file);
  const Ran named = run_program({"decode", "0xc000000000000001", "0x2000000000000000"});
  EXPECT_EQ(in.code, 0) << in.err;
  EXPECT_EQ(in.out, named.out);
  EXPECT_EQ(piped({"decode", "-"}, scratch.write("none", " \n")).code, 2);
  EXPECT_EQ(piped({"decode", "-"}, scratch.write("bad", "0x1\nzebra\n")).code, 2);
}

TEST(StandardInput, NothingOrNonsenseIsAnError) {
  const ScratchDirectory scratch;
  const Ran nothing = piped({"check", "-"}, "/dev/null");
  EXPECT_EQ(nothing.code, 2);
  EXPECT_THAT(nothing.err, HasSubstr("standard input: is empty"));
  const Ran nonsense = piped({"check", "-"}, scratch.write("x", "hello\n"));
  EXPECT_EQ(nonsense.code, 2);
  EXPECT_THAT(nonsense.err, HasSubstr("standard input: at byte 0: is in no trace format"));
}

}  // namespace
}  // namespace hmmscope
