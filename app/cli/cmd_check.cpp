#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <vector>

#include "app/cli/command.h"
#include "app/cli/error_json.h"
#include "traces/check/candidates.h"
#include "traces/check/named_model.h"
#include "traces/check/summary.h"
#include "traces/document.h"

namespace hmmscope::app {
namespace {

using Json = nlohmann::ordered_json;

/// `hmmscope check`: replays traces and tells where the engine and the kernel disagree.
class CheckCommand : public Command {
 public:
  std::string_view name() const override { return "check"; }
  std::string_view summary() const override { return "Compare the engine with the kernel, call by call"; }

  void declare(Arguments& arguments) override {
    arguments.option("FILE", files_, "Kernel traces or recordings made from them").required();
    arguments.option("--kernel", kernel_,
                   "Read the traces as of this kernel model, whatever they say of themselves")
        .type_name("MODEL");
    arguments.flag("--explain", explain_,
                 "Also the facts of each call that does not agree, and candidate explanations: where a call "
                 "diverges, the trace is run again under every other model");
    arguments.flag("--brief", brief_, "Only the counts, without explanations");
  }

  /// A file that cannot be checked, or not to its end, leaves the others as they are; what is told of it ends with 2.
  int run(const Output& output) override {
    Totals totals;
    std::vector<Error> errors;
    Json files = Json::array();
    for (const std::string& file : files_) {
      Json row;
      const auto wrong = check(output, file, totals, row);
      if (wrong) {
        errors.push_back(*wrong);
        if (output.json && row.empty()) row["file"] = file;
        if (output.json) row["error"] = error_json(*wrong);
        else (void)output.bad_input(*wrong);
      }
      files.push_back(std::move(row));
    }
    if (totals.files == 0) return output.json ? output.bad_input(errors.front()) : exit_bad_input;
    if (output.json) {
      Json result = counts_json(totals.counts);
      result["migrate"] = migrate_json(totals.migrations, totals.facts);
      if (!errors.empty()) result["error"] = error_json(errors.front());
      result["files"] = std::move(files);
      output.print(result.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
    } else {
      output.print("migrate " + traces::counts_text(totals.migrations) + "\n");
      output.print(traces::counts_text(totals.counts) + "\n");
    }
    if (!errors.empty()) return exit_bad_input;
    return totals.counts.diverged == 0 && totals.migrations.diverged == 0 ? exit_ok : exit_check_failed;
  }

 private:
  struct Totals {
    size_t files = 0;   ///< that were checked
    traces::CheckCounts counts, migrations;
    traces::MigrateFacts facts;
  };

  /// One file: printed, or as a row of the JSON. What is wrong with it, nothing when all is well.
  std::optional<Error> check(const Output& output, const std::string& file, Totals& totals, Json& row) const {
    traces::OpenOptions options;
    options.kernel = kernel_;
    options.accept_incomplete = true;
    const auto opened = traces::open_document(file, options);
    if (!opened) return opened.error();
    const traces::Document& document = **opened;
    if (document.recording->events().empty())
      return Error{"shows nothing that a kernel did: there is nothing to compare the engine with", file, 0, 0, false};
    const traces::CheckCounts counts = traces::count_checks(*document.recording);
    const traces::CheckCounts migrated = traces::count_migrate_checks(*document.recording);
    const traces::MigrateFacts facts = traces::count_migrate_facts(*document.recording);
    ++totals.files;
    totals.counts += counts;
    totals.migrations += migrated;
    totals.facts += facts;
    if (output.json) row = as_json(file, document, counts, migrate_json(migrated, facts));
    else print(output, file, document, counts, migrated, facts);
    return document.incomplete;
  }

  static Json counts_json(const traces::CheckCounts& counts) {
    return {{"calls", counts.calls},          {"agreed", counts.agreed},
            {"diverged", counts.diverged},    {"unknown", counts.unknown},
            {"words", counts.words_compared}, {"words_with_unknown_bits", counts.words_unknown}};
  }

  static Json migrate_json(const traces::CheckCounts& counts, const traces::MigrateFacts& facts) {
    Json result = counts_json(counts);
    result["left_alone"] = {{"lock", facts.busy_lock},
                            {"lru", facts.off_lru},
                            {"reference", facts.referenced},
                            {"split", facts.unsplit}};
    result["entries_rebuilt"] = facts.rebuilt;
    result["entries_rebuilt_of_unseen_mappings"] = facts.rebuilt_unseen;
    return result;
  }

  /// A word is compared as often as events show it: inside the call, at its return, as the next call finds it.
  static std::string words_text(const traces::CheckCounts& counts) {
    std::string text;
    if (counts.words_compared != 0)
      text += fmt::format(", {} of a word", counts.words_compared == 1 ? "1 comparison"
                                                                       : fmt::format("{} comparisons", counts.words_compared));
    if (counts.words_unknown != 0)
      text += fmt::format(", {} with bits that no event shows",
                          counts.words_unknown == 1 ? "1 word" : fmt::format("{} words", counts.words_unknown));
    return text;
  }

  void print(const Output& output, const std::string& file, const traces::Document& document,
             const traces::CheckCounts& counts, const traces::CheckCounts& migrated,
             const traces::MigrateFacts& facts) const {
    std::string text =
        fmt::format("{} ({}): {}{}\n", file, document.model.id, traces::counts_text(counts), words_text(counts));
    if (migrated.calls != 0)
      text += fmt::format("  migrate {}{}\n  migrate {}\n", traces::counts_text(migrated), words_text(migrated),
                          traces::facts_text(facts));
    output.print(text);
    if (!document.detected.empty()) output.print("  model " + document.detected + "\n");
    if (const std::string note = traces::model_note(document.model); !note.empty()) output.print("  model " + note + "\n");
    if (!document.left_out.empty()) output.print("  left out: " + document.left_out + "\n");
    if (brief_) return;
    for (const traces::Hang& hang : traces::hangs(*document.recording))
      output.print("  " + traces::hang_text(*document.recording, hang) + "\n");
    if (explain_) return explain(output, document);
    for (const CallCheck& check : document.recording->checks())
      if (check.verdict != Verdict::agreed)
        output.print(traces::explanation_text(*document.recording, document.model, check));
  }

  static bool has_findings(const traces::Document& document) {
    const auto checks = document.recording->checks();
    return std::any_of(checks.begin(), checks.end(),
                       [](const CallCheck& check) { return check.verdict != Verdict::agreed; });
  }

  /// The models are tried only where something diverges.
  static std::vector<traces::ModelTrial> trials_of(const traces::Document& document, std::string& why_not) {
    const bool diverged = traces::count_checks(*document.recording).diverged != 0 ||
                          traces::count_migrate_checks(*document.recording).diverged != 0;
    if (!diverged) return {};
    auto trials = traces::try_models(document);
    if (trials) return std::move(*trials);
    why_not = trials.error().message;
    return {};
  }

  static void explain(const Output& output, const traces::Document& document) {
    if (!document.unobserved.empty()) {
      output.print("  the capture could not show:\n");
      std::istringstream lines(document.unobserved);
      for (std::string line; std::getline(lines, line);) output.print("    " + line + "\n");
    }
    if (!has_findings(document)) return;
    std::string why_not;
    const auto trials = trials_of(document, why_not);
    if (!why_not.empty()) output.print("  other models were not tried: " + why_not + "\n");
    for (const CallCheck& check : document.recording->checks())
      if (check.verdict != Verdict::agreed) output.print(traces::full_explanation(document, check, trials));
  }

  static Json facts_json(const traces::Document& document, const CallCheck& check,
                         const std::vector<traces::ModelTrial>& trials) {
    const traces::CallFactCounts facts = traces::count_facts(*document.recording, check.call);
    Json list = Json::array();
    for (const traces::Candidate& candidate : traces::candidates(document, check, trials))
      list.push_back({{"kind", traces::candidate_name(candidate.kind)},
                      {"text", candidate.text},
                      {"evidence", candidate.evidence}});
    return {{"facts",
             {{"observed", facts.observed},
              {"inferred", facts.inferred},
              {"unknown", facts.unknown},
              {"probes", facts.probes}}},
            {"candidates", std::move(list)}};
  }

  Json as_json(const std::string& file, const traces::Document& document,
               const traces::CheckCounts& counts, Json migrated) const {
    Json result = {{"file", file}, {"model", document.model.id}};
    result.update(counts_json(counts));
    result["migrate"] = std::move(migrated);
    if (!document.detected.empty()) result["detected"] = document.detected;
    if (const std::string note = traces::model_note(document.model); !note.empty()) result["model_note"] = note;
    if (!document.left_out.empty()) result["left_out"] = document.left_out;
    std::string why_not;
    const auto trials = explain_ ? trials_of(document, why_not) : std::vector<traces::ModelTrial>();
    if (!why_not.empty()) result["other_models_not_tried"] = why_not;
    result["hangs"] = Json::array();
    for (const traces::Hang& hang : traces::hangs(*document.recording)) {
      Json one = {{"reason", hang.text}, {"step", hang.step + 1}};
      if (hang.line != 0) one["line"] = hang.line;
      result["hangs"].push_back(std::move(one));
    }
    result["findings"] = Json::array();
    for (const CallCheck& check : document.recording->checks()) {
      if (check.verdict == Verdict::agreed) continue;
      const traces::CheckExplanation shown = traces::explain(*document.recording, document.model, check);
      Json finding = {{"verdict", check.verdict == Verdict::diverged ? "diverged" : "unknown"},
                      {"what", shown.what},
                      {"reason", check.reason}};
      if (shown.line != 0) finding["line"] = shown.line;
      if (check.step != no_step) finding["step"] = check.step + 1;
      if (check.verdict == Verdict::diverged) {
        finding["kernel"] = fmt::format("{:#018x}", check.kernel);
        finding["engine"] = fmt::format("{:#018x}", check.engine);
        finding["known"] = fmt::format("{:#018x}", check.known);
        finding["rule"] = rule(check.rule).id;
      }
      if (!shown.fields.empty()) {
        finding["kernel_reads"] = shown.kernel;
        finding["engine_reads"] = shown.engine;
        finding["differs"] = shown.fields;
      }
      if (explain_) finding.update(facts_json(document, check, trials));
      result["findings"].push_back(std::move(finding));
    }
    return result;
  }

  std::vector<std::string> files_;
  std::string kernel_;
  bool brief_ = false, explain_ = false;
};

}  // namespace

std::unique_ptr<Command> make_check_command() { return std::make_unique<CheckCommand>(); }

}  // namespace hmmscope::app
