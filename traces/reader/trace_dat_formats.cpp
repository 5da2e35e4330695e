#include "traces/reader/trace_dat_formats.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <span>

#include "traces/reader/trace_dat_options.h"

namespace hmmscope::traces {
namespace {

using namespace std::string_view_literals;
constexpr uint64_t most_in_a_section = uint64_t{256} << 20;

/// Walks sizes and texts; the first that is not there ends it.
class Walk {
 public:
  Walk(std::string_view bytes, uint64_t at) : bytes_(bytes), at_(at) {}
  bool whole() const { return whole_; }
  uint64_t at() const { return at_; }

  template <class T>
  T number() {
    const auto value = load_number<T>(bytes_, at_);
    if (!value) whole_ = false;
    else at_ += sizeof(T);
    return value.value_or(T{});
  }
  bool find(std::string_view text) {
    if (!whole_ || bytes_.substr(std::min<uint64_t>(at_, bytes_.size()), text.size()) != text) return false;
    at_ += text.size();
    return true;
  }
  void expect(std::string_view text) { whole_ = find(text); }
  void skip(uint64_t count) {
    if (!whole_ || count > bytes_.size() - at_) whole_ = false;
    else at_ += count;
  }
  void name() {
    const size_t end = bytes_.find('\0', at_);
    if (end == std::string_view::npos) whole_ = false;
    else at_ = end + 1;
  }
  /// A text with its size in front; `each` gets its offset.
  template <class Size = uint64_t, class Each>
  void text(Each each) {
    const auto size = number<Size>();
    if (!whole_ || size > bytes_.size() - at_) return void(whole_ = false);
    each(at_, bytes_.substr(at_, size));
    at_ += size;
  }
  template <class Each>
  void texts(Each each) {
    for (auto left = number<uint32_t>(); left > 0 && whole_; --left) text(each);
  }
  template <class Each>
  void systems(Each each) {
    for (auto left = number<uint32_t>(); left > 0 && whole_; --left) {
      name();
      if (whole_) texts(each);
    }
  }

