#include "engine/machine/address_space.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <utility>

#include "engine/machine/machine.h"

namespace hmmscope {
namespace {

WordIndex add_mm_region(Machine& machine, uint32_t id, const std::string& name) {
  Region region;
  region.kind = RegionKind::mm;
  region.owner = id;
  region.count = static_cast<uint32_t>(MmWord::count_);
  region.name = name;
  return machine.add_region(std::move(region));
}

Result<void> check_spec(const VmaSpec& spec, uint64_t limit) {
  const bool huge = (spec.flags & vm::hugetlb) != 0;
  if (huge ? spec.page_shift != level_shift(Level::pmd) && spec.page_shift != level_shift(Level::pud)
           : spec.page_shift != page_bits) {
    return fail(fmt::format("vma \"{}\": a page of 2^{} bytes is not possible here; use 21 or 30 with hugetlb, else 12",
                            spec.name, spec.page_shift));
  }
  const uint64_t in_page = (1ull << spec.page_shift) - 1;
  if (((spec.start | spec.end) & in_page) != 0) {
    return fail(fmt::format("vma \"{}\": {:#x}-{:#x} is not aligned to its page size {:#x}", spec.name, spec.start,
                            spec.end, in_page + 1));
  }
  if (spec.start >= spec.end) {
    return fail(fmt::format("vma \"{}\": {:#x}-{:#x} is empty", spec.name, spec.start, spec.end));
  }
  if (spec.end > limit) {
    return fail(fmt::format("vma \"{}\": the end {:#x} lies above {:#x}, the most these page tables map", spec.name,
                            spec.end, limit));
  }
  return {};
}

}  // namespace

AddressSpace::AddressSpace(Machine& machine, uint32_t id, std::string name)
    : machine_(&machine), id_(id), name_(std::move(name)), mm_(add_mm_region(machine, id, name_)),
      tables_(machine, id), notifiers_(machine, id, mm_) {}

bool AddressSpace::unstable() const {
  return (machine_->load(word(MmWord::flags)) & mm_flag::unstable) != 0;
}

Vma AddressSpace::vma(WordIndex first) const { return {&machine_->memory(), first}; }

size_t AddressSpace::first_above(uint64_t addr) const {
  const auto ends_above = [this](uint64_t a, WordIndex v) { return a < vma(v).end(); };
  return static_cast<size_t>(std::upper_bound(vmas_.begin(), vmas_.end(), addr, ends_above) - vmas_.begin());
}

Vma AddressSpace::find_vma(uint64_t addr) const {
  const size_t i = first_above(addr);
  return i < vmas_.size() ? vma(vmas_[i]) : Vma();
}

Vma AddressSpace::vma_at(uint64_t addr) const {
  const Vma found = find_vma(addr);
  return found && found.start() <= addr ? found : Vma();
}

Result<Vma> AddressSpace::add_vma(const VmaSpec& spec) {
  if (auto ok = check_spec(spec, tables_.limit()); !ok) return tl::unexpected<Error>(ok.error());
  const size_t position = first_above(spec.start);
  if (position < vmas_.size() && vma(vmas_[position]).start() < spec.end) {
    const Vma other = vma(vmas_[position]);
    return fail(fmt::format("vma \"{}\" {:#x}-{:#x} overlaps the one at {:#x}-{:#x}", spec.name, spec.start, spec.end,
                            other.start(), other.end()));
  }
  Region region;
  region.kind = RegionKind::vma;
  region.owner = id_;
  region.count = static_cast<uint32_t>(VmaWord::count_);
  region.address = spec.start;
  region.name = spec.name;
  const WordIndex first = machine_->add_region(std::move(region));
  const auto set = [&](VmaWord w, uint64_t value) { machine_->store(word_of(first, w), value); };
  set(VmaWord::start, spec.start);
  set(VmaWord::end, spec.end);
  set(VmaWord::flags, spec.flags);
  set(VmaWord::pgoff, spec.pgoff);
  set(VmaWord::kind, static_cast<uint64_t>(spec.kind));
  set(VmaWord::file, spec.file);
  set(VmaWord::page_shift, spec.page_shift);
  vmas_.insert(vmas_.begin() + static_cast<std::ptrdiff_t>(position), first);
  return vma(first);
}

void AddressSpace::remove_vma(Vma gone) {
  const size_t position = first_above(gone.start());
  assert(position < vmas_.size() && vmas_[position] == gone.first());
  if (position >= vmas_.size() || vmas_[position] != gone.first()) return;
  vmas_.erase(vmas_.begin() + static_cast<std::ptrdiff_t>(position));
  machine_->store(gone.word(VmaWord::start), 0);
  machine_->store(gone.word(VmaWord::end), 0);
}

VmaSpec AddressSpace::spec_of(const Vma& vma) const {
  return {vma.start(), vma.end(), vma.flags(), vma.pgoff(), vma.kind(), vma.file(), vma.huge_shift(),
          machine_->memory().region(machine_->memory().region_of(vma.first())).name};
}

Result<Vma> AddressSpace::split_vma(Vma lower, uint64_t addr) {
  VmaSpec upper = spec_of(lower);
  upper.start = addr;
  upper.pgoff += (addr - lower.start()) >> page_bits;
  if (addr <= lower.start() || addr >= lower.end()) {
    return fail(fmt::format("vma \"{}\" {:#x}-{:#x} cannot be cut at {:#x}", upper.name, lower.start(), lower.end(),
                            addr));
  }
  if (auto ok = check_spec(upper, tables_.limit()); !ok) return tl::unexpected<Error>(ok.error());
  machine_->store(lower.word(VmaWord::end), addr);
  return add_vma(upper);
}

void AddressSpace::resize_vma(Vma vma, uint64_t start, uint64_t end) {
  assert(start < end);
  machine_->store(vma.word(VmaWord::start), start);
  machine_->store(vma.word(VmaWord::end), end);
}

void AddressSpace::set_entry(Level level, uint64_t addr, uint64_t value) {
  machine_->store(tables_.ensure_entry(level, addr), value);
}

}  // namespace hmmscope
