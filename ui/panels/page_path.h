#pragma once
/// From a virtual address to the words that describe it: the page-table entries on the way, the array slot,
/// the device's entry, the notifier. Regions are found through an index built once a recording.

#include <optional>
#include <string_view>
#include <vector>

#include "ui/view.h"

namespace hmmscope::ui {

/// Regions of a recording by kind, owner and address.
class RegionIndex {
 public:
  void update(const Recording* recording);
  /// Regions of the kind that belong to `owner` and cover `address`, newest first.
  std::vector<const Region*> covering(RegionKind kind, uint32_t owner, uint64_t address) const;
  /// Those of any owner.
  std::vector<const Region*> covering(RegionKind kind, uint64_t address) const;
  /// Owners that have regions of the kind, ascending.
  std::vector<uint32_t> owners(RegionKind kind) const;
  /// All regions of the kind that belong to `owner`, oldest first.
  std::vector<const Region*> owned(RegionKind kind, uint32_t owner) const;
  bool any_tables() const { return any_tables_; }

 private:
  const Recording* recording_ = nullptr;
  std::vector<uint32_t> sorted_;
  bool any_tables_ = false;
};

struct PathLevel {
  const Region* table;
  WordIndex word;  ///< the entry for the address
  uint32_t index;  ///< of the entry in its table
  uint64_t value;
  Evidence evidence;  ///< of the value
};

/// The entries that lead to the address, top level first; ends where the walk ends (leaf, non-present or
/// empty entry, when it is known) or where the recording knows no further table. Of several tables that covered the address in
/// the course of the recording, the one in use at the cursor: with a non-empty entry, else written last.
std::vector<PathLevel> page_path(const ViewContext& view, const RegionIndex& index, uint32_t owner,
                                 uint64_t address);

/// The word of the region that stands for the address.
WordIndex word_at(const Region& region, uint64_t address);
/// Of several regions that cover the address: the one whose word was written last at the cursor; nullptr for
/// none.
const Region* latest(const ViewContext& view, const std::vector<const Region*>& regions, uint64_t address);
/// The name of the process whose address space it is ("pid 740"); empty when the recording has only one.
std::string process_of(const ViewContext& view, const RegionIndex& index, uint32_t owner);
/// A named word of a struct-like region (notifier, range, vma, mm); nullopt when the kind has no such word.
std::optional<uint64_t> named_word(const ViewContext& view, const Region& region, std::string_view name);

}  // namespace hmmscope::ui
