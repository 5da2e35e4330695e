#pragma once
// Texts of traces taken apart and put together again: other pids, later times, lost events, two runs in one.
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <random>
#include <regex>
#include <string>
#include <utility>
#include <vector>

#include "tests/traces/replay_support.h"
#include "traces/document.h"

namespace hmmscope::traces {

/// A trace as its comment lines and its events.
struct TraceText {
  std::string head;
  std::vector<std::string> events;

  std::string text() const {
    std::string all = head;
    for (const std::string& event : events) all += event + "\n";
    return all;
  }
};

inline TraceText split_trace(const std::string& text) {
  TraceText trace;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const std::string line = text.substr(at, end - at);
    if (line.starts_with("#"))
      trace.head += line.find("entries-in-buffer") == std::string::npos ? line + "\n" : "";
    else if (!line.empty())
      trace.events.push_back(line);
    at = end + 1;
  }
  return trace;
}

inline TraceText sample_trace(const std::string& name) { return split_trace(sample_text(samples_dir / name)); }

/// "[001]" -> 1; -1 for a line without a CPU.
inline int cpu_of(const std::string& event) {
  const size_t at = event.find(" [0");
  return at == std::string::npos ? -1 : std::atoi(event.c_str() + at + 2);
}

/// Where " SECONDS.MICROSECONDS: " stands in an event, with its blanks; an empty place when it does not.
inline std::pair<size_t, size_t> time_place(const std::string& event) {
  const auto digit = [&](size_t k) { return k < event.size() && event[k] >= '0' && event[k] <= '9'; };
  for (size_t dot = event.find('.'); dot != std::string::npos; dot = event.find('.', dot + 1)) {
    size_t begin = dot, end = dot + 1;
    while (begin > 0 && digit(begin - 1)) --begin;
    while (digit(end)) ++end;
    if (begin == dot || begin == 0 || event[begin - 1] != ' ' || end - dot != 7 || event.compare(end, 2, ": ") != 0) continue;
    return {begin - 1, end + 2};
  }
  return {0, 0};
}

/// Microseconds; 0 for a line without a time.
inline uint64_t time_of(const std::string& event) {
  const auto [begin, end] = time_place(event);
  if (end == 0) return 0;
  const size_t dot = end - 9;
  return std::stoull(event.substr(begin + 1, dot - begin - 1)) * 1000000 + std::stoull(event.substr(dot + 1, 6));
}

inline std::string replace_all(std::string text, std::string_view from, std::string_view to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) text.replace(at, from.size(), to);
  return text;
}

/// The text with every match of the pattern as `replace` makes it of the match.
template <class Replace>
std::string replace_each(const std::string& text, const std::regex& pattern, Replace replace) {
  std::string out;
  auto at = text.begin();
  for (std::sregex_iterator it(text.begin(), text.end(), pattern), end; it != end; ++it) {
    out.append(at, (*it)[0].first);
    out += replace(*it);
    at = (*it)[0].second;
  }
  return out.append(at, text.end());
}

/// The run at another time, by tasks with other pids, in address spaces and with structures that the kernel has
/// elsewhere. `pids` and `where` 0 keep them.
inline std::string moved(const std::string& event, uint64_t microseconds, int pids, int where) {
  static const std::regex task(R"(^(.{16}-)(\d+)( +\[))"), pid(R"(((?:^|[ _])pid=)(\d+))");
  std::string out = event;
  if (pids != 0) {
    out = replace_each(out, task, [&](const std::smatch& m) {
      return m[1].str() + std::to_string(std::stoi(m[2].str()) + pids) + m[3].str();
    });
    if (out.find("pid=") != std::string::npos) out = replace_each(out, pid, [&](const std::smatch& m) {
      return m[1].str() + std::to_string(std::stoi(m[2].str()) + pids);
    });
  }
  const uint64_t now = time_of(event) + microseconds;
  char text[40];
  std::snprintf(text, sizeof text, " %llu.%06llu: ", static_cast<unsigned long long>(now / 1000000),
                static_cast<unsigned long long>(now % 1000000));
  if (const auto [begin, end] = time_place(out); end != 0) out.replace(begin, end - begin, text);
  if (where != 0) {
    // Direct map and kernel stacks.
    out = replace_all(out, "0xffff888", "0xffff8a" + std::to_string(where));
    out = replace_all(out, "0xffffc90", "0xffffca" + std::to_string(where));
  }
  return out;
}

inline TraceText moved(TraceText trace, uint64_t microseconds, int pids, int where) {
  for (std::string& event : trace.events) event = moved(event, microseconds, pids, where);
  return trace;
}

/// Both runs in the order of their times; of events at the same time those of `a` come first.
inline TraceText merged(const TraceText& a, const TraceText& b) {
  std::vector<std::pair<uint64_t, const std::string*>> order;
  for (const TraceText* trace : {&a, &b})
    for (const std::string& event : trace->events) order.emplace_back(time_of(event), &event);
  std::stable_sort(order.begin(), order.end(),
                   [](const auto& one, const auto& other) { return one.first < other.first; });
  TraceText both{a.head, {}};
  for (const auto& [time, event] : order) both.events.push_back(*event);
  return both;
}

/// Leaves out the events of one CPU among `count` events from `first` on, and marks the place as the kernel does.
/// False when that CPU has none behind them, so that nobody would notice.
inline bool lose(TraceText& trace, size_t first, size_t count) {
  const int cpu = cpu_of(trace.events.at(first));
  std::vector<std::string> kept(trace.events.begin(), trace.events.begin() + static_cast<std::ptrdiff_t>(first));
  size_t lost = 0, at = first;
  for (; at < trace.events.size() && at < first + count; ++at) {
    if (cpu_of(trace.events[at]) == cpu)
      ++lost;
    else
      kept.push_back(trace.events[at]);
  }
  bool marked = false;
  for (; at < trace.events.size(); ++at) {
    if (!marked && cpu_of(trace.events[at]) == cpu) {
      kept.push_back("CPU:" + std::to_string(cpu) + " [LOST " + std::to_string(lost) + " EVENTS]");
      marked = true;
    }
    kept.push_back(trace.events[at]);
  }
  trace.events = std::move(kept);
  return marked && lost != 0;
}

/// A document of a trace that no file holds.
inline std::shared_ptr<const Document> document_of(const std::string& text) {
  const auto path =
      std::filesystem::temp_directory_path() / ("hmmscope-trace-" + std::to_string(::getpid()) + ".txt");
  std::ofstream(path, std::ios::binary) << text;
  const auto opened = open_document(path);
  std::filesystem::remove(path);
  EXPECT_TRUE(opened) << opened.error().to_string();
  return opened ? *opened : nullptr;
}

}  // namespace hmmscope::traces
