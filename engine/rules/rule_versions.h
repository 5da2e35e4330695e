#pragma once
/// The column of a rule that says in which kernels it holds.

#include <cstdint>
#include <string_view>

namespace hmmscope {

/// "all", "5.9..6.15", "..6.18", "6.16+", "5.4", or several with commas; a word that is no release ("RFC", "2015") covers
/// none.
bool versions_cover(std::string_view versions, uint32_t major, uint32_t minor);

}  // namespace hmmscope
