#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "app/cli/command.h"
#include "app/cli/sequence_plot.h"
#include "engine/base/output_file.h"
#include "engine/rules/rule.h"

namespace hmmscope::app {
namespace {

using namespace hmmscope::scenario;
using Json = nlohmann::ordered_json;

std::vector<std::string> items(const std::string& list) {
  std::vector<std::string> found;
  size_t begin = 0;
  while (begin <= list.size()) {
    const size_t comma = std::min(list.find(',', begin), list.size());
    found.push_back(list.substr(begin, comma - begin));
    begin = comma + 1;
  }
  return found;
}

Error mistake(std::string text) { return {std::move(text), {}, 0, 0, false}; }

std::string_view intent(const SequenceCell& cell) { return cell.write ? "write" : "read"; }

/// `hmmscope compare-sequences`: what S1, S2 and S3 make the kernel do, with and without the unified patches.
class CompareSequencesCommand : public Command {
 public:
  std::string_view name() const override { return "compare-sequences"; }
  std::string_view summary() const override {
    return "Fault then migrate, migrate then fault, or both in one pass: what each costs";
  }

  void declare(Arguments& arguments) override {
    arguments.option("--pages", pages_, "Range sizes in pages, 1 to 16384, comma separated").type_name("LIST");
    arguments.option("--mix", mixes_, "Page states: present, none, zero, swapped, half (comma separated)")
        .type_name("LIST");
    arguments.option("--plot", plot_, "Write the modelled and measured costs as a picture (SVG)")
        .type_name("FILE");
  }

  int run(const Output& output) override {
    const auto sizes = parse_sizes();
    if (!sizes) return output.bad_input(sizes.error());
    const auto mixes = parse_mixes();
    if (!mixes) return output.bad_input(mixes.error());
    const auto model = SequenceCost::fit();
    if (!model) return output.bad_input(model.error());
    const auto cells = compare_sequences(*mixes, *sizes);
    if (!cells) return output.bad_input(cells.error());
    if (!plot_.empty()) {
      const std::string picture = sequence_plot(*cells, *model);
      const auto written = write_output_file(plot_, {reinterpret_cast<const uint8_t*>(picture.data()), picture.size()});
      if (!written) return output.bad_input(written.error());
    }
    output.print(output.json ? as_json(*cells, *model) : as_text(*cells, *model));
    const bool all_ended = std::all_of(cells->begin(), cells->end(), [](const SequenceCell& cell) { return cell.ended(); });
    return all_ended ? exit_ok : exit_check_failed;
  }

 private:
  Result<std::vector<uint64_t>> parse_sizes() const {
    std::set<uint64_t> sizes;
    for (const std::string& text : items(pages_)) {
      uint64_t value = 0;
      const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
      if (read.ec != std::errc() || read.ptr != text.data() + text.size() || value == 0 ||
          value > max_compared_pages)
        return fail(
            mistake(fmt::format("--pages: '{}' is not a number from 1 to {}", text, max_compared_pages)));
      sizes.insert(value);
    }
    constexpr size_t most = 32;
    if (sizes.size() > most) return fail(mistake(fmt::format("--pages: at most {} sizes", most)));
    return std::vector<uint64_t>(sizes.begin(), sizes.end());
  }

  Result<std::vector<PageMix>> parse_mixes() const {
    std::set<PageMix> mixes;
    for (const std::string& text : items(mixes_)) {
      const auto found = std::find(page_mix_names.begin(), page_mix_names.end(), text);
      if (found == page_mix_names.end())
        return fail(mistake(fmt::format("--mix: '{}' is none of {}", text, fmt::join(page_mix_names, ", "))));
      mixes.insert(static_cast<PageMix>(found - page_mix_names.begin()));
    }
    return std::vector<PageMix>(mixes.begin(), mixes.end());
  }

