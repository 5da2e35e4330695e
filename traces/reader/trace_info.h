#pragma once
/// What a trace says of itself, from its comment lines and from a meta.json beside it.

#include <filesystem>
#include <string>
#include <string_view>

#include "engine/base/result.h"
#include "traces/reader/trace.h"

namespace hmmscope::traces {

/// Takes in one comment line of ftrace text ("# tracer: nop", "# entries-in-buffer/entries-written: 7/7   #P:2",
/// "# hmmscope-capture: kernel=... "). Lines that say nothing known are ignored; a known key with a value that cannot be
/// is an error, and so is a machine whose entries are not those of x86-64.
Result<void> read_comment(std::string_view line, uint64_t line_number, TraceInfo& info);

/// Why no trace of this machine can be read; "" when it can.
std::string why_not_readable(std::string_view arch);

/// Fills what is still unknown from meta.json text: kernel, arch, page_shift, page_table_levels, patch, config (an
/// object of booleans). `name` appears in errors.
Result<void> read_meta(std::string_view json, std::string_view name, TraceInfo& info);

/// What read_meta fills, from `said` where `info` does not know it.
void fill_unknown(const TraceInfo& said, TraceInfo& info);

/// As read_meta for the meta.json in the directory of `trace`, if there is one.
Result<void> read_meta_beside(const std::filesystem::path& trace, TraceInfo& info);

}  // namespace hmmscope::traces
