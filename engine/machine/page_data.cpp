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

template <class Key>
void PageData::keep(std::map<Key, WordIndex>& words, const Key& key, uint64_t value, uint64_t address, std::string_view name) {
  auto found = words.find(key);
  if (found == words.end()) {
    if (value == 0) return;
    Region region;
    region.kind = RegionKind::counters;
    region.count = 1;
    region.address = address;
    region.name = name;
    found = words.emplace(key, machine_->add_region(std::move(region))).first;
  }
  if (machine_->load(found->second) != value) machine_->store(found->second, value);
}

void PageData::write_swap(uint64_t offset, uint64_t pfn) { keep(slots_, offset, load(pfn), offset, "swap slot"); }

void PageData::read_swap(uint64_t offset, uint64_t pfn) {
  const auto found = slots_.find(offset);
  store(pfn, found == slots_.end() ? 0 : machine_->load(found->second));
}

uint64_t PageData::load_file(uint64_t file, uint64_t index) const {
  const auto found = files_.find({file, index});
  return found == files_.end() ? 0 : machine_->load(found->second);
}

void PageData::write_file(uint64_t file, uint64_t index, uint64_t value) {
  keep(files_, {file, index}, value, index, fmt::format("page of file {} on disk", file));
}

}  // namespace hmmscope
