#include "traces/export/pictures.h"

#include <algorithm>
#include <map>
#include <vector>

#include "traces/export/call_array.h"

namespace hmmscope::traces {
namespace {

constexpr uint32_t columns = 1000;  // of the timeline, in SVG units
constexpr uint32_t lane_height = 22;
constexpr uint32_t label_width = 170;
constexpr size_t max_lanes = 64;
constexpr uint32_t bit_width = 18;

/// What a column of the timeline shows; a larger value hides a smaller one.
enum class Shade : uint8_t { none, plain, agreed, unknown, diverged };

std::string_view class_of(Shade shade) {
  switch (shade) {
    case Shade::diverged:
      return "diverged";
    case Shade::unknown:
      return "unknown";
    case Shade::agreed:
      return "agreed";
    default:
      return "plain";
  }
}

Shade shade_of(const Recording& recording, uint32_t check) {
  if (check == no_check) return Shade::plain;
  switch (recording.checks()[check].verdict) {
    case Verdict::agreed:
      return Shade::agreed;
    case Verdict::unknown:
      return Shade::unknown;
    case Verdict::diverged:
      return Shade::diverged;
  }
  return Shade::plain;
}

/// Fields of one layout take turns through eight colours; the pfn is always the first.
uint32_t colour_of(const Layout& layout, const Field& field) {
  return static_cast<uint32_t>(&field - layout.fields.data()) % 8;
}

void lane(TextWriter& out, const std::vector<Shade>& shades, uint32_t y) {
  for (uint32_t x = 0; x < columns;) {
    const Shade shade = shades[x];
    uint32_t end = x + 1;
    while (end < columns && shades[end] == shade) ++end;
    if (shade != Shade::none) {
      out.print("<rect class=\"{}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/>\n", class_of(shade),
                label_width + x, y + 3, end - x, lane_height - 6);
    }
    x = end;
  }
}

void field_labels(TextWriter& out, const Layout& layout, uint32_t y) {
  // Narrow fields beside each other would print over one another: their labels go down in three rows.
  uint32_t row = 0;
  for (const Field& field : layout.fields) {
    const uint32_t x = (64 - field.shift - field.width) * bit_width, width = field.width * bit_width;
    const bool wide = width >= 70;
    const uint32_t text_y = y + 16 + (wide ? 0 : row * 14);
    if (!wide) row = (row + 1) % 3;
    out.print(
        "<rect class=\"r{}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"4\"/><text class=\"field\" x=\"{}\" "
        "y=\"{}\">",
        colour_of(layout, field), x, y, width - 1, x + width / 2, text_y + 4);
    out.html(field.name)
        .print(" {}</text>\n", field.width == 1
                                   ? fmt::format("{}", field.shift)
                                   : fmt::format("{}..{}", field.shift + field.width - 1, field.shift));
  }
}

void bits(TextWriter& out, const Layout& layout, uint64_t word, uint64_t differing, bool values) {
  for (uint32_t bit = 64; bit-- > 0;) {
    const uint32_t x = (63 - bit) * bit_width;
    const Field* owner = nullptr;
    for (const Field& field : layout.fields)
      if ((field.mask() >> bit & 1) != 0) owner = &field;
    const bool set = (word >> bit & 1) != 0;
    out.print("<rect class=\"{}{}{}\" x=\"{}\" y=\"0\" width=\"{}\" height=\"20\"/>",
              owner != nullptr ? fmt::format("r{}", colour_of(layout, *owner)) : "none",
              values && !set ? " clear" : "", (differing >> bit & 1) != 0 ? " differs" : "", x,
              bit_width - 1);
    if (values) out.print("<text class=\"bit\" x=\"{}\" y=\"14\">{}</text>", x + bit_width / 2, set ? 1 : 0);
    out.raw("\n");
  }
}

void picture(TextWriter& out, const Layout& layout, uint64_t word, uint64_t differing, bool values) {
  const uint32_t width = 64 * bit_width;
  out.print("<svg viewBox=\"0 0 {} 72\" width=\"{}\" role=\"img\"><title>", width, width);
  if (values) out.print("{:#018x} as ", word);
  out.html(layout.id).raw("</title>\n");
  bits(out, layout, word, differing, values);
  field_labels(out, layout, 23);
  out.raw("</svg>\n");
}

}  // namespace

void timeline_picture(TextWriter& out, const Recording& recording) {
  if (recording.calls().empty()) return;
  const std::vector<uint32_t> of_call = check_of_calls(recording);
  std::vector<CallTime> times;
  int64_t begin = INT64_MAX, end = INT64_MIN;
  for (const Call& call : recording.calls()) {
    times.push_back(time_of_call(recording, call));
    begin = std::min(begin, times.back().begin_ns);
    end = std::max(end, times.back().end_ns);
  }
  const double scale =
      static_cast<double>(columns - 1) / std::max(1.0, static_cast<double>(end) - static_cast<double>(begin));
  std::map<uint32_t, std::vector<Shade>> lanes;
  size_t left_out = 0;
  for (CallId id = 0; id < recording.calls().size(); ++id) {
    const uint32_t task = recording.calls()[id].task;
    if (!lanes.contains(task) && lanes.size() == max_lanes) {
      ++left_out;
      continue;
    }
    std::vector<Shade>& shades = lanes[task];
    shades.resize(columns, Shade::none);
    const auto column = [&](int64_t ns) {
      return std::min(columns - 1,
                      static_cast<uint32_t>((static_cast<double>(ns) - static_cast<double>(begin)) * scale));
    };
    const Shade shade = shade_of(recording, of_call[id]);
    for (uint32_t x = column(times[id].begin_ns); x <= column(times[id].end_ns); ++x)
      shades[x] = std::max(shades[x], shade);
  }
  const uint32_t height = static_cast<uint32_t>(lanes.size()) * lane_height + 20;
  out.print("<svg viewBox=\"0 0 {} {}\" width=\"{}\" role=\"img\"><title>Calls over time</title>\n",
            label_width + columns, height, label_width + columns);
  uint32_t y = 0;
  for (const auto& [task, shades] : lanes) {
    out.print("<text class=\"lane\" x=\"0\" y=\"{}\">", y + 15);
    if (task < recording.tasks().size())
      out.html(recording.tasks()[task].name).print(" {}", recording.tasks()[task].pid);
    out.raw("</text>\n");
    lane(out, shades, y);
    y += lane_height;
  }
  const auto seconds = [](int64_t ns) { return static_cast<double>(ns) / 1e9; };
  out.print(
      "<text class=\"lane\" x=\"{}\" y=\"{}\">{:.6f} s</text><text class=\"lane end\" x=\"{}\" "
      "y=\"{}\">{:.6f} s</text>\n</svg>\n",
      label_width, y + 15, seconds(begin), label_width + columns, y + 15, seconds(end));
  if (left_out != 0) out.print("<p>{} calls of further tasks are not drawn.</p>\n", left_out);
}

void word_picture(TextWriter& out, const Layout& layout, uint64_t word, uint64_t differing) {
  picture(out, layout, word, differing, true);
}

void layout_picture(TextWriter& out, const Layout& layout) { picture(out, layout, ~uint64_t{0}, 0, false); }

}  // namespace hmmscope::traces
