#include "engine/recording/page_writes.h"

#include <algorithm>
#include <bit>

#include "engine/recording/blocks.h"

namespace hmmscope {

template <class Visit>
void PageWrites::for_each_list(const WriteView& write, Visit visit) const {
  constexpr uint64_t round_up = state_page_words - 1;
  const uint64_t end = uint64_t{write.first} + write.count;
  const uint32_t head = write.first >> state_page_shift;
  const auto whole_begin = static_cast<uint32_t>((write.first + round_up) >> state_page_shift);
  const auto whole_end = static_cast<uint32_t>(end >> state_page_shift);
  if (write.first % state_page_words != 0 || whole_begin >= whole_end) visit(head);
  if (end % state_page_words != 0 && whole_end != head) visit(whole_end);
  if (whole_begin < whole_end)
    for_each_block(whole_begin, whole_end - whole_begin,
                   [&](uint32_t level, uint32_t block) { visit(level_begin_[level] + block); });
}

bool PageWrites::build(const Recording& recording, const Proceed& proceed) {
  pages_ = static_cast<uint32_t>((uint64_t{recording.word_count()} + state_page_words - 1) >> state_page_shift);
  levels_ = static_cast<uint32_t>(std::bit_width(pages_));
  uint32_t lists = pages_;
  for (uint32_t level = 0; level < levels_; ++level) {
    level_begin_[level] = lists;
    lists += (pages_ >> level) + 1;
  }
  return lists_.fill(recording, lists, proceed, 0,
                     [&](const WriteView& write, auto visit) { for_each_list(write, visit); });
}

uint32_t PageWrites::last_cover(uint32_t page, uint32_t from, uint32_t before) const {
  uint32_t last = no_write;
  for (uint32_t level = 0; level < levels_; ++level) {
    const auto covers = lists_[level_begin_[level] + (page >> level)];
    if (covers.empty() || covers.front() >= before || covers.back() < from) continue;
    const auto after = std::lower_bound(covers.begin(), covers.end(), before);
    const uint32_t found = *(after - 1);
    if (found < from) continue;
    from = found + 1;
    last = found;
  }
  return last;
}

bool PageWrites::touched(uint32_t page, uint32_t from, uint32_t before) const {
  const auto partial = this->partial(page);
  const auto next = std::lower_bound(partial.begin(), partial.end(), from);
  return (next != partial.end() && *next < before) || last_cover(page, from, before) != no_write;
}

}  // namespace hmmscope
