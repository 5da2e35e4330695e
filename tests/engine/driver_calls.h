#pragma once
/// Calls of 4.14 to 5.6 in tests: a small machine, and one recorded call.

#include <algorithm>
#include <string>
#include <vector>

#include "engine/driver_format/driver_format.h"
#include "engine/driver_format/driver_range.h"
#include "engine/encoding/swap_entry.h"
#include "tests/engine/world.h"

namespace hmmscope::test {

inline constexpr uint64_t NV = 1, NW = 2, NVRAM = 0x10,
                          NERROR = ~1ull;  // nouveau; NONE is 0, SPECIAL is ERROR
inline constexpr uint64_t nv(uint64_t pfn, uint64_t flags = 0) { return pfn << 12 | NV | flags; }
inline constexpr uint64_t OLD_V = 1, OLD_R = 2, OLD_W = 4, OLD_ERROR = 8, OLD_EMPTY = 16, OLD_SPECIAL = 32,
                          OLD_DEVICE = 64;
inline constexpr uint64_t old_pfn(uint64_t pfn, uint64_t flags) { return pfn << 7 | OLD_V | flags; }

struct Made {
  RangeFaultResult result;
  std::vector<std::string> rules;
  bool fired(const std::string& id) const { return std::find(rules.begin(), rules.end(), id) != rules.end(); }
};

inline Made run_call(World& w, DriverRequest request = {}) {
  w.start_recording();
  Made run;
  run.result = driver_range_call(w.machine(), w.call, request);
  run.rules = fired_rules(*w.stop_recording());
  return run;
}

inline uint64_t swap_word(World& w, SwapKind kind, uint64_t pfn = 0x12345) {
  SwapEntry entry;
  entry.kind = kind;
  entry.pfn = pfn;
  entry.offset = 0x777;
  return encode_swap(w.machine().entry_format().swap, entry).value();
}

/// A VMA of 16 pages with a pte table, and a range over the first pages.
struct Small : World {
  explicit Small(const char* model, uint32_t pages, uint64_t defaults = 0, uint64_t mask = 0,
                 uint64_t flags = vm::read | vm::write)
      : World(model) {
    vma(0, 16, flags);
    table(0);
    range(0, pages, defaults, mask);
    on_fault = [](World& world, uint64_t page, uint32_t fault) {
      world.pte(page, (fault & fault_flag::write) != 0 ? pte_rw : pte_ro);
      return 0u;
    };
  }
};

}  // namespace hmmscope::test
