#include "engine/machine/rss.h"

#include <algorithm>
#include <optional>

#include "engine/machine/folio.h"

namespace hmmscope {

namespace {

std::optional<MmWord> kind_of_page(Machine& m, uint64_t pfn) {
  const Folio folio = Folio::of(m, pfn);
  if (!folio || m.physical().is_zero_pfn(pfn) || pfn == m.physical().huge_zero_pfn()) return std::nullopt;
  return folio.has(folio_flag::anon) ? MmWord::rss_anon : MmWord::rss_file;
}

std::optional<MmWord> kind_of_entry(Machine& m, Level level, uint64_t entry) {
  if (x86::pte_none(entry)) return std::nullopt;
  if (x86::pmd_present(entry)) {
    if (level == Level::pte && x86::pte_special(entry)) return std::nullopt;
    return kind_of_page(m, leaf_pfn(level, entry));
  }
  const SwapFormat& format = m.entry_format().swap;
  const SwapKind kind = format.kind(entry);
  if (kind == SwapKind::swap) return MmWord::rss_swap;
  if (is_migration(kind) || is_device_private(kind) || is_device_exclusive(kind)) return kind_of_page(m, format.pfn(entry));
  return std::nullopt;
}

uint64_t pages_of(Level level) { return uint64_t{1} << level_order(level); }

}  // namespace

void add_rss(AddressSpace& space, MmWord kind, uint64_t pages) {
  Machine& m = space.machine();
  const WordIndex word = space.word(kind);
  m.store(word, m.load(word) + pages);
}

void drop_rss(AddressSpace& space, MmWord kind, uint64_t pages) {
  Machine& m = space.machine();
  const WordIndex word = space.word(kind);
  if (const uint64_t now = m.load(word); now != 0) m.store(word, now - std::min(now, pages));
}

void count_entry_added(AddressSpace& space, Level level, uint64_t entry) {
  if (const auto kind = kind_of_entry(space.machine(), level, entry)) add_rss(space, *kind, pages_of(level));
}

void count_entry_removed(AddressSpace& space, Level level, uint64_t entry) {
  if (const auto kind = kind_of_entry(space.machine(), level, entry)) drop_rss(space, *kind, pages_of(level));
}

}  // namespace hmmscope
