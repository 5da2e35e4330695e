#include "engine/encoding/swap_types.h"

#include <cassert>

namespace hmmscope {

namespace {

constexpr uint8_t type_space = 32;

struct Era {
  uint32_t first;  ///< version from which the numbering holds
  const char* x86_id;
  const char* arm64_id;
};
// A new era begins where a type was added or removed: device exclusive (5.14), exclusive migration entries,
// markers and swap-in errors (5.19), unconditional markers (6.2), a single exclusive type (6.15).
constexpr std::array eras{
    Era{5009, "swap-x86-64-5.9", "swap-arm64-5.9"},   Era{5014, "swap-x86-64-5.14", "swap-arm64-5.14"},
    Era{5019, "swap-x86-64-6.1", "swap-arm64-6.1"},   Era{6002, "swap-x86-64-6.12", "swap-arm64-6.12"},
    Era{6015, "swap-x86-64-6.15", "swap-arm64-6.15"},
};

const Era& era_of(uint32_t version) {
  const Era* found = &eras.front();
  for (const Era& era : eras)
    if (version >= era.first) found = &era;
  return *found;
}

/// The version that names an era: 6.1 and 6.12 are the kernels people meet, not the first ones of their era.
constexpr uint32_t naming_version(const Era& era) {
  if (era.first == 5019) return 6001;
  if (era.first == 6002) return 6012;
  return era.first;
}

}  // namespace

SwapTypes swap_types(uint32_t version, const KernelConfig& config) {
  const bool markers = version >= 6002 || (version >= 5019 && config.pte_marker);
  const bool swapin_error = version >= 5019 && version < 6002;
  const bool exclusive_migration = version >= 5019;
  const uint8_t device_types = version >= 6015 ? 3 : version >= 5014 ? 4 : 2;

  const uint8_t hwpoison_num = config.memory_failure ? 1 : 0;
  const uint8_t migration_num = config.migration ? (exclusive_migration ? 3 : 2) : 0;
  const uint8_t device_num = config.device_private ? device_types : 0;
  const uint8_t marker_num = markers ? 1 : 0;
  const uint8_t error_num = swapin_error ? 1 : 0;

  SwapTypes t;
  t.max_swapfiles =
      static_cast<uint8_t>(type_space - hwpoison_num - migration_num - device_num - marker_num - error_num);
  uint8_t next = t.max_swapfiles;
  const auto take = [&next] { return next++; };
  if (config.memory_failure) t.hwpoison = take();
  if (config.migration) {
    t.migration_read = take();
    if (exclusive_migration) t.migration_read_exclusive = take();
    t.migration_write = take();
  }
  if (config.device_private) {
    t.device_write = take();
    t.device_read = take();
    if (device_types >= 3) t.device_exclusive_write = take();
    if (device_types == 3) t.device_exclusive_read = t.device_exclusive_write;
    if (device_types == 4) t.device_exclusive_read = take();
  }
  if (markers) t.pte_marker = take();
  if (swapin_error) t.swapin_error = take();
  assert(next == type_space);
  t.migration_accessed_dirty = version >= 6001;
  const int bits = (markers ? marker_uffd_wp : 0) | (version >= 6002 ? marker_poisoned : 0) | (version >= 6013 ? marker_guard : 0);
  t.marker_bits = static_cast<uint8_t>(bits);
  return t;
}

SwapKinds swap_kinds(const SwapTypes& types) {
  SwapKinds kinds;
  kinds.fill(SwapKind::unused);
  for (uint8_t i = 0; i < types.max_swapfiles && i < type_space; ++i) kinds[i] = SwapKind::swap;
  const auto set = [&kinds](uint8_t type, SwapKind kind) {
    if (type < type_space) kinds[type] = kind;
  };
  set(types.hwpoison, SwapKind::hwpoison);
  set(types.migration_read, SwapKind::migration_read);
  set(types.migration_read_exclusive, SwapKind::migration_read_exclusive);
  set(types.migration_write, SwapKind::migration_write);
  set(types.device_write, SwapKind::device_write);
  set(types.device_read, SwapKind::device_read);
  set(types.device_exclusive_read, SwapKind::device_exclusive_read);
  set(types.device_exclusive_write, SwapKind::device_exclusive_write);
  set(types.pte_marker, SwapKind::pte_marker);
  set(types.swapin_error, SwapKind::swapin_error);
  return kinds;
}

std::string_view swap_kind_name(SwapKind kind) {
  switch (kind) {
    case SwapKind::swap:
      return "swap";
    case SwapKind::hwpoison:
      return "hwpoison";
    case SwapKind::migration_read:
      return "migration read";
    case SwapKind::migration_read_exclusive:
      return "migration read-exclusive";
    case SwapKind::migration_write:
      return "migration write";
    case SwapKind::device_write:
      return "device-private write";
    case SwapKind::device_read:
      return "device-private read";
    case SwapKind::device_exclusive_write:
      return "device-exclusive write";
    case SwapKind::device_exclusive_read:
      return "device-exclusive read";
    case SwapKind::pte_marker:
      return "pte marker";
    case SwapKind::swapin_error:
      return "swap-in error";
    case SwapKind::unused:
      return "unused type";
  }
  return "unused type";
}

uint32_t swap_version(const Layout& layout) {
  for (const Era& era : eras)
    if (layout.id == std::string_view(era.x86_id) || layout.id == std::string_view(era.arm64_id))
      return naming_version(era);
  return 0;
}

const Layout& swap_layout(Family family, uint32_t version) {
  const Era& era = era_of(version);
  const Layout* found = find_layout(family == Family::arm64_swap ? era.arm64_id : era.x86_id);
  assert(found != nullptr);
  return *found;
}

}  // namespace hmmscope
