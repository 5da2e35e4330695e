#pragma once
/// The kernel's error numbers by name. Pure; any thread.

#include <cstdint>
#include <optional>
#include <string_view>

namespace hmmscope {

/// "0" for 0, "-EBUSY" and the like for the negative error numbers that calls of this program's kernels return;
/// nothing for any other value (positive ones included).
std::optional<std::string_view> errno_name(int64_t result);

/// A result as an operand of a step: sign-extended, as a kernel register holds it.
constexpr uint64_t as_code(int result) { return static_cast<uint64_t>(static_cast<int64_t>(result)); }

}  // namespace hmmscope
