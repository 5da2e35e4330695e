#pragma once
/// The kernel's error numbers by name. Pure; any thread.

#include <cstdint>
#include <optional>
#include <string_view>

namespace hmmscope {

/// "0" for 0, "-EBUSY" and the like for the negative error numbers that calls of this program's kernels return;
/// nothing for any other value (positive ones included).
std::optional<std::string_view> errno_name(int64_t result);

}  // namespace hmmscope
