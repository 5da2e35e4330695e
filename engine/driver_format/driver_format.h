#pragma once
/// The format of an array's words up to 5.7: the driver's flags[], values[] and pfn_shift, and from 4.14 to 4.16 the
/// fixed low flags that came before them. HMM ORs flags onto a shifted pfn or writes a whole value; it checks nothing.
///
/// Source: include/linux/hmm.h of 4.14, 4.18 and 5.2 (hmm_pfn_from_pfn, hmm_pfn_to_pfn). A value; any thread.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/encoding/layout.h"

namespace hmmscope {

struct DriverFormat {
  uint64_t valid = 0, write = 0;
  uint64_t device_private = 0;   ///< 0: the driver left the flag empty
  uint64_t read = 0;             ///< 4.14 .. 4.16 only
  uint64_t none = 0;             ///< values[HMM_PFN_NONE]; HMM_PFN_EMPTY before
  uint64_t error = 0, special = 0;
  uint32_t pfn_shift = 0;

  static DriverFormat from(const Layout& layout);

  /// hmm_pfn_from_pfn: VALID comes with it whatever the mapping says.
  uint64_t from_pfn(uint64_t pfn) const { return (pfn << pfn_shift) | valid; }
  /// hmm_pfn_to_pfn: nothing when the word is NONE, ERROR or SPECIAL (asked in that order) or lacks VALID.
  std::optional<uint64_t> to_pfn(uint64_t word) const;
};

/// What is wrong with a driver's tables, one sentence each: NONE that is also ERROR or SPECIAL, a flag inside the pfn, a
/// value that looks valid, a shift above PAGE_SHIFT. The kernel accepts all of them.
std::vector<std::string> format_problems(const Layout& layout);

}  // namespace hmmscope
