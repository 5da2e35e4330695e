#pragma once
/// What one page of the state was at any position of a recording, at a bounded cost: the writes that touch a page are
/// indexed, and where many lie between two positions the page is stored in between. A seek therefore costs the pages
/// that somebody then looks at, not the state.
///
/// A stored page that is a few linear pieces (fresh tables, huge leaves, zeroed arrays) is stored as those pieces.
/// Positions are numbers of writes here (Recording::first_write of a position), as steps that write nothing change
/// nothing.
///
/// Immutable after construction; any number of threads and cursors may use it. Shares the recording.

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engine/base/proceed.h"
#include "engine/recording/column.h"
#include "engine/recording/page_writes.h"
#include "engine/recording/recording.h"

namespace hmmscope {

class Keyframes {
 public:
  struct Options {
    uint64_t distance = 256;  ///< single writes replayed on a page at most, while the budget allows
    size_t budget = 0;        ///< bytes of stored pages; 0 chooses from the recording's size
  };

  /// Three passes over the writes.
  explicit Keyframes(std::shared_ptr<const Recording> recording);
  Keyframes(std::shared_ptr<const Recording> recording, Options options);
  /// As the constructors, asking `proceed` with the writes done (of three times their number); nullptr when it said
  /// no.
  static std::unique_ptr<const Keyframes> build(std::shared_ptr<const Recording> recording, const Proceed& proceed);

  const Recording& recording() const { return *recording_; }

  uint32_t pages() const { return writes_.pages(); }
  static WordIndex first_word(uint32_t page) { return page << state_page_shift; }
  /// `words` hold page `page` as it is after writes [0, from); makes them what they are after [0, to), wherever that
  /// lies. False when nothing had to be changed.
  bool bring(uint32_t page, uint32_t from, uint32_t to, std::span<uint64_t> words) const;

  /// Stored pages.
  uint32_t count() const { return static_cast<uint32_t>(stored_.size()); }
  /// Heap held by the keyframes and their index.
  size_t bytes() const;

 private:
  struct StoredPage {
    uint32_t write;         ///< the page after writes [0, write)
    uint32_t pieces = 0;    ///< 0: plain words; else data_ holds {start, base, stride} a piece
    uint64_t data = 0;      ///< where in data_ it begins
  };
  Keyframes() = default;

  bool make(Options options, const Proceed& proceed);
  void store(uint32_t write, std::span<const uint64_t> words);
  void load(const StoredPage& stored, std::span<uint64_t> words) const;
  /// Applies the writes [from, to) on a page.
  bool replay(uint32_t page, uint32_t from, uint32_t to, std::span<uint64_t> words) const;
  size_t stored_bytes() const { return data_.size() * sizeof(uint64_t) + stored_.size() * sizeof(StoredPage); }
  std::span<const StoredPage> stored_of(uint32_t page) const {
    return std::span(stored_).subspan(stored_begin_[page], stored_begin_[page + 1] - stored_begin_[page]);
  }

  std::shared_ptr<const Recording> recording_;
  PageWrites writes_;
  // In order of page, then write; those of page p are [stored_begin_[p], stored_begin_[p + 1]).
  std::vector<StoredPage> stored_;
  std::vector<uint32_t> stored_begin_;
  Column<uint64_t> data_;
};

}  // namespace hmmscope
