#pragma once
/// A page that only faults tell of is mapped, but no event shows which one it is. A replay tells such pages apart by pfns
/// beyond every machine's memory, counted from here; whoever shows a word leaves such a pfn open.

#include <cstdint>

namespace hmmscope::traces {

inline constexpr uint64_t first_stand_in_pfn = uint64_t{1} << 33;

}  // namespace hmmscope::traces
