#include "ui/panels/change_pages.h"

#include <algorithm>

#include "ui/unseen.h"

namespace hmmscope::ui {

uint32_t telling_write(const History& history, WordIndex word) {
  if (!is_of_trace(history.recording())) return no_write;
  const auto first = history.writes(word).next();
  return first && first->evidence != Evidence::unknown ? first->number : no_write;
}

namespace {

constexpr size_t mark_every = 4096;      ///< writes between marks
constexpr size_t slice = size_t{1} << 18;  ///< writes looked at in one advance()
constexpr size_t page = 128;

}  // namespace

bool ChangePages::show(const History* history, WordIndex word, uint64_t mask) {
  if (history == history_ && word == word_ && mask == mask_) return false;
  history_ = history;
  word_ = word;
  mask_ = mask;
  marks_.assign(1, {0, 0});
  count_ = 0;
  rows_.clear();
  complete_ = history == nullptr;
  telling_ = complete_ ? no_write : telling_write(*history, word);
  if (!complete_) scan_ = history->writes(word);
  advance();
  return true;
}

bool ChangePages::advance() {
  for (size_t i = 1; !complete_ && i <= slice; ++i) {
    const auto write = scan_.next();
    if (!write) {
      complete_ = true;
      break;
    }
    count_ += matches(*write) ? 1 : 0;
    if (i % mark_every == 0) marks_.push_back({write->number + 1, count_});
  }
  return !complete_;
}

size_t ChangePages::before(StepIndex position) {
  if (history_ == nullptr) return 0;
  const Recording& recording = history_->recording();
  const uint32_t end = recording.first_write(std::min(position, recording.steps()));
  const auto after = std::upper_bound(marks_.begin(), marks_.end(), end,
                                      [](uint32_t write, const Mark& mark) { return write < mark.write; });
  const Mark& mark = *(after - 1);
  size_t rank = mark.rank;
  History::Writes writes = history_->writes(word_, mark.write);
  // To the next mark at most; behind the last one, not past what was counted.
  while (rank < count_) {
    const auto write = writes.next();
    if (!write || write->number >= end) break;
    rank += matches(*write) ? 1 : 0;
  }
  return rank;
}

const Change& ChangePages::at(size_t k) {
  if (k < first_ || k - first_ >= rows_.size()) load(k);
  return rows_[k - first_];
}

void ChangePages::load(size_t k) {
  first_ = k > page / 2 ? k - page / 2 : 0;
  rows_.clear();
  const auto after = std::upper_bound(marks_.begin(), marks_.end(), first_,
                                      [](size_t rank, const Mark& mark) { return rank < mark.rank; });
  const Mark& mark = *(after - 1);
  size_t rank = mark.rank;
  History::Writes writes = history_->writes(word_, mark.write);
  const Recording& recording = history_->recording();
  while (rows_.size() < page && rank < count_) {
    const auto write = writes.next();
    if (!write) break;
    if (!matches(*write)) continue;
    if (rank++ >= first_)
      rows_.push_back({recording.step_of_write(write->number), write->before, write->after, write->evidence});
  }
}

}  // namespace hmmscope::ui
