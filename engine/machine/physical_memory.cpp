#include "engine/machine/physical_memory.h"

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

}  // namespace

PhysicalMemory::PhysicalMemory(Machine& machine)
    : machine_(&machine), zero_pfn_(first_zero_pfn), huge_zero_pfn_(first_huge_zero_pfn),
      next_pfn_(first_data_pfn), next_table_pfn_(first_table_pfn) {}

uint64_t PhysicalMemory::allocate(uint32_t order) {
  assert(order < free_.size());
  const uint64_t pages = 1ull << order;
  if (pages > limit_ || used_ > limit_ - pages) return 0;
  used_ += pages;
  if (!free_[order].empty()) {
    const uint64_t pfn = free_[order].back();
    free_[order].pop_back();
    return pfn;
  }
  uint64_t pfn = (next_pfn_ + pages - 1) & ~(pages - 1);
  while (in_use(pfn, pages)) pfn += pages;
  next_pfn_ = pfn + pages;
  return pfn;
}

void PhysicalMemory::free(uint64_t pfn, uint32_t order) {
  assert(order < free_.size() && used_ >= (1ull << order));
  used_ -= 1ull << order;
  free_[order].push_back(pfn);
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

uint64_t PhysicalMemory::allocate_device_page(const DeviceMemory& device) {
  const auto index = static_cast<size_t>(&device - devices_.data());
  assert(index < devices_.size());
  while (!device_free_[index].empty()) {
    const uint64_t pfn = device_free_[index].back();
    device_free_[index].pop_back();
    if (!in_use(pfn, 1)) return pfn;
  }
  while (device_next_[index] < device.pages) {
    const uint64_t pfn = device.first_pfn + device.pages - ++device_next_[index];
    if (!in_use(pfn, 1)) return pfn;
  }
  return 0;
}

uint64_t PhysicalMemory::device_pages_handed_out(const DeviceMemory& device) const {
  const auto index = static_cast<size_t>(&device - devices_.data());
  assert(index < devices_.size());
  return device_next_[index];
}

void PhysicalMemory::free_device_page(uint64_t pfn) {
  const DeviceMemory* device = device_of(pfn);
  assert(device != nullptr);
  if (device != nullptr) device_free_[static_cast<size_t>(device - devices_.data())].push_back(pfn);
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
