#pragma once
/// Applies or undoes writes of a recording on a state. Writes are addressed by number rather than by step, so going
/// over steps that write nothing costs nothing.

#include "engine/recording/paged_state.h"
#include "engine/recording/recording.h"

namespace hmmscope {

inline RunValues new_values(const WriteView& write) { return {write.new_literal, write.new_base, write.new_stride}; }
inline RunValues old_values(const WriteView& write) { return {write.old_literal, write.old_base, write.old_stride}; }

/// How many writes ahead their words are asked for.
inline constexpr uint32_t replay_lookahead = 24;

/// Writes [begin, end) forwards. See PagedState::store_run for `defer`.
inline void apply_writes(const Recording& recording, uint32_t begin, uint32_t end, PagedState& state, bool defer) {
  for (uint32_t w = begin; w < end; ++w) {
    if (end - w > replay_lookahead) state.prefetch(recording.word_of_write(w + replay_lookahead));
    const WriteView write = recording.write_at(w);
    if (write.new_shape == WriteShape::single) [[likely]] {
      state.store(write.first, write.new_base);
    } else {
      state.store_run(write.first, write.count, new_values(write), defer);
    }
  }
}

/// Writes [begin, end) backwards.
inline void undo_writes(const Recording& recording, uint32_t begin, uint32_t end, PagedState& state, bool defer) {
  for (uint32_t w = end; w > begin; --w) {
    if (w - begin > replay_lookahead) state.prefetch(recording.word_of_write(w - 1 - replay_lookahead));
    const WriteView write = recording.write_at(w - 1);
    if (write.old_shape == WriteShape::single) [[likely]] {
      state.store(write.first, write.old_base);
    } else {
      state.store_run(write.first, write.count, old_values(write), defer);
    }
  }
}

/// What replaying a write costs, in units of a single write (some nanoseconds): the pages at the edges of a run are
/// written out, those in between are only noted.
inline uint64_t replay_cost(const WriteView& write) {
  if (write.count == 1) return 1;
  constexpr uint32_t words_a_unit = 40;
  const uint32_t edges = write.count < 2 * PagedState::page_words ? write.count : 2 * PagedState::page_words;
  return 2 + edges / words_a_unit + (write.count >> PagedState::page_shift);
}

}  // namespace hmmscope
