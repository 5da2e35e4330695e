#pragma once
/// A trace.dat file opened with libtracecmd, its pages of records checked.

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

/// `symbols`: the table the library shall not read. The library reads a copy of `file`. Errors: the file is damaged, of
/// another machine, or cut off (the offset where known); no anonymous file; "cancelled".
Result<TraceDatInput> open_trace_dat(std::string_view file, std::string_view name, const std::optional<SymbolTablePlace>& symbols,
                                     const Progress& progress);

}  // namespace hmmscope::traces
