// Where -o leads: what may be written over, and what is left as it was.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/support/program.h"

namespace hmmscope {
namespace {

using ::testing::HasSubstr;
using testing_support::content_of;
using testing_support::Ran;
using testing_support::run_program;
using testing_support::ScratchDirectory;

const std::filesystem::path root_directory = HMMSCOPE_SOURCE_DIR;
const std::string trace = "traces/samples/6.12-snapshot.trace.txt";
const std::vector<std::string> formats = {"jsonl", "chrome", "csv", "html", "hmmrec"};

/// Every command line that writes `out` from `in`.
std::vector<std::vector<std::string>> writers(const std::string& in, const std::string& out) {
  std::vector<std::vector<std::string>> all;
  for (const std::string& format : formats) all.push_back({"export", "--as", format, "-o", out, in});
  all.push_back({"extract", "--call", "1", "-o", out, in});
  if (run_program({"--help"}).out.find("  screenshot ") != std::string::npos)
    all.push_back({"screenshot", "--panel", "bits", "-o", out, in});
  return all;
}

size_t files_in(const std::filesystem::path& folder) {
  return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(folder), std::filesystem::directory_iterator()));
}

TEST(OutputFile, IsNeverAPipe) {
  const ScratchDirectory scratch;
  const std::filesystem::path pipe = scratch.path() / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  for (const auto& arguments : writers(trace, pipe.string())) {
    const Ran ran = run_program(arguments);
    EXPECT_EQ(ran.code, 2) << ::testing::PrintToString(arguments);
    EXPECT_THAT(ran.err, HasSubstr("is not a regular file"));
    EXPECT_EQ(std::filesystem::status(pipe).type(), std::filesystem::file_type::fifo);
    EXPECT_EQ(files_in(scratch.path()), 1u) << ::testing::PrintToString(arguments);
  }
}

TEST(OutputFile, IsNeverTheInput) {
  const ScratchDirectory scratch;
  const std::string content = content_of(root_directory / trace);
  const std::string in = scratch.write("in.txt", content).string();
  const std::string link = (scratch.path() / "link").string(), twin = (scratch.path() / "twin").string();
  std::filesystem::create_symlink("in.txt", link);
  std::filesystem::create_hard_link(in, twin);
  for (const std::string& out : {in, link, twin}) {
    for (const auto& arguments : writers(in, out)) {
      const Ran ran = run_program(arguments);
      EXPECT_EQ(ran.code, 2) << ::testing::PrintToString(arguments);
      EXPECT_THAT(ran.err, HasSubstr("is the file that is read"));
      EXPECT_EQ(content_of(in), content);
      EXPECT_EQ(files_in(scratch.path()), 3u);
    }
  }
  const Ran piped = run_program({"export", "--as", "jsonl", "-o", in, "-"}, {}, {}, in);
  EXPECT_EQ(piped.code, 2);
  EXPECT_EQ(content_of(in), content);
  const std::string words = scratch.write("x.pfns.csv", content).string();
  EXPECT_EQ(run_program({"export", "--as", "csv", "-o", (scratch.path() / "x.csv").string(), words}).code, 2);
  EXPECT_EQ(content_of(words), content);
  EXPECT_EQ(run_program({"run", "lessons/scenarios/first-walk.json", "--save", (scratch.path() / "saved").string()}).code, 0);
  const std::string scenario = scratch.write("s.json", content_of(root_directory / "lessons/scenarios/first-walk.json")).string();
  EXPECT_EQ(run_program({"run", scenario, "--save", scenario}).code, 2);
}

TEST(OutputFile, BehindALinkIsWrittenAndKeepsItsMode) {
  const ScratchDirectory scratch;
  const std::filesystem::path link = scratch.path() / "link", fresh = scratch.path() / "fresh";
  for (const auto& arguments : writers(trace, link.string())) {
    const std::filesystem::path target = scratch.write("target", "old");
    const std::string mine = "a file of the user's";
    scratch.write("target.part", mine);
    ::chmod(target.c_str(), 0640);
    std::filesystem::remove(link);
    std::filesystem::create_symlink("target", link);
    const Ran ran = run_program(arguments);
    ASSERT_EQ(ran.code, 0) << ran.err;
    EXPECT_TRUE(std::filesystem::is_symlink(link));
    EXPECT_NE(content_of(target), "old");
    EXPECT_EQ(content_of(scratch.path() / "target.part"), mine);
    struct stat status {};
    ASSERT_EQ(::stat(target.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777, 0640u);
  }
  std::filesystem::create_symlink("new", fresh);   // to what is not there yet
  ASSERT_EQ(run_program({"export", "--as", "jsonl", "-o", fresh.string(), trace}).code, 0);
  EXPECT_TRUE(std::filesystem::is_symlink(fresh));
  EXPECT_TRUE(std::filesystem::is_regular_file(scratch.path() / "new"));
}

/// Its name may be as long as names get, though something is written beside it.
TEST(OutputFile, OfTheLongestName) {
  const ScratchDirectory scratch;
  const std::filesystem::path longest = scratch.path() / std::string(255, 'x');
  EXPECT_EQ(run_program({"export", "--as", "jsonl", "-o", longest.string(), trace}).code, 0);
  EXPECT_EQ(files_in(scratch.path()), 1u);
}

TEST(OutputFile, TwoTablesAreWrittenOrNone) {
  const ScratchDirectory scratch;
  const std::filesystem::path calls = scratch.write("x.csv", "old");
  std::filesystem::create_directory(scratch.path() / "x.pfns.csv");
  const Ran ran = run_program({"export", "--as", "csv", "-o", calls.string(), trace});
  EXPECT_EQ(ran.code, 2);
  EXPECT_THAT(ran.err, HasSubstr("x.pfns.csv: is a directory"));
  EXPECT_EQ(content_of(calls), "old");
  EXPECT_EQ(files_in(scratch.path()), 2u);
}

}  // namespace
}  // namespace hmmscope
