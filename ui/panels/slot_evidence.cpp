#include "ui/panels/slot_evidence.h"

#include <algorithm>
#include <numeric>

#include "ui/unseen.h"
#include "ui/words.h"

namespace hmmscope::ui {
namespace {

constexpr StepIndex most_steps_forward = 4096;
/// Writes scanned backwards before the slots that are left are looked up one by one.
constexpr uint32_t most_writes_back = 400'000;

struct Part {
  uint32_t begin, end;  ///< slots of the region that a write covers; empty when it covers none
};

Part overlap(const WriteView& write, const Region& region) {
  const uint64_t begin = std::max(write.first, region.first);
  const uint64_t end = std::min(uint64_t{write.first} + write.count, uint64_t{region.first} + region.count);
  if (begin >= end) return {0, 0};
  return {static_cast<uint32_t>(begin - region.first), static_cast<uint32_t>(end - region.first)};
}

}  // namespace

void SlotEvidence::update(const ViewContext& view, const Region& region) {
  const Recording& recording = view.cursor->recording();
  const StepIndex position = view.cursor->position();
  if (!is_of_trace(recording)) {
    recording_ = nullptr;
    evidence_.clear();
    return;
  }
  const bool same = recording_ == &recording && first_ == region.first && evidence_.size() == region.count;
  if (same && position == position_) return;
  if (!same || position < position_ || position - position_ > most_steps_forward) {
    recording_ = &recording;
    first_ = region.first;
    position_ = position;
    rebuild(view, region);
    return;
  }
  for (; position_ < position; ++position_) {
    for (uint32_t w = 0; w < recording.write_count(position_); ++w) {
      const WriteView write = recording.write(position_, w);
      const Part part = overlap(write, region);
      std::fill(evidence_.begin() + part.begin, evidence_.begin() + part.end, write.evidence);
    }
  }
}

void SlotEvidence::rebuild(const ViewContext& view, const Region& region) {
  const Recording& recording = view.cursor->recording();
  evidence_.assign(region.count, Evidence::unknown);
  next_.resize(size_t{region.count} + 1);
  std::iota(next_.begin(), next_.end(), 0u);
  const auto open_from = [&](uint32_t slot) {
    while (next_[slot] != slot) slot = next_[slot] = next_[next_[slot]];
    return slot;
  };
  uint32_t left = region.count;
  uint32_t write_index =
      position_ == 0 ? 0 : recording.first_write(position_ - 1) + recording.write_count(position_ - 1);
  uint32_t budget = most_writes_back;
  while (left > 0 && write_index > 0 && budget-- > 0) {
    const WriteView write = recording.write_at(--write_index);
    const Part part = overlap(write, region);
    for (uint32_t slot = open_from(part.begin); slot < part.end; slot = open_from(slot)) {
      evidence_[slot] = write.evidence;
      next_[slot] = slot + 1;
      --left;
    }
  }
  if (write_index == 0) return;
  for (uint32_t slot = open_from(0); slot < region.count; slot = open_from(slot + 1)) {
    evidence_[slot] = last_write(view, region.first + slot).evidence;
  }
}

}  // namespace hmmscope::ui
