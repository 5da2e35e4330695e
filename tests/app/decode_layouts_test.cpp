// `decode` and `layouts` as a user runs them: text, JSON and exit codes.

#include <CLI/CLI.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "app/cli/arguments.h"
#include "app/cli/command.h"
#include "app/cli/layout_text.h"

namespace hmmscope::app {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

struct Ran {
  int code = -1;
  std::string out, err;
  nlohmann::json json() const { return nlohmann::json::parse(out); }
};

/// A FILE whose text is kept in memory.
class Capture {
 public:
  Capture() : file_(open_memstream(&data_, &size_)) {}
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;
  ~Capture() {
    std::fclose(file_);
    std::free(data_);  // NOLINT: open_memstream allocates with malloc
  }
  std::FILE* file() { return file_; }
  std::string text() {
    std::fflush(file_);
    return {data_, size_};
  }

 private:
  char* data_ = nullptr;
  size_t size_ = 0;
  std::FILE* file_;
};

Ran run(std::unique_ptr<Command> command, std::vector<std::string> arguments, bool json) {
  CLI::App app;
  Arguments declared(&app);
  command->declare(declared);
  std::reverse(arguments.begin(), arguments.end());
  app.parse(arguments);
  Capture out, err;
  Output output{out.file(), err.file(), json};
  Ran ran;
  ran.code = command->run(output);
  ran.out = out.text();
  ran.err = err.text();
  return ran;
}

Ran decode(std::vector<std::string> arguments, bool json = false) {
  return run(make_decode_command(), std::move(arguments), json);
}
Ran layouts(std::vector<std::string> arguments, bool json = false) {
  return run(make_layouts_command(), std::move(arguments), json);
}

TEST(DecodeCommand, NamesEveryBitAndComparesEras) {
  const Ran r = decode({"0xc120000000012345"});
  EXPECT_EQ(r.code, exit_ok);
  EXPECT_THAT(r.out, HasSubstr("0xc120000000012345  hmm-6.16  VALID WRITE order 9 pfn 0x12345"));
  EXPECT_THAT(r.out, HasSubstr("DMA_MAPPED"));
  EXPECT_THAT(r.out, HasSubstr("hmm-5.9                  VALID WRITE order 1 pfn 0x20000000012345"));
}

TEST(DecodeCommand, ShowsTwoOwnersOfOneBit) {
  const Ran r = decode({"0xd200000000140000", "--layout", "hmm-v9-posted"});
  EXPECT_THAT(r.out, HasSubstr("VALID WRITE order 18 DMA_MAPPED pfn 0x140000"));
  EXPECT_THAT(r.out, HasSubstr("overlap: bit 57 has two owners: order and DMA_MAPPED"));
}

TEST(DecodeCommand, TakesSeveralWordsInAnyNotation) {
  const Ran r = decode({"0x2", "0b11", "18'446'744'073'709'551'615", "--layout", "migrate-5.16"}, true);
  ASSERT_EQ(r.code, exit_ok);
  const auto words = r.json()["words"];
  ASSERT_EQ(words.size(), 3u);
  EXPECT_EQ(words[0]["readings"][0]["text"], "MIGRATE");
  EXPECT_EQ(words[1]["readings"][0]["text"], "VALID MIGRATE pfn 0x0");
  EXPECT_EQ(words[2]["word"], "0xffffffffffffffff");
  EXPECT_EQ(words[2]["readings"][0]["unnamed"], "0x34");
}

TEST(DecodeCommand, JsonCarriesFields) {
  const auto reading = decode({"0xd12000000010d200"}, true).json()["words"][0]["readings"][0];
  EXPECT_EQ(reading["layout"], "hmm-6.16");
  for (const auto& f : reading["fields"]) {
    if (f["name"] == "order") {
      EXPECT_EQ(f["value"], 9);
      EXPECT_EQ(f["shift"], 53);
      EXPECT_EQ(f["from_top"], "-7..-11");
    }
    if (f["name"] == "DMA_MAPPED") {
      EXPECT_EQ(f["value"], 1);
      EXPECT_TRUE(f["sticky"]);
    }
  }
  EXPECT_EQ(reading["fields"].size(), 8u);
}

TEST(DecodeCommand, AllShowsAFamily) {
  const Ran r = decode({"0xe7fffffffdb97400", "--layout", "all", "--family", "x86_swap"});
  EXPECT_THAT(r.out, HasSubstr("swap-x86-64-6.12         device-private read pfn 0x12345"));
  EXPECT_THAT(r.out, HasSubstr("swap-x86-64-6.15         device-private write pfn 0x12345"));
  const auto json = decode({"0", "--layout", "all"}, true).json();
  EXPECT_GT(json["words"][0]["readings"].size(), 20u);
}

TEST(DecodeCommand, NonPresentWordsFollowKernelAndConfiguration) {
  EXPECT_THAT(decode({"0xdfffffe060000000", "--layout", "pte-x86-64"}).out,
              HasSubstr("device-private write pfn 0xfcfffff"));
  EXPECT_THAT(decode({"0xdfffffe060000000", "--layout", "pte-x86-64", "--kernel", "6.1"}).out,
              HasSubstr("device-private read pfn 0xfcfffff"));
  EXPECT_THAT(
      decode({"0xe7fffffffdb97400", "--layout", "swap-x86-64-6.12", "--config", "DEVICE_PRIVATE=n"}).out,
      HasSubstr("migration read pfn 0x12345"));
  EXPECT_THAT(decode({"0x8100000000012345", "--kernel", "6.12-unified-rfc"}).out,
              HasSubstr("hmm-unified-rfc  VALID order 16"));
}

TEST(DecodeCommand, RefusesWhatItCannotRead) {
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{"ff"},
                                             {"0x"},
                                             {"0b2"},
                                             {"1x"},
                                             {"0x1ffffffffffffffff"},
                                             {"99999999999999999999999"},
                                             {"1", "--layout", "nope"},
                                             {"1", "--family", "nope"},
                                             {"1", "--kernel", "2.6"},
                                             {"1", "--config", "DEVICE_PRIVATE"},
                                             {"1", "--layout", "hmm-5.9", "--family", "hmm_pfn"}}) {
    const Ran r = decode(arguments);
    EXPECT_EQ(r.code, exit_bad_input) << arguments[0];
    EXPECT_THAT(r.err, HasSubstr("hmmscope: "));
    EXPECT_EQ(r.out, "");
    EXPECT_TRUE(decode(arguments, true).json().contains("error"));
  }
}

