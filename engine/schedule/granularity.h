#pragma once
/// How finely tasks are interleaved.

#include <cstdint>

namespace hmmscope::schedule {

/// Where another task may go on.
enum class Granularity : uint8_t {
  lock,   ///< where the kernel holds no spinlock and reads what it needs again afterwards (points.cpp lists the places)
  rule,   ///< before every rule, also between two rules of a section under a spinlock
};

}  // namespace hmmscope::schedule
