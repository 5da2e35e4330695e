// Starts the window.
#include <QApplication>
#include <QFileInfo>
#include <QSettings>
#include <QTimer>

#include "app/cli/paths.h"
#include "app/cli/window.h"
#include "app/gui/desktop_theme.h"
#include "app/gui/fonts.h"
#include "app/gui/main_window.h"
#include "app/gui/program_style.h"

namespace hmmscope::app {
namespace {

/// What to open: the file that was named, else what was open last, else the default recording.
void open_first(MainWindow& window, QSettings& settings, const WindowOptions& options) {
  if (!options.file.empty()) {
    window.open(QString::fromStdString(options.file.string()), QString::fromStdString(options.kernel));
    return;
  }
  const auto last = SessionStore(settings).last();
  if (last && QFileInfo::exists(last->path)) {
    window.open(last->path, options.kernel.empty() ? last->kernel : QString::fromStdString(options.kernel));
    return;
  }
  window.open(QString::fromStdString(default_recording().string()), QString::fromStdString(options.kernel));
}

}  // namespace

int run_window(int argc, char** argv, const WindowOptions& options) {
  // The usual scale's glyphs are drawn while Qt looks for its plugins and OpenGL for its driver.
  const auto fonts = std::make_shared<ui::FontCache>();
  fonts->prepare(1);
  QApplication application(argc, argv);
  QApplication::setApplicationName(QStringLiteral("hmmscope"));
  QApplication::setApplicationDisplayName({});
  QApplication::setDesktopFileName(QStringLiteral("hmmscope"));
  WindowSetup setup;
  DesktopTheme desktop(QApplication::palette());
  setup.desktop = desktop.kind();
  QApplication::setStyle(new ProgramStyle);
  QApplication::setFont(text_font(1));
  setup.canvas = {choose_draw_path(&setup.path_reason), fonts};
  const auto settings = open_settings();
  if (options.fresh) settings->clear();
  setup.settings = settings.get();
  MainWindow window(setup);
  QObject::connect(&desktop, &DesktopTheme::changed, &window,
                   [&] { window.set_desktop_theme(desktop.kind()); });
  QObject::connect(&window, &MainWindow::platform_changed, &desktop, [&] {
    QApplication::setPalette(QPalette());  // the platform's own, for the time of the look
    desktop.set_palette(QApplication::palette());
  });
  window.restore_state();
  window.show();
  // The window is on screen before anything is read.
  QTimer::singleShot(0, &window, [&] {
    open_first(window, *settings, options);
    desktop.follow_portal();
  });
  return QApplication::exec();
}

}  // namespace hmmscope::app
