#include "ui/unseen.h"

#include "ui/words.h"

namespace hmmscope::ui {

bool is_of_trace(const Recording& recording) { return !recording.events().empty(); }

StandIns::StandIns(const Recording& recording, const Layout& layout)
    : pfn_(is_of_trace(recording) ? layout.field(Role::pfn) : nullptr),
      live_(layout.mask(Role::valid) | layout.mask(Role::present)) {}

uint64_t unseen_bits(const ViewContext& view, WordIndex word, uint64_t value, Evidence evidence) {
  if (evidence == Evidence::unknown) return ~0ull;
  return StandIns(view.cursor->recording(), layout_of(view, word, value)).bits(value, evidence);
}

std::string hex_seen(uint64_t value, uint64_t unseen) {
  if (unseen == ~0ull) return "unknown";
  std::string text = hex(value, 16);
  for (size_t digit = 0; digit < 16; ++digit) {
    if ((unseen >> (4 * digit) & 0xf) != 0) text[text.size() - 1 - digit] = '?';
  }
  return text;
}

std::string without_pfn(std::string description, std::string_view instead) {
  const size_t begin = description.find("pfn 0x");
  if (begin == std::string::npos) return description;
  const size_t end = description.find_first_not_of("0123456789abcdef", begin + 6);
  return description.replace(begin, (end == std::string::npos ? description.size() : end) - begin, instead);
}

}  // namespace hmmscope::ui
