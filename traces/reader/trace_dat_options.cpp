#include "traces/reader/trace_dat_options.h"

#include <algorithm>

namespace hmmscope::traces {

bool names_a_clock(std::string_view clocks) {
  clocks = clocks.substr(0, clocks.find('\0'));
  const size_t choice = clocks.starts_with('[') ? 0 : clocks.find(" [");
  if (choice == std::string_view::npos) return true;
  const std::string_view word = clocks.substr(choice + (clocks[choice] == ' ' ? 1 : 0));
  return word.substr(0, word.find(' ')).find_first_not_of("[]") != std::string_view::npos;
}

OptionUse use_of_option(uint16_t id, std::string_view value) {
  const auto keep_if = [](bool sound) { return sound ? OptionUse::keep : OptionUse::refuse; };
  const bool ends = value.find('\0') != std::string_view::npos;
  switch (id) {
    case date_option:
    case offset_option:
    case uname_option: return keep_if(ends);
    case clock_option: return keep_if(ends && names_a_clock(value));
    case cpu_count_option: return keep_if(value.size() >= sizeof(uint32_t));
    case cpu_statistics_option:
    case hook_option:
    case version_option:
    case maps_option:
    case guest_option:
    case printk_option: return OptionUse::leave_out;
    default: return OptionUse::keep;
  }
}

}  // namespace hmmscope::traces
