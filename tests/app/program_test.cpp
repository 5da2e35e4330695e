// The command line as a whole: exit codes, where messages go, JSON everywhere, bad input.

#include "tests/support/program.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "lessons/facts.h"
#include "lessons/lesson.h"

namespace hmmscope {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing_support::content_of;
using testing_support::Ran;
using testing_support::run_program;
using testing_support::ScratchDirectory;

const std::string sample = "traces/samples/6.12-overlap-4k.trace.txt.xz";
const std::string plain_sample = "traces/samples/6.12-snapshot.trace.txt";
const std::vector<std::string> commands = {"decode", "layouts", "run", "replay", "check", "rules", "lesson", "export", "extract",
                                           "compare-sequences"};

using Arguments = std::vector<std::string>;

TEST(Program, HelpAndVersionAreNoMistake) {
  const Ran help = run_program({"--help"});
  EXPECT_EQ(help.code, 0);
  EXPECT_THAT(help.err, IsEmpty());
  for (const std::string& command : commands) {
    EXPECT_THAT(help.out, HasSubstr("  " + command + " "));
    const Ran one = run_program({command, "--help"});
    EXPECT_EQ(one.code, 0) << command;
    EXPECT_THAT(one.out, HasSubstr("Usage: hmmscope " + command)) << command;
    EXPECT_THAT(one.out, HasSubstr("--json")) << command;
  }
  EXPECT_THAT(run_program({"--version"}).out, HasSubstr("hmmscope "));
}

TEST(Program, ANumberThatIsNoneIsNamed) {
  for (const char* number : {"many", "99999999999999999999", "-1", "1.5"})
    EXPECT_THAT(run_program({"replay", sample, "--at", number}).err,
                HasSubstr("--at: '" + std::string(number) + "' is not a number, or too large a one; see "));
}

TEST(Program, AnEmptyValueIsNotTheDefault) {
  for (const Arguments& arguments : {Arguments{"decode", "0x1", "--kernel", ""}, {"decode", "0x1", "--layout", ""}, {"replay", ""},
                                     {"check", sample, "--kernel", ""}, {""}, {"--kernel", "", sample}}) {
    const Ran ran = run_program(arguments);
    EXPECT_EQ(ran.code, 2) << arguments[0];
    EXPECT_THAT(ran.err, HasSubstr("may not be empty")) << arguments[0];
    EXPECT_THAT(ran.out, IsEmpty());
  }
}

TEST(Program, ConfigurationThatDecidesNothingIsAMistake) {
  for (const char* config : {"FOO=n", ",,,", "DEVICE_PRIVATE=n,DEVICE_PRIVATE=y", "DEVICE_PRIVATE=n,"}) {
    const Ran ran = run_program({"decode", "0x1", "--config", config});
    EXPECT_EQ(ran.code, 2) << config;
    EXPECT_THAT(ran.err, HasSubstr("configuration: ")) << config;
  }
  EXPECT_EQ(run_program({"decode", "0x1", "--config", "DEVICE_PRIVATE=n,MEMORY_FAILURE=n"}).code, 0);
}

/// Nothing was compared: that is no agreement.
TEST(Program, CheckNeedsWhatAKernelDid) {
  const Ran ran = run_program({"check", "lessons/scenarios/first-walk.json"});
  EXPECT_EQ(ran.code, 2);
  EXPECT_THAT(ran.err, HasSubstr("nothing to compare"));
}

/// A trace of migrations alone is run again under other models, too.
TEST(Program, CheckTriesOtherModelsForMigrations) {
  const std::string migrations = "traces/samples/6.12-migrate_fault.trace.txt.xz";
  const Ran ran = run_program({"check", "--explain", "--kernel", "6.16", migrations});
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.out, HasSubstr("candidate 1: other layout or rules. The kernel has the layout or the rules of 6.12: there this call agrees."));
  EXPECT_THAT(ran.out, HasSubstr("candidate 2: kernel defect."));
  EXPECT_THAT(ran.out, testing::Not(HasSubstr("not tried")));
  const auto json = nlohmann::json::parse(run_program({"check", "--explain", "--kernel", "6.16", migrations, "--json"}).out);
  EXPECT_EQ(json["files"][0]["findings"][0]["candidates"][0]["kind"], "other layout or rules");
}

