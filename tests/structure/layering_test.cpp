// Imports point one way: engine <- traces, lessons <- ui <- app. Qt stays in app, Dear ImGui in ui and app.

#include <gtest/gtest.h>

#include <map>
#include <regex>
#include <set>

#include "tests/structure/source_files.h"

namespace hmmscope::structure {
namespace {

const std::map<std::string, std::set<std::string>> may_include = {
    {"engine", {"engine"}},
    {"traces", {"engine", "traces"}},
    {"lessons", {"engine", "traces", "lessons"}},
    {"ui", {"engine", "traces", "lessons", "ui"}},
    {"app", {"engine", "traces", "lessons", "ui", "app"}},
};

struct Include {
  std::string name;
  bool quoted;
};

std::vector<Include> includes(const std::string& text) {
  static const std::regex line(R"(^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"])", std::regex::multiline);
  std::vector<Include> found;
  for (std::sregex_iterator match(text.begin(), text.end(), line), end; match != end; ++match) {
    found.push_back({(*match)[2], (*match)[1] == "\""});
  }
  return found;
}

bool is_qt(const std::string& name) { return std::regex_search(name, std::regex("(^|/)Q[A-Z]")); }
bool is_imgui(const std::string& name) { return name.find("imgui") != std::string::npos; }

/// What is wrong with `file` including `include`; empty when nothing is.
std::string offence(const SourceFile& file, const Include& include) {
  const std::string room = file.room();
  const auto allowed = may_include.find(room);
  if (allowed == may_include.end()) return "";
  const std::string other = include.name.substr(0, include.name.find('/'));
  if (include.quoted && may_include.contains(other) && !allowed->second.contains(other))
    return room + " may not know " + other;
  const bool in_window = file.path.starts_with("app/gui/");
  if (is_qt(include.name) && !in_window) return "Qt belongs in app/gui";
  if (is_imgui(include.name) && !in_window && room != "ui") return "Dear ImGui belongs in ui and app/gui";
  if (file.path.starts_with("app/cli/") && (include.name.starts_with("app/gui/") || other == "ui")) {
    return "the command line builds without the window";
  }
  return "";
}

TEST(Layering, TheScanSeesOffences) {
  const auto judged = [](const char* path, const char* text) {
    const SourceFile file{path, text};
    return offence(file, includes(file.text).at(0));
  };
  EXPECT_NE(judged("engine/walk/x.cpp", "#include \"traces/document.h\"\n"), "");
  EXPECT_NE(judged("traces/x.cpp", "#  include \"ui/view.h\"\n"), "");
  EXPECT_NE(judged("lessons/x.cpp", "int a;\n #include <QString>\n"), "");
  EXPECT_NE(judged("ui/x.cpp", "#include <QtWidgets/QWidget>\n"), "");
  EXPECT_NE(judged("traces/x.cpp", "#include <imgui.h>\n"), "");
  EXPECT_NE(judged("app/cli/x.cpp", "#include \"app/gui/window.h\"\n"), "");
  EXPECT_EQ(judged("ui/x.cpp", "#include <imgui.h>\n"), "");
  EXPECT_EQ(judged("app/gui/x.cpp", "#include <QWidget>\n"), "");
  EXPECT_EQ(judged("traces/x.cpp", "#include \"engine/base/result.h\"\n"), "");
}

TEST(Layering, ImportsPointOneWay) {
  std::map<std::string, int> seen;
  for (const SourceFile& file : source_files()) {
    if (!file.is_source()) continue;
    for (const Include& include : includes(file.text)) {
      EXPECT_EQ(offence(file, include), "") << file.path << " includes " << include.name;
      ++seen[file.room()];
    }
  }
  for (const auto& [room, allowed] : may_include)
    EXPECT_GT(seen[room], 0) << "the scan found nothing in " << room;
}

TEST(Layering, QuotedIncludesNameTheRoom) {
  for (const SourceFile& file : source_files()) {
    if (!file.is_source()) continue;
    for (const Include& include : includes(file.text)) {
      if (!include.quoted) continue;
      EXPECT_NE(include.name.find('/'), std::string::npos) << file.path << " includes " << include.name;
    }
  }
}

}  // namespace
}  // namespace hmmscope::structure
