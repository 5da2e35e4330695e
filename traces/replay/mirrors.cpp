#include "traces/replay/mirrors.h"

#include <fmt/format.h>

#include <algorithm>

namespace hmmscope::traces {
namespace {

/// Ranges that one subscription is walked in; a trace with more is not a driver's.
constexpr size_t max_tables = 256;

}  // namespace

void Mirrors::begins(uint32_t task, uint64_t notifier, uint64_t start, uint64_t end) {
  Walk& before = walks_[task];
  if (before.space == nullptr) return;
  const bool again = before.notifier == notifier && before.start == start && before.end == end;
  if (!again) use(before);
  before = {};
}

void Mirrors::walked(uint32_t task, Walk walk) {
  if (walk.notifier != 0 && !walk.shown.empty()) walks_[task] = std::move(walk);
}

void Mirrors::back(uint32_t task, bool good) {
  if (walks_[task].space != nullptr && good) use(walks_[task]);
  walks_[task] = {};
}

void Mirrors::use(Walk& walk) {
  if (walk.shown.empty()) return;
  std::vector<Table>& tables = tables_[walk.notifier];
  const bool known = std::ranges::any_of(tables, [&](const Table& t) { return t.start == walk.start && t.end == walk.end; });
  if (!known) {
    const uint64_t pages = (walk.end - walk.start) >> page_bits;
    if (tables.size() == max_tables || !world_.spend_pages(pages)) return;
    const WordIndex first = world_.array(RegionKind::device_table, *walk.space, walk.notifier, walk.start, static_cast<uint32_t>(pages),
                                         fmt::format("device {:#x}", walk.notifier));
    tables.push_back({walk.start, walk.end, first});
  }
  world_.recorder().step(RuleId::trace_mirror_maps, {walk.notifier, walk.start, walk.end});
  for (const Table& table : tables) write(table, walk);
}

void Mirrors::write(const Table& table, const Walk& walk) {
  const uint64_t valid = world_.machine().pfn_format().valid;
  std::vector<uint64_t> words;
  for (const auto& [slot, count] : walk.shown) {
    const uint64_t start = std::max(table.start, walk.start + slot * page_bytes);
    const uint64_t end = std::min({table.end, walk.end, walk.start + (slot + count) * page_bytes});
    if (start >= end) continue;
    const auto from = static_cast<WordIndex>((start - walk.start) >> page_bits);
    words.clear();
    for (uint64_t k = 0; k < (end - start) >> page_bits; ++k) {
      const uint64_t word = world_.machine().load(walk.pfns + from + static_cast<WordIndex>(k));
      words.push_back((word & valid) != 0 ? word : 0);
    }
    world_.recorder().copy(table.first + static_cast<WordIndex>((start - table.start) >> page_bits), words, Evidence::inferred);
  }
}

template <class Visit>
void Mirrors::each_part(uint64_t notifier, uint64_t start, uint64_t end, Visit visit) {
  const auto found = tables_.find(notifier);
  if (found == tables_.end()) return;
  for (const Table& table : found->second) {
    const uint64_t from = std::max(start, table.start), to = std::min(end, table.end);
    if (from >= to || !world_.spend_entries((to - from) >> page_bits)) continue;
    const WordIndex first = table.first + static_cast<WordIndex>((from - table.start) >> page_bits);
    const auto count = static_cast<uint32_t>((to - from) >> page_bits);
    const auto words = world_.machine().memory().words().subspan(first, count);
    if (std::ranges::any_of(words, [](uint64_t word) { return word != 0; })) visit(first, count);
  }
}

/// Mapped before the callback came, and then taken away; or after it, which the driver notices, and walks again.
void Mirrors::take_out(Walk& walk, uint64_t start, uint64_t end) {
  std::vector<std::pair<uint64_t, uint32_t>> left;
  const auto keep = [&](uint64_t from, uint64_t to) {
    if (from < to) left.emplace_back(from, static_cast<uint32_t>(to - from));
  };
  const uint64_t first = start <= walk.start ? 0 : (start - walk.start) >> page_bits;
  const uint64_t last = end <= walk.start ? 0 : (std::min(end, walk.end) - walk.start + page_bytes - 1) >> page_bits;
  for (const auto& [slot, count] : walk.shown) {
    keep(slot, std::min(slot + count, first));
    keep(std::max(slot, last), slot + count);
  }
  walk.shown = std::move(left);
}

void Mirrors::invalidated(uint64_t notifier, uint64_t start, uint64_t end, bool drops) {
  for (Walk& walk : walks_)
    if (walk.space != nullptr && walk.notifier == notifier) take_out(walk, start, end);
  bool told = false;
  each_part(notifier, start, end, [&](WordIndex first, uint32_t count) {
    if (!std::exchange(told, true)) world_.recorder().step(drops ? RuleId::trace_mirror_drops : RuleId::trace_mirror_unknown, {notifier, start, end});
    world_.recorder().fill(first, count, 0, 0, drops ? Evidence::inferred : Evidence::unknown);
  });
}

void Mirrors::removed(uint64_t notifier) {
  invalidated(notifier, 0, ~uint64_t{0}, true);
  tables_.erase(notifier);
  for (Walk& walk : walks_)
    if (walk.notifier == notifier) walk = {};
}

void Mirrors::lose_events() {
  for (Walk& walk : walks_) walk = {};
  for (const auto& [notifier, tables] : tables_) invalidated(notifier, 0, ~uint64_t{0}, false);
}

}  // namespace hmmscope::traces