TEST(Program, CheckNotesAKernelNewerThanItsRules) {
  const Ran ran = run_program({"check", "--kernel", "9.9", "traces/samples/6.12-snapshot.trace.txt"});
  EXPECT_THAT(ran.out, HasSubstr("kernel 9.9 is newer than the newest model, 7.3"));
  EXPECT_THAT(ran.out, HasSubstr("comparisons of a word"));
  const Ran json = run_program({"check", "--kernel", "9.9", "traces/samples/6.12-snapshot.trace.txt", "--json"});
  EXPECT_THAT(json.out, HasSubstr("\"model_note\""));
}

TEST(Program, ANumberTooLargeForJsonNamesItsLine) {
  const ScratchDirectory scratch;
  const std::string file = scratch.write("large.json", "{\"title\": \"1e400\",\n \"hmmscope-scenario\":\n 1e400}");
  const Ran ran = run_program({"run", file});
  EXPECT_EQ(ran.code, 2);
  EXPECT_THAT(ran.err, HasSubstr("large.json:3: not valid JSON: the number 1e400 is too large"));
}

/// What is declared is built before anything is recorded: it is bounded all the same.
TEST(Program, MoreDeclaredPagesThanAMachineMayHaveNameTheirLine) {
  const ScratchDirectory scratch;
  const std::string file = scratch.write("many.json", R"({ "hmmscope-scenario": 1, "title": "many", "kernel": "6.12",
    "vmas": [ { "name": "heap", "start": "0x40000000", "size": "64G" } ],
    "pages": [ { "at": "heap", "pages": 1, "state": "present" },
               { "at": "heap+1", "pages": 16777215, "state": "present" } ],
    "operations": [ { "op": "range-fault", "at": "heap", "array": "a", "pages": 4 } ] })");
  const Ran ran = run_program({"run", file});
  EXPECT_EQ(ran.code, 2);
  EXPECT_THAT(ran.err, HasSubstr("many.json:4: the machine would need more memory than a run may use; ask for fewer pages"));
}

TEST(Program, BadUsageEndsWithTwoAndSaysWhereToRead) {
  for (const Arguments& arguments : {Arguments{"--bogus"},
                                     {"decode"},
                                     {"decode", "0x1", "--layout", "moon"},
                                     {"decode", "zebra"},
                                     {"layouts", "show"},
                                     {"layouts", "show", "moon"},
                                     {"layouts", "check", "hmm-5.9", "--machine", "vax"},
                                     {"run"},
                                     {"replay"},
                                     {"replay", sample, "--at", "many"},
                                     {"replay", sample, "--at", "99999999"},
                                     {"check"},
                                     {"check", sample, "--kernel", "2.4"},
                                     {"rules", "--function", "no_such"},
                                     {"lesson", "sing"},
                                     {"lesson", "show"},
                                     {"lesson", "show", "moon"},
                                     {"lesson", "grade", "two-owners"}}) {
    const Ran ran = run_program(arguments);
    const std::string line = ::testing::PrintToString(arguments);
    EXPECT_EQ(ran.code, 2) << line;
    EXPECT_THAT(ran.out, IsEmpty()) << line;
    EXPECT_THAT(ran.err, ::testing::StartsWith("hmmscope: ")) << line;

    Arguments with_json = arguments;
    with_json.push_back("--json");
    const Ran json = run_program(with_json);
    EXPECT_EQ(json.code, 2) << line;
    EXPECT_THAT(json.err, IsEmpty()) << line;
    const auto parsed = nlohmann::json::parse(json.out, nullptr, false);
    ASSERT_TRUE(parsed.is_object()) << line << json.out;
    EXPECT_TRUE(parsed.contains("error") && parsed["error"].contains("message")) << line;
  }
}

TEST(Program, SaysThatAFileIsNotThere) {
  for (const Arguments& arguments : {Arguments{"nowhere.txt"},
                                     {"replay", "nowhere.txt"},
                                     {"check", "nowhere.txt"},
                                     {"run", "nowhere.txt"}}) {
    const Ran ran = run_program(arguments);
    EXPECT_EQ(ran.code, 2) << ::testing::PrintToString(arguments);
    EXPECT_THAT(ran.err, AllOf(HasSubstr("nowhere.txt"), HasSubstr("o such file")));
  }
  EXPECT_THAT(run_program({"decod"}).err, HasSubstr("no such file or command"));
  EXPECT_EQ(run_program({"check", "traces/samples"}).code, 2) << "a directory is no trace";
  EXPECT_EQ(run_program({"check", "/dev/null"}).code, 2) << "nothing is no trace";
}

