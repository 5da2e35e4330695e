// What a trace says of its kernel is text from a file: any of it must give a model or an error. The model
// that comes out must read any word.

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "engine/model/kernel_model.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hmmscope;
  // Release, patch and configuration on three lines.
  std::string_view text(reinterpret_cast<const char*>(data), size);
  std::string_view parts[3];
  for (std::string_view& part : parts) {
    const size_t line = text.find('\n');
    part = text.substr(0, line);
    text.remove_prefix(line == text.npos ? text.size() : line + 1);
  }
  const auto model = detect_model(parts[0], parts[1], parts[2]);
  if (!model) {
    if (model.error().message.empty()) std::abort();
    return 0;
  }
  const SwapFormat format = model->swap_format();
  uint64_t word = 0x9e3779b97f4a7c15;
  for (const char c : parts[0]) word = (word ^ static_cast<uint64_t>(c)) * 0x100000001b3;
  for (const Layout* layout :
       {model->hmm_pfn, model->migrate_pfn, model->pte, model->pmd, model->pud, model->swap})
    if (describe(layout_for_entry(*layout, *model->swap, word), word).empty()) std::abort();
  if (decode_swap(format, word).pfn > format.pfn_mask()) std::abort();
  return 0;
}
