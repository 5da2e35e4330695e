#include "engine/encoding/swap_entry.h"

#include <fmt/format.h>

namespace hmmscope {

uint8_t SwapFormat::type(SwapKind kind) const {
  switch (kind) {
    case SwapKind::hwpoison:
      return types.hwpoison;
    case SwapKind::migration_read:
      return types.migration_read;
    case SwapKind::migration_read_exclusive:
      return types.migration_read_exclusive;
    case SwapKind::migration_write:
      return types.migration_write;
    case SwapKind::device_write:
      return types.device_write;
    case SwapKind::device_read:
      return types.device_read;
    case SwapKind::device_exclusive_write:
      return types.device_exclusive_write;
    case SwapKind::device_exclusive_read:
      return types.device_exclusive_read;
    case SwapKind::pte_marker:
      return types.pte_marker;
    case SwapKind::swapin_error:
      return types.swapin_error;
    case SwapKind::swap:
    case SwapKind::unused:
      return SwapTypes::absent;
  }
  return SwapTypes::absent;
}

Result<uint64_t> encode_swap(const SwapFormat& format, const SwapEntry& entry) {
  uint8_t type = format.type(entry.kind);
  if (entry.kind == SwapKind::swap) {
    if (entry.type >= format.types.max_swapfiles)
      return fail(fmt::format("swap file {} does not exist: this kernel numbers them 0 to {}", entry.type,
                              format.types.max_swapfiles - 1));
    type = entry.type;
  }
  if (type == SwapTypes::absent)
    return fail(fmt::format("this kernel's configuration has no {} entries", swap_kind_name(entry.kind)));

  uint64_t offset = entry.offset;
  if (is_pfn_entry(entry.kind)) {
    if (entry.pfn > format.pfn_mask())
      return fail(fmt::format("pfn {:#x} needs more than {} bits", entry.pfn, format.pfn_bits));
    offset = entry.pfn;
    if (is_migration(entry.kind) && format.keeps_accessed_dirty()) {
      offset |= uint64_t{entry.accessed} << format.pfn_bits;
      offset |= uint64_t{entry.dirty} << (format.pfn_bits + 1);
    }
  }
  if (!x86::swp_offset.fits(offset))
    return fail(fmt::format("offset {:#x} needs more than {} bits", offset, x86::swp_offset.width));

  uint64_t word = make_swap_word(type, offset);
  if (entry.soft_dirty) word |= x86::swp_soft_dirty.mask();
  if (entry.uffd_wp) word |= x86::swp_uffd_wp.mask();
  if (entry.exclusive) word |= x86::swp_exclusive.mask();
  return word;
}

namespace {

std::string marker_text(uint64_t offset, uint64_t known) {
  std::string text;
  if ((offset & ~known) != 0) return fmt::format(" {:#x}", offset);   // of a newer kernel
  if ((offset & marker_uffd_wp) != 0) text += " uffd-wp";
  if ((offset & marker_poisoned) != 0) text += " poisoned";
  if ((offset & marker_guard) != 0) text += " guard";
  return text.empty() ? fmt::format(" {:#x}", offset) : text;
}

}  // namespace

std::string describe_swap(const SwapEntry& entry, uint64_t marker_bits) {
  std::string text{swap_kind_name(entry.kind)};
  if (is_pfn_entry(entry.kind)) {
    text += fmt::format(" pfn {:#x}", entry.pfn);
  } else if (entry.kind == SwapKind::pte_marker) {
    text += marker_text(entry.offset, marker_bits);
  } else {
    text += fmt::format(" type {} offset {:#x}", entry.type, entry.offset);
  }
  if (entry.accessed) text += " A";
  if (entry.dirty) text += " D";
  if (entry.exclusive) text += " E";
  if (entry.soft_dirty) text += " SD";
  if (entry.uffd_wp) text += " F";
  return text;
}

std::string describe_swap(const Layout& layout, uint64_t word, const SwapTypes& types,
                          uint8_t physical_bits) {
  SwapEntry e;
  const SwapFormat format(types, physical_bits, layout.default_page_shift);
  const auto value = [&](Role role) {
    const Field* f = layout.field(role);
    return f == nullptr ? 0 : f->get(word);
  };
  e.type = static_cast<uint8_t>(value(Role::swap_type));
  e.kind = format.kinds[e.type % format.kinds.size()];
  e.offset = value(Role::swap_offset);
  if (is_pfn_entry(e.kind)) e.pfn = e.offset & format.pfn_mask();
  if (is_migration(e.kind) && format.keeps_accessed_dirty()) {
    e.accessed = (e.offset >> format.pfn_bits & 1) != 0;
    e.dirty = (e.offset >> (format.pfn_bits + 1) & 1) != 0;
  }
  e.soft_dirty = value(Role::soft_dirty) != 0;
  e.uffd_wp = value(Role::uffd_wp) != 0;
  e.exclusive = value(Role::exclusive) != 0;
  return describe_swap(e, types.marker_bits);
}

}  // namespace hmmscope