  static std::string as_text(const std::vector<SequenceCell>& cells, const SequenceCost& model) {
    std::string text = fmt::format(
        "{:<8} {:<6} {:>6}  {:<11} {:>6} {:>8} {:>9} {:>7} {:>9} {:>8} {:>9} {:>10} {:>12} {:>11}\n", "mix",
        "intent", "pages", "sequence", "walks", "entries", "restarts", "faults", "notifiers", "flushes",
        "migrated", "callbacks", "instructions", "measured");
    for (const SequenceCell& cell : cells) {
      if (cell.contender == Contender::control_s1 && &cell != cells.data()) text += '\n';
      const SequenceCounts& c = cell.counts;
      const auto known = measured(cell);
      fmt::format_to(
          std::back_inserter(text),
          "{:<8} {:<6} {:>6}  {:<11} {:>6} {:>8} {:>9} {:>7} {:>9} {:>8} {:>9} {:>10} {:>12} {:>11}\n",
          page_mix_names[static_cast<size_t>(cell.mix)], intent(cell), cell.pages,
          contender_names[static_cast<size_t>(cell.contender)], c.walk_page_range, c.pte_visits(), c.restarts,
          c.handle_mm_fault, c.notifier_starts, c.flush_tlb_mm_range, c.migrated_slots,
          c.driver_invalidate_calls, cell.ended() ? fmt::format("{:.0f}", model.instructions(cell)) : end_text(cell),
          known ? fmt::format("{:.0f}", *known) : "-");
    }
    return text + "\n" + hangs(cells) + winners(cells, model) + "\n" + about(model);
  }

  static std::string end_text(const SequenceCell& cell) { return cell.outcome == "deadlock" ? "hangs" : cell.outcome; }

  /// What the sequences that did not end wait for. What is counted of them is what they did until then.
  static std::string hangs(const std::vector<SequenceCell>& cells) {
    std::string text;
    for (const SequenceCell& cell : cells) {
      if (cell.ended()) continue;
      fmt::format_to(std::back_inserter(text), "{:<8} {:<6} {:>6}  {:<11} {}{}\n",
                     page_mix_names[static_cast<size_t>(cell.mix)], intent(cell), cell.pages,
                     contender_names[static_cast<size_t>(cell.contender)], end_text(cell), reason(cell));
    }
    return text.empty() ? text : "Did not end\n" + text + "\n";
  }
  static std::string reason(const SequenceCell& cell) {
    const Rule* named = cell.hang.empty() ? nullptr : find_rule(cell.hang);
    return named == nullptr ? std::string() : fmt::format(": {} ({})", named->id, named->statement);
  }

  static std::string winners(const std::vector<SequenceCell>& cells, const SequenceCost& model) {
    std::string text =
        "Cheapest by the cost model (bars: instructions a page, S3 of the RFC against the best of the "
        "others)\n";
    constexpr size_t group = contender_names.size();
    for (size_t first = 0; first + group <= cells.size(); first += group) {
      // A sequence that hangs costs more than any number.
      const auto cost = [&](size_t k) {
        const SequenceCell& contender = cells[first + k];
        return contender.ended() ? model.instructions(contender) : std::numeric_limits<double>::infinity();
      };
      size_t best = 0, best_other = 0;
      for (size_t k = 1; k < group; ++k) {
        if (cost(k) < cost(best)) best = k;
        if (k + 1 < group && cost(k) < cost(best_other)) best_other = k;
      }
      if (std::isinf(cost(best))) continue;
      const SequenceCell& cell = cells[first];
      const double pages = static_cast<double>(cell.pages);
      fmt::format_to(std::back_inserter(text),
                     "{:<8} {:<6} {:>6}  {:<11} S3 {:>8} {:<20} other {:>8} {}\n",
                     page_mix_names[static_cast<size_t>(cell.mix)], intent(cell), cell.pages,
                     contender_names[best], a_page(cost(group - 1) / pages), bar(cost(group - 1), cost(best_other)),
                     a_page(cost(best_other) / pages), bar(cost(best_other), cost(group - 1)));
    }
    return text;
  }

