#include "engine/rules/rule_versions.h"

#include <charconv>
#include <utility>

namespace hmmscope {
namespace {

using Release = std::pair<uint32_t, uint32_t>;
constexpr Release first_release{0, 0}, last_release{~0u, ~0u};

Release release(std::string_view text, Release otherwise) {
  Release found{0, 0};
  const char* const end = text.data() + text.size();
  const auto major = std::from_chars(text.data(), end, found.first);
  if (major.ec != std::errc() || major.ptr == end || *major.ptr != '.') return otherwise;
  const auto minor = std::from_chars(major.ptr + 1, end, found.second);
  return minor.ec == std::errc() ? found : otherwise;
}

bool range_covers(std::string_view range, Release wanted) {
  if (range == "all") return true;
  if (range.ends_with('+')) return release(range.substr(0, range.size() - 1), last_release) <= wanted;
  const size_t dots = range.find("..");
  if (dots == std::string_view::npos) return release(range, last_release) == wanted;
  return release(range.substr(0, dots), first_release) <= wanted && wanted <= release(range.substr(dots + 2), last_release);
}

}  // namespace

bool versions_cover(std::string_view versions, uint32_t major, uint32_t minor) {
  while (!versions.empty()) {
    const size_t comma = versions.find(',');
    std::string_view range = versions.substr(0, comma);
    while (range.starts_with(' ')) range.remove_prefix(1);
    if (range_covers(range, {major, minor})) return true;
    versions = comma == std::string_view::npos ? std::string_view() : versions.substr(comma + 1);
  }
  return false;
}

}  // namespace hmmscope
