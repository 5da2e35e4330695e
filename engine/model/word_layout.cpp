#include "engine/model/word_layout.h"

#include <fmt/format.h>

#include "engine/encoding/swap_entry.h"

namespace hmmscope {

namespace {

const Layout& plain_layout() {
  static constexpr Field fields[] = {{"value", "", 0, 64, Role::none, false, false, false, "The whole word is one number.", 0}};
  static constexpr Layout layout{"plain", "Plain number", Family::plain, Status::released, "all", 64, 12, fields, "", ""};
  return layout;
}

const Layout* mirror_layout(RegionKind kind) {
  switch (kind) {
    case RegionKind::mirror_table: return find_layout("mirror-pde-2015");
    case RegionKind::mirror_pte: return find_layout("mirror-pte-2015");
    case RegionKind::mirror_pte_device: return find_layout("mirror-pte-2015-device");
    case RegionKind::mirror_pte_select: return find_layout("mirror-pte-2015-select");
    default: return nullptr;
  }
}

const Layout& or_plain(const Layout* layout) { return layout != nullptr ? *layout : plain_layout(); }

}  // namespace

const Layout& word_layout(const KernelModel& model, RegionKind kind, uint64_t value, const Layout* array_layout) {
  const auto entry = [&](const Layout* present) -> const Layout& {
    if (present == nullptr || model.swap == nullptr) return or_plain(present);
    return layout_for_entry(*present, *model.swap, value);
  };
  switch (family_of(kind)) {
    case Family::hmm_pfn: return or_plain(array_layout != nullptr ? array_layout : model.hmm_pfn);
    case Family::migrate_pfn: return or_plain(model.migrate_pfn);
    case Family::x86_pte: return entry(model.pte);
    case Family::x86_pmd: return entry(model.pmd);
    case Family::x86_pud: return entry(model.pud);
    case Family::x86_table: return or_plain(model.table);
    case Family::mirror_entry: return or_plain(mirror_layout(kind));
    default: return plain_layout();
  }
}

std::string describe_word(const KernelModel& model, RegionKind kind, uint64_t value, const Layout* array_layout) {
  const Layout& layout = word_layout(model, kind, value, array_layout);
  if (layout.family == Family::plain) return fmt::format("{:#x}", value);
  if (layout.family == Family::x86_swap) return describe_swap(layout, value, model.types, model.physical_bits());
  return describe(layout, value);
}

}  // namespace hmmscope
