#include "app/gui/details_view.h"

#include <QUrl>

#include "app/gui/check_text.h"
#include "app/gui/text_format.h"
#include "ui/unseen.h"
#include "ui/words.h"

namespace hmmscope::app {
namespace {

constexpr uint32_t words_shown = 16;  // of one write; the Walk panel shows the rest

QString evidence_text(Evidence evidence) {
  switch (evidence) {
    case Evidence::computed:
      return QStringLiteral("computed by the engine");
    case Evidence::observed:
      return QStringLiteral("observed in the trace");
    case Evidence::inferred:
      return QStringLiteral("inferred from the trace");
    case Evidence::unknown:
      return QStringLiteral("not known");
  }
  return {};
}

QString call_lines(const Recording& recording, CallId call) {
  QString html;
  for (const CallId at : recording.path(call)) {
    QStringList arguments;
    for (const uint64_t value : recording.arguments(at))
      arguments << QStringLiteral("0x%1").arg(value, 0, 16);
    const Call& made = recording.calls()[at];
    html += QString(2 * made.depth, QChar(0xa0)) +
            QStringLiteral("<code>%1(%2)</code>")
                .arg(text_of(function_name(made.function)), arguments.join(QStringLiteral(", ")));
    if (made.returned) html += QStringLiteral(" → %1").arg(made.result);
    html += QStringLiteral("<br>");
  }
  return html;
}

QString write_lines(const Session& session, StepIndex step, const WriteView& write) {
  const Recording& recording = *session.recording();
  QString html =
      QStringLiteral("<p>%1, %2</p>")
          .arg(write.count == 1 ? QObject::tr("1 word") : QObject::tr("%1 words").arg(grouped(write.count)),
               evidence_text(write.evidence));
  const ui::ViewContext view = session.view();
  html += QStringLiteral("<table>");
  for (uint32_t k = 0; k < std::min(write.count, words_shown); ++k) {
    const WordIndex word = write.first + k;
    const uint64_t before = write.old_at(k), after = write.new_at(k);
    const uint64_t unseen_before = ui::unseen_bits(view, word, before, ui::word_at(view, word, step).evidence),
                   unseen = ui::unseen_bits(view, word, after, write.evidence);
    html += QStringLiteral(
                "<tr><td style='padding-right:14px'><code>%1</code></td><td><code>%2 → %3</code></td></tr>")
                .arg(QString::fromStdString(recording.word_name(word)).toHtmlEscaped(),
                     QString::fromStdString(ui::hex_seen(before, unseen_before)),
                     QString::fromStdString(ui::hex_seen(after, unseen)));
    const auto meaning = [&](uint64_t value, uint64_t hidden) {
      if (hidden == ~0ull) return QStringLiteral("?");
      const std::string text = describe(ui::layout_of(view, word, value), value);
      return QString::fromStdString(hidden == 0 ? text : ui::without_pfn(text)).toHtmlEscaped();
    };
    html += QStringLiteral("<tr><td></td><td>%1 → %2</td></tr>")
                .arg(meaning(before, unseen_before), meaning(after, unseen));
  }
  html += QStringLiteral("</table>");
  if (write.count > words_shown) {
    html += QObject::tr("<p>and %1 more</p>").arg(grouped(write.count - words_shown));
  }
  return html;
}

}  // namespace

QString describe_step(const Session& session) {
  const Recording* recording = session.recording();
  if (recording == nullptr)
    return QObject::tr("<p>Nothing is open. Open a trace, a scenario or a recording.</p>");
  if (session.position() == 0) {
    return QObject::tr("<p>The state before the first step. Step to see what happens.</p>");
  }
  const StepIndex step = session.position() - 1;
  const Rule& row = rule(recording->rule_of(step));
  QString html = QStringLiteral("<p><b>%1</b></p>").arg(text_of(row.statement).toHtmlEscaped());
  html += QStringLiteral("<p><code>%1</code> · %2</p>")
              .arg(text_of(row.id), text_of(row.versions).toHtmlEscaped());
  if (const CallId call = recording->call_of(step); call != no_call) {
    html += QStringLiteral("<p>%1</p>").arg(call_lines(*recording, call));
  }
  const auto values = recording->operands(step);
  if (!values.empty()) {
    html += QStringLiteral("<table>");
    for (uint32_t i = 0; i < values.size(); ++i) {
      html += QStringLiteral("<tr><td style='padding-right:14px'>%1</td><td><code>0x%2</code></td></tr>")
                  .arg(text_of(row.operand_name(i)).toHtmlEscaped())
                  .arg(values[i], 0, 16);
    }
    html += QStringLiteral("</table>");
  }
  for (uint32_t i = 0; i < recording->write_count(step); ++i)
    html += write_lines(session, step, recording->write(step, i));
  if (recording->write_count(step) == 0) html += QObject::tr("<p>This step decides; it writes nothing.</p>");
  if (const EventIndex event = recording->event_of(step); event != no_event) {
    const Event& seen = recording->events()[event];
    html += QObject::tr("<p>Trace: line %1, %2 s, CPU %3</p>")
                .arg(grouped(seen.line), seconds(seen.time_ns))
                .arg(seen.cpu);
  }
  return html;
}

QString describe_focus(const Session& session) {
  const WordIndex word = session.focused_word();
  if (word == no_word) return {};
  const ui::ViewContext view = session.view();
  const ui::LastWrite write = ui::last_write(view, word);
  const uint64_t now = write.after, unseen = ui::unseen_bits(view, word, now, write.evidence);
  if (write.evidence == Evidence::unknown) {
    return QStringLiteral("<hr><p><b>%1</b></p>")
               .arg(QString::fromStdString(session.recording()->word_name(word)).toHtmlEscaped()) +
           describe_facts(*session.document(), word, session.position());
  }
  QString html = QStringLiteral("<hr><p><b>%1</b> <code>%2</code></p><p>%3</p>")
                     .arg(QString::fromStdString(session.recording()->word_name(word)).toHtmlEscaped(),
                          QString::fromStdString(ui::hex_seen(now, unseen)),
                          QString::fromStdString(ui::describe_word(view, word, now, unseen)).toHtmlEscaped());
  return html + describe_facts(*session.document(), word, session.position());
}

DetailsView::DetailsView(Session& session, QWidget* parent) : QTextBrowser(parent), session_(session) {
  setOpenLinks(false);
  document()->setDocumentMargin(14);
  document()->setDefaultStyleSheet(QStringLiteral("code { font-family: 'JetBrains Mono', monospace; }"));
  setAccessibleName(tr("Details of the current step"));
  for (const auto signal :
       {&Session::document_changed, &Session::position_changed, &Session::selection_changed,
        &Session::reading_changed}) {
    connect(&session_, signal, this, &DetailsView::refresh);
  }
  connect(this, &QTextBrowser::anchorClicked, this, [this](const QUrl& link) {
    bool ok = false;
    const StepIndex position = link.toString().section(QLatin1Char(':'), 1).toUInt(&ok);
    if (ok) session_.seek(position);
  });
}

void DetailsView::showEvent(QShowEvent* event) {
  QTextBrowser::showEvent(event);
  refresh();
}

void DetailsView::refresh() {
  if (isVisible()) setHtml(describe_step(session_) + describe_focus(session_));
}

}  // namespace hmmscope::app
