#pragma once
/// What the Walk panel looks at: the address behind the focused word, the entries that lead to it, its array
/// slot.

#include <vector>

#include "ui/panels/page_path.h"

namespace hmmscope::ui {

struct WalkScene {
  WordIndex word = no_word;  ///< focused; no_word: nothing to show
  uint32_t owner = 0;        ///< address space of the focused word
  uint64_t address = 0;
  std::vector<PathLevel> path;    ///< empty when no table is known
  const Region* array = nullptr;  ///< the hmm_pfns array that covers the address; may be null
  WordIndex slot = no_word;       ///< the array's word for the address
};

WalkScene walk_scene(const ViewContext& view, const RegionIndex& regions);

}  // namespace hmmscope::ui
