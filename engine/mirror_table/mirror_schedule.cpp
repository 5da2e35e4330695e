#include "engine/mirror_table/mirror_schedule.h"

namespace hmmscope {

MirrorIterator& MirrorIterators::named(const std::string& name) {
  for (const auto& iterator : iterators_) {
    if (iterator->name() == name) return *iterator;
  }
  iterators_.push_back(std::make_unique<MirrorIterator>(table_, iterators_, name));
  MirrorIterator& made = *iterators_.back();
  if (Recorder* recorder = table_.machine().recorder(); recorder != nullptr) {
    made.task = recorder->add_task({static_cast<int32_t>(100 + iterators_.size()), name});
  }
  return made;
}

MirrorViolation MirrorIterators::check() const {
  std::vector<uint32_t> protectors;
  for (const auto& iterator : iterators_) iterator->add_protected(protectors);
  return table_.check(protectors);
}

MirrorIterators::Outcome MirrorIterators::run(const std::vector<MirrorIterator*>& schedule, const std::function<void()>& after_turn) {
  Outcome outcome;
  const auto give = [&](MirrorIterator& iterator) {
    if (iterator.done()) return false;
    iterator.turn();
    ++outcome.turns;
    if (after_turn) after_turn();
    return true;
  };
  for (MirrorIterator* iterator : schedule) give(*iterator);
  for (bool moved = true; moved && !outcome.deadlock;) {
    moved = false;
    bool somebody_works = false;
    for (const auto& iterator : iterators_) {
      somebody_works = somebody_works || (!iterator->done() && !iterator->blocked());
      moved = give(*iterator) || moved;
    }
    outcome.deadlock = moved && !somebody_works;
  }
  if (const MirrorViolation found = check(); found != MirrorViolation::none && table_.violation() == MirrorViolation::none)
    table_.report(found, 0);
  outcome.violation = table_.violation();
  return outcome;
}

}  // namespace hmmscope
