#include "engine/recording/cursor.h"

#include <algorithm>

namespace hmmscope {

Cursor::Cursor(std::shared_ptr<const Recording> recording)
    : Cursor(recording, std::make_shared<const Keyframes>(recording)) {}

Cursor::Cursor(std::shared_ptr<const Recording> recording, std::shared_ptr<const Keyframes> keyframes)
    : recording_(std::move(recording)), keyframes_(std::move(keyframes)), state_(*keyframes_) {}

bool Cursor::step() {
  if (position_ == recording_->steps()) return false;
  state_.walk(recording_->first_write(++position_));
  return true;
}

bool Cursor::back() {
  if (position_ == 0) return false;
  state_.walk(recording_->first_write(--position_));
  return true;
}

void Cursor::seek(StepIndex position) {
  position_ = std::min(position, recording_->steps());
  const uint32_t from = state_.position(), to = recording_->first_write(position_);
  // Walking keeps the pages that were read; over few writes that is cheaper than to look them up again.
  constexpr uint32_t short_way = 64;
  if (std::max(from, to) - std::min(from, to) <= short_way) {
    state_.walk(to);
  } else {
    state_.jump(to);
  }
}

}  // namespace hmmscope
