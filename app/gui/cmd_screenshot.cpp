// `hmmscope screenshot`: a picture of the window, or of one panel, without a display.
#include <fmt/format.h>

#include <QApplication>
#include <QBuffer>
#include <QEventLoop>
#include <QImage>
#include <QTimer>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>

#include "app/cli/window.h"
#include "app/gui/fonts.h"
#include "app/gui/main_window.h"
#include "app/gui/program_style.h"
#include "app/gui/session.h"
#include "engine/base/output_file.h"
#include "ui/canvas/canvas.h"

namespace hmmscope::app {
namespace {

constexpr int size_limit = 16384;  // a side, in device pixels
constexpr int window_width = 1680, window_height = 1040;
constexpr int settle_frames = 8;

struct Request {
  std::string file, kernel, panel, size, theme = "dark", out, layout;
  std::optional<uint32_t> at;
  double scale = 1;
};

struct Size {
  int width, height;
};

Result<Size> parse_size(const std::string& text, Size usual, double scale) {
  Size size = usual;
  if (!text.empty()) {
    char rest = 0;
    if (std::sscanf(text.c_str(), "%dx%d%c", &size.width, &size.height, &rest) != 2) {
      return fail("--size is written WIDTHxHEIGHT, such as 1680x1040, not '" + text + "'");
    }
  }
  const auto fits = [&](int side) { return side >= 16 && side * scale <= size_limit; };
  if (!fits(size.width) || !fits(size.height)) {
    return fail("--size times --scale must be between 16 and " + std::to_string(size_limit) +
                " pixels a side");
  }
  return size;
}

ui::ThemeKind theme_kind(const Request& request) {
  return request.theme == "light" ? ui::ThemeKind::light : ui::ThemeKind::dark;
}

/// The usual size of a panel: its place in the window.
Size panel_size(const std::string& id) {
  if (id == "timeline") return {1664, 206};
  if (id == "decision" || id == "history") return {416, 320};
  return {900, 320};
}

Result<void> draw_panel(const Request& request, const DocumentPtr& document) {
  auto panel = ui::make_panel(request.panel);
  if (!panel) {
    std::string known;
    for (const auto& each : ui::make_panels()) known += (known.empty() ? "" : ", ") + std::string(each->id());
    return fail("there is no panel '" + request.panel + "'; panels are: " + known);
  }
  const auto size = parse_size(request.size, panel_size(request.panel), request.scale);
  if (!size) return fail(size.error());
  Session session;
  session.open(document, find_landmarks(*document->recording));
  session.set_theme(theme_kind(request));
  session.choose_layout(QString::fromStdString(request.layout));
  session.seek(request.at.value_or(session.steps()));
  ui::Canvas canvas(std::move(panel));
  ui::Intents ignored;
  for (int i = 0; i < settle_frames; ++i) {
    canvas.frame({size->width, size->height, static_cast<float>(request.scale)}, {}, session.view(), ignored);
    if (!canvas.wants_another_frame()) break;
  }
  ui::Image image;
  canvas.rasterise(image);
  return ui::save_png(image, request.out);
}

/// The offscreen platform complains of what it cannot do to windows nobody sees; the rest is worth reading.
void say_what_matters(QtMsgType, const QMessageLogContext&, const QString& text) {
  for (const char* noise : {"This plugin does not support", "QStandardPaths: XDG_RUNTIME_DIR not set"}) {
    if (text.startsWith(QLatin1String(noise))) return;
  }
  std::fprintf(stderr, "hmmscope: %s\n", qPrintable(text));
}

Result<void> draw_window(const Request& request, const DocumentPtr& document) {
  const auto size = parse_size(request.size, {window_width, window_height}, request.scale);
  if (!size) return fail(size.error());
  // The picture must not depend on the display, nor need one.
  qputenv("QT_QPA_PLATFORM", "offscreen");
  qputenv("QT_SCALE_FACTOR", QByteArray::number(request.scale));
  qInstallMessageHandler(say_what_matters);
  int argc = 1;
  char name[] = "hmmscope";
  char* argv[] = {name, nullptr};
  QApplication application(argc, argv);
  QApplication::setStyle(new ProgramStyle);
  QApplication::setFont(text_font(1));
  WindowSetup setup;
  setup.path_reason = QStringLiteral("software");
  setup.desktop = theme_kind(request);
  MainWindow window(setup);
  const QSize least = window.minimumSize().expandedTo(window.minimumSizeHint());
  if (size->width < least.width() || size->height < least.height())
    return fail(fmt::format("the window needs at least {}x{}; --panel draws one panel at any size", least.width(), least.height()));
  window.resize(size->width, size->height);
  window.show();
  window.show_document(document, request.at);
  window.session().choose_layout(QString::fromStdString(request.layout));
  // Docks find their sizes and canvases settle in the event loop.
  QEventLoop loop;
  QTimer::singleShot(250, &loop, &QEventLoop::quit);
  loop.exec();
  QByteArray png;
  QBuffer buffer(&png);
  if (!buffer.open(QIODevice::WriteOnly) || !window.grab().save(&buffer, "PNG"))
    return fail(Error{"the picture cannot be made", request.out, 0, 0, false});
  return write_output_file(request.out, {reinterpret_cast<const uint8_t*>(png.constData()), static_cast<size_t>(png.size())});
}

class ScreenshotCommand : public Command {
 public:
  std::string_view name() const override { return "screenshot"; }
  std::string_view summary() const override { return "Draw the window or one panel into a PNG"; }
  void declare(Arguments& arguments) override {
    arguments.option("FILE", request_.file, "A kernel trace, a scenario or a saved recording").required();
    arguments.option("--at", request_.at,
                   "Cursor position (steps applied); default: the end for a panel, for the window "
                   "the first step that fills a pfn");
    arguments.option("--panel", request_.panel, "Only this panel: walk, bits, decision, history or timeline");
    arguments.option("--size", request_.size, "WxH in logical pixels");
    arguments.option("--theme", request_.theme, "dark or light").one_of({"dark", "light"});
    arguments.option("--scale", request_.scale, "Device pixels a logical pixel").range(0.5, 8.0);
    arguments.option("--kernel", request_.kernel, "Kernel model that overrides what the file says");
    arguments.option("--layout", request_.layout, "Layout id to read hmm_pfns words with");
    arguments.option("-o,--output", request_.out, "The PNG to write").required();
  }
  int run(const Output& output) override {
    if (const auto other = check_not_input(request_.out, request_.file); !other) return output.bad_input(other.error());
    traces::OpenOptions options;
    options.kernel = request_.kernel;
    const auto document = traces::open_document(request_.file, options);
    if (!document) return output.bad_input(document.error());
    if (request_.at && *request_.at > (*document)->recording->steps()) {
      return output.bad_input(
          {"--at: this recording has " + std::to_string((*document)->recording->steps()) + " steps",
           request_.file, 0, 0, false});
    }
    if (!request_.layout.empty()) {
      if (const auto layout = layout_or_error(request_.layout); !layout)
        return output.bad_input(layout.error());
    }
    const auto drawn =
        request_.panel.empty() ? draw_window(request_, *document) : draw_panel(request_, *document);
    if (!drawn) return output.bad_input(drawn.error());
    if (output.json) output.print("{\"written\": true}\n");
    return exit_ok;
  }

 private:
  Request request_;
};

}  // namespace

std::unique_ptr<Command> make_screenshot_command() { return std::make_unique<ScreenshotCommand>(); }

}  // namespace hmmscope::app
