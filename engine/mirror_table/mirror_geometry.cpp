#include "engine/mirror_table/mirror_geometry.h"

#include <fmt/format.h>

#include <bit>

namespace hmmscope {

Result<MirrorGeometry> MirrorGeometry::of(uint64_t last, uint32_t page_shift, uint32_t entry_bytes, LastRounding rounding) {
  if (page_shift < 12 || page_shift > 16) return fail(fmt::format("pages of 2^{} bytes do not exist here; 12 to 16", page_shift));
  if (entry_bytes != 4 && entry_bytes != 8) return fail(fmt::format("an entry has 4 or 8 bytes, not {}", entry_bytes));
  MirrorGeometry g;
  const uint64_t in_page = (1ull << page_shift) - 1;
  g.last = rounding == LastRounding::clear ? last & ~in_page : last | in_page;
  if (g.last >> page_shift == 0)
    return fail(fmt::format("last is {:#x}: with one page or less hmm_pt_init asks for the highest bit of 0", last));
  g.page_shift = page_shift;
  g.directory_shift = page_shift - static_cast<uint32_t>(std::countr_zero(entry_bytes));
  g.directory_mask = (1ull << g.directory_shift) - 1;
  const auto highest = static_cast<uint32_t>(std::bit_width(g.last >> page_shift)) - 1;
  g.shift[0] = highest / g.directory_shift * g.directory_shift + page_shift;
  g.llevel = (g.shift[0] - page_shift) / g.directory_shift;
  if (g.llevel >= mirror_max_levels)
    return fail(fmt::format("last {:#x} needs {} levels; there are at most {}", last, g.llevel + 1, mirror_max_levels));
  for (uint32_t level = 0; level <= g.llevel; ++level) {
    g.shift[level] = g.shift[0] - level * g.directory_shift;
    g.mask[level] = ~((1ull << g.shift[level]) - 1);
  }
  g.root_entries = (g.last >> g.shift[0]) + 1;
  return g;
}

}  // namespace hmmscope
