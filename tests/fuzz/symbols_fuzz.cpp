// Any bytes as a trace.dat of version 7: the symbol table is found and read, or it is not.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "traces/reader/trace_dat_sections.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hmmscope::traces;
  const std::string_view file(reinterpret_cast<const char*>(data), size);
  const uint64_t addresses[] = {0, 0x10, 0xffffffff81000010, 0xffffffffffffffff};
  if (symbols_at(file, addresses).size() != 4) std::abort();
  const auto place = find_symbol_table(file);
  if (!place) return 0;
  if (place->option >= size) std::abort();
  const auto text = symbol_table_text(file, *place);
  if (!text && text.error().message.empty()) std::abort();
  if (text) (void)symbols_at(text->text, addresses);
  return 0;
}
