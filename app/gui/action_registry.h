#pragma once
/// The window's actions: one QAction a row of the action table, with its handler, its enabled state and its
/// shortcuts as the user has set them. Menus, tool bar, palette and shortcut editor read it; nobody else
/// makes actions.

#include <QAction>
#include <QHash>
#include <QKeySequence>
#include <QList>
#include <QObject>
#include <QSettings>
#include <QString>
#include <functional>
#include <vector>

#include "app/gui/action_table.h"
#include "app/gui/theme.h"

namespace hmmscope::app {

/// Two actions that want the same key.
struct ShortcutClash {
  QString first, second;  ///< action ids
  QKeySequence key;
};

class ActionRegistry : public QObject {
  Q_OBJECT
 public:
  using Run = std::function<void()>;
  using Test = std::function<bool()>;

  explicit ActionRegistry(QObject* parent = nullptr);

  /// Exactly once an action. `enabled` empty: always. `checked` makes it a check box.
  void bind(const char* id, Run run, Test enabled = {}, Test checked = {});
  QAction* action(const QString& id) const;  ///< nullptr when unknown
  const QList<QAction*>& actions() const { return actions_; }
  static const ActionRow& row(const QAction* action);
  static QString id(const QAction* action);
  /// Text without mnemonic and dots, as the palette shows it.
  static QString plain_text(const QAction* action);
  QStringList unbound() const;

  /// Asks every predicate again.
  void refresh();
  void apply_colours(const Colours& colours);

  QList<QKeySequence> defaults(const QString& id) const;
  void set_shortcuts(const QString& id, const QList<QKeySequence>& keys);
  std::vector<ShortcutClash> clashes() const;
  /// Only what differs from the defaults is stored.
  void save(QSettings& settings) const;
  void load(const QSettings& settings);

 private:
  struct Handler {
    Test enabled, checked;
  };
  QList<QAction*> actions_;
  QHash<QString, QAction*> by_id_;
  QHash<QString, Handler> handlers_;
};

}  // namespace hmmscope::app
