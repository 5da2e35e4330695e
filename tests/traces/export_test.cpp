// Exports, read back: nothing is lost in JSON lines, the others are what their readers expect.
#include "traces/export/export.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/traces/trace_text.h"
#include "traces/document.h"
#include "traces/export/call_array.h"
#include "traces/export/text_writer.h"

namespace hmmscope::traces {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

std::shared_ptr<const Document> opened(const std::string& name, const std::string& kernel = "") {
  const auto document = open_document(samples_dir / name, {kernel, {}});
  return document ? *document : nullptr;
}

std::string exported(const Document& document, void (*write)(const Document&, Sink&)) {
  StringSink sink;
  write(document, sink);
  return std::move(sink.text);
}

uint64_t word_of(const json& value) { return std::stoull(value.get<std::string>(), nullptr, 16); }

uint64_t value_at(const json& values, uint32_t k) {
  if (values.is_string()) return word_of(values);
  if (values.is_array()) return word_of(values.at(k));
  return word_of(values.at("base")) + k * word_of(values.at("stride"));
}

class JsonLinesOf : public testing::TestWithParam<std::pair<const char*, const char*>> {};
INSTANTIATE_TEST_SUITE_P(Samples, JsonLinesOf,
                         testing::Values(std::pair{"6.12-snapshot.trace.txt", ""},
                                         std::pair{"6.12-overlap-4k.trace.txt.xz", "6.12"},
                                         std::pair{"6.12-anon_write_huge.trace.txt.xz", ""}));

/// The words that a reader of the lines rebuilds, step by step, are those of the recording, and so is all the
/// rest.
TEST_P(JsonLinesOf, HoldTheWholeRecording) {
  const auto document = opened(GetParam().first, GetParam().second);
  ASSERT_NE(document, nullptr);
  const Recording& recording = *document->recording;
  std::istringstream lines(exported(*document, write_jsonl));
  std::vector<uint64_t> words(recording.word_count());
  std::map<std::string, size_t> count;
  std::string type;
  Cursor cursor(document->recording, document->keyframes);
  for (std::string line; std::getline(lines, line);) {
    const json row = json::parse(line, nullptr, false);
    ASSERT_TRUE(row.is_object()) << line;
    type = row.at("type");
    const size_t index = count[type]++;
    if (type == "header") {
      EXPECT_EQ(row.at("version"), jsonl_version);
      EXPECT_EQ(row.at("model"), document->model.id);
      EXPECT_EQ(row.at("steps"), recording.steps());
    } else if (type == "initial") {
      words.at(row.at("word")) = word_of(row.at("value"));
    } else if (type == "event") {
      const Event& event = recording.events()[index];
      EXPECT_EQ(row.at("time_ns").get<int64_t>(), event.time_ns);
      EXPECT_EQ(row.at("line"), event.line);
      EXPECT_EQ(row.at("task"), event.task);
      EXPECT_EQ(row.at("kind"), event.kind);
    } else if (type == "call") {
      const Call& call = recording.calls()[index];
      EXPECT_EQ(row.at("function"), function_name(call.function));
      EXPECT_EQ(row.value("parent", no_call), call.parent);
      EXPECT_EQ(row.value("end_step", no_step), call.end_step);
      EXPECT_EQ(row.contains("result"), call.returned);
      ASSERT_EQ(row.at("arguments").size(), recording.arguments(static_cast<CallId>(index)).size());
    } else if (type == "step") {
      const auto step = static_cast<StepIndex>(index);
      EXPECT_EQ(row.at("rule"), recording.rule_name(step));
      EXPECT_EQ(row.value("call", no_call), recording.call_of(step));
      EXPECT_EQ(row.value("event", no_event), recording.event_of(step));
      EXPECT_EQ(row.contains("operands") ? row["operands"].size() : 0, recording.operands(step).size());
      if (row.contains("writes")) {
        for (const json& write : row["writes"]) {
          const uint32_t n = write.value("count", 1u);
          const WordIndex first = write.at("word");
          for (uint32_t k = 0; k < n; ++k) {
            ASSERT_EQ(words.at(first + k), value_at(write.at("old"), k)) << line;
            words[first + k] = value_at(write.at("new"), k);
          }
        }
      }
      cursor.step();
      if (index % 64 == 0) {
        ASSERT_TRUE(std::equal(words.begin(), words.end(), cursor.state().begin())) << index;
      }
    } else if (type == "check") {
      const CallCheck& check = recording.checks()[index];
      EXPECT_EQ(row.at("verdict"), verdict_name(check.verdict));
      EXPECT_EQ(row.at("reason"), check.reason);
      if (check.verdict == Verdict::diverged) {
        EXPECT_EQ(word_of(row.at("kernel")), check.kernel);
      }
    }
  }
  EXPECT_EQ(type, "end");
  EXPECT_EQ(count["step"], recording.steps());
  EXPECT_EQ(count["call"], recording.calls().size());
  EXPECT_EQ(count["event"], recording.events().size());
  EXPECT_EQ(count["task"], recording.tasks().size());
  EXPECT_EQ(count["region"], recording.regions().size());
  EXPECT_EQ(count["check"], recording.checks().size());
  EXPECT_TRUE(std::equal(words.begin(), words.end(), cursor.state().begin()));
}

/// Every entry is what a reader of the Trace Event Format accepts: its phase, whole numbers of processes and tracks
/// from 0 on, times with the nanoseconds, durations that are not negative.
TEST(Export, ChromeEntriesAreOfTheFormat) {
  TraceText trace = sample_trace("6.12-anon_write_huge.trace.txt.xz");
  ASSERT_TRUE(lose(trace, trace.events.size() / 2, 40));
  const auto document = document_of(trace.text());
  ASSERT_NE(document, nullptr);
  const std::string text = exported(*document, write_chrome);
  const json all = json::parse(text, nullptr, false);
  ASSERT_TRUE(all.is_object());
  EXPECT_EQ(all.at("displayTimeUnit"), "ns");
  std::map<std::string, size_t> phases;
  size_t gaps = 0;
  for (const json& entry : all.at("traceEvents")) {
    const std::string phase = entry.at("ph");
    ++phases[phase];
    ASSERT_TRUE(entry.at("pid").is_number_unsigned()) << entry.dump();
    ASSERT_TRUE(entry.at("tid").is_number_unsigned()) << entry.dump();
    ASSERT_TRUE(entry.at("name").is_string());
    if (phase == "M") continue;
    ASSERT_TRUE(entry.at("ts").is_number());
    ASSERT_TRUE(entry.at("cat").is_string());
    if (phase == "X") {
      ASSERT_GE(entry.at("dur").get<double>(), 0) << entry.dump();
      gaps += entry.at("cat") == "gap" ? 1 : 0;
    } else {
      ASSERT_EQ(phase, "i");
    }
  }
  EXPECT_EQ(phases.size(), 3u);
  EXPECT_EQ(gaps, document->gaps.size());
  EXPECT_EQ(gaps, 1u);
  // Times are printed with three decimals, however large: a double read from them still tells nanoseconds apart.
  for (size_t at = text.find("\"ts\":"); at != std::string::npos; at = text.find("\"ts\":", at + 1)) {
    const size_t point = text.find('.', at), end = text.find_first_of(",}", at);
    ASSERT_EQ(end - point, 4u) << text.substr(at, 40);
  }
}

/// Slices of one track lie inside each other or apart, as the format demands.
TEST(Export, ChromeSlicesNest) {
  const auto document = opened("6.12-overlap-4k.trace.txt.xz", "6.12");
  ASSERT_NE(document, nullptr);
  const json all = json::parse(exported(*document, write_chrome), nullptr, false);
  ASSERT_TRUE(all.is_object());
  std::map<int, std::vector<std::pair<double, double>>> open;
  size_t slices = 0, events = 0, judgements = 0;
  for (const json& entry : all.at("traceEvents")) {
    const std::string phase = entry.at("ph");
    if (phase == "i") ++(entry.at("cat") == "check" ? judgements : events);
    if (phase != "X") continue;
    ++slices;
    const double begin = entry.at("ts"), end = begin + entry.at("dur").get<double>();
    auto& stack = open[entry.at("tid")];
    while (!stack.empty() && stack.back().second <= begin) stack.pop_back();
    if (!stack.empty()) {
      EXPECT_LE(end, stack.back().second + 0.0011) << entry.dump();
    }
    stack.emplace_back(begin, end);
  }
  const Recording& recording = *document->recording;
  EXPECT_EQ(slices, recording.calls().size());
  EXPECT_EQ(events, recording.events().size());
  EXPECT_GT(judgements, 0u);
  EXPECT_EQ(judgements, static_cast<size_t>(
                            std::count_if(recording.checks().begin(), recording.checks().end(),
                                          [](const CallCheck& c) { return c.verdict != Verdict::agreed; })));
}

std::vector<std::string> csv_row(const std::string& line) {
  std::vector<std::string> row(1);
  bool quoted = false;
  for (const char c : line) {
    if (c == '"')
      quoted = !quoted;
    else if (c == ',' && !quoted)
      row.emplace_back();
    else
      row.back() += c;
  }
  return row;
}

/// The words of the table are those the kernel printed.
TEST(Export, CsvHoldsTheWordsOfTheKernel) {
  const std::string name = "6.12-overlap-4k.trace.txt.xz";
  for (const char* kernel : {"", "6.12"}) {  // diverged words are the kernel's, too
    const auto document = opened(name, kernel);
    ASSERT_NE(document, nullptr);
    std::map<uint64_t, std::vector<uint64_t>> by_slot;
    std::istringstream lines(exported(*document, write_pfns_csv));
    std::string line;
    std::getline(lines, line);
    const size_t columns = csv_row(line).size();
    std::vector<uint64_t> words;
    while (std::getline(lines, line)) {
      const auto row = csv_row(line);
      ASSERT_EQ(row.size(), columns);
      words.push_back(std::stoull(row[4], nullptr, 16));
    }
    std::vector<uint64_t> printed;
    for (const OutputWord& word : output_words(sample_text(samples_dir / name)))
      printed.push_back(word.value);
    EXPECT_EQ(words, printed) << kernel;
    std::istringstream calls(exported(*document, write_calls_csv));
    size_t rows = 0;
    while (std::getline(calls, line)) EXPECT_EQ(csv_row(line).size(), 16u) << line << rows++;
  }
}

/// Every element is closed, nothing outside the file is asked for, and every divergence is there.
TEST(Export, HtmlStandsAlone) {
  const auto document = opened("6.12-overlap-4k.trace.txt.xz", "6.12");
  ASSERT_NE(document, nullptr);
  const std::string text = exported(*document, write_html);
  for (const char* outside : {"http:", "https:", "src=", "href=", "@import", "url("})
    EXPECT_THAT(text, Not(HasSubstr(outside)));
  std::vector<std::string> open;
  for (size_t at = text.find('<'); at != std::string::npos; at = text.find('<', at + 1)) {
    const size_t end = text.find('>', at);
    ASSERT_NE(end, std::string::npos);
    const std::string tag = text.substr(at + 1, end - at - 1),
                      element = tag.substr(0, tag.find_first_of(" /", 1));
    if (tag[0] == '!' || tag.back() == '/' || element == "meta") continue;
    if (tag[0] != '/') {
      open.push_back(element);
      continue;
    }
    ASSERT_FALSE(open.empty());
    EXPECT_EQ(tag.substr(1), open.back());
    open.pop_back();
  }
  EXPECT_TRUE(open.empty());
  size_t pictures = 0;
  for (size_t at = text.find("<svg"); at != std::string::npos; at = text.find("<svg", at + 1)) ++pictures;
  EXPECT_GT(pictures, 4u);
  EXPECT_THAT(text, HasSubstr("class=\"diverged\""));
}

TEST(Export, EngineRunsHaveNoEvents) {
  const std::string scenario = R"({"hmmscope-scenario": 1, "title": "four pages", "kernel": "6.12",
    "vmas": [{"name": "heap", "start": "0x7f0000000000", "size": "2M", "prot": "rw"}],
    "operations": [{"op": "range-fault", "at": "heap", "pages": 4, "array": "a", "default": "REQ_FAULT"}]})";
  const std::filesystem::path file =
      std::filesystem::temp_directory_path() / ("hmmscope-export-" + std::to_string(::getpid()) + ".json");
  std::ofstream(file) << scenario;
  const auto document = open_document(file);
  std::filesystem::remove(file);
  ASSERT_TRUE(document) << document.error().to_string();
  for (const auto write : {write_jsonl, write_chrome, write_html, write_calls_csv, write_pfns_csv})
    EXPECT_FALSE(exported(**document, write).empty());
  EXPECT_TRUE(json::accept(exported(**document, write_chrome)));
  EXPECT_THAT(exported(**document, write_pfns_csv), HasSubstr(",3,0x7f0000003000,"));
}

