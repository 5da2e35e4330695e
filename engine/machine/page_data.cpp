#include "engine/machine/page_data.h"

#include <fmt/format.h>

#include "engine/machine/machine.h"

namespace hmmscope {
namespace {

constexpr uint64_t chunk_pages = 512;

}  // namespace

WordIndex PageData::find(uint64_t pfn) const {
  const auto found = chunks_.find(pfn / chunk_pages);
  return found == chunks_.end() ? no_word : found->second + static_cast<WordIndex>(pfn % chunk_pages);
}

uint64_t PageData::load(uint64_t pfn) const {
  const WordIndex word = find(pfn);
  return word == no_word ? 0 : machine_->load(word);
}

void PageData::store(uint64_t pfn, uint64_t value) {
  WordIndex word = find(pfn);
  if (word == no_word) {
    if (value == 0) return;
    Region region;
    region.kind = RegionKind::counters;
    region.count = chunk_pages;
    region.address = pfn / chunk_pages * chunk_pages;
    region.name = "page data";
    chunks_[pfn / chunk_pages] = machine_->add_region(std::move(region));
    word = find(pfn);
  }
  if (machine_->load(word) != value) machine_->store(word, value);
}

void PageData::copy(uint64_t from, uint64_t to, uint64_t pages) {
  for (uint64_t k = 0; k < pages; ++k) store(to + k, load(from + k));
}

void PageData::clear(uint64_t pfn, uint64_t pages) {
  for (uint64_t k = 0; k < pages; ++k) store(pfn + k, 0);
}

void PageData::write_swap(uint64_t offset, uint64_t pfn) {
  const uint64_t value = load(pfn);
  auto found = slots_.find(offset);
  if (found == slots_.end()) {
    if (value == 0) return;
    Region region;
    region.kind = RegionKind::counters;
    region.count = 1;
    region.address = offset;
    region.name = "swap slot";
    found = slots_.emplace(offset, machine_->add_region(std::move(region))).first;
  }
  if (machine_->load(found->second) != value) machine_->store(found->second, value);
}

void PageData::read_swap(uint64_t offset, uint64_t pfn) {
  const auto found = slots_.find(offset);
  store(pfn, found == slots_.end() ? 0 : machine_->load(found->second));
}

uint64_t PageData::load_file(uint64_t file, uint64_t index) const {
  const auto found = files_.find({file, index});
  return found == files_.end() ? 0 : machine_->load(found->second);
}

void PageData::write_file(uint64_t file, uint64_t index, uint64_t value) {
  auto found = files_.find({file, index});
  if (found == files_.end()) {
    if (value == 0) return;
    Region region;
    region.kind = RegionKind::counters;
    region.count = 1;
    region.address = index;
    region.name = fmt::format("page of file {} on disk", file);
    found = files_.emplace(std::pair(file, index), machine_->add_region(std::move(region))).first;
  }
  if (machine_->load(found->second) != value) machine_->store(found->second, value);
}

}  // namespace hmmscope
