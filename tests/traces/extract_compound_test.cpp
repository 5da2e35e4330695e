// A 2M page that migrates whole (6.19 and later): the extracted scenario asks for it as the driver did.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "engine/scenario/run.h"
#include "tests/traces/trace_text.h"
#include "traces/extract/extract.h"

namespace hmmscope::traces {
namespace {

/// The migration of a 2M page in a capture of 6.12, whose collector split the page, as 6.19 does it: no split, one word with
/// COMPOUND, and what the page has no small ones for stays empty. No capture of such a kernel is among the samples.
std::string whole_migration(const std::string& select) {
  const TraceText sample = sample_trace("6.12-debian-thp.trace.txt.xz");
  std::vector<std::string> of_test;
  bool inside = false;
  for (const std::string& event : sample.events) {
    if (event.find("TEST huge-migrate begin") != std::string::npos) inside = true;
    if (event.find("TEST huge-migrate end") != std::string::npos) break;
    if (inside) of_test.push_back(event);
  }
  const auto first = [&](std::string_view name) {
    return std::find_if(of_test.begin(), of_test.end(), [&](const std::string& event) { return event.find(name) != std::string::npos; });
  };
  const auto setup = first(": mv_setup_in"), out = first(": mv_setup_out");
  if (setup == of_test.end() || out == of_test.end()) return {};
  const auto as_6_19 = [&](std::string event) {
    event = replace_all(event, "end=0x7ff77fa10000", "end=0x7ff77fc00000");   // 2M instead of 64K
    event = replace_all(event, "flags=0x1 fault", "flags=" + select + " fault");
    event = replace_all(event, "cpages=16 npages=16", "cpages=1 npages=512");
    return std::regex_replace(event, std::regex("src=\\{0x1d800b(,0x[0-9a-f]+)*\\}"), "src={0x1d801b" + [] {
      std::string zeros;
      for (int k = 1; k < 64; ++k) zeros += ",0x0";
      return zeros;
    }() + "}");
  };
  TraceText trace{sample.head, {}};
  trace.head = replace_all(trace.head, "6.12.117+deb12-amd64", "6.19.0");
  trace.head = replace_all(trace.head, "DEVICE_PRIVATE=n", "DEVICE_PRIVATE=y");
  // The page is mapped by a fault before; the call announces its range and meets the pmd.
  for (auto event = of_test.begin(); event != setup; ++event)
    if (event->find(": rf_") == std::string::npos && event->find(": w_") == std::string::npos && event->find(": need_") == std::string::npos)
      trace.events.push_back(*event);
  for (auto event = setup; event != setup + 3; ++event) trace.events.push_back(as_6_19(*event));
  const auto end_of_range = std::find_if(setup, out, [](const std::string& event) {
    return event.find(": mn_end") != std::string::npos && event.find("event=6") != std::string::npos;
  });
  if (end_of_range == out) return {};
  trace.events.push_back(as_6_19(*end_of_range));
  trace.events.push_back(as_6_19(*out));
  return trace.text();
}

TEST(ExtractCompound, AWholePageIsAskedForWhole) {
  const auto document = document_of(whole_migration("0x9"));
  ASSERT_NE(document, nullptr);
  const auto calls = extractable_calls(*document->recording);
  ASSERT_EQ(calls.size(), 1u);
  EXPECT_EQ(calls.front().verdict, Verdict::agreed);   // with the words of the trace
  const auto text = extract_call(*document, calls.front().number);
  ASSERT_TRUE(text) << text.error().to_string();
  const auto setup = nlohmann::json::parse(*text)["operations"][0];
  EXPECT_EQ(setup["select"], nlohmann::json({"system", "compound"}));
  EXPECT_EQ(setup["cpages"], 1);
  EXPECT_THAT(*text, testing::HasSubstr("\"0x1b\""));   // VALID MIGRATE WRITE COMPOUND, the word to be expected
  const auto parsed = scenario::parse(*text, "x");
  ASSERT_TRUE(parsed) << parsed.error().to_string();
  const auto outcome = scenario::run(*parsed, "");
  ASSERT_TRUE(outcome) << outcome.error().to_string();
  for (const scenario::Failure& failure : outcome->failures) ADD_FAILURE() << failure.text;
}

/// The kernel gave one word for the page; a driver that does not select it whole would have got 512.
TEST(ExtractCompound, WithoutTheSelectionTheEngineSaysSo) {
  const auto document = document_of(whole_migration("0x1"));
  ASSERT_NE(document, nullptr);
  const auto calls = extractable_calls(*document->recording);
  ASSERT_EQ(calls.size(), 1u);
  EXPECT_EQ(calls.front().verdict, Verdict::diverged);
}

}  // namespace
}  // namespace hmmscope::traces
