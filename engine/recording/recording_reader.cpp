#include "engine/recording/recording_reader.h"

#include <new>

#include "engine/recording/recording_file.h"

namespace hmmscope {
namespace format = file_format;

Result<Recording> RecordingReader::read() {
  HMMSCOPE_TRY(read_names());
  HMMSCOPE_TRY(read_meta());
  HMMSCOPE_TRY(read_regions());
  HMMSCOPE_TRY(read_trace());
  HMMSCOPE_TRY(read_steps());
  HMMSCOPE_TRY(read_calls());
  HMMSCOPE_TRY(check_call_of_steps());
  HMMSCOPE_TRY(read_checks());
  HMMSCOPE_TRY(read_writes());
  r_.shrink_to_fit();
  return std::move(r_);
}

Result<void> RecordingReader::read_names() {
  Column<uint8_t> bytes;
  HMMSCOPE_TRY(load(format::names, bytes));
  RowReader in(bytes);
  std::vector<std::string> rules, functions, kinds;
  if (!read_list(in, rules) || !read_list(in, functions) || !read_list(in, kinds) || !in.at_end()) {
    return sections_.bad(format::names, "the lists of names are cut off or not in order");
  }
  for (std::string& name : rules) {
    const Rule* known = find_rule(name);
    rules_.push_back(known != nullptr ? Meaning{static_cast<uint16_t>(known->rule)}
                                      : keep(RuleId::unknown_rule, std::move(name)));
  }
  for (std::string& name : functions) {
    Function known{};
    functions_.push_back(function_named(name, known) ? Meaning{static_cast<uint16_t>(known)}
                                                     : keep(Function::unknown_function, std::move(name)));
  }
  for (const std::string& name : kinds) {
    RegionKind known = RegionKind::counters;  // words of a kind from a later version are plain words here
    region_kind_named(name, known);
    kinds_.push_back(known);
  }
  return {};
}

bool RecordingReader::read_list(RowReader& in, std::vector<std::string>& names) {
  constexpr uint32_t most = 0x7ffe;  // two lists of foreign names fit 16 bits
  uint32_t count = 0;
  if (!in.get_count(count, sizeof(uint32_t)) || count > most) return false;
  names.resize(count);
  for (uint32_t i = 0; i < count; ++i) {
    if (!in.get(names[i]) || (i > 0 && names[i - 1] >= names[i])) return false;
  }
  return true;
}

Result<void> RecordingReader::read_meta() {
  Column<uint8_t> bytes;
  HMMSCOPE_TRY(load(format::meta, bytes));
  RowReader in(bytes);
  uint32_t count = 0;
  bool good = in.get_count(count, 2 * sizeof(uint32_t));
  for (uint32_t i = 0; good && i < count; ++i) {
    std::string key, value;
    good = in.get(key) && in.get(value) && (r_.meta_.empty() || r_.meta_.rbegin()->first < key);
    if (good) r_.meta_.emplace_hint(r_.meta_.end(), std::move(key), std::move(value));
  }
  if (!good || !in.at_end()) return sections_.bad(format::meta, "the list is cut off or not in order");
  return {};
}

Result<void> RecordingReader::read_regions() {
  Column<uint8_t> bytes;
  HMMSCOPE_TRY(load(format::regions, bytes));
  RowReader in(bytes);
  uint32_t count = 0;
  if (!in.get_count(count, sizeof(format::RegionRow)))
    return sections_.bad(format::regions, "the list is cut off");
  r_.regions_.resize(count);
  uint64_t words = 0;
  for (Region& region : r_.regions_) {
    format::RegionRow row{};
    if (!in.get(row) || !in.get(region.name)) return sections_.bad(format::regions, "the list is cut off");
    if (row.kind >= kinds_.size()) return sections_.bad(format::regions, "a region's kind has no name");
    region.kind = kinds_[row.kind];
    region.owner = row.owner;
    region.first = static_cast<WordIndex>(words);
    region.count = row.count;
    region.address = row.address;
    region.stride = row.stride;
    words += row.count;
    if (words >= no_word) return sections_.bad(format::regions, "the regions hold too many words");
  }
  if (!in.at_end()) return sections_.bad(format::regions, "there are bytes after the last region");
  HMMSCOPE_TRY(load(format::initial, r_.initial_));
  if (r_.initial_.size() != words)
    return sections_.bad(format::initial, "it does not hold one word for each word of the regions");
  return {};
}

Result<void> RecordingReader::read_trace() {
  Column<uint8_t> bytes;
  HMMSCOPE_TRY(load(format::tasks, bytes));
  RowReader in(bytes);
  uint32_t count = 0;
  bool good = in.get_count(count, 2 * sizeof(uint32_t));
  for (uint32_t i = 0; good && i < count; ++i) {
    Task& task = r_.tasks_.emplace_back();
    good = in.get(task.pid) && in.get(task.name);
  }
  if (!good || !in.at_end()) return sections_.bad(format::tasks, "the list is cut off");

  HMMSCOPE_TRY(load(format::event_kinds, bytes));
  in = RowReader(bytes);
  good = in.get_count(count, sizeof(uint32_t)) && count <= 0x10000;
  for (uint32_t i = 0; good && i < count; ++i) good = in.get(r_.event_kinds_.emplace_back());
  if (!good || !in.at_end()) return sections_.bad(format::event_kinds, "the list is cut off");

  Column<format::EventRow> rows;
  HMMSCOPE_TRY(load(format::events, rows));
  if (rows.size() >= no_event) return sections_.bad(format::events, "there are too many events");
  for (const format::EventRow& row : rows) {
    if (row.task >= r_.tasks_.size()) return sections_.bad(format::events, "an event's task does not exist");
    if (row.kind >= r_.event_kinds_.size())
      return sections_.bad(format::events, "an event's kind does not exist");
    r_.events_.push({row.time_ns, row.line, row.task, row.cpu, row.kind});
  }
  return {};
}

Result<Recording> RecordingFile::from_bytes(std::span<const uint8_t> bytes, std::string_view name,
                                            uint64_t limit, const Proceed& proceed) {
  try {
    auto sections = SectionReader::open(bytes, name, limit);
    if (!sections) return tl::unexpected(sections.error());
    return RecordingReader(std::move(*sections), limit, proceed).read();
  } catch (const std::bad_alloc&) {
    return fail(Error{"there is not enough memory for this recording", std::string(name), 0, 0, false});
  }
}

}  // namespace hmmscope
