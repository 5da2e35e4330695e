#include <gtest/gtest.h>

#include <QTemporaryDir>

#include "app/gui/session_store.h"
#include "app/gui/text_format.h"

namespace hmmscope::app {
namespace {

class Store : public testing::Test {
 protected:
  QTemporaryDir folder_;
  QSettings settings_{folder_.filePath(QStringLiteral("s.ini")), QSettings::IniFormat};
  SessionStore store_{settings_};
};

TEST_F(Store, EveryPartOfAStateComesBackFromTheFile) {
  SessionState state;
  state.position = 1184;
  state.word = 77;
  state.bit = 57;
  state.layout = QStringLiteral("hmm-6.16");
  state.geometry = QStringLiteral("arm64-16k");
  state.breakpoints = {{5, 0x200000000000000ull}, {6, ~0ull}};
  state.bookmarks = {{3, QStringLiteral("a note: with a colon")}, {9, {}}};
  state.compared = 4;
  store_.save(QStringLiteral("/a/trace.txt"), state);
  settings_.sync();
  QSettings again(settings_.fileName(), QSettings::IniFormat);
  const auto found = SessionStore(again).load(QStringLiteral("/a/trace.txt"));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->position, state.position);
  EXPECT_EQ(found->word, state.word);
  EXPECT_EQ(found->bit, state.bit);
  EXPECT_EQ(found->layout, state.layout);
  EXPECT_EQ(found->geometry, state.geometry);
  EXPECT_EQ(found->breakpoints, state.breakpoints);
  EXPECT_EQ(found->bookmarks, state.bookmarks);
  EXPECT_EQ(found->compared, state.compared);
  EXPECT_FALSE(store_.load(QStringLiteral("/another/trace.txt")));
}

TEST_F(Store, AnEditedFileNeverBreaksTheState) {
  store_.save(QStringLiteral("/a"), {});
  const QString group =
      settings_.value(QStringLiteral("documents/order")).toStringList().first() + QLatin1Char('/');
  settings_.setValue(group + QStringLiteral("position"), QStringLiteral("soon"));
  settings_.setValue(group + QStringLiteral("bit"), 400);
  settings_.setValue(group + QStringLiteral("word"), -3);
  settings_.setValue(group + QStringLiteral("breakpoints"),
                     QStringList{QStringLiteral("x"), QStringLiteral("1:zz"), QStringLiteral("4:f")});
  settings_.setValue(group + QStringLiteral("bookmarks"), QStringLiteral("::::"));
  const auto found = store_.load(QStringLiteral("/a"));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->position, 0u);
  EXPECT_EQ(found->bit, -1);
  EXPECT_EQ(found->word, no_word);
  ASSERT_EQ(found->breakpoints.size(), 1u);
  EXPECT_EQ(found->breakpoints.front().mask, 15u);
  EXPECT_TRUE(found->bookmarks.empty());
}

TEST_F(Store, OldDocumentsGiveWay) {
  for (int i = 0; i < 130; ++i) store_.save(QStringLiteral("/trace-%1").arg(i), {});
  EXPECT_FALSE(store_.load(QStringLiteral("/trace-0")));
  EXPECT_TRUE(store_.load(QStringLiteral("/trace-129")));
  EXPECT_EQ(settings_.value(QStringLiteral("documents/order")).toStringList().size(), 100);
}

TEST_F(Store, RecentFilesAreNewestFirstWithoutRepeats) {
  for (const char* name : {"/a", "/b", "/a"}) store_.add_recent(QString::fromLatin1(name));
  EXPECT_EQ(store_.recent(), (QStringList{QStringLiteral("/a"), QStringLiteral("/b")}));
}

TEST(TextFormat, NumbersAreGroupedAndReadBack) {
  EXPECT_EQ(grouped(0), QStringLiteral("0"));
  EXPECT_EQ(grouped(999), QStringLiteral("999"));
  EXPECT_EQ(grouped(1184), QStringLiteral("1\u2009184"));
  EXPECT_EQ(grouped(10000000), QStringLiteral("10\u2009000\u2009000"));
  for (const uint64_t value : {0ull, 7ull, 1184ull, 262144ull, ~0ull})
    EXPECT_EQ(parse_grouped(grouped(value)), value);
  EXPECT_EQ(parse_grouped(QStringLiteral("1,184")), 1184u);
  EXPECT_EQ(parse_grouped(QStringLiteral("12x")), std::nullopt);
  EXPECT_EQ(parse_grouped(QString()), std::nullopt);
  EXPECT_EQ(parse_grouped(QStringLiteral("99999999999999999999")), std::nullopt);
  EXPECT_EQ(hex_word(0xd2), QStringLiteral("0x00000000000000d2"));
  EXPECT_EQ(parse_hex(QStringLiteral("0xD2_00")), 0xd200u);
  EXPECT_EQ(parse_hex(QStringLiteral("d2")), std::nullopt);
  EXPECT_EQ(seconds(1234567890), QStringLiteral("1.234567"));
  EXPECT_EQ(seconds(-5), QStringLiteral("-0.000000"));
}

}  // namespace
}  // namespace hmmscope::app
