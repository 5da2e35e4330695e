#include "engine/scenario/sequence_cost.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace hmmscope::embedded {
extern const char sequence_instructions[];
}

namespace hmmscope::scenario {

namespace {

using Counts = SequenceCounts;

/// What has a price. Things that always come together (a moved page is isolated, locked, unmapped ...) share
/// one.
struct Feature {
  std::string_view what;
  double (*amount)(const SequenceCell&);
};
template <uint64_t Counts::*value>
double number(const SequenceCell& cell) {
  return static_cast<double>(cell.counts.*value);
}
constexpr std::array features{
    Feature{"the call itself", [](const SequenceCell&) { return 1.0; }},
    Feature{"page walk", number<&Counts::walk_page_range>},
    Feature{"hmm_range_fault call", number<&Counts::hmm_range_fault_calls>},
    Feature{"migrate_vma_setup call", number<&Counts::migrate_vma_setup_calls>},
    Feature{"pte visited by HMM", number<&Counts::pte_visits_hmm>},
    Feature{"pte prepared under its lock", number<&Counts::pte_visits_prepare_locked>},
    Feature{"prepare step that returns at once", number<&Counts::prepare_calls_returning_at_once>},
    Feature{"pte visited by the collector", number<&Counts::pte_visits_old_collector>},
    Feature{"invalidation", number<&Counts::notifier_starts>},
    Feature{"TLB flush call", number<&Counts::flush_tlb_mm_range>},
    Feature{"fault: zero page", number<&Counts::zero_page_faults>},
    Feature{"fault: new page", number<&Counts::new_page_faults>},
    Feature{"fault: copy of the zero page", number<&Counts::copy_faults>},
    Feature{"fault: swap in", number<&Counts::swap_ins>},
    Feature{"fault: device page home", number<&Counts::pages_home>},
    Feature{"fault, whatever it does", number<&Counts::handle_mm_fault>},
    Feature{"page moved", number<&Counts::pages_moved>},
    Feature{"page inserted", number<&Counts::pages_inserted>},
    Feature{"page tables made", number<&Counts::page_tables_made>},
    Feature{"first page of a mapping (anon_vma)", number<&Counts::anon_vmas_made>},
    Feature{"dirty bit kept for the folio", number<&Counts::dirty_bits_kept>},
};
constexpr size_t feature_count = features.size();
using Row = std::array<double, feature_count>;

Row row_of(const SequenceCell& cell) {
  Row row;
  for (size_t k = 0; k < feature_count; ++k) row[k] = features[k].amount(cell);
  return row;
}

/// Normal equations of the relative errors, solved by elimination with pivoting. What cannot be told apart
/// from the others (no pivot left) gets no price.
class LeastSquares {
 public:
  void add(const Row& row, double target) {
    for (size_t i = 0; i < feature_count; ++i) {
      const double weighted = row[i] / target;
      right_[i] += weighted;
      for (size_t j = 0; j < feature_count; ++j) matrix_[i][j] += weighted * row[j] / target;
    }
  }

  std::vector<double> solve() {
    std::array<double, feature_count> scale;
    for (size_t i = 0; i < feature_count; ++i) scale[i] = std::max(matrix_[i][i], 1e-300);
    std::array<bool, feature_count> used{}, dropped{};
    for (size_t step = 0; step < feature_count; ++step) {
      size_t pivot = feature_count;
      double best = 1e-9;
      for (size_t i = 0; i < feature_count; ++i) {
        if (used[i] || dropped[i]) continue;
        const double size = matrix_[i][i] / scale[i];
        if (size > best) {
          best = size;
          pivot = i;
        }
      }
      if (pivot == feature_count) break;
      used[pivot] = true;
      eliminate(pivot);
    }
    std::vector<double> prices(feature_count, 0.0);
    for (size_t i = 0; i < feature_count; ++i) {
      if (used[i]) prices[i] = right_[i] / matrix_[i][i];
    }
    return prices;
  }

 private:
  void eliminate(size_t pivot) {
    for (size_t i = 0; i < feature_count; ++i) {
      if (i == pivot) continue;
      const double factor = matrix_[i][pivot] / matrix_[pivot][pivot];
      if (factor == 0) continue;
      for (size_t j = 0; j < feature_count; ++j) matrix_[i][j] -= factor * matrix_[pivot][j];
      right_[i] -= factor * right_[pivot];
    }
  }

