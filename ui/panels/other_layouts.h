#pragma once
/// The same word read with the other layouts of its family, and what goes wrong then.

#include <string>
#include <vector>

#include "engine/encoding/layout.h"

namespace hmmscope::ui {

enum class Misreading : uint8_t { same, note, wrong, phantom };  ///< ordered by how bad it is

struct OtherReading {
  const Layout* layout;
  std::string fields;  ///< "VALID WRITE order 18 pfn 0x142a1b"
  Misreading kind;
  std::string remark;     ///< "phantom DMA_MAPPED: nobody set it"
  bool in_force = false;  ///< the layout the word was written with; first in the list
};

/// Readings of `word`, which was written with `own`: own first, then the reference layouts first (5.9, as
/// posted, merged, RFC), then the others of the family with the same word size. A pfn with `unseen` bits reads "?".
std::vector<OtherReading> other_readings(const Layout& own, uint64_t word, uint64_t unseen = 0);

}  // namespace hmmscope::ui