 private:
  std::string_view bytes_;
  uint64_t at_;
  bool whole_ = true;
};

Error outside(std::string_view name, uint64_t at) {
  return Error::at_offset(name, at, "is a damaged trace.dat file: a text of its headers, such as the description of an event, does not lie in it (cut off?)");
}

Error unsound(std::string_view name, uint64_t at) {
  return Error::at_offset(name, at, "is a damaged trace.dat file: an option's value is cut off or impossible");
}

Error odd(std::string_view name, uint64_t at) {
  return Error::at_offset(name, at, "is a damaged trace.dat file: the description of an event is not as a kernel writes it");
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_plain(char c) { return c >= ' ' && c <= '~' && c != ';' && c != '"'; }

/// See without_print_arguments; the text keeps its size. Returns how much of it is not blank. (Blanks, not ends of lines:
/// the library makes a token of each of those.)
size_t leave_out_print_arguments(std::span<char> bytes) {
  const std::string_view text(bytes.data(), bytes.size());
  const size_t print = text.find("\nprint");
  const size_t quote = print == std::string_view::npos ? print : text.find('"', print);
  size_t keep = print == std::string_view::npos ? text.rfind(';') : quote;
  if (quote != std::string_view::npos) {
    do keep = text.find('"', keep + 1);
    while (keep != std::string_view::npos && text[keep - 1] == '\\');
  }
  if (keep == std::string_view::npos) keep = print;   // no text in quotes: nothing of it
  if (keep == std::string_view::npos) return bytes.size();
  const size_t kept = std::min(keep + 1, bytes.size());
  std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(kept), bytes.end(), ' ');
  for (size_t k = quote; k < keep && quote != std::string_view::npos; ++k) {
    const std::string_view here = text.substr(k, 3);
    if (here == "%ps" || here == "%pS") k += 2;
    else if (k != quote && (!is_plain(text[k]) || text[k] == '%' || text[k] == '\\')) bytes[k] = ' ';
  }
  return kept;
}

/// Takes ";\toffset:12" and the like off the front; `key` with all that stands before the number.
bool take_number(std::string_view& line, std::string_view key) {
  if (!line.starts_with(key)) return false;
  line.remove_prefix(key.size());
  const size_t digits = static_cast<size_t>(std::find_if_not(line.begin(), line.end(), is_digit) - line.begin());
  line.remove_prefix(digits);
  return digits != 0;
}

/// "\tfield:char comm[16];\toffset:8;\tsize:16;\tsigned:0;", as a kernel writes it: the library looks for the end of a
/// bracket, and for the words, wherever it takes it.
bool describes_a_field(std::string_view line) {
  constexpr std::string_view begin = "\tfield:";
  if (!line.starts_with(begin)) return false;
  line.remove_prefix(begin.size());
  const std::string_view declared = line.substr(0, line.find(';'));
  bool open = false;
  for (const char c : declared) {
    if (!is_plain(c) || c == (open ? '[' : ']')) return false;
    open = open ? c != ']' : c == '[';
  }
  line.remove_prefix(declared.size());
  if (open || !take_number(line, ";\toffset:") || !take_number(line, ";\tsize:")) return false;
  return line == ";" || (take_number(line, ";\tsigned:") && line == ";");
}

/// Every line of the fields, up to what is printed.
bool describes_fields(std::string_view text) {
  constexpr std::string_view begin = "\nformat:\n";
  if (const size_t format = text.find(begin); format != std::string_view::npos) text.remove_prefix(format + begin.size());
  text = text.substr(0, text.find("\nprint"));
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (!line.empty() && !describes_a_field(line)) return false;
  }
  return true;
}

/// The options of version 6, and the clock's name, which follows the table of CPUs.
Result<void> patches_of_options(Walk& walk, std::string_view name, std::vector<DatPatch>& patches) {
  const auto cpus = walk.number<uint32_t>();
  if (!walk.find("options  \0"sv)) return {};
  bool clock = false;
  std::optional<uint64_t> wrong;
  while (walk.whole() && !wrong) {
    const uint64_t at = walk.at();
    const auto id = walk.number<uint16_t>();
    if (id == 0) break;
    clock = clock || id == clock_option;
    walk.text<uint32_t>([&](uint64_t, std::string_view value) {
      const OptionUse use = use_of_option(id, value);
      if (use == OptionUse::leave_out) patches.push_back(without_option(at));
      if (use == OptionUse::refuse) wrong = at;
    });
  }
  if (walk.find("flyrecord\0"sv) && clock) {
    walk.skip(16 * uint64_t{cpus});
    walk.text([&](uint64_t at, std::string_view value) {
      if (!names_a_clock(value)) wrong = at;
    });
  }
  if (!walk.whole()) return fail(outside(name, walk.at()));
  if (wrong) return fail(unsound(name, *wrong));
  return {};
}

/// The headers of version 6 up to the symbols.
template <class Page, class Event>
void walk_descriptions(Walk& walk, Page page, Event event) {
  walk.expect("header_page\0"sv);
  walk.text(page);
  walk.expect("header_event\0"sv);
  walk.text([](uint64_t, std::string_view) {});
  if (walk.whole()) walk.texts(event);
  if (walk.whole()) walk.systems(event);
}

Result<std::vector<DatPatch>> patches_of_headers(std::string_view file, std::string_view name, const DatHeader& header) {
  std::vector<DatPatch> patches;
  std::optional<uint64_t> wrong;
  const auto check = [&](uint64_t at, std::string_view text) {
    if (!wrong && !describes_fields(text)) wrong = at;
  };
  const auto leave_out = [&](uint64_t at, std::string_view text) {
    check(at, text);
    patches.push_back({at, without_print_arguments(text)});
  };
  // A NUL ends the library's search for symbols and strings. (It looks two bytes in front of a string without quotes.)
  const auto end_at_once = [&](uint64_t at, std::string_view text) {
    if (!text.empty()) patches.push_back({at, std::string(1, '\0')});
  };
  Walk walk(file, header.page_size_at + 4);
  walk_descriptions(walk, check, leave_out);
  if (walk.whole()) walk.text<uint32_t>(end_at_once);   // symbols
  if (walk.whole()) walk.text<uint32_t>(end_at_once);   // trace_printk()'s strings
  if (walk.whole()) walk.text([](uint64_t, std::string_view) {});   // names of tasks
  if (!walk.whole()) return fail(outside(name, walk.at()));
  if (wrong) return fail(odd(name, *wrong));
  if (const auto options = patches_of_options(walk, name, patches); !options) return tl::unexpected(options.error());
  return patches;
}

/// The section an option names. Its packed content must lie in it and not claim more than texts take: the library asks
/// for what is claimed.
Result<DatSection> checked_section(std::string_view file, std::string_view name, const DatOption& option) {
  const auto place = load_number<uint64_t>(file, option.value_at);
  const auto section = place ? section_at(file, *place) : std::nullopt;
  if (!section || section->id != option.id) return fail(outside(name, option.at));
  if ((section->flags & section_compressed) != 0) {
    const auto packed = load_number<uint32_t>(section->bytes, 0), size = load_number<uint32_t>(section->bytes, 4);
    if (!packed || !size || *packed > section->bytes.size() - 8 || *size > most_in_a_section) return fail(outside(name, *place));
  }
  return *section;
}

template <class T>
void append_number(std::string& bytes, T value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
}

/// That section, unpacked and without its arguments, behind the end of the file at `end`.
Result<DatPatch> patched_section(std::string_view file, std::string_view name, const DatHeader& header, const DatOption& option,
                                 const DatSection& section, uint64_t end) {
  const auto place = load_number<uint64_t>(file, option.value_at);
  std::string content;
  if ((section.flags & section_compressed) != 0) {
    const auto packed = load_number<uint32_t>(section.bytes, 0), size = load_number<uint32_t>(section.bytes, 4);
    content.resize(*size);
    if (!unpack_chunk(header.compression, section.bytes.substr(8, *packed), content))
      return fail(Error::at_offset(name, *place, "is a damaged trace.dat file: the descriptions of events cannot be unpacked"));
  } else {
    content = section.bytes;
  }
  bool sound = true;
  std::string shorter;
  uint64_t copied = 0;
  const auto leave_out = [&](uint64_t at, std::string_view text) {
    sound = sound && describes_fields(text);
    const size_t kept = leave_out_print_arguments(std::span(content).subspan(at, text.size()));
    shorter.append(content, copied, at - sizeof(uint64_t) - copied);
    append_number<uint64_t>(shorter, kept);
    shorter.append(content, at, kept);
    copied = at + text.size();
  };
  Walk walk(content, 0);
  if (option.id == ftrace_events_option) walk.texts(leave_out);
  else walk.systems(leave_out);
  if (!walk.whole()) return fail(outside(name, *place));
  if (!sound) return fail(odd(name, *place));
  shorter.append(content, copied);
  std::string bytes(file.substr(*place, 8));
  std::memset(bytes.data() + 2, 0, 2);   // flags: not packed
  append_number<uint64_t>(bytes, shorter.size());
  return DatPatch{end, std::move(bytes) + shorter};
}

Result<std::vector<DatPatch>> patches_of_sections(std::string_view file, std::string_view name, const DatHeader& header) {
  std::vector<DatPatch> patches;
  uint64_t end = file.size();
  std::optional<Error> failed;
  for_each_option(file, header, [&](const DatOption& option) {
    const OptionUse use = use_of_option(option.id, file.substr(option.value_at, option.size));
    if (use == OptionUse::refuse) return failed = unsound(name, option.at), false;
    if (use == OptionUse::leave_out) return patches.push_back(without_option(option.at)), true;
    if (option.id < header_option || option.id > cmdlines_option || option.size != 8) return true;
    const auto plain = checked_section(file, name, option);
    if (!plain) return failed = plain.error(), false;
    if (option.id != ftrace_events_option && option.id != event_formats_option) return true;
    auto section = patched_section(file, name, header, option, *plain, end);
    if (!section) return failed = section.error(), false;
    std::string place(sizeof end, '\0');
    std::memcpy(place.data(), &end, sizeof end);
    patches.push_back({option.value_at, std::move(place)});
    end += section->bytes.size();
    patches.push_back(std::move(*section));
    return true;
  });
  if (failed) return fail(std::move(*failed));
  return patches;
}

}  // namespace

std::optional<SymbolTablePlace> symbol_table_of_headers(std::string_view file, const DatHeader& header) {
  if (header.has_sections || header.big_endian) return std::nullopt;
  const auto skip = [](uint64_t, std::string_view) {};
  Walk walk(file, header.page_size_at + 4);
  walk_descriptions(walk, skip, skip);
  if (!walk.whole()) return std::nullopt;
  return SymbolTablePlace{0, walk.at()};
}

DatPatch without_option(uint64_t at) {
  return {at, std::string(reinterpret_cast<const char*>(&unused_option), sizeof unused_option)};
}

std::string without_print_arguments(std::string_view format) {
  std::string text(format);
  leave_out_print_arguments(text);
  return text;
}

Result<std::vector<DatPatch>> patches_for_library(std::string_view file, std::string_view name, const DatHeader& header) {
  return header.has_sections ? patches_of_sections(file, name, header) : patches_of_headers(file, name, header);
}

}  // namespace hmmscope::traces