  std::array<Row, feature_count> matrix_{};
  Row right_{};
};

std::string_view next_field(std::string_view& line) {
  const size_t comma = std::min(line.find(','), line.size());
  const std::string_view field = line.substr(0, comma);
  line.remove_prefix(std::min(comma + 1, line.size()));
  return field;
}

template <class T>
T number_in(std::string_view text) {
  T value{};
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

MeasuredCost measurement(std::string_view line) {
  MeasuredCost cost;
  const bool patched = next_field(line) == "rfc";
  const std::string_view mix = next_field(line);
  cost.mix = static_cast<PageMix>(std::find(page_mix_names.begin(), page_mix_names.end(), mix) -
                                  page_mix_names.begin());
  cost.write = next_field(line) == "write";
  cost.pages = number_in<uint64_t>(next_field(line));
  const int sequence = number_in<int>(next_field(line).substr(1));
  cost.contender = static_cast<Contender>(sequence - 1 + (patched ? 2 : 0));
  cost.instructions = number_in<double>(next_field(line));
  cost.median = number_in<double>(next_field(line));
  return cost;
}

std::vector<MeasuredCost> read_measurements() {
  std::vector<MeasuredCost> costs;
  std::string_view text = embedded::sequence_instructions;
  bool heading = true;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!line.empty() && !heading) costs.push_back(measurement(line));
    heading = false;
  }
  return costs;
}

struct Fitted {
  const MeasuredCost* measured;
  double modelled;
};

/// Which of the two is cheaper, by measurement and by the model.
bool same_order(const Fitted& a, const Fitted& b) {
  return (a.measured->instructions < b.measured->instructions) == (a.modelled < b.modelled);
}
/// How far the two were measured apart.
double apart(const Fitted& a, const Fitted& b) {
  const double x = a.measured->instructions, y = b.measured->instructions;
  return std::abs(x - y) / std::min(x, y);
}

/// Cells of one contest stand in a row: same mix, intent and size.
void judge(std::span<const Fitted> contest, FitReport& report) {
  const auto cheaper_measured = [](const Fitted& a, const Fitted& b) {
    return a.measured->instructions < b.measured->instructions;
  };
  const auto cheaper_modelled = [](const Fitted& a, const Fitted& b) { return a.modelled < b.modelled; };
  ++report.contests;
  const auto winner = std::min_element(contest.begin(), contest.end(), cheaper_measured);
  const auto chosen = std::min_element(contest.begin(), contest.end(), cheaper_modelled);
  const double lead = chosen->measured->instructions / winner->measured->instructions - 1;
  if (chosen == winner) ++report.same_winner;
  else if (lead < measuring_spread()) ++report.tied;
  report.widest_wrong_winner = std::max(report.widest_wrong_winner, lead);
  for (size_t a = 0; a < contest.size(); ++a) {
    for (size_t b = a + 1; b < contest.size(); ++b) {
      ++report.pairs;
      if (same_order(contest[a], contest[b])) {
        ++report.same_order;
        continue;
      }
      if (apart(contest[a], contest[b]) < measuring_spread()) ++report.tied_pairs;
      report.worst_wrong_pair = std::max(report.worst_wrong_pair, apart(contest[a], contest[b]));
    }
  }
  const auto of = [&](Contender contender) {
    return std::find_if(contest.begin(), contest.end(), [&](const Fitted& f) { return f.measured->contender == contender; });
  };
  const auto s3 = of(Contender::rfc_s3), s1 = of(Contender::control_s1);
  if (s3 == contest.end() || s1 == contest.end()) return;
  if (same_order(*s3, *s1)) ++report.s3_same_side;
  else report.s3_widest_wrong = std::max(report.s3_widest_wrong, apart(*s3, *s1));
}

FitReport report_of(std::vector<Fitted> fitted) {
  FitReport report;
  report.cells = static_cast<uint32_t>(fitted.size());
  for (const Fitted& cell : fitted) {
    const double error = std::abs(cell.modelled / cell.measured->instructions - 1);
    report.mean_error += error / static_cast<double>(fitted.size());
    report.worst_error = std::max(report.worst_error, error);
  }
  const auto key = [](const Fitted& f) {
    return std::tuple(f.measured->mix, f.measured->write, f.measured->pages);
  };
  std::stable_sort(fitted.begin(), fitted.end(),
                   [&](const Fitted& a, const Fitted& b) { return key(a) < key(b); });
  for (size_t first = 0, next = 0; first < fitted.size(); first = next) {
    while (next < fitted.size() && key(fitted[next]) == key(fitted[first])) ++next;
    judge(std::span(fitted).subspan(first, next - first), report);
  }
  return report;
}

}  // namespace

std::span<const MeasuredCost> measured_costs() {
  static const std::vector<MeasuredCost> costs = read_measurements();
  return costs;
}

double measuring_spread() {
  static const double spread = [] {
    std::vector<double> spreads;
    for (const MeasuredCost& cost : measured_costs()) spreads.push_back(cost.median / cost.instructions - 1);
    const auto ninth = spreads.begin() + static_cast<std::ptrdiff_t>(spreads.size() * 9 / 10);
    std::nth_element(spreads.begin(), ninth, spreads.end());
    return *ninth;
  }();
  return spread;
}

std::optional<double> measured(const SequenceCell& cell) {
  for (const MeasuredCost& cost : measured_costs()) {
    if (cost.mix == cell.mix && cost.write == cell.write && cost.pages == cell.pages &&
        cost.contender == cell.contender)
      return cost.instructions;
  }
  return std::nullopt;
}

Result<SequenceCost> SequenceCost::fit() {
  std::vector<SequenceCell> cells;
  LeastSquares squares;
  for (const MeasuredCost& cost : measured_costs()) {
    auto cell = run_sequence(cost.mix, cost.write, cost.pages, cost.contender);
    if (!cell) return fail(cell.error());
    if (!cell->ended()) return fail("a sequence that was measured ends with " + cell->outcome);
    squares.add(row_of(*cell), cost.instructions);
    cells.push_back(*cell);
  }
  SequenceCost model;
  model.prices_ = squares.solve();
  std::vector<Fitted> fitted;
  for (size_t k = 0; k < cells.size(); ++k)
    fitted.push_back({&measured_costs()[k], model.instructions(cells[k])});
  model.report_ = report_of(std::move(fitted));
  return model;
}

double SequenceCost::instructions(const SequenceCell& cell) const {
  const Row row = row_of(cell);
  double sum = 0;
  for (size_t k = 0; k < feature_count; ++k) sum += row[k] * prices_[k];
  return sum;
}

std::vector<Price> SequenceCost::prices() const {
  std::vector<Price> list;
  for (size_t k = 0; k < feature_count; ++k) list.push_back({features[k].what, prices_[k]});
  return list;
}

}  // namespace hmmscope::scenario
