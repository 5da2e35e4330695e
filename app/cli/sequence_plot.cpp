#include "app/cli/sequence_plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <vector>

namespace hmmscope::app {
namespace {

using namespace hmmscope::scenario;

constexpr double chart_width = 380, chart_height = 230, left = 62, top = 34, plot_width = 296,
                 plot_height = 150;
/// Told apart without colour vision too: S3 is the thick line, the control kernel's are dashed.
constexpr std::array<std::string_view, 5> strokes = {
    R"svg(stroke="#0072b2" stroke-dasharray="6 3")svg", R"svg(stroke="#009e73" stroke-dasharray="6 3")svg",
    R"svg(stroke="#0072b2")svg", R"svg(stroke="#009e73")svg", R"svg(stroke="#d55e00" stroke-width="3")svg"};
constexpr std::array<std::string_view, 5> colours = {"#0072b2", "#009e73", "#0072b2", "#009e73", "#d55e00"};

/// The greatest of 1, 2, 5, 10, 20, ... (and of 0.5, 0.2, ...) that is not above value.
double tick_below(double value) {
  const double decade = std::pow(10, std::floor(std::log10(value)));
  return decade * (value >= 5 * decade ? 5 : value >= 2 * decade ? 2 : 1);
}
double next_tick(double tick) {
  const double decade = tick_below(tick * 1.001);
  const double step = decade / std::pow(10, std::floor(std::log10(decade * 1.001)));
  return decade * (step > 1.5 && step < 3 ? 2.5 : 2);
}

/// One chart: the cells of a mix and intent.
class Chart {
 public:
  Chart(std::span<const SequenceCell> cells, const SequenceCost& model) : cells_(cells), model_(model) {
    for (const SequenceCell& cell : cells) {
      most_pages_ = std::max(most_pages_, cell.pages);
      fewest_pages_ = std::min(fewest_pages_, cell.pages);
      if (!cell.ended()) continue;
      for (const double value :
           {per_page(cell, model.instructions(cell)), per_page(cell, measured(cell).value_or(0))}) {
        if (value <= 0) continue;
        low_ = std::min(low_, value);
        high_ = std::max(high_, value);
      }
    }
    low_ = tick_below(std::min(low_, high_));
    double top_tick = next_tick(low_);
    while (top_tick < high_) top_tick = next_tick(top_tick);
    high_ = top_tick;
  }

  std::string svg(double x, double y) const {
    const SequenceCell& cell = cells_.front();
    std::string text = fmt::format(R"svg(<g transform="translate({},{})"><text x="{}" y="18" font-weight="bold">{}, {}</text>)svg", x, y,
                                   left, page_mix_names[static_cast<size_t>(cell.mix)], cell.write ? "write" : "read");
    axes(text);
    for (size_t k = 0; k < contender_names.size(); ++k) line(text, static_cast<Contender>(k));
    return text + "</g>\n";
  }

 private:
  static double per_page(const SequenceCell& cell, double instructions) {
    return instructions / static_cast<double>(cell.pages);
  }
  double across(uint64_t pages) const {
    const auto log = [&](uint64_t n) { return std::log2(static_cast<double>(n) / static_cast<double>(fewest_pages_)); };
    return left + plot_width * (most_pages_ == fewest_pages_ ? 0.5 : log(pages) / log(most_pages_));
  }
  double down(double value) const {
    return top + plot_height * (1 - std::log10(value / low_) / std::log10(high_ / low_));
  }

  void axes(std::string& text) const {
    auto out = std::back_inserter(text);
    for (double value = low_; value <= high_ * 1.001; value = next_tick(value)) {
      fmt::format_to(
          out,
          R"svg(<line x1="{0}" x2="{1}" y1="{2:.1f}" y2="{2:.1f}" stroke="#ddd"/><text x="{3}" y="{4:.1f}" text-anchor="end">{5:.0f}</text>)svg",
          left, left + plot_width, down(value), left - 6, down(value) + 4, value);
    }
    uint64_t last = 0;
    for (const SequenceCell& cell : cells_) {
      if (cell.pages == last) continue;
      last = cell.pages;
      fmt::format_to(out, R"svg(<text x="{:.1f}" y="{}" text-anchor="middle">{}</text>)svg", across(cell.pages),
                     top + plot_height + 16, cell.pages);
    }
    fmt::format_to(out, R"svg(<text x="{}" y="{}" text-anchor="middle">pages</text>)svg", left + plot_width / 2,
                   top + plot_height + 32);
  }

  void line(std::string& text, Contender contender) const {
    const auto k = static_cast<size_t>(contender);
    std::string points, dots;
    for (const SequenceCell& cell : cells_) {
      if (cell.contender != contender) continue;
      if (!cell.ended()) {
        stop(dots, cell, colours[k]);
        continue;
      }
      const double value = std::max(per_page(cell, model_.instructions(cell)), low_);
      fmt::format_to(std::back_inserter(points), "{:.1f},{:.1f} ", across(cell.pages), down(value));
      if (const auto known = measured(cell)) {
        fmt::format_to(std::back_inserter(dots), R"svg(<circle cx="{:.1f}" cy="{:.1f}" r="3" fill="{}"/>)svg",
                       across(cell.pages), down(per_page(cell, *known)), colours[k]);
      }
    }
    fmt::format_to(std::back_inserter(text), R"svg(<polyline points="{}" fill="none" {}/>{})svg", points,
                   strokes[k], dots);
  }

  /// A cross at the upper edge: the sequence does not end, and why.
  void stop(std::string& marks, const SequenceCell& cell, std::string_view colour) const {
    const double x = across(cell.pages), y = top + 12 + 12 * static_cast<double>(cell.contender);
    const std::string_view why = cell.hang.empty() ? std::string_view(cell.outcome) : std::string_view(cell.hang);
    fmt::format_to(std::back_inserter(marks),
                   R"svg(<path d="M{0:.1f} {1:.1f}l8 8m0 -8l-8 8" stroke="{2}" stroke-width="2"/>)svg"
                   R"svg(<text x="{3:.1f}" y="{4:.1f}" text-anchor="end" fill="{2}">{5} {6}: {7}</text>)svg",
                   x - 4, y - 4, colour, x - 8, y + 4, contender_names[static_cast<size_t>(cell.contender)],
                   cell.outcome == "deadlock" ? "hangs" : "ends", why);
  }

  std::span<const SequenceCell> cells_;
  const SequenceCost& model_;
  double low_ = 1e18, high_ = 1;
  uint64_t most_pages_ = 1, fewest_pages_ = ~0ull;
};

std::string legend() {
  std::string text = R"svg(<g transform="translate(62,20)">)svg";
  for (size_t k = 0; k < contender_names.size(); ++k) {
    const double x = 130.0 * static_cast<double>(k);
    fmt::format_to(std::back_inserter(text),
                   R"svg(<line x1="{}" x2="{}" y1="0" y2="0" {}/><text x="{}" y="4">{}</text>)svg", x, x + 34,
                   strokes[k], x + 40, contender_names[k]);
  }
  return text +
         R"svg(<text x="0" y="22">instructions a page; lines: cost model, dots: measured on 6.12.117</text></g>)svg" +
         "\n";
}

}  // namespace

std::string sequence_plot(std::span<const SequenceCell> cells, const SequenceCost& model) {
  std::string charts;
  size_t count = 0;
  constexpr double heading = 56;
  for (size_t first = 0, next = 0; first < cells.size(); first = next, ++count) {
    while (next < cells.size() && cells[next].mix == cells[first].mix &&
           cells[next].write == cells[first].write)
      ++next;
    const double x = count % 2 == 0 ? 0 : chart_width,
                 y = heading + chart_height * static_cast<double>(count / 2);
    charts += Chart(cells.subspan(first, next - first), model).svg(x, y);
  }
  const double height = heading + chart_height * static_cast<double>((count + 1) / 2);
  return fmt::format(
      R"svg(<svg xmlns="http://www.w3.org/2000/svg" width="{0}" height="{1}" viewBox="0 0 {0} {1}" font-family="sans-serif" font-size="11">)svg"
      "\n"
      R"svg(<rect width="100%" height="100%" fill="white"/>)svg"
      "\n{2}{3}</svg>\n",
      2 * chart_width, height, legend(), charts);
}

}  // namespace hmmscope::app
