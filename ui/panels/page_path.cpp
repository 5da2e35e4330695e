#include "ui/panels/page_path.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "ui/words.h"

namespace hmmscope::ui {
namespace {

using RegionKey = std::tuple<RegionKind, uint32_t, uint64_t>;

RegionKey key_of(const Region& region) { return {region.kind, region.owner, region.address}; }

bool covers(const Region& region, uint64_t address) {
  return region.stride != 0 && address >= region.address &&
         (address - region.address) / region.stride < region.count;
}

/// Regions of one kind may differ in size (arrays do); this many neighbours are looked at.
constexpr int neighbours = 256;

bool continues_below(const Layout& layout) { return layout.field(Role::table_address) != nullptr; }

}  // namespace

void RegionIndex::update(const Recording* recording) {
  if (recording == recording_) return;
  recording_ = recording;
  sorted_.clear();
  any_tables_ = false;
  if (recording == nullptr) return;
  const auto regions = recording->regions();
  sorted_.resize(regions.size());
  for (uint32_t i = 0; i < regions.size(); ++i) {
    sorted_[i] = i;
    any_tables_ |= regions[i].kind <= RegionKind::hugetlb;
  }
  std::sort(sorted_.begin(), sorted_.end(), [&](uint32_t a, uint32_t b) {
    const auto ka = key_of(regions[a]), kb = key_of(regions[b]);
    return ka != kb ? ka < kb : a < b;
  });
}

std::vector<const Region*> RegionIndex::covering(RegionKind kind, uint32_t owner, uint64_t address) const {
  std::vector<const Region*> found;
  if (recording_ == nullptr) return found;
  const auto regions = recording_->regions();
  auto it = std::upper_bound(sorted_.begin(), sorted_.end(), RegionKey{kind, owner, address},
                             [&](const RegionKey& key, uint32_t id) { return key < key_of(regions[id]); });
  for (int i = 0; i < neighbours && it != sorted_.begin(); ++i) {
    const Region& region = regions[*--it];
    if (region.kind != kind || region.owner != owner) break;
    if (covers(region, address)) found.push_back(&region);
  }
  return found;
}

std::vector<uint32_t> RegionIndex::owners(RegionKind kind) const {
  std::vector<uint32_t> found;
  if (recording_ == nullptr) return found;
  const auto regions = recording_->regions();
  auto it = std::lower_bound(sorted_.begin(), sorted_.end(), kind,
                             [&](uint32_t id, RegionKind wanted) { return regions[id].kind < wanted; });
  while (it != sorted_.end() && regions[*it].kind == kind) {
    found.push_back(regions[*it].owner);
    it = std::upper_bound(it, sorted_.end(), std::pair{kind, found.back()},
                          [&](const std::pair<RegionKind, uint32_t>& key, uint32_t id) {
                            return key < std::pair{regions[id].kind, regions[id].owner};
                          });
  }
  return found;
}

std::vector<const Region*> RegionIndex::covering(RegionKind kind, uint64_t address) const {
  std::vector<const Region*> found;
  for (const uint32_t owner : owners(kind)) {
    const auto some = covering(kind, owner, address);
    found.insert(found.end(), some.begin(), some.end());
  }
  return found;
}

std::vector<const Region*> RegionIndex::owned(RegionKind kind, uint32_t owner) const {
  std::vector<const Region*> found;
  if (recording_ == nullptr) return found;
  const auto regions = recording_->regions();
  auto it = std::lower_bound(sorted_.begin(), sorted_.end(), RegionKey{kind, owner, 0},
                             [&](uint32_t id, const RegionKey& key) { return key_of(regions[id]) < key; });
  for (; it != sorted_.end() && regions[*it].kind == kind && regions[*it].owner == owner; ++it)
    found.push_back(&regions[*it]);
  return found;
}

WordIndex word_at(const Region& region, uint64_t address) {
  return region.first + static_cast<WordIndex>((address - region.address) / region.stride);
}

const Region* latest(const ViewContext& view, const std::vector<const Region*>& regions, uint64_t address) {
  const Region* best = nullptr;
  std::pair<bool, StepIndex> best_rank;
  for (const Region* region : regions) {
    const WordIndex word = word_at(*region, address);
    const LastWrite write = last_write(view, word);
    const std::pair rank{view.cursor->load(word) != 0, write.step == no_step ? 0 : write.step + 1};
    if (best != nullptr && rank <= best_rank) continue;
    best = region;
    best_rank = rank;
  }
  return best;
}

std::vector<PathLevel> page_path(const ViewContext& view, const RegionIndex& index, uint32_t owner,
                                 uint64_t address) {
  std::vector<PathLevel> path;
  for (const RegionKind kind : {RegionKind::pgd, RegionKind::p4d, RegionKind::pud, RegionKind::pmd,
                                RegionKind::pte, RegionKind::hugetlb}) {
    const Region* table = latest(view, index.covering(kind, owner, address), address);
    if (table == nullptr) continue;
    const WordIndex word = word_at(*table, address);
    const uint64_t value = view.cursor->load(word);
    if (kind == RegionKind::hugetlb && value == 0) continue;
    const Evidence evidence = last_write(view, word).evidence;
    path.push_back({table, word, word - table->first, value, evidence});
    if (kind == RegionKind::pte) break;
    if (evidence == Evidence::unknown) continue;
    if (kind == RegionKind::pud || kind == RegionKind::pmd) {
      if (value == 0 || !continues_below(layout_of(view, word, value))) break;
    }
  }
  return path;
}

std::string process_of(const ViewContext& view, const RegionIndex& index, uint32_t owner) {
  if (!has_recording(view) || index.owners(RegionKind::mm).size() < 2) return {};
  const auto spaces = index.owned(RegionKind::mm, owner);
  return spaces.empty() ? std::string() : spaces.front()->name;
}

std::optional<uint64_t> named_word(const ViewContext& view, const Region& region, std::string_view name) {
  const auto names = word_names(region.kind);
  const auto it = std::find(names.begin(), names.end(), name);
  const auto offset = static_cast<WordIndex>(it - names.begin());
  if (it == names.end() || offset >= region.count) return std::nullopt;
  return view.cursor->load(region.first + offset);
}

}  // namespace hmmscope::ui
