#include "traces/reader/capture_bundle.h"

#include <algorithm>

#include "traces/reader/ftrace_text.h"
#include "traces/reader/text_fields.h"
#include "traces/reader/text_line.h"

namespace hmmscope::traces {
namespace {

constexpr std::string_view bundle_mark = "# hmmscope-bundle: ";
constexpr std::string_view section_mark = "# hmmscope-section: ";
constexpr std::string_view line_mark = "#|";
constexpr std::string_view trace_section = "trace";
constexpr uint64_t known_version = 1;
constexpr size_t max_sections = 4096;
constexpr uint64_t max_notes = uint64_t{256} << 20;  ///< bytes in front of the trace

std::string_view take_line(std::string_view& text) {
  const size_t newline = text.find('\n');
  std::string_view line = text.substr(0, newline);
  text.remove_prefix(newline == std::string_view::npos ? text.size() : newline + 1);
  while (line.ends_with('\r')) line.remove_suffix(1);   // notes keep their blanks
  return line;
}

class Notes {
 public:
  Notes(std::string_view text, std::string_view name) : text_(text), name_(name) {}

  Result<std::vector<TraceSection>> read() {
    std::string_view rest = text_;
    if (auto version = check_version(take_line(rest)); !version) return tl::unexpected(version.error());
    for (line_ = 2; !rest.empty(); ++line_) {
      if (static_cast<uint64_t>(rest.data() - text_.data()) > max_notes)
        return error("more than 256 MiB of notes in front of the trace");
      const std::string_view line = take_line(rest);
      if (line.starts_with(section_mark)) {
        const std::string_view title = without_line_end(line.substr(section_mark.size()));
        if (title == trace_section) return std::move(sections_);
        if (sections_.size() == max_sections) return error("more than 4096 sections");
        sections_.push_back({std::string(title), {}});
      } else if (line.starts_with(line_mark)) {
        if (sections_.empty()) return error("a note stands in front of the first section");
        std::string_view note = line.substr(line_mark.size());
        if (note.starts_with(' ')) note.remove_prefix(1);
        sections_.back().text.append(note).push_back('\n');
      } else if (!line.starts_with('#')) {
        return error("expected a comment line or the section \"trace\"");
      }
    }
    return error("the capture ends before its trace: it was cut short, or its script was killed");
  }

 private:
  tl::unexpected<Error> error(std::string message) const {
    return fail(Error::at_line(name_, line_, std::move(message)));
  }

  Result<void> check_version(std::string_view first) {
    line_ = 1;
    const auto version = parse_number(first.substr(std::min(first.size(), bundle_mark.size())), false);
    if (!version) return error("the version of the capture is not a number");
    if (*version != known_version) {
      return error("is a capture of version " + std::to_string(*version) + "; this hmmscope reads version 1");
    }
    return {};
  }

  std::string_view text_, name_;
  uint64_t line_ = 1;
  std::vector<TraceSection> sections_;
};

class CaptureBundle final : public TraceSource {
 public:
  std::string_view name() const override { return "hmmscope capture"; }
  int recognise(std::string_view head) const override { return head.substr(byte_order_mark(head)).starts_with(bundle_mark) ? 200 : 0; }

  Result<Trace::Parts> read(std::shared_ptr<const Bytes> bytes, std::string_view name, ReadWatch& watch) const override {
    auto sections = Notes(bytes->view().substr(byte_order_mark(bytes->view())), name).read();
    if (!sections) return tl::unexpected(sections.error());
    const auto complete = [&](Trace::Parts& parts) {
      parts.info.format = this->name();
      parts.info.sections = *sections;
    };
    ReadWatch with_notes(watch, complete);
    auto parts = ftrace_text_source().read(std::move(bytes), name, with_notes);
    if (parts) complete(*parts);
    // The script ends every line.
    if (parts && parts->info.left_out_line != 0 && !parts->info.incomplete)
      parts->info.incomplete = Error::at_line(parts->info.name, parts->info.left_out_line, "the capture ends in the middle of this line (a truncated copy?)");
    return parts;
  }
};

}  // namespace

const TraceSource& capture_bundle_source() {
  static const CaptureBundle source;
  return source;
}

}  // namespace hmmscope::traces