/// Of the calls inside of others only those with a verdict have rows: the page says so.
TEST(Export, HtmlSaysHowManyCallsItLeavesOut) {
  const auto document = opened("6.12-snapshot.trace.txt");
  ASSERT_NE(document, nullptr);
  const Recording& recording = *document->recording;
  const std::vector<uint32_t> of_call = check_of_calls(recording);
  size_t inner = 0;
  for (CallId id = 0; id < recording.calls().size(); ++id) inner += of_call[id] == no_check && recording.calls()[id].depth != 0;
  ASSERT_GT(inner, 0u);
  EXPECT_THAT(exported(*document, write_html), HasSubstr("<p>" + std::to_string(inner) + " calls inside of others"));
}

TEST(TextWriter, EscapesWhatItsFormatsCannotHold) {
  StringSink sink;
  {
    TextWriter out(sink);
    out.json("a\"b\\c\n\xff\xc3\xa4")
        .raw("|")
        .csv("x,\"y\"")
        .raw("|")
        .csv("plain")
        .raw("|")
        .csv("b\xff,\xc3\xa4")
        .raw("|")
        .html("<&\"\xed\xa0\x80>");
  }
  EXPECT_EQ(sink.text,
            "\"a\\\"b\\\\c\\u000a\xef\xbf\xbd\xc3\xa4\"|\"x,\"\"y\"\"\"|plain|\"b\xef\xbf\xbd,\xc3\xa4\"|&lt;&amp;&quot;"
            "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd&gt;");
}

TEST(FileSink, AFailureLeavesTheOldFile) {
  const std::filesystem::path directory =
      std::filesystem::temp_directory_path() / ("hmmscope-sink-" + std::to_string(::getpid()));
  std::filesystem::create_directories(directory);
  std::ofstream(directory / "out") << "old";
  {
    auto sink = FileSink::create(directory / "out");
    ASSERT_TRUE(sink);
    (*sink)->write("half");
  }  // given up
  std::string text;
  std::ifstream(directory / "out") >> text;
  EXPECT_EQ(text, "old");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory), {}), 1);
  auto sink = FileSink::create(directory / "out");
  ASSERT_TRUE(sink);
  (*sink)->write("new");
  EXPECT_TRUE((*sink)->finish());
  std::ifstream(directory / "out") >> text;
  EXPECT_EQ(text, "new");
  EXPECT_FALSE(FileSink::create(directory));
  EXPECT_FALSE(FileSink::create(directory / "none" / "out"));
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace hmmscope::traces