  static std::string a_page(double instructions) {
    return std::isinf(instructions) ? std::string("hangs") : fmt::format("{:.0f}", instructions);
  }

  static std::string bar(double value, double other) {
    constexpr double width = 20;
    if (std::isinf(value)) return std::string();
    if (std::isinf(other)) other = value;
    return std::string(static_cast<size_t>(std::max(1.0, width * value / std::max(value, other))), '#');
  }

  static std::string about(const SequenceCost& model) {
    const FitReport& r = model.report();
    std::string text = fmt::format(
        "Cost model: instructions on 6.12.117, fitted to {} measurements. Error: mean {:.1f} %, worst {:.1f} "
        "%.\n"
        "Same winner as measured in {} of {} groups; ties among the others (the two measured within {:.2f} %): {}; the "
        "widest differs by {:.1f} %.\n"
        "RFC S3 on the measured side of control S1 in {} of {} groups (the widest other one differs by {:.1f} %). Same "
        "order in {} of {} pairs;\nties among the others: {}; the widest differs by {:.1f} %. Caches, TLB misses and other "
        "CPUs are not in it.\n",
        r.cells, 100 * r.mean_error, 100 * r.worst_error, r.same_winner, r.contests,
        100 * measuring_spread(), r.tied, 100 * r.widest_wrong_winner, r.s3_same_side, r.contests, 100 * r.s3_widest_wrong,
        r.same_order, r.pairs, r.tied_pairs, 100 * r.worst_wrong_pair);
    for (const Price& price : model.prices())
      fmt::format_to(std::back_inserter(text), "  {:<36} {:>8.0f}\n", price.what, price.instructions);
    return text;
  }

  static std::string as_json(const std::vector<SequenceCell>& cells, const SequenceCost& model) {
    Json list = Json::array();
    for (const SequenceCell& cell : cells) {
      Json counts;
      for (const CountColumn& column : count_columns())
        counts[std::string(column.name)] = cell.counts.*column.value;
      counts["pte_visits_total"] = cell.counts.pte_visits();
      const auto known = measured(cell);
      list.push_back({{"mix", std::string(page_mix_names[static_cast<size_t>(cell.mix)])},
                      {"intent", std::string(intent(cell))},
                      {"pages", cell.pages},
                      {"sequence", std::string(contender_names[static_cast<size_t>(cell.contender)])},
                      {"outcome", cell.outcome},
                      {"hang", cell.hang.empty() ? Json() : Json(cell.hang)},
                      {"counts", std::move(counts)},
                      {"instructions", cell.ended() ? Json(model.instructions(cell)) : Json()},
                      {"measured", known ? Json(*known) : Json()}});
    }
    const FitReport& r = model.report();
    Json prices;
    for (const Price& price : model.prices()) prices[std::string(price.what)] = price.instructions;
    const Json about = {{"cells", r.cells},
                        {"mean_error", r.mean_error},
                        {"worst_error", r.worst_error},
                        {"groups", r.contests},
                        {"same_winner", r.same_winner},
                        {"ties", r.tied},
                        {"measuring_spread", measuring_spread()},
                        {"widest_wrong_winner", r.widest_wrong_winner},
                        {"s3_same_side_of_control_s1", r.s3_same_side},
                        {"s3_widest_wrong", r.s3_widest_wrong},
                        {"pairs", r.pairs},
                        {"same_order", r.same_order},
                        {"tied_pairs", r.tied_pairs},
                        {"widest_wrong_pair", r.worst_wrong_pair},
                        {"prices", std::move(prices)}};
    return Json{{"cells", std::move(list)}, {"cost_model", about}}.dump(2) + "\n";
  }

  std::string pages_ = "1,4,16,64,512", mixes_ = "present,none,zero,swapped,half", plot_;
};

}  // namespace

std::unique_ptr<Command> make_compare_sequences_command() {
  return std::make_unique<CompareSequencesCommand>();
}

}  // namespace hmmscope::app
