#pragma once
/// Lists of writes, each in order, in one block of memory: what indices of a recording are made of.
///
/// Immutable after fill; any number of threads may read it. Does not own the recording.

#include <cstdint>
#include <span>
#include <vector>

#include "engine/base/proceed.h"
#include "engine/recording/recording.h"

namespace hmmscope {

class WriteLists {
 public:
  /// Two passes over the writes: for_each_list(write, visit) calls visit(list) for every list, of `lists`, that is to have
  /// the write. Asks `proceed` with the writes done, counted from `done`; false when it said no.
  template <class ForEachList>
  bool fill(const Recording& recording, uint32_t lists, const Proceed& proceed, uint64_t done, ForEachList for_each_list) {
    const uint32_t writes = recording.writes();
    begin_.assign(size_t{lists} + 1, 0);
    for (uint32_t w = 0; w < writes; ++w) {
      if (!may_proceed(proceed, done + w)) return false;
      for_each_list(recording.write_at(w), [&](uint32_t list) { ++begin_[list]; });
    }
    uint32_t total = 0;
    for (uint32_t& begin : begin_) begin = total += begin;  // the ends, which the lists are filled from
    entries_.resize(total);
    for (uint32_t w = writes; w-- > 0;) {
      if (!may_proceed(proceed, done + uint64_t{writes} * 2 - w)) return false;
      for_each_list(recording.write_at(w), [&](uint32_t list) { entries_[--begin_[list]] = w; });
    }
    return true;
  }

  /// Numbers of writes, ascending.
  std::span<const uint32_t> operator[](uint32_t list) const {
    return {entries_.data() + begin_[list], entries_.data() + begin_[list + 1]};
  }
  /// Entries of the first `lists` lists together.
  uint64_t entries(uint32_t lists) const { return begin_[lists]; }
  size_t bytes() const { return (begin_.capacity() + entries_.capacity()) * sizeof(uint32_t); }

 private:
  std::vector<uint32_t> begin_;    ///< list i is entries_[begin_[i]] to entries_[begin_[i + 1] - 1]
  std::vector<uint32_t> entries_;
};

}  // namespace hmmscope
