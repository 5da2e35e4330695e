// Opening files by content, whatever they are named.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "engine/recording/recording_file.h"
#include "tests/traces/replay_support.h"
#include "traces/document.h"

namespace hmmscope::traces {
namespace {

class OpenDocument : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = std::filesystem::temp_directory_path() / ("hmmscope-document-" + std::to_string(::getpid()));
    std::filesystem::create_directories(directory_);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::filesystem::path write(const std::string& name, const std::string& text) const {
    std::ofstream(directory_ / name, std::ios::binary) << text;
    return directory_ / name;
  }
  std::filesystem::path directory_;
};

TEST_F(OpenDocument, ATraceWithItsOwnModel) {
  const auto opened = open_document(samples_dir / "6.12-snapshot.trace.txt");
  ASSERT_TRUE(opened) << opened.error().to_string();
  const Document& document = **opened;
  EXPECT_EQ(document.kind, SourceKind::trace);
  EXPECT_EQ(document.title, "6.12-snapshot");
  EXPECT_EQ(document.model.id, "6.12");
  EXPECT_GT(document.recording->steps(), 0u);
  EXPECT_FALSE(document.recording->checks().empty());
  EXPECT_EQ(&document.keyframes->recording(), document.recording.get());
  EXPECT_EQ(&document.history->recording(), document.recording.get());
}

TEST_F(OpenDocument, ThePatchChoosesTheModelAndTheUserOverridesIt) {
  const auto file = samples_dir / "6.12-overlap-4k.trace.txt.xz";
  const auto own = open_document(file);
  ASSERT_TRUE(own) << own.error().to_string();
  EXPECT_EQ((*own)->title, "6.12-overlap-4k");
  EXPECT_NE((*own)->model.id, "6.12");
  const auto other = open_document(file, {"6.12", {}});
  ASSERT_TRUE(other) << other.error().to_string();
  EXPECT_EQ((*other)->model.id, "6.12");
  EXPECT_EQ((*other)->model.types.device_read, (*own)->model.types.device_read);  // numbering stays the trace's
  EXPECT_FALSE(open_document(file, {"no-such-model", {}}));
}

TEST_F(OpenDocument, ARecordingUnderAnyName) {
  const auto first = open_document(samples_dir / "6.12-snapshot.trace.txt");
  ASSERT_TRUE(first);
  const auto path = directory_ / "saved.bin";
  ASSERT_TRUE(RecordingFile::save(*(*first)->recording, path));
  const auto again = open_document(path);
  ASSERT_TRUE(again) << again.error().to_string();
  EXPECT_EQ((*again)->kind, SourceKind::recording);
  EXPECT_EQ((*again)->recording->steps(), (*first)->recording->steps());
  EXPECT_EQ((*again)->model.id, "6.12");
}

TEST_F(OpenDocument, ErrorsNameTheFile) {
  for (const char* text : {"", "hello\n", "{\"a\": 1}", "\xfd\x37zXZ\0garbage"}) {
    const auto opened = open_document(write("x.json", text));
    ASSERT_FALSE(opened) << text;
    EXPECT_NE(opened.error().to_string().find("x.json"), std::string::npos) << opened.error().to_string();
  }
  EXPECT_FALSE(open_document(directory_ / "absent"));
}

TEST_F(OpenDocument, JsonThatIsNoScenarioIsToldWhatItLacks) {
  const auto opened = open_document(write("x.json", "\n {\"steps\": [1,"));
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().to_string().find("\"hmmscope-scenario\""), std::string::npos) << opened.error().to_string();
}

TEST_F(OpenDocument, EveryStageOfARecordingCanBeCancelled) {
  const auto first = open_document(std::filesystem::path(HMMSCOPE_SOURCE_DIR) / "lessons/scenarios/two-owners.json");
  ASSERT_TRUE(first);
  const auto path = directory_ / "c.hmmrec";
  ASSERT_TRUE(RecordingFile::save(*(*first)->recording, path));
  std::vector<std::string> stages;
  std::atomic<bool> cancel = false;
  OpenOptions options;
  options.progress.cancel = &cancel;
  options.progress.report = [&](std::string_view stage, uint64_t, uint64_t) {
    if (stages.empty() || stages.back() != stage) stages.emplace_back(stage);
  };
  ASSERT_TRUE(open_document(path, options));
  const std::vector<std::string> all = stages;
  EXPECT_NE(std::find(all.begin(), all.end(), "keyframes"), all.end());
  for (const std::string& at : all) {
    cancel = false;
    options.progress.report = [&](std::string_view stage, uint64_t, uint64_t) {
      if (stage == at) cancel = true;
    };
    const auto opened = open_document(path, options);
    ASSERT_FALSE(opened) << at;
    EXPECT_EQ(opened.error().message, "cancelled") << at;
  }
}

TEST_F(OpenDocument, ATraceThatDoesNotSayItsKernelAsksForOne) {
  const auto path = write("x.txt", "              sh-55      [001] .....    75.000001: e: a=1\n");
  const auto opened = open_document(path);
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().to_string().find("--kernel"), std::string::npos) << opened.error().to_string();
  EXPECT_TRUE(open_document(path, {"6.12", {}}));
}

TEST_F(OpenDocument, CanBeCancelledAtAnyStage) {
  for (const std::string_view stop : {"reading", "replay", "keyframes"}) {
    std::atomic<bool> cancel{false};
    OpenOptions options;
    bool reached = false;
    options.progress.cancel = &cancel;
    options.progress.report = [&](std::string_view stage, uint64_t, uint64_t) {
      if (stage != stop) return;
      reached = true;
      cancel = true;
    };
    const auto opened = open_document(samples_dir / "6.12-anon_write_prot.trace.txt.xz", options);
    EXPECT_TRUE(reached) << stop;
    ASSERT_FALSE(opened) << stop;
    EXPECT_EQ(opened.error().to_string(), "cancelled");
  }
}

}  // namespace
}  // namespace hmmscope::traces
