#pragma once
/// All words of a recording at one position, flat for reading and divided into pages for everything that must not
/// cost the whole state: a page knows which stored page it equals (so that a seek copies only pages that differ),
/// whether its part of the hash is stale, and, while many writes are replayed, values that are not written out yet
/// because a later run may replace the whole page again.
///
/// Threads: one. hash() updates caches and is const only in its meaning.

#include <cstdint>
#include <span>
#include <vector>

#include "engine/recording/memory.h"

namespace hmmscope {

/// Hash of a state: a sum of one mix a word, so it does not depend on the order of the words' visits. Zero words add
/// nothing: a state that grows by words that were never written keeps its hash.
uint64_t state_hash(std::span<const uint64_t> words);

/// The values of a run: literal[k], or base + k * stride without a literal.
struct RunValues {
  const uint64_t* literal = nullptr;
  uint64_t base = 0, stride = 0;

  RunValues from(uint32_t k) const {
    return literal != nullptr ? RunValues{literal + k, 0, 0} : RunValues{nullptr, base + k * stride, stride};
  }
  void write_to(uint64_t* words, uint32_t count) const;
};

class PagedState {
 public:
  static constexpr uint32_t page_shift = 9;
  static constexpr uint32_t page_words = 1u << page_shift;
  static constexpr uint32_t no_origin = ~uint32_t{0};

  explicit PagedState(std::span<const uint64_t> initial);

  std::span<const uint64_t> words() const { return words_; }
  uint64_t load(WordIndex word) const { return words_[word]; }
  uint32_t pages() const { return static_cast<uint32_t>(flags_.size()); }
  std::span<const uint64_t> page(uint32_t page) const { return words().subspan(first_word(page), words_in(page)); }

  /// Asks the processor for a word that will be stored to soon: states are larger than its caches.
  void prefetch(WordIndex word) const { __builtin_prefetch(&words_[word], 1); }
  void store(WordIndex word, uint64_t value) {
    const uint32_t page = word >> page_shift;
    if (flags_[page] != plain_touched) [[unlikely]]
      touch(page);
    words_[word] = value;
  }
  /// With `defer`, pages the run covers wholly are only noted; settle() writes out what is left of them. Literal
  /// values must live until then.
  void store_run(WordIndex first, uint32_t count, RunValues values, bool defer);
  void settle();

  /// Which stored page this page equals; no_origin when it was written since.
  uint32_t origin(uint32_t page) const { return (flags_[page] & modified) != 0 ? no_origin : origin_[page]; }
  /// Where the caller decodes the stored page `origin` to; the page then equals it.
  std::span<uint64_t> replace_page(uint32_t page, uint32_t origin);

  /// Calls visit(page) for every page written or replaced since the last call (or hash()) and forgets them.
  template <class Visit>
  void drain_touched(Visit visit) {
    for (const uint32_t page : touched_pages_) {
      flags_[page] &= static_cast<uint8_t>(~touched);
      visit(page);
    }
    touched_pages_.clear();
  }

  /// state_hash() of the words, at the cost of the pages written since the last call.
  uint64_t hash() const;

 private:
  static constexpr uint8_t touched = 1, modified = 2, deferred = 4;
  static constexpr uint8_t plain_touched = touched | modified;

  static WordIndex first_word(uint32_t page) { return page << page_shift; }
  uint32_t words_in(uint32_t page) const;
  void touch(uint32_t page);
  void mark(uint32_t page, uint8_t flags);
  void write_out(uint32_t page);

  std::vector<uint64_t> words_;
  std::vector<uint32_t> origin_;
  std::vector<RunValues> deferred_;
  std::vector<uint32_t> deferred_pages_;
  mutable std::vector<uint8_t> flags_;
  mutable std::vector<uint32_t> touched_pages_;
  mutable std::vector<uint64_t> page_hash_;
  mutable uint64_t hash_ = 0;
};

}  // namespace hmmscope