TEST(Program, MalformedFilesEndWithTwoAndAPlace) {
  const ScratchDirectory scratch;
  const std::string trace = content_of(std::filesystem::path(HMMSCOPE_SOURCE_DIR) / plain_sample);
  ASSERT_GT(trace.size(), 10000u);
  const size_t line_end = trace.find('\n', trace.size() / 2);
  const std::string broken_line =
      trace.substr(0, line_end + 1) + "  rubbish [000] at no time: what\n" + trace.substr(line_end + 1);
  struct Case {
    const char* command;
    std::filesystem::path file;
  };
  const std::string packed = content_of(std::filesystem::path(HMMSCOPE_SOURCE_DIR) / sample);
  for (const auto& [command, file] :
       {Case{"replay", scratch.write("rubbish.txt", broken_line)},
        Case{"check", scratch.write("cut.xz", packed.substr(0, packed.size() / 2))},
        Case{"check", scratch.write("zeros.bin", std::string(100000, '\0'))},
        Case{"run",
             scratch.write(
                 "scenario.json",
                 "{\n  \"hmmscope-scenario\": 1,\n  \"title\": 7,\n  \"vmas\": [], \"operations\": []\n}\n")},
        Case{"run", scratch.write("cut.json", "{\n  \"hmmscope-scenario\": 1,\n")}}) {
    const Ran ran = run_program({command, file.string()});
    EXPECT_EQ(ran.code, 2) << file;
    EXPECT_THAT(ran.err, HasSubstr("hmmscope: " + file.string() + ":")) << file;
    const auto json =
        nlohmann::json::parse(run_program({command, file.string(), "--json"}).out, nullptr, false);
    ASSERT_TRUE(json.is_object() && json.contains("error")) << file;
    EXPECT_EQ(json["error"].value("file", ""), file.string());
    EXPECT_TRUE(json["error"].contains("line") || json["error"].contains("offset")) << file << json.dump();
  }
}

/// What is whole is checked and told, of a cut file and of the files beside one that cannot be read.
TEST(Program, CheckTellsWhatIsWholeAndWhatIsNot) {
  const ScratchDirectory scratch;
  const std::string trace = content_of(std::filesystem::path(HMMSCOPE_SOURCE_DIR) / plain_sample);
  const size_t out = trace.find('\n', trace.find("rf_out:"));
  ASSERT_NE(out, std::string::npos);
  const std::string cut = scratch.write("cut.txt", trace.substr(0, out + 20)).string();
  const Ran ran = run_program({"check", cut});
  EXPECT_EQ(ran.code, 2);
  EXPECT_THAT(ran.out, HasSubstr("\ncalls 1, agreed 1, diverged 0, unknown 0\n"));
  EXPECT_THAT(ran.err, HasSubstr("cut.txt:"));
  const Ran many = run_program({"check", cut, "nowhere.txt", plain_sample});
  EXPECT_EQ(many.code, 2);
  EXPECT_THAT(many.out, HasSubstr("\ncalls 2, agreed 2, diverged 0, unknown 0\n"));
  EXPECT_THAT(many.err, AllOf(HasSubstr("cut.txt:"), HasSubstr("nowhere.txt: cannot be opened")));
  const Ran json = run_program({"check", "--json", cut, "nowhere.txt", plain_sample});
  EXPECT_EQ(json.code, 2);
  const auto told = nlohmann::json::parse(json.out, nullptr, false);
  ASSERT_TRUE(told.is_object()) << json.out;
  EXPECT_EQ(told["error"].value("file", ""), cut);
  EXPECT_EQ(told.value("agreed", 0), 2);
  ASSERT_EQ(told["files"].size(), 3u);
  EXPECT_EQ(told["files"][0].value("agreed", 0), 1);
  EXPECT_TRUE(told["files"][0].contains("error"));
  EXPECT_EQ(told["files"][1].value("file", ""), "nowhere.txt");
  EXPECT_TRUE(told["files"][1].contains("error"));
  EXPECT_FALSE(told["files"][2].contains("error"));
}

