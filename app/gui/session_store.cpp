#include "app/gui/session_store.h"

#include <QCryptographicHash>

namespace hmmscope::app {
namespace {

constexpr int documents_kept = 100;
constexpr int recent_kept = 12;

QString group_of(const QString& path) {
  const QByteArray digest = QCryptographicHash::hash(path.toUtf8(), QCryptographicHash::Sha1).toHex();
  return QStringLiteral("documents/") + QString::fromLatin1(digest.left(16));
}

}  // namespace

std::unique_ptr<QSettings> open_settings() {
  return std::make_unique<QSettings>(QSettings::IniFormat, QSettings::UserScope, QStringLiteral("hmmscope"),
                                     QStringLiteral("hmmscope"));
}

void SessionStore::save(const QString& path, const SessionState& state) {
  const QString group = group_of(path);
  // The oldest documents give way, so that the file does not grow for ever.
  QStringList order = settings_.value(QStringLiteral("documents/order")).toStringList();
  order.removeAll(group);
  order.prepend(group);
  while (order.size() > documents_kept) settings_.remove(order.takeLast());
  settings_.setValue(QStringLiteral("documents/order"), order);

  settings_.remove(group);
  settings_.beginGroup(group);
  settings_.setValue(QStringLiteral("path"), path);
  settings_.setValue(QStringLiteral("position"), state.position);
  if (state.word != no_word) settings_.setValue(QStringLiteral("word"), state.word);
  if (state.bit >= 0) settings_.setValue(QStringLiteral("bit"), state.bit);
  if (!state.layout.isEmpty()) settings_.setValue(QStringLiteral("layout"), state.layout);
  if (!state.geometry.isEmpty()) settings_.setValue(QStringLiteral("geometry"), state.geometry);
  if (state.compared) settings_.setValue(QStringLiteral("compared"), *state.compared);
  QStringList points;
  for (const Breakpoint& point : state.breakpoints) {
    points << QStringLiteral("%1:%2").arg(point.word).arg(point.mask, 0, 16);
  }
  if (!points.isEmpty()) settings_.setValue(QStringLiteral("breakpoints"), points);
  QStringList marks;
  for (const Bookmark& mark : state.bookmarks)
    marks << QStringLiteral("%1:%2").arg(mark.position).arg(mark.note);
  if (!marks.isEmpty()) settings_.setValue(QStringLiteral("bookmarks"), marks);
  settings_.endGroup();
}

std::optional<SessionState> SessionStore::load(const QString& path) const {
  const QString group = group_of(path) + QLatin1Char('/');
  if (settings_.value(group + QStringLiteral("path")).toString() != path) return std::nullopt;
  const auto value = [&](const char* key) { return settings_.value(group + QLatin1String(key)); };
  SessionState state;
  state.position = value("position").toUInt();
  bool ok = false;
  const WordIndex word = value("word").toString().toUInt(&ok);
  if (ok) state.word = word;
  const int bit = value("bit").toInt(&ok);
  if (ok && bit >= 0 && bit < 64) state.bit = bit;
  state.layout = value("layout").toString();
  state.geometry = value("geometry").toString();
  const StepIndex compared = value("compared").toString().toUInt(&ok);
  if (ok) state.compared = compared;
  for (const QString& text : value("breakpoints").toStringList()) {
    bool word_ok = false, mask_ok = false;
    const WordIndex at = text.section(QLatin1Char(':'), 0, 0).toUInt(&word_ok);
    const uint64_t mask = text.section(QLatin1Char(':'), 1, 1).toULongLong(&mask_ok, 16);
    if (word_ok && mask_ok) state.breakpoints.push_back({at, mask});
  }
  for (const QString& text : value("bookmarks").toStringList()) {
    const StepIndex position = text.section(QLatin1Char(':'), 0, 0).toUInt(&ok);
    if (ok) state.bookmarks.push_back({position, text.section(QLatin1Char(':'), 1)});
  }
  return state;
}

void SessionStore::set_last(const LastDocument& last) {
  settings_.setValue(QStringLiteral("session/path"), last.path);
  settings_.setValue(QStringLiteral("session/kernel"), last.kernel);
}

std::optional<LastDocument> SessionStore::last() const {
  const LastDocument last{settings_.value(QStringLiteral("session/path")).toString(),
                          settings_.value(QStringLiteral("session/kernel")).toString()};
  if (last.path.isEmpty()) return std::nullopt;
  return last;
}

QStringList SessionStore::recent() const {
  return settings_.value(QStringLiteral("session/recent")).toStringList();
}

void SessionStore::add_recent(const QString& path) {
  QStringList files = recent();
  files.removeAll(path);
  files.prepend(path);
  while (files.size() > recent_kept) files.removeLast();
  settings_.setValue(QStringLiteral("session/recent"), files);
}

void SessionStore::clear_recent() { settings_.remove(QStringLiteral("session/recent")); }

}  // namespace hmmscope::app
