// Widgets need an application; the tests need no display.
#include <gtest/gtest.h>

#include <QApplication>
#include <QStandardPaths>
#include <memory>

#include "app/gui/program_style.h"

namespace {

class ApplicationEnvironment : public testing::Environment {
 public:
  void SetUp() override {
    qputenv("QT_QPA_PLATFORM", "offscreen");
    QStandardPaths::setTestModeEnabled(true);
    application_ = std::make_unique<QApplication>(argc_, argv_);
    QApplication::setStyle(new hmmscope::app::ProgramStyle);
  }
  void TearDown() override { application_.reset(); }

 private:
  int argc_ = 1;
  char name_[9] = "gui_test";
  char* argv_[2] = {name_, nullptr};
  std::unique_ptr<QApplication> application_;
};

[[maybe_unused]] const auto* const environment =
    testing::AddGlobalTestEnvironment(new ApplicationEnvironment);

}  // namespace
