#pragma once
/// Whether the desktop is dark or light, now and whenever it changes its mind.

#include <QDBusVariant>
#include <QObject>
#include <QPalette>

#include "app/gui/core.h"

namespace hmmscope::app {

/// `platform` is the palette the platform gave the application, before it was given another. Dark where that
/// is dark, or where there is no desktop to follow (a bare X server, the offscreen platform).
ui::ThemeKind desktop_theme(const QPalette& platform);

/// Follows the desktop: its colour-scheme setting (org.freedesktop.portal.Settings) where it has one, else the
/// platform's palette. Asks without waiting, and not at all where there is no session bus.
/// Threads: the one of the application.
class DesktopTheme : public QObject {
  Q_OBJECT
 public:
  explicit DesktopTheme(const QPalette& platform, QObject* parent = nullptr);
  ui::ThemeKind kind() const;
  /// Asks the portal and listens to it from now on.
  void follow_portal();
  /// The platform's palette has changed.
  void set_palette(const QPalette& platform);

 public Q_SLOTS:
  /// The portal's signal: 0 no preference, 1 dark, 2 light. Other settings are ignored.
  void setting_changed(const QString& space, const QString& key, const QDBusVariant& value);

 Q_SIGNALS:
  void changed();

 private:
  enum class Scheme : uint8_t { none, dark, light };
  void set_scheme(uint32_t value);

  Scheme scheme_ = Scheme::none;
  ui::ThemeKind platform_;
};

}  // namespace hmmscope::app
