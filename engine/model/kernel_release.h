#pragma once
/// What a trace says of the kernel it came from, as text: the release of uname and the configuration line.

#include <cstdint>
#include <string_view>

#include "engine/base/result.h"
#include "engine/encoding/swap_types.h"

namespace hmmscope {

struct Release {
  uint32_t version = 0;   ///< major * 1000 + minor
  std::string_view rest;  ///< what follows major.minor, without a patch level: "-hmmcap", "+deb12-amd64";
                          ///< view into the parsed text
};

/// "6.12.117-hmmcap" -> 6012, "-hmmcap". Error when the text does not begin with MAJOR.MINOR.
Result<Release> parse_release(std::string_view text);

enum class ConfigNames : uint8_t {
  any,          ///< what a kernel says of itself
  known_only,   ///< what a person has typed: a name that decides nothing here, or no item at all, is a mistake
};

/// "DEVICE_PRIVATE=y,MIGRATION=n,..." over the defaults; y and m mean on, n off; PGTABLE_LEVELS and
/// PAGE_SHIFT take numbers. An item without '=' or with another value, or one that contradicts an earlier one, is
/// an error. Options that the line does not name and that the release settles (NUMA balancing in Debian's kernels)
/// follow the release.
Result<KernelConfig> parse_config(std::string_view text, const Release& release, ConfigNames names = ConfigNames::any);

}  // namespace hmmscope
