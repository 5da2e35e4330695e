#include "app/gui/check_text.h"

#include <QObject>
#include <QStringList>
#include <map>
#include <string>

#include "app/gui/text_format.h"
#include "engine/model/word_layout.h"
#include "traces/check/facts.h"
#include "traces/check/summary.h"
#include "ui/words.h"

namespace hmmscope::app {
namespace {

QString html_of(std::string_view text) {
  return QString::fromUtf8(text.data(), static_cast<qsizetype>(text.size())).toHtmlEscaped();
}

QString cell(const QString& html) { return QStringLiteral("<td style='padding-right:18px'>%1</td>").arg(html); }
QString code(const QString& text) { return QStringLiteral("<code>%1</code>").arg(text.toHtmlEscaped()); }

QString row(const QString& name, const QString& html) {
  return QStringLiteral("<tr>%1%2</tr>").arg(cell(name), cell(html));
}

QString section(const QString& title) { return QStringLiteral("<h4>%1</h4>").arg(title); }

QString step_link(StepIndex step) {
  return QStringLiteral("<a href='step:%1'>step %2</a>").arg(step + 1).arg(grouped(uint64_t{step} + 1));
}

/// Both words side by side, field by field; what differs is marked.
QString words_table(const CallCheck& check, const Layout& layout) {
  QString html = QStringLiteral("<table><tr>") + cell({}) + cell(QStringLiteral("<b>kernel</b>")) +
                 cell(QStringLiteral("<b>engine</b>")) + QStringLiteral("</tr>");
  html += QStringLiteral("<tr>") + cell(QStringLiteral("word")) + cell(code(hex_word(check.kernel))) +
          cell(code(hex_word(check.engine))) + QStringLiteral("</tr>");
  for (const Field& field : layout.fields) {
    const uint64_t kernel = field.get(check.kernel), engine = field.get(check.engine);
    const bool differs = ((check.kernel ^ check.engine) & check.known & field.mask()) != 0;
    const bool compared = (field.mask() & check.known) != 0;
    if (!differs && kernel == 0 && engine == 0) continue;
    const auto value = [&](uint64_t number) {
      return field.role == Role::pfn || number > 9 ? QStringLiteral("0x%1").arg(number, 0, 16)
                                                   : QString::number(number);
    };
    const QString name = html_of(field.name) + (compared ? QString() : QStringLiteral(" (not compared)"));
    const QString mark = differs ? QStringLiteral("<b>%1 \u2260</b>").arg(name) : name;
    html += QStringLiteral("<tr>") + cell(mark) + cell(code(value(kernel))) + cell(code(value(engine))) +
            QStringLiteral("</tr>");
  }
  html += row(QStringLiteral("differing bits"), code(hex_word((check.kernel ^ check.engine) & check.known)));
  if (check.known != ~uint64_t{0}) html += row(QStringLiteral("bits compared"), code(hex_word(check.known)));
  return html + QStringLiteral("</table><p>read as %1</p>").arg(html_of(layout.title));
}

QString rule_text(RuleId id) {
  return code(QString::fromStdString(std::string(rule(id).id))) + QStringLiteral(" ") + html_of(rule(id).statement);
}

QString facts_list(const QString& how, const std::map<std::string, uint64_t>& counts) {
  QString html;
  for (const auto& [id, count] : counts) {
    const Rule* found = find_rule(id);
    html += row(how, code(QString::fromStdString(id)) + QStringLiteral(" ") +
                         QObject::tr("%1 words").arg(grouped(count)) +
                         (found == nullptr ? QString() : QStringLiteral("<br>") + html_of(found->statement)));
  }
  return html;
}

QString facts_of_call(const Recording& recording, CallId call) {
  const traces::CallFactCounts facts = traces::count_facts(recording, call);
  QString html = facts_list(QObject::tr("observed"), facts.observed) +
                 facts_list(QObject::tr("inferred"), facts.inferred) +
                 facts_list(QObject::tr("unknown"), facts.unknown);
  if (html.isEmpty()) return {};
  html = section(QObject::tr("What the trace shows of this call")) + QStringLiteral("<table>%1</table>").arg(html);
  QStringList probes;
  for (const std::string& probe : facts.probes) probes << QString::fromStdString(probe).toHtmlEscaped();
  if (!probes.isEmpty())
    html += QObject::tr("<p>Probes that would tell what is unknown: %1</p>").arg(probes.join(QStringLiteral("; ")));
  return html;
}

QString candidate_list(const traces::Document& document, const CallCheck& check,
                       std::span<const traces::ModelTrial> trials) {
  QString html;
  for (const traces::Candidate& candidate : traces::candidates(document, check, trials)) {
    html += QStringLiteral("<li><b>%1.</b> %2<br>%3</li>")
                .arg(html_of(traces::candidate_name(candidate.kind)), html_of(candidate.text),
                     html_of(candidate.evidence));
  }
  if (html.isEmpty()) return {};
  return section(QObject::tr("What may explain it")) + QStringLiteral("<ol>%1</ol>").arg(html);
}

}  // namespace

QString describe_check(const traces::Document& document, const CallCheck& check, const Layout* layout,
                       std::span<const traces::ModelTrial> trials) {
  const Recording& recording = *document.recording;
  QString html = QStringLiteral("<p><b>%1</b></p>").arg(html_of(check.reason));
  QString where;
  if (check.word != no_word) where = code(QString::fromStdString(recording.word_name(check.word)));
  if (check.step != no_step) where += (where.isEmpty() ? QString() : QStringLiteral(", ")) + step_link(check.step);
  if (!where.isEmpty()) html += QStringLiteral("<p>%1</p>").arg(where);
  if (check.word != no_word && check.verdict == Verdict::diverged) {
    const RegionId region = recording.region_of(check.word);
    const RegionKind kind = region == no_region ? RegionKind::counters : recording.regions()[region].kind;
    html += words_table(check, word_layout(document.model, kind, check.kernel, layout));
  }
  if (check.verdict == Verdict::diverged) {
    html += section(QObject::tr("The rule each side took")) + QStringLiteral("<table>");
    html += row(QObject::tr("engine"), rule_text(check.rule));
    const QString kernel = html_of(traces::kernel_side(document, check, trials));
    html += row(QObject::tr("kernel"),
                !kernel.isEmpty() ? kernel
                : trials.empty()  ? QObject::tr("not known: its word fits no rule of this model. "
                                                 "<a href='try'>Try the other kernels</a>")
                                  : QObject::tr("not known: no other kernel that hmmscope knows gives this word"));
    html += QStringLiteral("</table>");
  }
  if (check.verdict != Verdict::agreed) html += candidate_list(document, check, trials);
  html += facts_of_call(recording, check.call);
  return html + QObject::tr("<p>%1, %2 words with bits that no event shows</p>")
                    .arg(QString::fromStdString(ui::counted(check.words_compared, "comparison of a word", "comparisons of a word")), grouped(check.words_unknown));
}

QString describe_scenario(const traces::Document& document) {
  const auto list = [](const QString& title, const std::vector<scenario::Failure>& said) {
    QString items;
    for (const scenario::Failure& one : said) {
      items += QStringLiteral("<li>%1").arg(html_of(one.text));
      if (one.line != 0) items += QObject::tr(", line %1 of the file").arg(grouped(one.line));
      if (one.step != no_step) items += QStringLiteral(", ") + step_link(one.step);
      items += QStringLiteral("</li>");
    }
    return items.isEmpty() ? items : section(title) + QStringLiteral("<ul>%1</ul>").arg(items);
  };
  QString html = list(QObject::tr("Did not hold"), document.failures) + list(QObject::tr("Happened later than asked for"), document.postponed);
  if (!document.schedule_end.empty()) {
    html += section(QObject::tr("How the tasks ended")) +
            QStringLiteral("<p>%1</p><pre>%2</pre>").arg(html_of(document.schedule_end), html_of(document.schedule_text));
  }
  if (document.failures.empty() && document.schedule_end.empty())
    html = QObject::tr("<p>A scenario has no kernel to compare with; every expectation it states held.</p>") + html;
  return html;
}

QString summarise_checks(const traces::Document& document) {
  if (document.kind == traces::SourceKind::scenario) {
    const auto failed = static_cast<uint64_t>(document.failures.size());
    return QObject::tr("%1 expectations: %2 did not hold").arg(grouped(document.expectations), grouped(failed));
  }
  // Calls, as the command line counts them: a call has a check for each word that differs.
  const auto text = [](const QString& calls, const traces::CheckCounts& counts) {
    return QObject::tr("%1: %2 agreed, %3 diverged, %4 unknown")
        .arg(calls, grouped(counts.agreed), grouped(counts.diverged), grouped(counts.unknown));
  };
  const traces::CheckCounts counts = traces::count_checks(*document.recording),
                            migrate = traces::count_migrate_checks(*document.recording);
  QStringList parts;
  if (counts.calls != 0)
    parts << text(QString::fromStdString(ui::counted(counts.calls, "call", "calls")), counts);
  if (migrate.calls != 0)
    parts << text(QString::fromStdString(ui::counted(migrate.calls, "migrate call", "migrate calls")), migrate);
  if (parts.isEmpty()) return QObject::tr("This recording holds no kernel calls to check.");
  return parts.join(QStringLiteral("; "));
}

QString describe_facts(const traces::Document& document, WordIndex word, StepIndex position) {
  if (document.kind != traces::SourceKind::trace || document.history == nullptr || word == no_word) return {};
  const traces::Fact fact = traces::fact_of(document, word, position);
  if (fact.step == no_step) return QObject::tr("<p>Nothing in the trace tells of this word up to here.</p>");
  const Recording& recording = *document.recording;
  const QString by = rule_text(recording.rule_of(fact.step)) + QStringLiteral(", ") + step_link(fact.step);
  switch (fact.evidence) {
    case Evidence::observed:
      return QObject::tr("<p><b>Observed</b> in the trace: %1</p>").arg(by);
    case Evidence::inferred:
    case Evidence::computed:
      return QObject::tr("<p><b>Inferred</b>, not seen, by %1</p>").arg(by);
    case Evidence::unknown:
      break;
  }
  return QObject::tr("<p><b>Unknown</b>: %1</p>").arg(by) +
         (fact.probe.empty() ? QObject::tr("<p>No probe of the capture script shows it.</p>")
                             : QObject::tr("<p>This probe would tell: %1</p>").arg(html_of(fact.probe)));
}

}  // namespace hmmscope::app
