#include "traces/reader/trace_info.h"

#include <nlohmann/json.hpp>

#include "traces/reader/bytes.h"
#include "traces/reader/text_fields.h"

namespace hmmscope::traces {
namespace {

constexpr std::string_view capture_mark = "# hmmscope-capture:";
constexpr uint64_t meta_limit = 1u << 20;
constexpr uint32_t max_page_shift = 30, max_levels = 5;

bool set_small(std::string_view text, uint32_t least, uint32_t most, uint32_t& out) {
  const auto value = parse_number(text, false);
  if (!value || *value < least || *value > most) return false;
  out = static_cast<uint32_t>(*value);
  return true;
}

/// False when the value cannot be.
bool set_fact(std::string_view key, std::string_view value, TraceInfo& info) {
  if (key == "kernel") info.kernel = value;
  else if (key == "arch") info.arch = value;
  else if (key == "patch") info.patch = value;
  else if (key == "config") info.config = value;
  else if (key == "page_shift") return set_small(value, 12, max_page_shift, info.page_shift);
  else if (key == "page_table_levels") return set_small(value, 2, max_levels, info.page_table_levels);
  return true;
}

std::string_view next_word(std::string_view& text) {
  const size_t begin = text.find_first_not_of(" \t\r");
  if (begin == std::string_view::npos) return text = {}, text;
  text.remove_prefix(begin);
  const std::string_view word = text.substr(0, text.find_first_of(" \t\r"));
  text.remove_prefix(word.size());
  return word;
}

void read_counts(std::string_view text, TraceInfo& info) {
  const std::string_view counts = next_word(text);
  const size_t slash = counts.find('/');
  if (slash == std::string_view::npos) return;
  const auto in_buffer = parse_number(counts.substr(0, slash), false);
  const auto written = parse_number(counts.substr(slash + 1), false);
  if (!in_buffer || !written) return;
  info.has_entry_counts = true;
  info.entries_in_buffer = *in_buffer;
  info.entries_written = *written;
  if (const std::string_view cpus = next_word(text); cpus.starts_with("#P:")) {
    set_small(cpus.substr(3), 1, 1u << 16, info.cpus);
  }
}

bool after(std::string_view line, std::string_view prefix, std::string_view& rest) {
  if (!line.starts_with(prefix)) return false;
  rest = line.substr(prefix.size());
  return true;
}

}  // namespace

std::string why_not_readable(std::string_view arch) {
  if (arch.empty() || arch == "x86_64" || arch == "x86-64" || arch == "amd64") return {};
  return "the trace is of a machine of architecture " + std::string(arch.substr(0, 40)) +
         ": only the page table entries of x86-64 can be read";
}

Result<void> read_comment(std::string_view line, uint64_t line_number, TraceInfo& info) {
  std::string_view rest;
  if (after(line, capture_mark, rest)) {
    for (std::string_view word = next_word(rest); !word.empty(); word = next_word(rest)) {
      const size_t equals = word.find('=');
      if (equals == std::string_view::npos) continue;
      const std::string_view key = word.substr(0, equals), value = word.substr(equals + 1);
      if (key == "arch")
        if (std::string why = why_not_readable(value); !why.empty())
          return fail(Error::at_line(info.name, line_number, std::move(why)));
      if (!set_fact(key, value, info)) {
        return fail(Error::at_line(info.name, line_number, "this value cannot be: " + std::string(word.substr(0, 80))));
      }
    }
  } else if (after(line, "# tracer: ", rest)) {
    info.tracer = next_word(rest);
  } else if (after(line, "# entries-in-buffer/entries-written: ", rest)) {
    read_counts(rest, info);
  }
  return {};
}

Result<void> read_meta(std::string_view json, std::string_view name, TraceInfo& info) {
  const auto meta = nlohmann::json::parse(json, nullptr, false);
  if (!meta.is_object()) return fail(Error{"is not a JSON object", std::string(name), 0, 0, false});
  TraceInfo said;
  for (const char* key : {"kernel", "arch", "patch", "page_shift", "page_table_levels"}) {
    const auto found = meta.find(key);
    if (found == meta.end()) continue;
    const std::string value = found->is_string() ? found->get<std::string>() : found->dump();
    if (key == std::string_view("arch"))
      if (std::string why = why_not_readable(value); !why.empty()) return fail(Error{std::move(why), std::string(name), 0, 0, false});
    if (!set_fact(key, value, said)) return fail(Error{key + std::string(" cannot be ") + value, std::string(name), 0, 0, false});
  }
  if (const auto config = meta.find("config"); config != meta.end() && config->is_object()) {
    for (const auto& [key, value] : config->items()) {
      if (!value.is_boolean()) continue;
      said.config += (said.config.empty() ? "" : ",") + key + (value.get<bool>() ? "=y" : "=n");
    }
  }
  fill_unknown(said, info);
  return {};
}

void fill_unknown(const TraceInfo& said, TraceInfo& info) {
  if (info.kernel.empty()) info.kernel = said.kernel;
  if (info.arch.empty()) info.arch = said.arch;
  if (info.patch.empty()) info.patch = said.patch;
  if (info.config.empty()) info.config = said.config;
  if (info.page_shift == 0) info.page_shift = said.page_shift;
  if (info.page_table_levels == 0) info.page_table_levels = said.page_table_levels;
}

Result<void> read_meta_beside(const std::filesystem::path& trace, TraceInfo& info) {
  const std::filesystem::path path = trace.parent_path() / "meta.json";
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) return {};
  if (std::filesystem::file_size(path, ignored) > meta_limit) {
    return fail(Error{"is larger than 1 MiB, so it cannot describe a trace", path.string(), 0, 0, false});
  }
  const auto bytes = open_bytes(path);
  if (!bytes) return tl::unexpected(bytes.error());
  return read_meta((*bytes)->view(), path.string(), info);
}

}  // namespace hmmscope::traces
