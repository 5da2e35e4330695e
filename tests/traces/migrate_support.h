#pragma once
// Words that the migrate calls of a trace show as outputs, and what the check says of one that was altered.
#include "engine/machine/entry_format.h"
#include "tests/traces/replay_support.h"

namespace hmmscope::traces {

/// An output word of a migrate call.
struct MigrateWord {
  enum class Of {
    setup_src,
    setup_dst,
    range_setup_src,
    range_setup_dst,
    pages_src,
    pages_dst,
    finalize_src,
    finalize_dst,
    rebuilt
  };
  Of of{};
  OutputWord word;   ///< where it stands in the text; start: of the call, for a rebuilt entry its address
  bool undecided = false;  ///< no event says what the word was before, and the call does not write it
};

inline RegionKind region_of(MigrateWord::Of of) {
  switch (of) {
    case MigrateWord::Of::setup_src:
    case MigrateWord::Of::range_setup_src:
    case MigrateWord::Of::pages_src:
    case MigrateWord::Of::finalize_src:
      return RegionKind::migrate_src;
    case MigrateWord::Of::rebuilt:
      return RegionKind::pte;
    default:
      return RegionKind::migrate_dst;
  }
}

/// VALID and MIGRATE of an hmm word of the unified patches.
inline constexpr uint64_t unified_prepared = 0x8200000000000000;

/// Src and dst at every return that shows them, and every entry rebuilt inside a finalize.
inline std::vector<MigrateWord> migrate_words(std::string_view text) {
  using Of = MigrateWord::Of;
  std::vector<MigrateWord> words;
  bool finalizing = false, in_setup = false;
  std::vector<OutputWord> hmm_words;  // that migrate_hmm_range_setup was given
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = text.substr(at, end - at);
    const auto is = [&](std::string_view name) { return line.find(name) != std::string_view::npos; };
    const auto arrays = [&](Of src, Of dst) {
      if (line.find("src={") == std::string_view::npos) return;
      const uint64_t start = field_of(line, "start"), pages = (field_of(line, "end") - start) >> 12;
      for (const auto& [of, name] : {std::pair(src, " src={"), std::pair(dst, " dst={")}) {
        std::vector<OutputWord> array;
        words_of_array(text, at + line.find(name) + 6, end, 0, pages, start, array);
        for (const OutputWord& word : array) {
          // On its own migrate_hmm_range_setup leaves dst of what can migrate as it was; nothing shows that.
          const bool kept = of == Of::range_setup_dst && !in_setup && word.slot < hmm_words.size() &&
                            (hmm_words[word.slot].value & unified_prepared) == unified_prepared;
          words.push_back({of, word, kept});
        }
      }
    };
    if (is(": mv_setup_in")) in_setup = true;
    if (is(": mv_setup_out")) in_setup = false;
    if (is(": m_setup_in: ")) {
      hmm_words.clear();
      words_of_array(text, at + line.find(" pfns={") + 7, end, 0, 64, 0, hmm_words);
    }
    if (is(": m_setup_out: ")) arrays(Of::range_setup_src, Of::range_setup_dst);
    if (is(": mv_setup_out")) arrays(Of::setup_src, Of::setup_dst);
    if (is(": mv_pages_out")) arrays(Of::pages_src, Of::pages_dst);
    if (is(": mv_fin_in")) finalizing = true;
    if (is(": mv_fin_out")) {
      arrays(Of::finalize_src, Of::finalize_dst);
      finalizing = false;
    }
    if (finalizing && is(": remove_migration_pte: ")) {
      const size_t value = line.find("pte=", line.find("addr=")) + 4, stop = line.find(' ', value);
      const auto hex = [&](size_t from, size_t to) {
        return std::stoull(std::string(line.substr(from, to - from)), nullptr, 16);
      };
      const size_t addr = line.find("addr=") + 5;
      words.push_back({Of::rebuilt,
                       {at + value, stop - value, hex(value, stop), 0, hex(addr, line.find(',', addr))}});
    }
    at = end + 1;
  }
  return words;
}

inline std::string with_migrate_word(const std::string& text, const MigrateWord& word, uint64_t value) {
  std::string changed = with_word(text, word.word, value);
  if (word.of == MigrateWord::Of::rebuilt) changed.erase(word.word.at, 2);   // this event prints no 0x
  return changed;
}

}  // namespace hmmscope::traces