TEST(Program, CheckSaysWhichLineIsLeftOut) {
  const ScratchDirectory scratch;
  std::string trace = content_of(std::filesystem::path(HMMSCOPE_SOURCE_DIR) / plain_sample);
  trace.pop_back();   // the end of the last line
  const std::string file = scratch.write("unended.txt", trace).string();
  const Ran ran = run_program({"check", file});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("\n  left out: line "));
  EXPECT_THAT(run_program({"check", "--json", file}).out, HasSubstr("\"left_out\": \"line "));
  EXPECT_THAT(run_program({"replay", file}).out, HasSubstr("left out"));
}

TEST(Program, EveryCommandSpeaksJson) {
  for (const Arguments& arguments : {Arguments{"decode", "0xd200000000140000"},
                                     {"decode", "0x1", "--layout", "all"},
                                     {"layouts"},
                                     {"layouts", "list"},
                                     {"layouts", "show", "hmm-6.16"},
                                     {"layouts", "check", "hmm-v9-posted"},
                                     {"rules"},
                                     {"lesson", "list"},
                                     {"lesson", "show", "two-owners"},
                                     {"replay", sample},
                                     {"replay", sample, "--steps"},
                                     {"replay", sample, "--at", "40"},
                                     {"check", sample},
                                     {"run", "lessons/scenarios/two-owners.json"},
                                     {"run", "lessons/scenarios/two-owners.json", "--steps"}}) {
    Arguments with_json = {"--json"};
    with_json.insert(with_json.end(), arguments.begin(), arguments.end());
    const Ran ran = run_program(with_json);
    const std::string line = ::testing::PrintToString(arguments);
    EXPECT_NE(ran.code, 2) << line << ran.out.substr(0, 300);
    EXPECT_THAT(ran.err, IsEmpty()) << line;
    EXPECT_FALSE(nlohmann::json::parse(ran.out, nullptr, false).is_discarded()) << line;
    EXPECT_EQ(run_program(arguments).code, ran.code) << line << ": --json does not change the exit code";
  }
}

TEST(Program, TheSameCommandPrintsTheSameTwice) {
  for (const Arguments& arguments : {Arguments{"replay", sample, "--steps"},
                                     {"check", sample, "--json"},
                                     {"lesson", "show", "two-owners"},
                                     {"run", "lessons/scenarios/two-owners.json", "--steps"},
                                     {"layouts", "list", "--json"}}) {
    EXPECT_EQ(run_program(arguments).out, run_program(arguments).out) << ::testing::PrintToString(arguments);
  }
}

TEST(Program, WithoutADisplayItPlaysTheRecordingAsText) {
  const Ran plain = run_program({});
  EXPECT_EQ(plain.code, 0);
  EXPECT_THAT(plain.err, HasSubstr("playing"));
  EXPECT_THAT(plain.out, AllOf(HasSubstr("hmm_range_fault"), HasSubstr("0xd200000000140000")));
  // A DISPLAY that nobody serves is no display.
  const Ran stale = run_program({sample}, {"DISPLAY=:48957"});
  EXPECT_EQ(stale.code, 0);
  EXPECT_EQ(stale.out, run_program({"replay", sample, "--steps"}).out);
  const Ran json = run_program({sample, "--json"});
  EXPECT_THAT(json.err, IsEmpty());
  EXPECT_FALSE(nlohmann::json::parse(json.out, nullptr, false).is_discarded());
}

TEST(Program, AFullDiskIsAnError) {
  const Ran ran = run_program({"layouts", "list"}, {}, "/dev/full");
  EXPECT_EQ(ran.code, 2);
  EXPECT_THAT(ran.err, HasSubstr("could not write the output"));
}

TEST(Program, ChecksEndWithOneWhenTheyFail) {
  EXPECT_EQ(run_program({"layouts", "check", "hmm-v9-posted", "--machine", "x86-64"}).code, 1);
  EXPECT_EQ(run_program({"layouts", "check", "hmm-6.16", "--machine", "x86-64"}).code, 0);
  const Ran check = run_program({"check", sample});
  EXPECT_EQ(check.code, 0);
  EXPECT_THAT(check.out, ::testing::ContainsRegex("\ncalls [0-9]+, agreed [0-9]+, diverged 0, unknown 0\n$"));
}

