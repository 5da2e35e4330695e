#pragma once
/// Which writes of a recording touch which page of its state. A page is 512 consecutive words.
///
/// A write that changes a part of a page is listed with the page. The whole pages in the middle of a run are listed by
/// aligned blocks of pages: a run over a million words costs some dozen entries, and of the runs that replace a page
/// whole only the last before a position matters.
///
/// Immutable after build; any number of threads may read it. Does not own the recording.

#include <array>
#include <cstdint>
#include <span>

#include "engine/recording/write_lists.h"

namespace hmmscope {

inline constexpr uint32_t state_page_shift = 9;
inline constexpr uint32_t state_page_words = 1u << state_page_shift;

/// The words of a page; the last one may be short.
template <class Word>
std::span<Word> state_page(std::span<Word> words, uint32_t page) {
  const auto rest = words.subspan(size_t{page} << state_page_shift);
  return rest.first(rest.size() < state_page_words ? rest.size() : state_page_words);
}

class PageWrites {
 public:
  /// Two passes over the writes, asking `proceed` with those done; false when it said no.
  bool build(const Recording& recording, const Proceed& proceed);

  uint32_t pages() const { return pages_; }
  /// Numbers of the writes that change a part of the page, ascending.
  std::span<const uint32_t> partial(uint32_t page) const { return lists_[page]; }
  /// The last write in [from, before) that replaces the page whole; no_write when there is none.
  uint32_t last_cover(uint32_t page, uint32_t from, uint32_t before) const;
  /// Whether any write in [from, before) touches the page.
  bool touched(uint32_t page, uint32_t from, uint32_t before) const;
  /// Entries of all partial() together.
  uint64_t partials() const { return lists_.entries(pages_); }

  size_t bytes() const { return lists_.bytes(); }

 private:
  static constexpr uint32_t max_levels = 33 - state_page_shift;

  template <class Visit>
  void for_each_list(const WriteView& write, Visit visit) const;

  uint32_t pages_ = 0;
  uint32_t levels_ = 0;
  // Lists 0 to pages_ - 1 are the partial ones, list level_begin_[l] + b is that of block b of 2^l pages.
  std::array<uint32_t, max_levels> level_begin_{};
  WriteLists lists_;
};

}  // namespace hmmscope
