#include "ui/panels/walk_scene.h"

#include "ui/words.h"

namespace hmmscope::ui {

WalkScene walk_scene(const ViewContext& view, const RegionIndex& regions) {
  WalkScene scene;
  scene.word = focused_word(view);
  const Region* region = region_of(view, scene.word);
  if (region == nullptr) return scene;
  scene.owner = region->owner;
  scene.address = address_of(view, scene.word);
  if (region->stride == 0) {
    // A struct's word (a VMA, a notifier): look at the last array slot instead, so that the walk does not
    // vanish.
    const auto arrays = regions.owned(RegionKind::hmm_pfns, region->owner);
    if (arrays.empty()) return scene;
    scene.array = arrays.back();
    scene.slot = scene.array->first;
    scene.address = scene.array->address;
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
