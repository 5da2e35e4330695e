// Fields of printed payloads.
#include <gtest/gtest.h>

#include <array>
#include <initializer_list>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "traces/reader/field_split.h"
#include "traces/reader/hex_run.h"
#include "traces/reader/text_fields.h"
#include "traces/reader/text_line.h"

namespace hmmscope::traces {
namespace {

constexpr std::string_view probe =
    "(dmirror_snapshot.constprop.0+0x183/0x470 [test_hmm] <- hmm_range_fault) ret=-16 range=0xffffc900002a3b78 "
    "ops=hmm_walk_ops+0x0/0x60 [test_hmm] name=\"a b=c\" start=0x7fda42800000 pfns={0x1,0xc900000000102401,-1} tail=7";

TEST(Fields, AreFoundByWholeName) {
  EXPECT_EQ(find_field(probe, "ret"), "-16");
  EXPECT_EQ(find_field(probe, "start"), "0x7fda42800000");
  EXPECT_EQ(find_field(probe, "tail"), "7");
  EXPECT_EQ(find_field(probe, "pfns"), "0x1,0xc900000000102401,-1");
  EXPECT_EQ(find_field(probe, "art"), std::nullopt);
  EXPECT_EQ(find_field(probe, "tar"), std::nullopt);
  EXPECT_EQ(find_field(probe, ""), std::nullopt);
}

/// Whatever the payload looks like, one pass finds what looking for each name finds.
void expect_same(std::string_view payload, std::initializer_list<std::string_view> names) {
  FieldSplit split;
  split.split(payload);
  for (const std::string_view name : names) EXPECT_EQ(split.find(name), find_field(payload, name)) << name << " in " << payload;
}

TEST(Fields, SplitInOnePassAreThoseFoundOneByOne) {
  expect_same(probe, {"ret", "range", "ops", "name", "b", "start", "pfns", "tail", "art", ""});
  // Names of one size that begin and end alike.
  expect_same("(f) ab_notifier=1 ac_notifier=2 owner=3 owned=4", {"ac_notifier", "ab_notifier", "ad_notifier", "b_notifier", "notifier", "owned", "owner", "owne"});
  std::string many;
  for (int i = 0; i < 60; ++i) many += "f" + std::to_string(i) + "={" + std::to_string(i) + "}" + (i % 7 == 0 ? "x=1 " : " ");
  for (int i = 0; i < 60; ++i) expect_same(many, {"f" + std::to_string(i), "x"});
  std::mt19937 random(7);
  constexpr std::string_view pieces[] = {"a", "b", "=", " ", "(", "{", "}", "\"", "ARRAY[", "]", "a=1", " b=", ", ", "ret=0x1", "\r"};
  for (int round = 0; round < 20000; ++round) {
    std::string payload;
    for (uint32_t k = random() % 40; k > 0; --k) payload += pieces[random() % std::size(pieces)];
    expect_same(payload, {"a", "b", "ret", "ba", "aa"});
  }
}

/// Payloads of a few kinds that are mostly alike, in lines of one text: whatever was in the payloads before, and whatever
/// stands behind this one.
TEST(Fields, SplitAfterAnyOtherPayload) {
  std::mt19937 random(11);
  const auto any = [&](auto& list) { return list[random() % std::size(list)]; };
  constexpr std::string_view names[] = {"a", "mm", "start", "end", "default_flags", "pfn_flags_mask_0", "pfn_flags_mask_of_all", "owner"};
  constexpr std::string_view values[] = {"0x0", "0xffff888100843900", "0x12345678123456789", "0x", "0xg", "7", "10", "007",
                                         "-16", "-0x1", "7fc584c00000", "1234567890123456", "12345678901234567", "add", "x",
                                         "", "{0x1,0x2}", "{}", "{0x1", "\"a b=c\"", "ops+0x0/0x60 [m]", "a=1", "7fc5,", "5,", "(fault)"};
  constexpr std::string_view fronts[] = {"", "(f+0x4/0x80) ", "(f+0x4/0x80 [m] <- g) ", "(f) x=", "no field, "};
  constexpr std::string_view gaps[] = {" ", " ", " ", " ", " ", " ", " ", ", ", "", "  ", " (", "\t"};
  constexpr std::string_view ends[] = {"", "\n", "\r\n", "\r", "\n mm=0x1 a=2 ", "\n0x12} end=1 ", "\r\n12 owner=0x1"};
  FieldSplit split;
  for (int kind = 0; kind < 400; ++kind) {
    std::vector<std::string_view> order;
    for (uint32_t k = 1 + random() % 7; k > 0; --k) order.push_back(any(names));
    const std::string_view front = any(fronts);
    for (int round = 0; round < 60; ++round) {
      std::string text(random() % 8 == 0 ? any(fronts) : front);
      for (const std::string_view name : order) {
        if (random() % 16 == 0) continue;
        text += std::string(random() % 16 == 0 ? any(names) : name) + '=' + std::string(random() % 3 == 0 ? any(values) : "0x" + std::to_string(random()));
        text += random() % 8 == 0 ? any(gaps) : std::string_view(" ");
      }
      if (random() % 2 == 0 && text.ends_with(' ')) text.pop_back();
      const size_t size = text.size();
      text += any(ends);
      const std::string_view payload = without_line_end(std::string_view(text).substr(0, size));
      split.split(text);
      for (int look = 0; look < 6; ++look) {
        const std::string_view name = any(names);
        const auto expected = find_field(payload, name);
        ASSERT_EQ(split.find(name), expected) << name << " in " << payload;
        for (const bool hex : {false, true}) {
          const auto number = expected ? parse_number(*expected, hex) : std::nullopt;
          uint64_t found = 0;
          ASSERT_EQ(split.number(name, hex, found), number.has_value()) << name << " in " << payload;
          ASSERT_EQ(found, number.value_or(found)) << name << " in " << payload;
        }
      }
    }
  }
}

TEST(HexRun, EndsWithTheDigitsOrTheText) {
  std::mt19937 random(5);
  constexpr std::string_view characters = "0123456789abcdefABCDEF/:@G`g,} \x80\xb0\xff";
  for (int round = 0; round < 20000; ++round) {
    std::string text(random() % 40, ' ');
    for (char& c : text) c = characters[random() % (random() % 6 == 0 ? characters.size() : 22)];
    const HexRun run = read_hex_run(text);
    const std::string digits = text.substr(0, std::min<size_t>(16, text.find_first_not_of("0123456789abcdefABCDEF")));
    ASSERT_EQ(run.digits, digits.size()) << text;
    ASSERT_EQ(run.number, digits.empty() ? 0 : std::stoull(digits, nullptr, 16)) << text;
  }
}

TEST(Fields, KeepSpacesInsideValues) {
  EXPECT_EQ(find_field(probe, "ops"), "hmm_walk_ops+0x0/0x60 [test_hmm]");
  EXPECT_EQ(find_field(probe, "name"), "a b=c");
  EXPECT_EQ(find_field(probe, "b"), std::nullopt);
  EXPECT_EQ(find_field("comm=my task pid=12 prio=120", "comm"), "my task");
  EXPECT_EQ(find_field("comm=my task pid=12 prio=120", "pid"), "12");
}

TEST(Fields, OfTracepointsWithCommas) {
  EXPECT_EQ(find_field("addr=7fc584c00000, pte=dfffffe060000000 order=0", "addr"), "7fc584c00000");
  EXPECT_EQ(find_field("addr=7fc584c00000, pte=dfffffe060000000 order=0", "pte"), "dfffffe060000000");
}

TEST(Fields, UnfinishedOnesAreAbsent) {
  EXPECT_EQ(find_field("a=1 pfns={0x1,0x2", "pfns"), std::nullopt);
  EXPECT_EQ(find_field("a=1 pfns={0x1,0x2", "b"), std::nullopt);
  EXPECT_EQ(find_field("name=\"abc", "name"), std::nullopt);
  EXPECT_EQ(find_field("name=", "name"), "");
}

TEST(Arguments, OfSystemCalls) {
  constexpr std::string_view args = "fd: 3, cmd: c0284802, name: 7f (\"x, y: z\"), arg: 7ffcfa52c1e0)";
  EXPECT_EQ(find_argument(args, "fd"), "3");
  EXPECT_EQ(find_argument(args, "cmd"), "c0284802");
  EXPECT_EQ(find_argument(args, "arg"), "7ffcfa52c1e0");  // the quoted text before it is not taken apart
  EXPECT_EQ(find_argument(args, "y"), std::nullopt);
  EXPECT_EQ(find_argument("fd: 3, arg: 7ffcfa52c1e0)", "arg"), "7ffcfa52c1e0");
  EXPECT_EQ(find_argument("clone_flags: 0x01200011, tls: 0x00000000", "tls"), "0x00000000");
  EXPECT_EQ(find_argument("", "fd"), std::nullopt);
}

TEST(ProbeSymbols, KernelAndTraceCmdOrder) {
  const auto kernel = probe_symbols(probe);
  ASSERT_TRUE(kernel);
  EXPECT_EQ(kernel->func, "hmm_range_fault");
  EXPECT_EQ(kernel->ret_ip, "dmirror_snapshot.constprop.0+0x183/0x470 [test_hmm]");
  const auto numbers = probe_symbols("(ffffffff8122d414 <- ffffffff8105b78c) ret=0");
  ASSERT_TRUE(numbers);
  EXPECT_EQ(numbers->func, "ffffffff8122d414");
  EXPECT_EQ(numbers->ret_ip, "ffffffff8105b78c");
  const auto entry = probe_symbols("(handle_mm_fault+0x4/0x210) vma=0x1");
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->ip, "handle_mm_fault+0x4/0x210");
  EXPECT_FALSE(probe_symbols("(unfinished"));
  EXPECT_FALSE(probe_symbols("a=1"));
}

TEST(Numbers, AllFormsAndLimits) {
  EXPECT_EQ(parse_number("0x0", false), 0u);
  EXPECT_EQ(parse_number("0xffffffffffffffff", false), ~0ull);
  EXPECT_EQ(parse_number("18446744073709551615", false), ~0ull);
  EXPECT_EQ(parse_number("-16", false), static_cast<uint64_t>(-16));
  EXPECT_EQ(parse_number("7fc584c00000", true), 0x7fc584c00000u);
  EXPECT_EQ(parse_number("10", true), 0x10u);
  EXPECT_EQ(parse_number("10", false), 10u);
  for (const char* bad : {"", "-", "0x", "0x10000000000000000", "18446744073709551616", "99999999999999999999", "12a",
                          "0xg", "(fault)", " 1", "1 ", "+1"}) {
    EXPECT_EQ(parse_number(bad, false), std::nullopt) << bad;
  }
}

TEST(Arrays, PrintedAndRaw) {
  std::array<uint64_t, 4> out{};
  EXPECT_EQ(parse_array("0x1,0xc900000000102401,-1", out), 3u);
  EXPECT_EQ(out[1], 0xc900000000102401u);
  EXPECT_EQ(out[2], ~0ull);
  EXPECT_EQ(parse_array("", out), 0u);
  EXPECT_EQ(parse_array("1,2,3,4,5,6", out), 6u);  // counts past the room without writing there
  EXPECT_EQ(out[3], 4u);
  EXPECT_EQ(parse_array("ARRAY[9f, 22, 00, 00, 00, 00, 00, 80, 01, 00, 00, 00, 00, 00, 00, 00]", out), 2u);
  EXPECT_EQ(out[0], 0x800000000000229fu);
  EXPECT_EQ(out[1], 1u);
  for (const char* bad : {"0x1,", ",", "0x1,,0x2", "0x1,zz", "ARRAY[", "ARRAY[9f]", "ARRAY[9f, 2", "ARRAY[9g, 22, 00, 00, 00, 00, 00, 80]"}) {
    EXPECT_EQ(parse_array(bad, out), std::nullopt) << bad;
  }
}

}  // namespace
}  // namespace hmmscope::traces
