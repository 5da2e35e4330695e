#pragma once
/// Machines and the mapping orders they really produce, and what a layout makes of each order.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/encoding/layout.h"

namespace hmmscope {

struct MappingOrder {
  uint8_t order;     ///< log2 of pages
  const char* name;  ///< "2M pmd leaf", "64K contiguous pte (hugetlb)"
  bool from_hmm;  ///< hmm_range_fault itself reports this order on this machine (pmd leaf, pud leaf, hugetlb)
};

struct Geometry {
  const char* id;  ///< "x86-64", "arm64-4k", "arm64-16k", "arm64-64k", "powerpc-64k", "s390", "lpae"
  const char* title;
  uint8_t page_shift;
  uint8_t word_bits;
  uint8_t physical_bits;  ///< largest physical address
  std::span<const MappingOrder> orders;
};

std::span<const Geometry> geometries();
const Geometry* find_geometry(std::string_view id);
Result<const Geometry*> geometry_or_error(std::string_view id);

enum class CollisionKind : uint8_t {
  phantom_flag,    ///< an order's bits read back as a flag nobody set
  wrong_order,     ///< a flag's bit read back as part of the order
  pfn_overflow,    ///< the pfn of the highest physical address does not fit its field
  order_overflow,  ///< the order does not fit its field
  wrong_pfn,       ///< a flag's bit read back as part of the pfn, whatever the order
};

struct Collision {
  CollisionKind kind;
  const Field* flag;            ///< the flag involved; nullptr for overflows
  uint8_t order;                ///< the real order
  uint8_t read_order;           ///< what the order field reads as (wrong_order)
  uint64_t example;             ///< a word that shows it
  const MappingOrder* mapping;  ///< who produces the order; nullptr for a single page (order 0) or a pfn
  std::string text;             ///< one line explanation
};

struct LayoutCheck {
  const Layout* layout;  ///< the variant that was checked, see layout_on()
  const Geometry* geometry;
  std::vector<Collision> collisions;
  bool applies = true;  ///< false: such words do not exist on this machine (an x86-64 pte on arm64)
  bool ok() const { return collisions.empty(); }
};
/// The variant of a layout that such a machine uses: flags that count down from BITS_PER_LONG have a 32-bit
/// twin
/// ("-32"), GENMASK positions follow the page size ("-16k", "-64k"). The layout itself where there is no
/// other.
const Layout& layout_on(const Layout& layout, const Geometry& geometry);

std::string_view collision_name(CollisionKind kind);  ///< "phantom_flag", ...

/// Every order the machine produces, in both directions: does the order forge a flag, does a flag change the
/// order? Also whether the largest pfn and order fit, and whether a flag lies in the pfn. Checks the variant layout_on() gives. Empty = the
/// layout is sound on this machine.
LayoutCheck check_layout(const Layout& layout, const Geometry& geometry);

}  // namespace hmmscope
