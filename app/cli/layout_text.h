#pragma once
/// Layouts and words as text and JSON, for the commands that print them.

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"
#include "engine/encoding/layout.h"

namespace hmmscope::app {

/// "0x10", "0b1010", "42"; '_' and ''' may separate digits. Error when it is not a number of at most 64 bits.
Result<uint64_t> parse_word(std::string_view text);
/// The family of a name as family_name() gives it; error lists the names.
Result<Family> parse_family(std::string_view name);

/// 16 digits for a 64-bit layout, 8 for a 32-bit one (more when the word has more).
std::string hex_word(uint64_t word, uint8_t word_bits);
/// "63", "57..53".
std::string bit_range(const Field& field);
/// Counted from the top as kernel headers do for hmm_pfn: "-1", "-7..-11"; empty for other families.
std::string bit_range_from_top(const Layout& layout, const Field& field);
/// Bits of the layout's word that no field owns.
uint64_t unnamed_bits(const Layout& layout);
/// "bit 57 (-7) belongs to order and to DMA_MAPPED"; one line an overlap.
std::vector<std::string> overlap_lines(const Layout& layout);

nlohmann::ordered_json field_json(const Layout& layout, const Field& field);
nlohmann::ordered_json overlaps_json(const Layout& layout);
/// id, title, family, status, versions, word bits, source, note.
nlohmann::ordered_json layout_json(const Layout& layout);

}  // namespace hmmscope::app
