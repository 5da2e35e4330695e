#pragma once
/// Sessions on disk: what was open last, and the cursor, selection, breakpoints and bookmarks of each
/// document that was opened. Kept in the window's settings file. Values are checked when read: the file may
/// have been edited.

#include <QSettings>
#include <QString>
#include <QStringList>
#include <memory>
#include <optional>

#include "app/gui/session.h"

namespace hmmscope::app {

/// The settings file: hmmscope/hmmscope.ini under the standard configuration directory.
std::unique_ptr<QSettings> open_settings();

struct LastDocument {
  QString path;
  QString kernel;  ///< model override; empty = as the file says
};

class SessionStore {
 public:
  /// `settings` must outlive the store.
  explicit SessionStore(QSettings& settings) : settings_(settings) {}

  void save(const QString& path, const SessionState& state);
  std::optional<SessionState> load(const QString& path) const;

  void set_last(const LastDocument& last);
  std::optional<LastDocument> last() const;

  QStringList recent() const;  ///< newest first, at most 12
  void add_recent(const QString& path);
  void clear_recent();

 private:
  QSettings& settings_;
};

}  // namespace hmmscope::app
