#include "engine/schedule/independence.h"

#include <algorithm>

namespace hmmscope::schedule {
namespace {

void set(std::vector<uint64_t>& bits, size_t bit) {
  if (bits.size() <= bit / 64) bits.resize(bit / 64 + 1);
  bits[bit / 64] |= 1ull << (bit % 64);
}

bool add_bits(std::vector<uint64_t>& to, const std::vector<uint64_t>& from) {
  if (to.size() < from.size()) to.resize(from.size());
  bool grew = false;
  for (size_t k = 0; k < from.size(); ++k) {
    grew = grew || (from[k] & ~to[k]) != 0;
    to[k] |= from[k];
  }
  return grew;
}

bool meet(const std::vector<uint64_t>& a, const std::vector<uint64_t>& b) {
  for (size_t k = 0; k < std::min(a.size(), b.size()); ++k) {
    if ((a[k] & b[k]) != 0) return true;
  }
  return false;
}

}  // namespace

bool Independence::Accesses::add(const Accesses& other) {
  const bool more_reads = add_bits(reads, other.reads), more_writes = add_bits(writes, other.writes);
  return more_reads || more_writes;
}

bool Independence::Accesses::conflicts(const Accesses& other) const {
  return meet(writes, other.writes) || meet(writes, other.reads) || meet(reads, other.writes);
}

size_t Independence::number(uint64_t object) { return numbers_.try_emplace(object, numbers_.size()).first->second; }

size_t Independence::place(uint32_t task, uint64_t position) {
  const auto [found, fresh] = index_.try_emplace({task, position}, places_.size());
  if (fresh) places_.emplace_back();
  return found->second;
}

const Independence::Place* Independence::find(uint32_t task, uint64_t position) const {
  const auto found = index_.find({task, position});
  return found == index_.end() ? nullptr : &places_[found->second];
}

void Independence::learn(const Segment& segment) {
  Accesses accesses;
  for (const uint64_t object : segment.reads) set(accesses.reads, number(object));
  for (const uint64_t object : segment.writes) set(accesses.writes, number(object));
  const size_t from = place(segment.task, segment.from), to = place(segment.task, segment.to);
  const bool more_next = places_[from].next.add(accesses);
  bool more = places_[from].ahead.add(accesses);
  std::vector<size_t>& before = places_[to].before;
  if (std::find(before.begin(), before.end(), from) == before.end()) {
    before.push_back(from);
    const Accesses ahead = places_[to].ahead;   // from and to may be one place
    more = places_[from].ahead.add(ahead) || more;
  }
  if (more_next || more) ++knowledge_;
  if (more) spread(from);
}

void Independence::spread(size_t from) {
  std::vector<size_t> work{from};
  while (!work.empty()) {
    const size_t at = work.back();
    work.pop_back();
    for (const size_t before : places_[at].before) {
      if (before != at && places_[before].ahead.add(places_[at].ahead)) work.push_back(before);
    }
  }
}

bool Independence::goes_alone(uint32_t task, std::span<const uint64_t> positions) const {
  const Place* own = find(task, positions[task]);
  if (own == nullptr) return true;   // nothing is known: a run will tell
  for (uint32_t other = 0; other < positions.size(); ++other) {
    if (other == task || positions[other] == 0) continue;
    const Place* place = find(other, positions[other]);
    if (place != nullptr && own->next.conflicts(place->ahead)) return false;
  }
  return true;
}

}  // namespace hmmscope::schedule
