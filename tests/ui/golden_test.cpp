/// Pictures and tables of every panel over small deterministic recordings. Pictures are compared exactly: the
/// rasteriser is byte-stable and tests/run installs the fonts. HMMSCOPE_UPDATE_GOLDENS=1 writes them anew.

#include <gtest/gtest.h>
#include <png.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/ui/stage.h"

namespace hmmscope::ui::test {
namespace {

const std::filesystem::path goldens = std::filesystem::path(HMMSCOPE_SOURCE_DIR) / "tests/golden/ui";

bool updating() { return std::getenv("HMMSCOPE_UPDATE_GOLDENS") != nullptr; }

bool load_png(const std::string& path, Image& image) {
  png_image header{};
  header.version = PNG_IMAGE_VERSION;
  if (png_image_begin_read_from_file(&header, path.c_str()) == 0) return false;
  header.format = PNG_FORMAT_RGBA;
  image.width = static_cast<int>(header.width);
  image.height = static_cast<int>(header.height);
  image.pixels.resize(size_t{header.width} * header.height);
  return png_image_finish_read(&header, nullptr, image.pixels.data(), 0, nullptr) != 0;
}

void compare_picture(const std::string& name, const Image& image) {
  const std::string path = (goldens / (name + ".png")).string();
  if (updating()) {
    ASSERT_TRUE(save_png(image, path).has_value());
    return;
  }
  Image expected;
  ASSERT_TRUE(load_png(path, expected)) << path;
  ASSERT_EQ(expected.width, image.width);
  ASSERT_EQ(expected.height, image.height);
  size_t different = 0;
  for (size_t i = 0; i < image.pixels.size(); ++i) different += image.pixels[i] != expected.pixels[i];
  if (different == 0) return;
  const std::string actual = (std::filesystem::temp_directory_path() / (name + "-actual.png")).string();
  (void)save_png(image, actual);
  FAIL() << different << " pixels differ from " << path << "; the new picture is " << actual;
}

void compare_table(const std::string& name, const Table& table) {
  std::ostringstream text;
  const auto line = [&](const std::vector<std::string>& cells) {
    for (size_t i = 0; i < cells.size(); ++i) text << (i == 0 ? "" : "\t") << cells[i];
    text << '\n';
  };
  line(table.header);
  for (const auto& row : table.rows) {
    ASSERT_EQ(row.size(), table.header.size());
    line(row);
  }
  const std::filesystem::path path = goldens / (name + ".tsv");
  if (updating()) {
    std::ofstream(path) << text.str();
    return;
  }
  std::ifstream file(path);
  ASSERT_TRUE(file) << path;
  std::ostringstream expected;
  expected << file.rdbuf();
  EXPECT_EQ(expected.str(), text.str()) << path;
}

struct Case {
  const char* name;
  const char* panel;
  enum Source { none, engine, trace, overlap } source;
  int position;  ///< -1: at the divergence
  int bit;
  int width, height;
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

constexpr Case cases[] = {
    {"walk", "walk", Case::engine, 60, -1, 900, 330},
    {"walk-trace", "walk", Case::trace, 181, -1, 900, 330},
    {"walk-overlap", "walk", Case::overlap, 2, -1, 900, 330},
    {"walk-small", "walk", Case::engine, 60, -1, 640, 220},
    {"walk-empty", "walk", Case::none, 0, -1, 900, 330},
    {"bits", "bits", Case::engine, 60, 62, 900, 310},
    {"bits-trace", "bits", Case::trace, -1, -1, 900, 310},
    {"bits-overlap", "bits", Case::overlap, 2, 57, 900, 310},
    {"bits-small", "bits", Case::overlap, 2, -1, 640, 220},
    {"decision", "decision", Case::engine, 60, -1, 420, 330},
    {"decision-trace", "decision", Case::trace, -1, -1, 420, 330},
    {"decision-small", "decision", Case::engine, 60, -1, 300, 220},
    {"history", "history", Case::engine, 60, 62, 420, 310},
    {"history-word", "history", Case::trace, -1, -1, 420, 310},
    {"history-small", "history", Case::engine, 60, -1, 260, 220},
    {"timeline", "timeline", Case::engine, 60, -1, 1660, 210},
    {"timeline-trace", "timeline", Case::trace, 301, -1, 1660, 210},
    {"timeline-small", "timeline", Case::trace, 301, -1, 900, 150},
};

class PanelGolden : public testing::TestWithParam<Case> {
 protected:
  Stage stage() const {
    const Case& c = GetParam();
    std::shared_ptr<const traces::Document> document;
    if (c.source == Case::engine) document = walk_document(false);
    if (c.source == Case::trace) document = walk_document(true);
    if (c.source == Case::overlap) document = overlap_document();
    const StepIndex position =
        c.position < 0 ? diverged_position(*document) : static_cast<StepIndex>(c.position);
    return Stage(c.panel, document, position);
  }
};

TEST_P(PanelGolden, Picture) {
  const Case& c = GetParam();
  Stage stage = this->stage();
  stage.view.selection.bit = c.bit;
  struct Variant {
    const char* suffix;
    ThemeKind theme;
    float scale;
  };
  for (const Variant& v :
       {Variant{"-dark", ThemeKind::dark, 1}, Variant{"-light", ThemeKind::light, 1},
        Variant{"-dark-2x", ThemeKind::dark, 2}, Variant{"-light-1.25x", ThemeKind::light, 1.25f}}) {
    stage.view.theme = v.theme;
    stage.size = {c.width, c.height, v.scale};
    compare_picture(std::string(c.name) + v.suffix, stage.picture());
  }
}

TEST_P(PanelGolden, Table) {
  Stage stage = this->stage();
  stage.view.selection.bit = GetParam().bit;
  compare_table(GetParam().name, stage.canvas().panel().table(stage.view));
}

INSTANTIATE_TEST_SUITE_P(Panels, PanelGolden, testing::ValuesIn(cases), [](const auto& test) {
  std::string name = test.param.name;
  for (char& c : name) c = c == '-' ? '_' : c;
  return name;
});

}  // namespace
}  // namespace hmmscope::ui::test
