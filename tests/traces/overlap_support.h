#pragma once
// Two runs in one trace at the same time, on physical pages that nobody shares.
#include "tests/traces/trace_text.h"

namespace hmmscope::traces {

/// The number of a page of the second run, farther away than two devices have memory: that lies high and grows down. The
/// zero page is everybody's.
inline uint64_t other_page(uint64_t pfn) {
  constexpr uint64_t zero_page = 0x229f;
  if (pfn == 0 || pfn == zero_page) return pfn;
  return pfn >= 0xf000000 ? pfn - 0x40000 : pfn + 0x200000;
}

/// A word of src or dst.
inline uint64_t other_page_in_migrate_word(uint64_t word) {
  return (word & 1) == 0 ? word : other_page(word >> 6) << 6 | (word & 63);
}

inline uint64_t other_page_in_hmm_word(uint64_t word) {
  constexpr uint64_t pfn = (uint64_t{1} << 52) - 1;
  return (word >> 63) == 0 ? word : (word & ~pfn) | other_page(word & pfn);
}

/// A pte or pmd of 6.12, whose types 24 to 30 are migration entries and device pages.
inline uint64_t other_page_in_pte(uint64_t pte) {
  constexpr uint64_t present_pfn = ((uint64_t{1} << 40) - 1) << 12;
  if (pte == 0) return pte;
  if ((pte & 0x101) != 0) return (pte & ~present_pfn) | other_page((pte & present_pfn) >> 12) << 12;
  const uint64_t type = pte >> 59, offset = (~pte << 5) >> 14;
  if (type < 24 || type > 30) return pte;
  constexpr uint64_t stored = ((uint64_t{1} << 59) - 1) & ~uint64_t{0x1ff};
  return type << 59 | (~(other_page(offset) << 9) & stored) | (pte & 0x1ff);
}

inline std::string on_other_pages(const std::string& event) {
  const auto has = [&](const char* text) { return event.find(text) != std::string::npos; };
  if (!has("={") && !has("pte=") && !has("pmd=") && !has("pud=") && !has("pfn")) return event;
  static const std::regex arrays(R"(\b(src|dst|pfns)=\{([^}]*)\})");
  static const std::regex entries(R"(\b(pte|pmd|pud|pfn|pfn0)=(0x)?([0-9a-f]+)\b)");
  const auto hex = [](uint64_t value) {
    char text[24];
    std::snprintf(text, sizeof text, "%llx", static_cast<unsigned long long>(value));
    return std::string(text);
  };
  static const std::regex number("0x[0-9a-f]+");
  const std::string out = replace_each(event, arrays, [&](const std::smatch& array) {
    const bool hmm = array[1] == "pfns";
    return array[1].str() + "={" + replace_each(array[2].str(), number, [&](const std::smatch& word) {
      const uint64_t value = std::stoull(word.str(), nullptr, 16);
      return "0x" + hex(hmm ? other_page_in_hmm_word(value) : other_page_in_migrate_word(value));
    }) + "}";
  });
  return replace_each(out, entries, [&](const std::smatch& field) {
    const uint64_t value = std::stoull(field[3].str(), nullptr, 16);
    const bool hmm = field[1].str().starts_with("pfn");
    return field[1].str() + "=" + field[2].str() +
           hex(hmm ? other_page_in_hmm_word(value) : other_page_in_pte(value));
  });
}

inline TraceText on_other_pages(TraceText trace) {
  for (std::string& event : trace.events) event = on_other_pages(event);
  return trace;
}

/// The second run as one of other processes on other pages, begun `shift` microseconds after the first.
inline TraceText beside(const TraceText& first, TraceText second, int64_t shift, int number = 1) {
  const int64_t back = static_cast<int64_t>(time_of(first.events.front())) -
                       static_cast<int64_t>(time_of(second.events.front()));
  return moved(std::move(second), static_cast<uint64_t>(back + shift), 20000 * number, 2 + number);
}

}  // namespace hmmscope::traces
