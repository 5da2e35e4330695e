#pragma once
/// All words of a recording at one position. A page (512 words) is brought there when it is first read: a jump costs
/// nothing for pages nobody looks at. Pages that were read are kept up to date by the steps that follow.
///
/// Ownership: the keyframes are not owned. Threads: one; load(), words() and hash() bring pages up to date and are
/// const only in their meaning.

#include <cstdint>
#include <span>
#include <vector>

#include "engine/recording/keyframes.h"

namespace hmmscope {

/// Hash of a state: a sum of one mix a word, so it does not depend on the order of the words' visits. Zero words add
/// nothing: a state that grows by words that were never written keeps its hash.
uint64_t state_hash(std::span<const uint64_t> words);

class PagedState {
 public:
  /// At the start of the recording.
  explicit PagedState(const Keyframes& keyframes);

  /// The number of writes that have been applied.
  uint32_t position() const { return position_; }
  /// Applies or undoes writes one by one until position() is `write`: for short ways.
  void walk(uint32_t write);
  /// Goes there at the cost of the pages that are up to date now.
  void jump(uint32_t write);

  uint64_t load(WordIndex word) const {
    if ((flags_[word >> state_page_shift] & current) == 0) [[unlikely]]
      bring(word >> state_page_shift);
    return words_[word];
  }
  /// Valid until the position changes; the cost of the range's pages.
  std::span<const uint64_t> words(WordIndex first, uint32_t count) const;
  WordIndex size() const { return static_cast<WordIndex>(words_.size()); }

  /// state_hash() of all words. Brings every page up to date; mixes those that changed since the last call.
  uint64_t hash() const;

 private:
  static constexpr uint8_t current = 1;  ///< the page's words are right; else they are those of at_
  static constexpr uint8_t stale_hash = 2; ///< written since its part of hash_ was computed

  void changed(uint32_t page) const;
  void bring(uint32_t page) const;
  template <class Values>
  void put_everywhere(const WriteView& write, Values values);

  const Keyframes* keyframes_;
  uint32_t position_ = 0;
  mutable std::vector<uint64_t> words_;
  mutable std::vector<uint8_t> flags_;
  mutable std::vector<uint32_t> at_;       ///< of a page that is not current: where its words are right
  mutable std::vector<uint32_t> current_;  ///< the pages that are
  mutable std::vector<uint32_t> stale_;    ///< the pages with stale_hash
  mutable std::vector<uint64_t> page_hash_;
  mutable uint64_t hash_ = 0;
};

}  // namespace hmmscope
