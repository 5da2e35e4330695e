#include "ui/panels/walk_scene.h"

#include "ui/unseen.h"
#include "ui/words.h"

namespace hmmscope::ui {
namespace {

bool is_device_table(RegionKind kind) {
  return kind == RegionKind::device_table || kind == RegionKind::mirror_table;
}

/// The address space behind a word of a device's table, whose owner number is the device's (but in a trace, which knows the
/// address space and not the device): the one with page tables, else an array, at that address. The lowest when several have.
uint32_t space_of(const RegionIndex& regions, uint32_t device, uint64_t address) {
  for (const RegionKind kind : {RegionKind::pgd, RegionKind::hmm_pfns}) {
    for (const uint32_t owner : regions.owners(kind)) {
      if (!regions.covering(kind, owner, address).empty()) return owner;
    }
  }
  return device;
}

/// The first address that a range or a VMA is about at the cursor; 0: it is another struct, or not filled in yet.
uint64_t start_of(const ViewContext& view, const Region& region) {
  const bool has_start = region.kind == RegionKind::range || region.kind == RegionKind::vma;
  return has_start ? named_word(view, region, "start").value_or(0) : 0;
}

}  // namespace

WalkScene walk_scene(const ViewContext& view, const RegionIndex& regions) {
  WalkScene scene;
  scene.word = focused_word(view);
  const Region* region = region_of(view, scene.word);
  if (region == nullptr) return scene;
  scene.owner = region->owner;
  scene.address = address_of(view, scene.word);
  if (is_device_table(region->kind) && !is_of_trace(view.cursor->recording())) scene.owner = space_of(regions, region->owner, scene.address);
  if (region->stride == 0) {
    // A struct's word: look at where the struct says, or at the last array, so that the walk does not vanish.
    const auto arrays = regions.owned(RegionKind::hmm_pfns, region->owner);
    if (arrays.empty()) return scene;
    const uint64_t start = start_of(view, *region);
    scene.array = start == 0 ? nullptr : latest(view, regions.covering(RegionKind::hmm_pfns, scene.owner, start), start);
    scene.address = scene.array != nullptr ? start : arrays.back()->address;
    if (scene.array == nullptr) scene.array = arrays.back();
    scene.slot = word_at(*scene.array, scene.address);
  } else if (region->kind == RegionKind::hmm_pfns) {
    scene.array = region;
    scene.slot = scene.word;
  } else {
    scene.array =
        latest(view, regions.covering(RegionKind::hmm_pfns, scene.owner, scene.address), scene.address);
    if (scene.array != nullptr) scene.slot = word_at(*scene.array, scene.address);
  }
  scene.path = page_path(view, regions, scene.owner, scene.address);
  return scene;
}

}  // namespace hmmscope::ui
