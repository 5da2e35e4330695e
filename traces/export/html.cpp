#include "engine/model/word_layout.h"
#include "traces/check/summary.h"
#include "traces/export/call_array.h"
#include "traces/export/export.h"
#include "traces/export/pictures.h"

namespace hmmscope::traces {
namespace {

constexpr size_t max_call_rows = 5000;
constexpr size_t max_details = 200;

constexpr std::string_view style = R"(<style>
:root { color-scheme: light dark; --text: #1c2430; --back: #ffffff; --line: #d4dae2; --dim: #5b6675;
  --agreed: #2a7f4f; --unknown: #b07a10; --diverged: #c02f3a; --plain: #9aa7b6; }
@media (prefers-color-scheme: dark) { :root { --text: #dfe6ee; --back: #14181d; --line: #343c46; --dim: #98a4b3;
  --agreed: #58b581; --unknown: #d6a440; --diverged: #ee6a73; --plain: #66727f; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--text); background: var(--back); margin: 2rem auto; max-width: 1200px; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; } h3 { font-size: 1rem; }
table { border-collapse: collapse; } th, td { text-align: left; padding: .2rem .8rem .2rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td { overflow-wrap: anywhere; } svg { overflow: visible; }
td, code { font-family: ui-monospace, monospace; font-size: .85rem; } th { color: var(--dim); font-weight: normal; }
svg { max-width: 100%; height: auto; display: block; margin: .5rem 0; } svg text { fill: var(--text); font: 11px ui-monospace, monospace; }
svg .bit, svg .field { text-anchor: middle; } svg .end { text-anchor: end; } svg .clear { opacity: .25; } svg .none { fill: var(--line); }
svg .differs { stroke: var(--diverged); stroke-width: 2.5; opacity: 1; }
rect.agreed { fill: var(--agreed); } rect.unknown { fill: var(--unknown); } rect.diverged { fill: var(--diverged); } rect.plain { fill: var(--plain); }
td.agreed { color: var(--agreed); } td.unknown { color: var(--unknown); } td.diverged { color: var(--diverged); }
.r0 { fill: #7aa2d6; } .r1 { fill: #e0a458; } .r2 { fill: #83b692; } .r3 { fill: #c58bb8; } .r4 { fill: #d98080; } .r5 { fill: #6fb7bd; } .r6 { fill: #b6a36a; } .r7 { fill: #9a93d4; }
</style>
)";

class Report {
 public:
  Report(const Document& document, Sink& sink)
      : document_(document), recording_(*document.recording), out_(sink) {}

  void run() {
    out_.raw(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>");
    out_.html(document_.title)
        .raw("</title>\n")
        .raw(style)
        .raw("</head><body>\n<h1>")
        .html(document_.title)
        .raw("</h1>\n");
    summary();
    if (!recording_.calls().empty()) {
      out_.raw("<h2>Calls over time</h2>\n");
      timeline_picture(out_, recording_);
    }
    if (document_.model.hmm_pfn != nullptr) {
      out_.raw("<h2>The words of hmm_pfns: ").html(document_.model.hmm_pfn->title).raw("</h2>\n");
      layout_picture(out_, *document_.model.hmm_pfn);
    }
    details();
    calls();
    out_.raw("</body></html>\n");
  }

 private:
  void row(std::string_view label, std::string_view value) {
    if (!value.empty()) out_.raw("<tr><th>").html(label).raw("</th><td>").html(value).raw("</td></tr>\n");
  }
  void summary() {
    out_.raw("<table>\n");
    row("kernel", recording_.meta("kernel"));
    row("patch", recording_.meta("patch"));
    row("configuration", recording_.meta("config"));
    row("model", document_.model.id + " (" + document_.model.title + ")");
    row("source", recording_.meta("source"));
    row("events", fmt::format("{}", recording_.events().size()));
    row("steps", fmt::format("{}", recording_.steps()));
    const CheckCounts counts = count_checks(recording_);
    if (counts.calls != 0) {
      row("check", counts_text(counts));
      row("comparisons of a word", fmt::format("{}", counts.words_compared));
    }
    const CheckCounts migrations = count_migrate_checks(recording_);
    if (migrations.calls != 0) row("check of migrations", counts_text(migrations));
    for (const auto& failure : document_.failures) row("expectation failed", failure.text);
    out_.raw("</table>\n");
  }
  void details() {
    size_t shown = 0, all = 0;
    for (const CallCheck& check : recording_.checks()) {
      if (check.verdict == Verdict::agreed) continue;
      if (all++ == 0) out_.raw("<h2>Where engine and kernel part</h2>\n");
      if (shown == max_details) continue;
      ++shown;
      detail(check);
    }
    if (all > shown) out_.print("<p>{} more are not listed.</p>\n", all - shown);
  }
  void detail(const CallCheck& check) {
    const CheckExplanation text = explain(recording_, document_.model, check);
    out_.print("<h3>{}: ", verdict_name(check.verdict)).html(text.what).raw("</h3>\n<table>\n");
    row("reason", check.reason);
    if (text.line != 0) row("line", fmt::format("{}", text.line));
    if (check.step != no_step) row("step", fmt::format("{}", check.step + 1));
    if (check.verdict == Verdict::diverged)
      row("engine's rule", fmt::format("{}: {}", rule(check.rule).id, rule(check.rule).statement));
    for (const std::string& field : text.fields) row("differs", field);
    out_.raw("</table>\n");
    if (text.kernel.empty()) return;
    const RegionKind kind = recording_.regions()[recording_.region_of(check.word)].kind;
    const auto layout_of = [&](uint64_t word) -> const Layout& { return word_layout(document_.model, kind, word); };
    const uint64_t differing = (check.kernel ^ check.engine) & check.known;
    out_.print("<p>kernel <code>{:#018x}</code> ", check.kernel).html(text.kernel).raw("</p>\n");
    word_picture(out_, layout_of(check.kernel), check.kernel, differing);
    out_.print("<p>engine <code>{:#018x}</code> ", check.engine).html(text.engine).raw("</p>\n");
    word_picture(out_, layout_of(check.engine), check.engine, differing);
  }
  void calls() {
    const std::vector<uint32_t> of_call = check_of_calls(recording_);
    size_t shown = 0, all = 0, inner = 0;
    for (CallId id = 0; id < recording_.calls().size(); ++id) {
      if (of_call[id] == no_check && recording_.calls()[id].depth != 0) {
        ++inner;
        continue;
      }
      if (all++ == 0)
        out_.raw(
            "<h2>Calls</h2>\n<table>\n<tr><th>step</th><th>time</th><th>task</th><th>function</th><th>range</"
            "th><th>result</th><th>check</th></tr>\n");
      if (shown == max_call_rows) continue;
      ++shown;
      call_row(id, of_call[id]);
    }
    if (all != 0) out_.raw("</table>\n");
    if (all > shown) out_.print("<p>{} more calls are not listed.</p>\n", all - shown);
    if (inner != 0) out_.print("<p>{} calls inside of others, which have no verdict of their own, are not listed.</p>\n", inner);
  }
  void call_row(CallId id, uint32_t check) {
    const Call& call = recording_.calls()[id];
    const CallTime span = time_of_call(recording_, call);
    out_.print("<tr><td>{}</td><td>{:.9f}</td><td>", call.first_step + 1,
               static_cast<double>(span.begin_ns) / 1e9);
    if (call.task < recording_.tasks().size())
      out_.html(recording_.tasks()[call.task].name).print(" {}", recording_.tasks()[call.task].pid);
    out_.raw("</td><td>").html(recording_.function_name_of(id)).raw("</td><td>");
    const auto arguments = recording_.arguments(id);
    const bool is_range = call.function == Function::hmm_range_fault || call.function == Function::munmap;
    if (is_range && arguments.size() > 1) out_.print("{:#x}-{:#x}", arguments[0], arguments[1]);
    out_.raw("</td><td>");
    if (call.returned) out_.print("{}", call.result);
    if (check == no_check)
      out_.raw("</td><td></td></tr>\n");
    else
      out_.print("</td><td class=\"{0}\">{0}</td></tr>\n", verdict_name(recording_.checks()[check].verdict));
  }

  const Document& document_;
  const Recording& recording_;
  TextWriter out_;
};

}  // namespace

void write_html(const Document& document, Sink& sink) { Report(document, sink).run(); }

}  // namespace hmmscope::traces
