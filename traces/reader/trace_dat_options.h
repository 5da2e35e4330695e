#pragma once
/// What libtracecmd may see of the options of a trace.dat file. It copies a value without an end behind it, and takes its
/// texts and sizes for granted (libtracecmd 1.3): a text without its NUL is read beyond its end, an empty CPU statistic is
/// written in front of its beginning, a list of clocks whose choice is "[]" is a null pointer.

#include <cstdint>
#include <string_view>

namespace hmmscope::traces {

inline constexpr uint16_t date_option = 1, cpu_statistics_option = 2, clock_option = 4, uname_option = 5, hook_option = 6,
                          offset_option = 7, cpu_count_option = 8, version_option = 9, maps_option = 10, guest_option = 13,
                          header_option = 16, ftrace_events_option = 17, event_formats_option = 18, printk_option = 20,
                          cmdlines_option = 21;

enum class OptionUse : uint8_t {
  keep,
  leave_out,   ///< nothing here asks for it
  refuse,      ///< the library would stumble over it
};
OptionUse use_of_option(uint16_t id, std::string_view value);

/// A list of clocks as in trace_clock, "local [mono] boot": without a choice, or with one that has a name.
bool names_a_clock(std::string_view clocks);

}  // namespace hmmscope::traces
