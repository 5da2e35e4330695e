#include "engine/recording/cursor.h"

#include <algorithm>

#include "engine/recording/replay.h"

namespace hmmscope {

Cursor::Cursor(std::shared_ptr<const Recording> recording)
    : Cursor(recording, std::make_shared<const Keyframes>(recording)) {}

Cursor::Cursor(std::shared_ptr<const Recording> recording, std::shared_ptr<const Keyframes> keyframes)
    : recording_(std::move(recording)), keyframes_(std::move(keyframes)), state_(recording_->initial()) {}

bool Cursor::step() {
  if (position_ == recording_->steps()) return false;
  const uint32_t begin = recording_->first_write(position_);
  apply_writes(*recording_, begin, begin + recording_->write_count(position_), state_, false);
  ++position_;
  return true;
}

bool Cursor::back() {
  if (position_ == 0) return false;
  --position_;
  const uint32_t begin = recording_->first_write(position_);
  undo_writes(*recording_, begin, begin + recording_->write_count(position_), state_, false);
  return true;
}

void Cursor::seek(StepIndex position) {
  position = std::min(position, recording_->steps());
  const uint64_t target = keyframes_->cost_to(position);
  const auto distance = [&](uint64_t cost) { return cost > target ? cost - target : target - cost; };

  uint64_t best = distance(keyframes_->cost_to(position_));
  uint32_t from = keyframes_->count();  // walk from here
  const uint32_t before = keyframes_->before(position);
  for (uint32_t k = before; k < keyframes_->count() && k <= before + 1; ++k) {
    const uint64_t cost =
        distance(keyframes_->cost_to(keyframes_->position(k))) + keyframes_->restore_cost(position_, k);
    if (cost >= best) continue;
    best = cost;
    from = k;
  }
  if (from != keyframes_->count()) {
    keyframes_->restore(from, state_);
    position_ = keyframes_->position(from);
  }
  walk(position);
}

void Cursor::walk(StepIndex position) {
  const uint32_t here = recording_->first_write(position_);
  const uint32_t there = recording_->first_write(position);
  if (here <= there) {
    apply_writes(*recording_, here, there, state_, true);
  } else {
    undo_writes(*recording_, there, here, state_, true);
  }
  state_.settle();
  position_ = position;
}

}  // namespace hmmscope
