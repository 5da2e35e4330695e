#include "app/gui/desktop_theme.h"

#include <QDBusConnection>
#include <QDBusMessage>
#include <QDBusPendingCallWatcher>
#include <QDBusPendingReply>
#include <QFileInfo>

namespace hmmscope::app {
namespace {

constexpr auto service = "org.freedesktop.portal.Desktop";
constexpr auto object_path = "/org/freedesktop/portal/desktop";
constexpr auto interface = "org.freedesktop.portal.Settings";
constexpr auto appearance = "org.freedesktop.appearance";
constexpr auto color_scheme = "color-scheme";

QString text(const char* latin) { return QString::fromLatin1(latin); }

/// Without this check the bus library would try to start a bus of its own.
bool has_session_bus() {
  if (!qEnvironmentVariableIsEmpty("DBUS_SESSION_BUS_ADDRESS")) return true;
  return QFileInfo::exists(qEnvironmentVariable("XDG_RUNTIME_DIR") + QStringLiteral("/bus"));
}

/// Older portals wrap the value twice.
QVariant unwrapped(QVariant value) {
  while (value.userType() == qMetaTypeId<QDBusVariant>()) value = value.value<QDBusVariant>().variant();
  return value;
}

}  // namespace

ui::ThemeKind desktop_theme(const QPalette& platform) {
  const QColor back = platform.color(QPalette::Window), front = platform.color(QPalette::WindowText);
  if (back.lightness() < front.lightness()) return ui::ThemeKind::dark;
  // GTK programs are told this way; Qt's own platform themes do not all pass it on.
  if (qgetenv("GTK_THEME").toLower().endsWith("dark")) return ui::ThemeKind::dark;
  const bool desktop =
      !qEnvironmentVariableIsEmpty("XDG_CURRENT_DESKTOP") || !qEnvironmentVariableIsEmpty("DESKTOP_SESSION");
  return desktop ? ui::ThemeKind::light : ui::ThemeKind::dark;
}

DesktopTheme::DesktopTheme(const QPalette& platform, QObject* parent)
    : QObject(parent), platform_(desktop_theme(platform)) {}

ui::ThemeKind DesktopTheme::kind() const {
  if (scheme_ == Scheme::none) return platform_;
  return scheme_ == Scheme::dark ? ui::ThemeKind::dark : ui::ThemeKind::light;
}

void DesktopTheme::follow_portal() {
  if (!has_session_bus()) return;
  qRegisterMetaType<QDBusVariant>();  // connect() looks the types of the slot up by name
  QDBusConnection bus = QDBusConnection::sessionBus();
  if (!bus.isConnected()) return;
  bus.connect(text(service), text(object_path), text(interface), QStringLiteral("SettingChanged"), this,
              SLOT(setting_changed(QString, QString, QDBusVariant)));
  QDBusMessage read =
      QDBusMessage::createMethodCall(text(service), text(object_path), text(interface), QStringLiteral("Read"));
  read << text(appearance) << text(color_scheme);
  auto* watcher = new QDBusPendingCallWatcher(bus.asyncCall(read), this);
  connect(watcher, &QDBusPendingCallWatcher::finished, this, [this](QDBusPendingCallWatcher* done) {
    const QDBusPendingReply<QDBusVariant> reply = *done;
    done->deleteLater();
    if (reply.isValid()) setting_changed(text(appearance), text(color_scheme), reply.value());
  });
}

void DesktopTheme::setting_changed(const QString& space, const QString& key, const QDBusVariant& value) {
  if (space != QLatin1String(appearance) || key != QLatin1String(color_scheme)) return;
  bool ok = false;
  const uint32_t number = unwrapped(value.variant()).toUInt(&ok);
  if (ok) set_scheme(number);
}

void DesktopTheme::set_scheme(uint32_t value) {
  const Scheme scheme = value == 1 ? Scheme::dark : value == 2 ? Scheme::light : Scheme::none;
  if (scheme == scheme_) return;
  scheme_ = scheme;
  Q_EMIT changed();
}

void DesktopTheme::set_palette(const QPalette& platform) {
  platform_ = desktop_theme(platform);
  Q_EMIT changed();
}

}  // namespace hmmscope::app
