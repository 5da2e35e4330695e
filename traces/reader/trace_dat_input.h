#pragma once
/// A trace.dat file opened with libtracecmd, its pages of records checked.

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "engine/base/result.h"
#include "traces/progress.h"
#include "traces/reader/trace_dat_sections.h"
#include "traces/reader/tracecmd_api.h"

namespace hmmscope::traces {

struct CloseTraceDat {
  void operator()(tracecmd_input* handle) const { tracecmd_close(handle); }
};
using TraceDatInput = std::unique_ptr<tracecmd_input, CloseTraceDat>;

struct OpenTraceDat {
  TraceDatInput input;
  uint64_t records = 0;   ///< in its pages: the library ends early, without a word, when memory is out
};

/// `symbols`: the table of version 7 the library shall not read (that of version 6 it never does). The library reads a copy of `file`. Errors: the file is damaged, of
/// another machine, or cut off (the offset where known); no anonymous file; "cancelled".
Result<OpenTraceDat> open_trace_dat(std::string_view file, std::string_view name, const std::optional<SymbolTablePlace>& symbols,
                                     const Progress& progress);

}  // namespace hmmscope::traces
