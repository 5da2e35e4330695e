#include "app/gui/action_registry.h"

#include <utility>

namespace hmmscope::app {
namespace {

QList<QKeySequence> parse_keys(const QString& text) {
  QList<QKeySequence> keys;
  for (const QString& part : text.split(QStringLiteral("; "), Qt::SkipEmptyParts)) {
    const QKeySequence key = QKeySequence::fromString(part, QKeySequence::PortableText);
    if (!key.isEmpty()) keys << key;
  }
  return keys;
}

QString keys_text(const QList<QKeySequence>& keys) {
  QStringList parts;
  for (const QKeySequence& key : keys) parts << key.toString(QKeySequence::PortableText);
  return parts.join(QStringLiteral("; "));
}

}  // namespace

ActionRegistry::ActionRegistry(QObject* parent) : QObject(parent) {
  const auto table = action_table();
  for (size_t i = 0; i < table.size(); ++i) {
    auto* action = new QAction(QString::fromUtf8(table[i].text), this);
    action->setObjectName(QString::fromLatin1(table[i].id));
    action->setData(static_cast<int>(i));
    action->setShortcutContext(Qt::WindowShortcut);
    actions_ << action;
    by_id_.insert(action->objectName(), action);
    set_shortcuts(action->objectName(), defaults(action->objectName()));
  }
}

void ActionRegistry::bind(const char* id, Run run, Test enabled, Test checked) {
  QAction* found = action(QString::fromLatin1(id));
  Q_ASSERT_X(found != nullptr && !handlers_.contains(found->objectName()), "bind", id);
  if (checked) found->setCheckable(true);
  handlers_.insert(found->objectName(), {std::move(enabled), std::move(checked)});
  connect(found, &QAction::triggered, this, [this, run = std::move(run)] {
    run();
    refresh();
  });
}

QAction* ActionRegistry::action(const QString& id) const { return by_id_.value(id, nullptr); }

const ActionRow& ActionRegistry::row(const QAction* action) {
  return action_table()[static_cast<size_t>(action->data().toInt())];
}

QString ActionRegistry::id(const QAction* action) { return action->objectName(); }

QString ActionRegistry::plain_text(const QAction* action) {
  QString text = action->text();
  text.remove(QLatin1Char('&'));
  text.remove(QChar(0x2026));
  return text;
}

QStringList ActionRegistry::unbound() const {
  QStringList missing;
  for (const QAction* action : actions_) {
    if (!handlers_.contains(action->objectName())) missing << action->objectName();
  }
  return missing;
}

void ActionRegistry::refresh() {
  for (QAction* action : actions_) {
    const auto it = handlers_.constFind(action->objectName());
    if (it == handlers_.constEnd()) continue;
    if (it->enabled) action->setEnabled(it->enabled());
    if (it->checked) action->setChecked(it->checked());
  }
}

void ActionRegistry::apply_colours(const Colours& colours) {
  for (QAction* action : actions_) {
    if (row(action).icon == Icon::none) continue;
    action->setIcon(make_icon(row(action).icon, colours.text, colours.control_border));
    action->setIconVisibleInMenu(false);
  }
}

QList<QKeySequence> ActionRegistry::defaults(const QString& id) const {
  const QAction* found = action(id);
  return found == nullptr ? QList<QKeySequence>() : parse_keys(QString::fromLatin1(row(found).shortcuts));
}

void ActionRegistry::set_shortcuts(const QString& id, const QList<QKeySequence>& keys) {
  QAction* found = action(id);
  if (found == nullptr) return;
  found->setShortcuts(keys);
  QString tip = plain_text(found);
  if (!keys.isEmpty()) tip += QStringLiteral(" (%1)").arg(keys.first().toString(QKeySequence::NativeText));
  found->setToolTip(tip + QLatin1Char('\n') + QString::fromUtf8(row(found).hint));
  found->setStatusTip({});
}

std::vector<ShortcutClash> ActionRegistry::clashes() const {
  std::vector<ShortcutClash> found;
  QHash<QKeySequence, QString> owner;
  for (const QAction* action : actions_) {
    for (const QKeySequence& key : action->shortcuts()) {
      if (const auto it = owner.constFind(key); it != owner.constEnd()) {
        found.push_back({*it, action->objectName(), key});
      } else {
        owner.insert(key, action->objectName());
      }
    }
  }
  return found;
}

void ActionRegistry::save(QSettings& settings) const {
  settings.remove(QStringLiteral("shortcuts"));
  for (const QAction* action : actions_) {
    if (action->shortcuts() == defaults(action->objectName())) continue;
    settings.setValue(QStringLiteral("shortcuts/") + action->objectName(), keys_text(action->shortcuts()));
  }
}

void ActionRegistry::load(const QSettings& settings) {
  for (const QAction* action : actions_) {
    const QVariant stored = settings.value(QStringLiteral("shortcuts/") + action->objectName());
    if (stored.isValid()) set_shortcuts(action->objectName(), parse_keys(stored.toString()));
  }
}

}  // namespace hmmscope::app
