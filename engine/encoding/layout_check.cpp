// Which of a machine's mapping orders a layout misreads, and whether its numbers fit.

#include <fmt/format.h>

#include <algorithm>

#include "engine/encoding/geometry.h"

namespace hmmscope {

namespace {

uint64_t word_mask(const Layout& layout) {
  return layout.word_bits >= 64 ? ~0ull : (1ull << layout.word_bits) - 1;
}

uint64_t valid_bits(const Layout& layout) { return layout.mask(Role::valid); }

std::string mapping_text(const MappingOrder& mapping) {
  return fmt::format("order {} ({})", mapping.order, mapping.name);
}

/// The order's own bits spell a flag.
void add_phantom(std::vector<Collision>& out, const Layout& layout, const Field& order, const Field& flag,
                 const MappingOrder& mapping) {
  const uint64_t stored = order.put(mapping.order);
  if (!order.fits(mapping.order) || (stored & flag.mask()) != flag.mask()) return;
  out.push_back({CollisionKind::phantom_flag, &flag, mapping.order, mapping.order,
                 valid_bits(layout) | stored, &mapping,
                 fmt::format("{} sets bit {} by itself: {} is read although nobody set it",
                             mapping_text(mapping), flag.shift, flag.name)});
}

/// The flag changes the order that is read back.
void add_wrong_order(std::vector<Collision>& out, const Layout& layout, const Field& order, const Field& flag,
                     const MappingOrder& mapping) {
  if (!order.fits(mapping.order)) return;
  const uint64_t word = valid_bits(layout) | order.put(mapping.order) | flag.mask();
  const auto read = static_cast<uint8_t>(order.get(word));
  if (read == mapping.order) return;
  out.push_back({CollisionKind::wrong_order, &flag, mapping.order, read, word,
                 mapping.order == 0 ? nullptr : &mapping,
                 fmt::format("{} on {} makes it read as order {}", flag.name, mapping_text(mapping), read)});
}

void check_orders(std::vector<Collision>& out, const Layout& layout, const Geometry& geometry,
                  const Field& order) {
  for (const MappingOrder& mapping : geometry.orders) {
    if (!mapping.from_hmm) continue;
    if (!order.fits(mapping.order))
      out.push_back({CollisionKind::order_overflow, nullptr, mapping.order,
                     static_cast<uint8_t>(order.get(order.put(mapping.order))), order.put(mapping.order),
                     &mapping,
                     fmt::format("{} needs more than the {} bits of the order field", mapping_text(mapping),
                                 order.width)});
  }
  for (const Field& flag : layout.fields) {
    if (&flag == &order || flag.role == Role::pfn || (flag.mask() & order.mask()) == 0) continue;
    for (const MappingOrder& mapping : geometry.orders)
      if (mapping.from_hmm) add_phantom(out, layout, order, flag, mapping);
    for (const MappingOrder& mapping : geometry.orders)
      if (mapping.from_hmm) add_wrong_order(out, layout, order, flag, mapping);
  }
}

std::string memory_size(unsigned log2) {
  constexpr const char* units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  return fmt::format("{} {}", 1ull << (log2 % 10), units[std::min(log2 / 10, 6u)]);
}

/// The lowest physical address whose pfn does not fit, and where its bit lands.
void check_pfn(std::vector<Collision>& out, const Layout& layout, const Geometry& geometry,
               const Field& pfn) {
  const unsigned needed = geometry.physical_bits - geometry.page_shift;
  const unsigned have = pfn.width + pfn.unit;
  if (needed <= have) return;
  const uint64_t spilled = pfn.put(1ull << have) & word_mask(layout);
  const Field* hit = nullptr;
  for (const Field& f : layout.fields)
    if (hit == nullptr && &f != &pfn && (f.mask() & spilled) != 0) hit = &f;
  const Field* order = layout.field(Role::order);
  const uint64_t word = valid_bits(layout) | spilled;
  out.push_back({CollisionKind::pfn_overflow, hit, 0,
                 static_cast<uint8_t>(order == nullptr ? 0 : order->get(word)), word, nullptr,
                 fmt::format("the machine needs {} pfn bits, the field has {}: memory from {} on {}", needed,
                             have, memory_size(have + geometry.page_shift),
                             hit == nullptr ? std::string("aliases lower memory")
                                            : fmt::format("spills into {}", hit->name))});
}

/// A flag inside the pfn: no mapping has to be large for that.
void check_flags_in_pfn(std::vector<Collision>& out, const Layout& layout, const Field& pfn) {
  const Field* order = layout.field(Role::order);
  for (const Field& flag : layout.fields) {
    if (&flag == &pfn || &flag == order || (flag.mask() & pfn.mask()) == 0) continue;
    const uint64_t word = valid_bits(layout) | flag.mask();
    out.push_back({CollisionKind::wrong_pfn, &flag, 0, 0, word, nullptr,
                   fmt::format("{} lies in the pfn: a page that has it is read as pfn {:#x} more", flag.name,
                               pfn.get(word))});
  }
}

bool exists_on(const Layout& layout, const Geometry& geometry) {
  const std::string_view machine = geometry.id;
  switch (layout.family) {
    case Family::x86_pte:
    case Family::x86_pmd:
    case Family::x86_pud:
    case Family::x86_table:
    case Family::x86_swap:
      return machine == "x86-64";
    case Family::arm64_pte:
    case Family::arm64_swap:
      return machine == "arm64-4k";
    default:
      return layout.word_bits == geometry.word_bits || layout.family == Family::driver_format;
  }
}

}  // namespace

std::string_view collision_name(CollisionKind kind) {
  switch (kind) {
    case CollisionKind::phantom_flag:
      return "phantom_flag";
    case CollisionKind::wrong_order:
      return "wrong_order";
    case CollisionKind::pfn_overflow:
      return "pfn_overflow";
    case CollisionKind::order_overflow:
      return "order_overflow";
    case CollisionKind::wrong_pfn:
      return "wrong_pfn";
  }
  return "phantom_flag";
}

const Layout& layout_on(const Layout& layout, const Geometry& geometry) {
  const std::string id = layout.id;
  if (layout.word_bits == 64 && geometry.word_bits == 32) {
    const Layout* twin = find_layout(id + "-32");
    return twin == nullptr ? layout : *twin;
  }
  if (geometry.page_shift != layout.default_page_shift && layout.word_bits == geometry.word_bits) {
    const Layout* twin = find_layout(fmt::format("{}-{}k", id, 1u << (geometry.page_shift - 10)));
    if (twin != nullptr) return *twin;
  }
  return layout;
}

LayoutCheck check_layout(const Layout& asked, const Geometry& geometry) {
  const Layout& layout = layout_on(asked, geometry);
  LayoutCheck check{&layout, &geometry, {}, exists_on(layout, geometry)};
  if (!check.applies) return check;
  if (const Field* order = layout.field(Role::order))
    check_orders(check.collisions, layout, geometry, *order);
  const bool holds_any_pfn = layout.family == Family::hmm_pfn || layout.family == Family::migrate_pfn ||
                             layout.family == Family::driver_format;
  const Field* pfn = layout.field(Role::pfn);
  if (holds_any_pfn && pfn != nullptr) {
    check_pfn(check.collisions, layout, geometry, *pfn);
    check_flags_in_pfn(check.collisions, layout, *pfn);
  }
  return check;
}

}  // namespace hmmscope
