#pragma once
/// For the table files of engine/encoding only: how a row of a layout table is written, and the list of
/// tables. Fields of a layout are listed highest bit first; decode() and the drawings rely on that order.

#include "engine/encoding/layout.h"

namespace hmmscope::tables {

constexpr Field flag(const char* name, const char* symbol, unsigned bit, Role role, const char* meaning) {
  return {name, symbol, static_cast<uint8_t>(bit), 1, role, false, false, false, meaning, 0};
}
constexpr Field bits(const char* name, const char* symbol, unsigned shift, unsigned width, Role role,
                     const char* meaning) {
  return {
      name,    symbol, static_cast<uint8_t>(shift), static_cast<uint8_t>(width), role, false, false, false,
      meaning, 0};
}
/// The flag survives hmm_range_fault.
constexpr Field sticky(Field f) {
  f.sticky = true;
  return f;
}
/// The same bit is a request on input.
constexpr Field input(Field f) {
  f.input = true;
  return f;
}
constexpr Field inverted(Field f) {
  f.inverted = true;
  return f;
}
constexpr Field in_units(Field f, unsigned unit) {
  f.unit = static_cast<uint8_t>(unit);
  return f;
}

std::span<const Layout> hmm_pfn_early();    ///< 2016 .. 4.16 and the 2018 steps between
std::span<const Layout> hmm_pfn_current();  ///< 5.8 and later
std::span<const Layout> migrate_pfn();
std::span<const Layout> x86();
std::span<const Layout> arm64();
std::span<const Layout> mirror();
std::span<const Layout> driver();

}  // namespace hmmscope::tables
