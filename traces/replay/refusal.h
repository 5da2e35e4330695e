#pragma once
/// Why a migration left a page alone that it could have taken: the last operand of trace.migrate_refused.

#include <cstdint>

namespace hmmscope::traces {

enum class Refusal : uint64_t {
  lock,       ///< somebody holds the folio's lock
  isolate,    ///< somebody took the page off the LRU
  reference,  ///< somebody has a reference
  split,      ///< a large folio could not be split, for one of these reasons
};

}  // namespace hmmscope::traces
