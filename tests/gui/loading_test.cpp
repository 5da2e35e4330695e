// The beginning of a file is on show while the rest is read; what was open comes back when that fails.
#include <gtest/gtest.h>

#include <QFile>
#include <QFileInfo>
#include <QSettings>
#include <QTemporaryDir>
#include <QTest>
#include <fstream>
#include <string>

#include "app/gui/main_window.h"
#include "app/gui/message_bar.h"
#include "tests/gui/small_document.h"
#include "tests/gui/wait.h"

namespace hmmscope::app {
namespace {

class Loading : public testing::Test {
 protected:
  void SetUp() override {
    WindowSetup setup;
    setup.settings = &settings_;
    window_ = std::make_unique<MainWindow>(setup);
    window_->show();
  }
  /// As if `path` were being read and this were its beginning.
  DocumentPtr preview(const QString& path, uint64_t shown = 30, uint64_t total = 100) {
    const DocumentPtr document = test::small_document();
    Q_EMIT window_->loader().previewed(Preview{document, find_landmarks(*document->recording), nullptr, shown, total},
                                       path, {});
    return document;
  }
  QTemporaryDir folder_;
  QSettings settings_{folder_.filePath(QStringLiteral("w.ini")), QSettings::IniFormat};
  std::unique_ptr<MainWindow> window_;
};

TEST_F(Loading, WhatWasOpenComesBackWhenTheRestCannotBeRead) {
  window_->show_document(test::small_document(), 6);
  const DocumentPtr before = window_->session().shared_document();
  window_->session().toggle_bookmark(6);
  const DocumentPtr beginning = preview(QStringLiteral("/tmp/large.dat"));
  EXPECT_EQ(window_->session().shared_document(), beginning);
  ASSERT_TRUE(window_->session().loading().has_value());
  EXPECT_EQ(window_->session().loading()->total, 100u);
  EXPECT_FALSE(window_->actions().action(QStringLiteral("file.branch"))->isEnabled());
  window_->session().seek(2);
  Q_EMIT window_->loader().failed(Error{"is cut off", "/tmp/large.dat", 0, 88, true}, QStringLiteral("/tmp/large.dat"));
  EXPECT_TRUE(window_->message_bar().isVisible());
  EXPECT_EQ(window_->session().shared_document(), before);
  EXPECT_EQ(window_->session().position(), 6u);
  EXPECT_EQ(window_->session().bookmarks().size(), 1u);
  EXPECT_FALSE(window_->session().loading().has_value());
}

TEST_F(Loading, CancellingGoesBackToNothingWhereNothingWasOpen) {
  preview(QStringLiteral("/tmp/large.dat"));
  EXPECT_NE(window_->session().document(), nullptr);
  Q_EMIT window_->loader().cancelled(QStringLiteral("/tmp/large.dat"));
  EXPECT_EQ(window_->session().document(), nullptr);
}

TEST_F(Loading, WhoHasMovedInTheBeginningStaysThere) {
  const QString path = QStringLiteral("/tmp/large.dat");
  preview(path);
  window_->session().seek(7);
  window_->session().select(test::pte, 1);
  preview(path, 60);
  EXPECT_EQ(window_->session().position(), 7u);
  EXPECT_EQ(window_->session().loading()->shown, 60u);
  const DocumentPtr whole = test::small_document();
  Q_EMIT window_->loader().opened(whole, find_landmarks(*whole->recording), nullptr, path, {});
  EXPECT_EQ(window_->session().shared_document(), whole);
  EXPECT_EQ(window_->session().position(), 7u);
  EXPECT_EQ(window_->session().selection().word, test::pte);
  EXPECT_FALSE(window_->session().loading().has_value());
}

TEST_F(Loading, WhoHasNotMovedIsWhereTheyWereTheLastTime) {
  const QString path = QStringLiteral("/tmp/large.dat");
  SessionState last;
  last.position = 8;
  last.bookmarks = {{4, QStringLiteral("here")}};
  SessionStore(settings_).save(path, last);
  preview(path);
  const DocumentPtr whole = test::small_document();
  Q_EMIT window_->loader().opened(whole, find_landmarks(*whole->recording), nullptr, path, {});
  EXPECT_EQ(window_->session().position(), 8u);
  EXPECT_EQ(window_->session().bookmarks().size(), 1u);
}

/// Four thousand calls' worth of text, large enough that its beginning is shown first.
QString large_trace(const QTemporaryDir& folder) {
  std::ifstream sample(HMMSCOPE_SOURCE_DIR "/traces/samples/6.12-snapshot.trace.txt");
  std::string head, events, line;
  while (std::getline(sample, line)) (line.starts_with("#") ? head : events) += line + "\n";
  const QString path = folder.filePath(QStringLiteral("large.trace.txt"));
  std::ofstream file(path.toStdString());
  file << head << events;
  // What follows is no part of any call: the beginning is the same with it.
  const std::string tail = "              sh-55      [001] .....  9975.000001: print: tracing_mark_write: padding padding padding\n";
  for (size_t size = events.size(); size < (9u << 20); size += tail.size()) file << tail;
  return path;
}

TEST_F(Loading, TheBeginningOfALargeTextComesFirst) {
  const QString path = large_trace(folder_);
  DocumentPtr beginning;
  QObject::connect(&window_->loader(), &DocumentLoader::previewed, [&](const Preview& preview) {
    beginning = preview.document;
    EXPECT_GT(preview.shown, 0u);
    EXPECT_EQ(preview.total, static_cast<uint64_t>(QFileInfo(path).size()));
    EXPECT_NE(preview.lanes, nullptr);
  });
  window_->open(path);
  ASSERT_TRUE(wait_for([&] { return beginning != nullptr && !window_->loader().busy(); }));
  const DocumentPtr whole = window_->session().shared_document();
  ASSERT_NE(whole, beginning);
  EXPECT_EQ(whole->title, beginning->title);
  EXPECT_EQ(whole->model.id, beginning->model.id);
  ASSERT_GE(whole->recording->steps(), beginning->recording->steps());
  for (StepIndex step = 0; step < beginning->recording->steps(); ++step)
    ASSERT_EQ(whole->recording->rule_of(step), beginning->recording->rule_of(step)) << step;
}

TEST_F(Loading, WhatCannotBeReadKeepsTheOldDocument) {
  window_->show_document(test::small_document(), 5);
  const auto write = [&](const char* name, const QByteArray& bytes) {
    QFile file(folder_.filePath(QString::fromLatin1(name)));
    EXPECT_TRUE(file.open(QIODevice::WriteOnly));
    file.write(bytes);
    return file.fileName();
  };
  QStringList files{write("empty.txt", {}), write("noise.dat", QByteArray(5000, '\x17')),
                    write("cut.trace.txt.xz", QByteArray("\xfd" "7zXZ\0\0\4\xe6\xd6\xb4", 11)),
                    write("half.json", "{\"hmmscope-scenario\": 1, \"title\": ")};
  QFile huge(folder_.filePath(QStringLiteral("huge.trace")));
  ASSERT_TRUE(huge.open(QIODevice::WriteOnly));
  ASSERT_TRUE(huge.resize(qint64{6} << 30));  // zeros that take no room
  files << huge.fileName();
  for (const QString& file : files) {
    window_->open(file);
    ASSERT_TRUE(wait_for([&] { return !window_->loader().busy(); })) << file.toStdString();
    EXPECT_TRUE(window_->message_bar().isVisible()) << file.toStdString();
    EXPECT_TRUE(window_->message_bar().text().contains(QFileInfo(file).fileName()))
        << window_->message_bar().text().toStdString();
    ASSERT_NE(window_->session().document(), nullptr);
    EXPECT_EQ(window_->session().document()->title, "small");
    EXPECT_EQ(window_->session().position(), 5u);
  }
}

}  // namespace
}  // namespace hmmscope::app
