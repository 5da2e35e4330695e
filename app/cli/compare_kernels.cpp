#include "app/cli/compare_kernels.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/model/kernel_model.h"
#include "traces/document.h"

namespace hmmscope::app {
namespace {

struct Row {
  std::string kernel, layout, reason;  ///< reason: why it cannot run there
  uint32_t expectations = 0;
  std::vector<scenario::Failure> failures;
};

Row run_under(const std::string& file, const std::string& kernel) {
  Row row;
  row.kernel = kernel;
  if (const auto model = kernel_model(kernel)) row.layout = model->hmm_pfn->id;
  traces::OpenOptions options;
  options.kernel = kernel;
  const auto opened = traces::open_document(file, options);
  if (!opened) {
    row.reason = opened.error().message;
    return row;
  }
  row.expectations = (*opened)->expectations;
  row.failures = (*opened)->failures;
  return row;
}

std::string verdict(const Row& row) {
  if (!row.reason.empty()) return "-";
  return row.failures.empty() ? "ok" : fmt::format("{} of {} fail", row.failures.size(), row.expectations);
}

void print_text(const Output& output, const std::string& file, const std::vector<Row>& rows) {
  size_t kernels = 6, layouts = 6;
  for (const Row& row : rows) {
    kernels = std::max(kernels, row.kernel.size());
    layouts = std::max(layouts, row.layout.size());
  }
  output.print(fmt::format("{:{}}  {:{}}  {}\n", "kernel", kernels, "layout", layouts, "result"));
  for (const Row& row : rows) {
    output.print(fmt::format("{:{}}  {:{}}  {}\n", row.kernel, kernels, row.layout, layouts, verdict(row)));
    if (!row.reason.empty()) output.print(fmt::format("{:{}}  {}\n", "", kernels, row.reason));
    for (const auto& failure : row.failures)
      output.print(fmt::format("{:{}}  {}:{}: {}\n", "", kernels, file, failure.line, failure.text));
  }
}

void print_json(const Output& output, const std::vector<Row>& rows) {
  nlohmann::json result = nlohmann::json::array();
  for (const Row& row : rows) {
    nlohmann::json one = {{"kernel", row.kernel}, {"layout", row.layout}, {"expectations", row.expectations}};
    if (!row.reason.empty()) one["reason"] = row.reason;
    one["failures"] = nlohmann::json::array();
    for (const auto& failure : row.failures)
      one["failures"].push_back({{"line", failure.line}, {"step", failure.step + 1}, {"text", failure.text}});
    result.push_back(std::move(one));
  }
  output.print(nlohmann::json{{"kernels", std::move(result)}}.dump(2) + "\n");
}

}  // namespace

std::vector<std::string> kernel_list(const std::string& text) {
  std::vector<std::string> ids;
  if (text == "all") {
    for (const KernelModel& model : kernel_models()) ids.push_back(model.id);
    return ids;
  }
  for (size_t start = 0; start <= text.size();) {
    const size_t comma = std::min(text.find(',', start), text.size());
    ids.push_back(text.substr(start, comma - start));
    start = comma + 1;
  }
  return ids;
}

int compare_kernels(const Output& output, const std::string& file, const std::vector<std::string>& kernels) {
  for (const std::string& kernel : kernels) {
    if (const auto model = kernel_model(kernel); !model) return output.bad_input(model.error());
  }
  // Whether the file is a scenario at all does not depend on the kernel: ask once under its own.
  const auto opened = traces::open_document(file, traces::OpenOptions{});
  if (!opened) return output.bad_input(opened.error());
  if ((*opened)->kind != traces::SourceKind::scenario) {
    return output.bad_input(
        Error{"not a scenario; only scenarios run under several kernels", file, 0, 0, false});
  }
  std::vector<Row> rows;
  for (const std::string& kernel : kernels) rows.push_back(run_under(file, kernel));
  output.json ? print_json(output, rows) : print_text(output, file, rows);
  const bool failed =
      std::any_of(rows.begin(), rows.end(), [](const Row& row) { return !row.failures.empty(); });
  return failed ? exit_check_failed : exit_ok;
}

}  // namespace hmmscope::app
