#include "engine/machine/physical_memory.h"

#include <algorithm>
#include <cassert>
#include <iterator>
#include <utility>

#include "engine/machine/machine.h"

namespace hmmscope {
namespace {

// Three disjoint parts of low memory, so that no kind of allocation moves another kind's numbers.
constexpr uint64_t first_zero_pfn = 0x2000;
constexpr uint64_t first_huge_zero_pfn = 0x3000;
constexpr uint64_t first_table_pfn = 0x10000;
constexpr uint64_t first_data_pfn = 0x100000;

// The blocks of device memory.
constexpr uint32_t block_order = 9;
constexpr uint64_t block_pages = 1ull << block_order;

}  // namespace

PhysicalMemory::PhysicalMemory(Machine& machine)
    : machine_(&machine), zero_pfn_(first_zero_pfn), huge_zero_pfn_(first_huge_zero_pfn),
      next_pfn_(first_data_pfn), next_table_pfn_(first_table_pfn) {}

uint64_t PhysicalMemory::allocate(uint32_t order) {
  assert(order < free_.size());
  const uint64_t pages = 1ull << order;
  machine_->memory().log_run(system_allocator_word, 1);
  if (pages > limit_ || used_ > limit_ - pages) return 0;
  used_ += pages;
  if (!free_[order].empty()) {
    auto next = std::prev(free_[order].end());
    if (reuses_) next = std::min_element(free_[order].begin(), free_[order].end());
    const uint64_t pfn = *next;
    free_[order].erase(next);
    if (reuses_) handed_out_[pfn] = order;
    return pfn;
  }
  uint64_t pfn = (next_pfn_ + pages - 1) & ~(pages - 1);
  while (in_use(pfn, pages)) pfn += pages;
  next_pfn_ = pfn + pages;
  if (reuses_) handed_out_[pfn] = order;
  return pfn;
}

void PhysicalMemory::free(uint64_t pfn, uint32_t order) {
  assert(order < free_.size() && used_ >= (1ull << order));
  machine_->memory().log_run(system_allocator_word, 1);
  used_ -= 1ull << order;
  free_[order].push_back(pfn);
  handed_out_.erase(pfn);
}

void PhysicalMemory::release(uint64_t pfn, uint32_t order) {
  const auto found = handed_out_.find(pfn);   // pages of a split block stay out
  if (found != handed_out_.end() && found->second == order) free(pfn, order);
}

uint64_t PhysicalMemory::allocate_table() { return next_table_pfn_++; }

WordIndex PhysicalMemory::add_folio(uint64_t pfn, uint32_t order, std::string name) {
  Region region;
  region.kind = RegionKind::folio;
  region.count = static_cast<uint32_t>(FolioWord::count_);
  region.address = pfn;
  region.name = std::move(name);
  const WordIndex first = machine_->add_region(std::move(region));
  machine_->store(word_of(first, FolioWord::pfn), pfn);
  machine_->store(word_of(first, FolioWord::order), order);
  // A large folio ends whatever was there before, or the small ones would still be found for its other pages.
  if (order != 0) folios_.erase(folios_.lower_bound(pfn), folios_.lower_bound(pfn + (1ull << order)));
  folios_[pfn] = {pfn + (1ull << order), first};
  return first;
}

WordIndex PhysicalMemory::folio_of(uint64_t pfn) const {
  auto it = folios_.upper_bound(pfn);
  if (it == folios_.begin()) return no_word;
  --it;
  return pfn < it->second.first ? it->second.second : no_word;
}

bool PhysicalMemory::in_use(uint64_t first_pfn, uint64_t pages) const {
  auto it = folios_.lower_bound(first_pfn);
  if (it != folios_.begin() && std::prev(it)->second.first > first_pfn) --it;
  for (; it != folios_.end() && it->first < first_pfn + pages; ++it) {
    if (machine_->load(word_of(it->second.second, FolioWord::refcount)) != 0) return true;
  }
  return false;
}

void PhysicalMemory::forget_folio(uint64_t pfn) { folios_.erase(pfn); }

void PhysicalMemory::add_device(DeviceMemory device) {
  devices_.push_back(std::move(device));
  device_next_.push_back(0);
  device_free_.emplace_back();
}

const DeviceMemory* PhysicalMemory::device_of(uint64_t pfn) const {
  for (size_t i = devices_.size(); i-- > 0;) {
    if (pfn >= devices_[i].first_pfn && pfn - devices_[i].first_pfn < devices_[i].pages) return &devices_[i];
  }
  return nullptr;
}

std::optional<uint64_t> PhysicalMemory::owner_of(uint64_t pfn) const {
  const DeviceMemory* device = device_of(pfn);
  return device != nullptr ? std::optional<uint64_t>(device->owner) : std::nullopt;
}

size_t PhysicalMemory::index_of(const DeviceMemory& device) const {
  const auto index = static_cast<size_t>(&device - devices_.data());
  assert(index < devices_.size());
  return index;
}

uint64_t PhysicalMemory::take_free_block(size_t device) {
  std::vector<uint64_t>& blocks = device_free_[device].block;
  if (reuses_) std::sort(blocks.begin(), blocks.end());
  while (!blocks.empty()) {
    const uint64_t pfn = blocks.back();
    blocks.pop_back();
    if (!in_use(pfn, block_pages)) return pfn;
  }
  return 0;
}

uint64_t PhysicalMemory::allocate_device_page(const DeviceMemory& device, uint32_t order) {
  assert(order == 0 || order == block_order);
  machine_->memory().log_run(device_allocator_word, 1);
  const size_t index = index_of(device);
  std::vector<uint64_t>& single = device_free_[index].single;
  if (reuses_) std::sort(single.begin(), single.end());
  const uint64_t end = device.first_pfn + device.pages;
  if (order != 0) {
    if (const uint64_t pfn = take_free_block(index); pfn != 0) return pfn;
    for (uint64_t top = end - device_next_[index]; top >= device.first_pfn + block_pages;) {
      const uint64_t pfn = (top - block_pages) & ~(block_pages - 1);
      if (pfn < device.first_pfn) return 0;
      // What alignment (or a page declared here) passes over is not lost for single pages.
      for (uint64_t passed = pfn + block_pages; passed < top; ++passed) single.push_back(passed);
      device_next_[index] = end - pfn;
      if (!in_use(pfn, block_pages)) return pfn;
      for (uint64_t k = 0; k < block_pages; ++k) single.push_back(pfn + k);
      top = pfn;
    }
    return 0;
  }
  for (;;) {
    while (!single.empty()) {
      const uint64_t pfn = single.back();
      single.pop_back();
      if (!in_use(pfn, 1)) return pfn;
    }
    while (device_next_[index] < device.pages) {
      const uint64_t pfn = end - ++device_next_[index];
      if (!in_use(pfn, 1)) return pfn;
    }
    const uint64_t block = take_free_block(index);
    if (block == 0) return 0;
    for (uint64_t k = 0; k < block_pages; ++k) single.push_back(block + k);
  }
}

uint64_t PhysicalMemory::device_pages_handed_out(const DeviceMemory& device) const {
  return device_next_[index_of(device)];
}

void PhysicalMemory::free_device_page(uint64_t pfn, uint32_t order) {
  const DeviceMemory* device = device_of(pfn);
  assert(device != nullptr);
  machine_->memory().log_run(device_allocator_word, 1);
  if (device == nullptr) return;
  FreeDevicePages& free = device_free_[index_of(*device)];
  (order == 0 ? free.single : free.block).push_back(pfn);
}

uint64_t PhysicalMemory::allocate_swap_slot() {
  if (free_swap_.empty()) return next_swap_++;
  const uint64_t offset = free_swap_.back();
  free_swap_.pop_back();
  return offset;
}

void PhysicalMemory::free_swap_slot(uint64_t offset) { free_swap_.push_back(offset); }

uint64_t PhysicalMemory::swap_cache_slot(uint64_t pfn) const {
  const auto found = swap_cache_.find(pfn);
  return found == swap_cache_.end() ? 0 : found->second;
}

}  // namespace hmmscope
