#pragma once
/// The texts that describe the events of a trace.dat file, as libtraceevent is given them: without the arguments of the
/// printed form, which nothing here prints. The library parses those expressions and the conversions of the text, and some
/// damaged ones make 1.7 crash (a division by zero, a missing operand); so do descriptions of fields that no kernel writes,
/// which are refused. Nor is it given trace_printk()'s strings, in front of which it reads, or a symbol table
/// (trace_dat_sections.h).

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"
#include "traces/reader/trace_dat_sections.h"

namespace hmmscope::traces {

/// Bytes to be written over a copy of the file, or behind its end.
struct DatPatch {
  uint64_t offset = 0;
  std::string bytes;
};

/// The option in a copy for the library, as one it does not know.
DatPatch without_option(uint64_t at);

/// All that must change in the copy, for both versions; a section of version 7 that is packed comes unpacked behind the end
/// of the file. Errors: a text that does not lie in the file or its section, and an option the library would stumble over,
/// with its offset.
Result<std::vector<DatPatch>> patches_for_library(std::string_view file, std::string_view name, const DatHeader& header);

/// The symbol table of a file of version 6; nothing when its headers are not understood.
std::optional<SymbolTablePlace> symbol_table_of_headers(std::string_view file, const DatHeader& header);

/// A description of the same size, blank behind the text in quotes that follows "print fmt:". Of the conversions in it only
/// %ps and %pS are left, which tell that a field is a function.
std::string without_print_arguments(std::string_view format);

}  // namespace hmmscope::traces