// One bit of one word that the kernel wrote is flipped; the check has to find it.
TEST(Program, CheckFindsAFlippedBit) {
  const ScratchDirectory scratch;
  std::string trace = content_of(std::filesystem::path(HMMSCOPE_SOURCE_DIR) / plain_sample);
  const size_t out = trace.find("rf_out:");
  ASSERT_NE(out, std::string::npos);
  const size_t words = trace.find("pfns={0x", out);
  ASSERT_NE(words, std::string::npos);
  const size_t digit = words + 8;
  trace[digit] = trace[digit] == '0' ? '1' : '0';
  const Ran ran = run_program({"check", scratch.write("flipped.txt", trace).string()});
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.out, HasSubstr("diverged 1"));
}

TEST(LessonCommand, GradesAFileOfAnswers) {
  const std::filesystem::path source = HMMSCOPE_SOURCE_DIR;
  const auto lesson = lessons::find_lesson(source / "lessons", "two-owners");
  ASSERT_TRUE(lesson);
  lessons::Facts facts(*lesson, source);
  const auto ghost = facts.moment("ghost");
  ASSERT_TRUE(ghost) << ghost.error().to_string();
  const nlohmann::json right = {{"nobody-mapped-it", "set"},
                                {"how-many", 262144},
                                {"tests-said-fine", "0xc900000000000000"},
                                {"other-way-round", "2"},
                                {"the-ghost", {{"sample", "posted-1g"}, {"position", ghost->position}}},
                                {"other-machines", 7},
                                {"merged-word", "0xc240000000000000"},
                                {"your-layout",
                                 {{"VALID", 63},
                                  {"WRITE", 62},
                                  {"ERROR", 61},
                                  {"DMA_MAPPED", 60},
                                  {"P2PDMA", 59},
                                  {"P2PDMA_BUS", 58},
                                  {"order", 53}}},
                                {"what-if", "262_143"}};
  const ScratchDirectory scratch;
  const Ran all = run_program(
      {"lesson", "grade", "two-owners", "--answers", scratch.write("right.json", right.dump()).string()});
  EXPECT_EQ(all.code, 0) << all.out << all.err;
  EXPECT_THAT(all.out, HasSubstr("9 of 9 right"));

  for (const auto& [task, answer] : right.items()) {
    nlohmann::json missing = right;
    missing.erase(task);
    EXPECT_EQ(run_program({"lesson", "grade", "two-owners", "--answers",
                           scratch.write("missing.json", missing.dump()).string()})
                  .code,
              1)
        << task;
  }
  nlohmann::json wrong = right;
  wrong["other-machines"] = 9;
  const Ran graded = run_program({"lesson", "grade", "two-owners", "--json", "--answers",
                                  scratch.write("wrong.json", wrong.dump()).string()});
  EXPECT_EQ(graded.code, 1);
  const auto json = nlohmann::json::parse(graded.out, nullptr, false);
  EXPECT_EQ(json.value("right", 0), 8);
  EXPECT_EQ(json.value("total", 0), 9);
}

TEST(LessonCommand, AnswersThatDoNotFitEndWithTwoAndALine) {
  const ScratchDirectory scratch;
  const auto answer = [&](const std::string& text) {
    return run_program(
        {"lesson", "grade", "two-owners", "--answers", scratch.write("answers.json", text).string()});
  };
  for (const char* text : {"", "[]", "{\n\"how-many\": {}\n}", "{\n\"three\": 1\n}", "{\n\"how-many\": -1\n}",
                           "{\n\"nobody-mapped-it\": \"maybe\"\n}", "{\n\"your-layout\": {\"MOON\": 1}\n}",
                           "{\n\"the-ghost\": {\"sample\": \"elsewhere\", \"position\": 1}\n}",
                           "{\n\"how-many\": \"twelve\"\n}"}) {
    const Ran ran = answer(text);
    EXPECT_EQ(ran.code, 2) << text << ran.out;
    EXPECT_THAT(ran.err, ::testing::ContainsRegex("answers.json:[0-9]+: ")) << text;
  }
}

}  // namespace
}  // namespace hmmscope
