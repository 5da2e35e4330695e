#include "engine/driver_format/driver_format.h"

#include <fmt/format.h>

#include <string_view>

namespace hmmscope {

namespace {

std::optional<uint64_t> value_named(const Layout& layout, std::string_view name) {
  for (const SpecialWord& special : layout.specials)
    if (special.name == name) return special.word;
  return std::nullopt;
}

}  // namespace

DriverFormat DriverFormat::from(const Layout& layout) {
  DriverFormat f;
  f.valid = layout.mask(Role::valid);
  f.write = layout.mask(Role::write);
  f.device_private = layout.mask(Role::device_private);
  f.read = layout.mask(Role::read);
  // Before 4.17 these were flags, afterwards whole words.
  f.none = value_named(layout, "NONE").value_or(layout.mask(Role::empty));
  f.error = value_named(layout, "ERROR").value_or(layout.mask(Role::error));
  f.special = value_named(layout, "SPECIAL").value_or(layout.mask(Role::special));
  if (const Field* pfn = layout.field(Role::pfn)) f.pfn_shift = pfn->shift;
  return f;
}

std::optional<uint64_t> DriverFormat::to_pfn(uint64_t word) const {
  if (word == none || word == error || word == special || (word & valid) == 0) return std::nullopt;
  return word >> pfn_shift;
}

std::vector<std::string> format_problems(const Layout& layout) {
  constexpr uint32_t page_shift = 12;
  std::vector<std::string> problems;
  const DriverFormat f = DriverFormat::from(layout);
  for (const SpecialWord& a : layout.specials) {
    if (a.name != std::string_view("NONE") && a.word == f.none)
      problems.push_back(fmt::format("NONE and {} are the same word {:#x}", a.name, a.word));
    if ((a.word & f.valid) != 0) problems.push_back(fmt::format("{} ({:#x}) has VALID set", a.name, a.word));
  }
  if (f.pfn_shift > page_shift)
    problems.push_back(fmt::format("pfn_shift {} is above PAGE_SHIFT", f.pfn_shift));
  for (const Overlap& overlap : overlaps(layout))
    problems.push_back(fmt::format("{} and {} share the bits {:#x}", overlap.a->name, overlap.b->name, overlap.mask));
  const uint64_t pfn_mask = layout.mask(Role::pfn);
  for (const SpecialWord& a : layout.specials)
    if (a.word != 0 && (a.word & (a.word - 1)) == 0 && (a.word & pfn_mask) != 0)
      problems.push_back(fmt::format("{} ({:#x}) is one bit that the pfn also owns", a.name, a.word));
  return problems;
}

}  // namespace hmmscope