TEST(LayoutsCommand, ListsAndFilters) {
  const Ran all = layouts({});
  EXPECT_EQ(all.code, exit_ok);
  EXPECT_THAT(all.out, HasSubstr("hmm-v9-posted"));
  const Ran some = layouts({"list", "--family", "migrate_pfn"});
  EXPECT_THAT(some.out, HasSubstr("migrate-6.19"));
  EXPECT_THAT(some.out, Not(HasSubstr("hmm-6.16")));
  EXPECT_EQ(layouts({"list", "--family", "nope"}).code, exit_bad_input);
  EXPECT_GT(layouts({"list"}, true).json()["layouts"].size(), 60u);
}

TEST(LayoutsCommand, ShowsOne) {
  const Ran r = layouts({"show", "hmm-6.16"});
  EXPECT_EQ(r.code, exit_ok);
  EXPECT_THAT(r.out, HasSubstr("flags 0xffe0000000000000  sticky 0x1c00000000000000"));
  EXPECT_EQ(layouts({"show", "nope"}).code, exit_bad_input);
  const auto json = layouts({"show", "nouveau-5.1"}, true).json();
  EXPECT_EQ(json["values"][1]["word"], "0xfffffffffffffffe");
}

TEST(LayoutsCommand, CheckFailsOnACollisionAndListsTheOrders) {
  const Ran bad = layouts({"check", "hmm-v9-posted", "--machine", "x86-64"});
  EXPECT_EQ(bad.code, exit_check_failed);
  EXPECT_THAT(bad.out, HasSubstr("order 18 (1G pud leaf)"));
  EXPECT_THAT(bad.out, HasSubstr("read as order 11"));
  const auto json = layouts({"check", "hmm-v9-posted", "--machine", "x86-64"}, true).json();
  EXPECT_FALSE(json["ok"]);
  EXPECT_EQ(json["machines"][0]["collisions"].size(), 3u);
  EXPECT_EQ(json["machines"][0]["collisions"][0]["order"], 18);
  EXPECT_EQ(layouts({"check", "hmm-6.16", "--machine", "x86-64"}).code, exit_ok);
}

TEST(LayoutsCommand, CheckWithoutAMachineTakesThemAll) {
  const Ran r = layouts({"check", "hmm-6.16"});
  EXPECT_EQ(r.code, exit_check_failed) << "32-bit LPAE has more memory than 21 pfn bits reach";
  EXPECT_THAT(r.out, HasSubstr("hmm-6.16 on x86-64 (orders 0, 9, 18): sound"));
  EXPECT_THAT(r.out, HasSubstr("hmm-6.16-32 on lpae"));
  EXPECT_EQ(layouts({"check", "hmm-5.8"}).code, exit_ok);
}

TEST(LayoutsCommand, CheckRefusesWhatDoesNotExist) {
  EXPECT_EQ(layouts({"check", "nope"}).code, exit_bad_input);
  EXPECT_EQ(layouts({"check", "hmm-5.9", "--machine", "vax"}).code, exit_bad_input);
  EXPECT_EQ(layouts({"check", "pte-x86-64", "--machine", "s390"}).code, exit_bad_input);
}

TEST(ParseWord, Limits) {
  EXPECT_EQ(parse_word("0xffffffffffffffff").value(), ~0ull);
  EXPECT_EQ(parse_word("0b1000_0001").value(), 0x81u);
  EXPECT_EQ(parse_word("0").value(), 0u);
  EXPECT_FALSE(parse_word("-1").has_value());
  EXPECT_FALSE(parse_word("0x-1").has_value());
  EXPECT_FALSE(parse_word(" 1").has_value());
}

}  // namespace
}  // namespace hmmscope::app
