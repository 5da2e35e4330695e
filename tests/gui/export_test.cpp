// Writing what is open in every format, and work off the UI thread.
#include "app/gui/export_file.h"

#include <gtest/gtest.h>

#include <QFile>
#include <QFileInfo>
#include <QTemporaryDir>
#include <QTest>
#include <atomic>

#include "app/gui/task.h"
#include "tests/gui/small_document.h"

namespace hmmscope::app {
namespace {

QByteArray content(const QString& path) {
  QFile file(path);
  return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
}

TEST(Export, EveryFormatOfTheDialogIsWritten) {
  const DocumentPtr document = test::small_document();
  QTemporaryDir folder;
  ASSERT_EQ(export_choices().size(), 5u);
  for (const ExportChoice& choice : export_choices()) {
    EXPECT_TRUE(choice.filter.contains(QStringLiteral("*.") + choice.suffix)) << choice.filter.toStdString();
    const QString path = folder.filePath(choice.name + QLatin1Char('.') + choice.suffix);
    const auto written = export_file(*document, choice.name, path.toStdString(), {});
    ASSERT_TRUE(written.has_value()) << written.error().to_string();
    EXPECT_GT(content(path).size(), 100) << choice.name.toStdString();
  }
  EXPECT_TRUE(content(folder.filePath(QStringLiteral("html.html"))).contains("<svg"));
  EXPECT_TRUE(content(folder.filePath(QStringLiteral("csv.csv"))).contains("hmm_range_fault"));
  EXPECT_GT(content(folder.filePath(QStringLiteral("csv.pfns.csv"))).size(), 100);
  EXPECT_TRUE(content(folder.filePath(QStringLiteral("jsonl.jsonl"))).startsWith("{"));
  EXPECT_TRUE(traces::open_document(folder.filePath(QStringLiteral("hmmrec.hmmrec")).toStdString()).has_value());
}

/// Who types another suffix into the dialog means that format.
TEST(Export, ATypedSuffixDecides) {
  const ExportChoice& jsonl = export_choices().front();
  EXPECT_EQ(jsonl.suffix, QStringLiteral("jsonl"));
  EXPECT_EQ(choice_for(QStringLiteral("/a/run.HTML"), jsonl).name, QStringLiteral("html"));
  EXPECT_EQ(choice_for(QStringLiteral("/a/run.json"), jsonl).name, QStringLiteral("chrome"));
  EXPECT_EQ(choice_for(QStringLiteral("/a/run.jsonl"), jsonl).name, QStringLiteral("jsonl"));
  EXPECT_EQ(choice_for(QStringLiteral("/a/csv/run.1"), jsonl).name, QStringLiteral("jsonl"));
}

TEST(Export, ACancelledOneLeavesTheOldFile) {
  QTemporaryDir folder;
  const QString path = folder.filePath(QStringLiteral("run.jsonl"));
  QFile old(path);
  ASSERT_TRUE(old.open(QIODevice::WriteOnly));
  old.write("old");
  old.close();
  const std::atomic<bool> cancel{true};
  traces::Progress progress;
  progress.cancel = &cancel;
  const auto written = export_file(*test::small_document(), QStringLiteral("jsonl"), path.toStdString(), progress);
  ASSERT_FALSE(written.has_value());
  EXPECT_EQ(written.error().message, "cancelled");
  EXPECT_EQ(content(path), "old");
  EXPECT_EQ(QDir(folder.path()).entryList(QDir::Files).size(), 1);
}

TEST(Export, AFolderThatDoesNotExistIsNamed) {
  const auto written =
      export_file(*test::small_document(), QStringLiteral("csv"), "/does/not/exist/run.csv", {});
  ASSERT_FALSE(written.has_value());
  EXPECT_NE(written.error().to_string().find("/does/not/exist/run.csv"), std::string::npos);
}

TEST(TaskTest, SaysHowTheWorkEndedOnItsOwnThread) {
  Task task;
  QString result;
  task.start(
      QStringLiteral("work"), [](const traces::Progress&) -> Result<void> { return fail("no luck"); },
      [&](const Result<void>& done) {
        EXPECT_EQ(QThread::currentThread(), task.thread());
        result = QString::fromStdString(done.error().message);
      });
  EXPECT_TRUE(task.busy());
  ASSERT_TRUE(QTest::qWaitFor([&] { return !task.busy(); }, 10000));
  EXPECT_EQ(result, QStringLiteral("no luck"));
  task.start(
      QStringLiteral("work"), [](const traces::Progress&) -> Result<void> { throw std::runtime_error("thrown"); },
      [&](const Result<void>& done) { result = QString::fromStdString(done.error().message); });
  ASSERT_TRUE(QTest::qWaitFor([&] { return !task.busy(); }, 10000));
  EXPECT_EQ(result, QStringLiteral("thrown"));
}

TEST(TaskTest, CancelledWorkSaysNothing) {
  Task task;
  bool said = false, ended = false;
  QObject::connect(&task, &Task::ended, [&] { ended = true; });
  task.start(
      QStringLiteral("work"),
      [](const traces::Progress& progress) -> Result<void> {
        while (!progress.cancelled()) std::this_thread::yield();
        return fail("cancelled");
      },
      [&](const Result<void>&) { said = true; });
  task.cancel();
  EXPECT_FALSE(task.busy());
  EXPECT_TRUE(ended);
  QCoreApplication::processEvents();
  EXPECT_FALSE(said);
}

}  // namespace
}  // namespace hmmscope::app
