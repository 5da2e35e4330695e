// Release builds compile several files of a library as one (cmake/HmmscopeCompiler.cmake): what two of them declare
// in their unnamed namespaces must not have the same name, or adding a third file breaks the build far from it.

#include <gtest/gtest.h>

#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "tests/structure/source_files.h"

namespace hmmscope::structure {
namespace {

/// The library that a source file is compiled into, as the CMakeLists.txt beside it says.
std::string library_of(const std::string& path) {
  static const std::map<std::string, std::string> of_engine = {
      {"base", "encoding"},     {"encoding", "encoding"}, {"rules", "recording"},   {"recording", "recording"},
      {"model", "model"},       {"scenario", "scenario"}, {"selftest", "scenario"}, {"schedule", "scenario"}};
  const size_t first = path.find('/'), second = path.find('/', first + 1);
  const std::string room = path.substr(0, first);
  const std::string folder = second == std::string::npos ? "" : path.substr(first + 1, second - first - 1);
  if (room == "app" || room == "tests") return room + "/" + folder;
  if (room != "engine") return room;
  const auto found = of_engine.find(folder);
  return room + "/" + (found == of_engine.end() ? "machine" : found->second);
}

/// What a line at the left margin of an unnamed namespace declares: a type, a constant, or a function with the types
/// of its parameters; empty when it declares nothing.
std::string declared(const std::string& line) {
  static const std::regex type(R"(^(?:class|struct|enum class) (\w+))");
  static const std::regex function(R"(^(?:(?:inline|static|constexpr|const) )*[\w:<>,*& ]+[ *&](\w+)\((.*)$)");
  static const std::regex constant(R"(^(?:inline |constexpr |const )+[\w:<>,* ]+ (\w+)(?:\[|\{| =|\())");
  static const std::regex parameter(R"(\s*\b\w+\s*(?=[,)]))");
  std::smatch found;
  if (std::regex_search(line, found, type)) return found[1];
  if (std::regex_search(line, found, constant)) return found[1];
  if (std::regex_search(line, found, function)) {
    const std::string arguments = found[2];
    return found[1].str() + "(" + std::regex_replace(arguments.substr(0, arguments.find(')') + 1), parameter, "");
  }
  return "";
}

std::set<std::string> unnamed_names(const std::string& text) {
  std::set<std::string> names;
  std::istringstream lines(text);
  bool inside = false;
  for (std::string line; std::getline(lines, line);) {
    if (line == "namespace {") inside = true;
    if (line.starts_with("}  // namespace")) inside = false;
    if (!inside || line.empty() || std::string(" }/#").find(line.front()) != std::string::npos) continue;
    if (std::string name = declared(line); !name.empty()) names.insert(std::move(name));
  }
  return names;
}

TEST(UnnamedNames, TheScanSeesDeclarations) {
  const std::set<std::string> seen = unnamed_names(
      "int outside(int a) {\nnamespace {\nstruct Named {\n  int hidden(int a);\n};\nconstexpr uint64_t most = 16;\n"
      "constexpr std::array kinds{1};\nstd::string text_of(int ret) {\nbool same(uint64_t a, const Word& b) {\n"
      "}  // namespace\nint after(int a) {\n");
  EXPECT_EQ(seen, (std::set<std::string>{"Named", "most", "kinds", "text_of(int)", "same(uint64_t, const Word&)"}));
}

TEST(UnnamedNames, NoTwoFilesOfALibraryShareOne) {
  std::map<std::pair<std::string, std::string>, std::string> first;
  for (const SourceFile& file : source_files()) {
    // These are compiled by themselves.
    if (!file.has_suffix({".cpp"}) || file.has_suffix({"_layouts.cpp", "_cases.cpp"})) continue;
    for (const std::string& name : unnamed_names(file.text)) {
      const auto [at, fresh] = first.try_emplace({library_of(file.path), name}, file.path);
      EXPECT_TRUE(fresh) << name << " is declared in " << at->second << " and in " << file.path;
    }
  }
  EXPECT_GT(first.size(), 300u);
}

}  // namespace
}  // namespace hmmscope::structure
