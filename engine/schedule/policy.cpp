#include "engine/schedule/policy.h"

#include <algorithm>

namespace hmmscope::schedule {
namespace {

uint32_t go_on(const Choice& choice) {
  const bool can = std::binary_search(choice.runnable.begin(), choice.runnable.end(), choice.current);
  return can ? choice.current : choice.runnable.front();
}

}  // namespace

Result<TextPolicy> TextPolicy::parse(std::string_view text, std::span<const std::string> names) {
  TextPolicy policy;
  while (!text.empty()) {
    const size_t space = text.find(' ');
    const std::string_view item = text.substr(0, space);
    text = space == std::string_view::npos ? std::string_view() : text.substr(space + 1);
    if (item.empty()) continue;
    const size_t colon = item.find(':');
    const std::string_view name = item.substr(0, colon);
    uint64_t count = 1;
    if (colon != std::string_view::npos) {
      const std::string_view digits = item.substr(colon + 1);
      if (digits.empty() || digits.size() > 9 || digits.find_first_not_of("0123456789") != std::string_view::npos) {
        return fail("schedule: '" + std::string(item) + "' is not TASK:COUNT");
      }
      count = std::stoull(std::string(digits));
    }
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) return fail("schedule: no task is named '" + std::string(name) + "'");
    if (count != 0) policy.runs_.emplace_back(static_cast<uint32_t>(found - names.begin()), count);
  }
  return policy;
}

uint32_t TextPolicy::choose(const Choice& choice) {
  while (next_ < runs_.size()) {
    const auto [task, count] = runs_[next_];
    if (used_ < count && std::binary_search(choice.runnable.begin(), choice.runnable.end(), task)) {
      ++used_;
      return task;
    }
    ++next_;
    used_ = 0;
  }
  return go_on(choice);
}

uint32_t SeededPolicy::choose(const Choice& choice) {
  state_ ^= state_ << 13;
  state_ ^= state_ >> 7;
  state_ ^= state_ << 17;
  return choice.runnable[(state_ >> 33) % choice.runnable.size()];
}

}  // namespace hmmscope::schedule
