#pragma once
/// Branches: scenarios of one's own that begin where another document is, and can be changed bit by bit. A
/// branch is a scenario file in the program's data directory, so that it is there at the next start; each
/// changed bit is an injection `flip` in it (engine/scenario/FORMAT.md).

#include <QString>

#include "app/gui/core.h"

namespace hmmscope::app {

/// Where branches are kept; made when it is not there.
QString branches_directory();
bool is_branch(const QString& path);

/// The text of a branch of `document` at `position`: the scenario itself, or of a kernel trace the call of
/// hmm_range_fault that the position is in. Errors: a recording without its scenario; a position outside the
/// calls; a call that cannot be extracted, with the reason. Threads: any.
Result<std::string> branch_text(const traces::Document& document, StepIndex position);
/// Writes it under a name that is not taken yet; the path.
Result<QString> save_branch(const std::string& title, const std::string& text);
/// Replaces a branch whole: a failure leaves it as it was.
Result<void> write_branch(const QString& path, const std::string& text);
Result<std::string> read_branch(const QString& path);

/// A changed branch, and the position behind the change.
struct ChangedBranch {
  std::string text;
  StepIndex position = 0;
};
/// `mask` of `word` flipped after step number `position`. Right behind a flip of that word the flip itself is
/// changed; one that flips nothing any more is taken out. Words that can be changed: slots of hmm_pfns arrays and entries of page tables. Errors: another
/// word, or no step follows the position.
Result<ChangedBranch> flip_bits(const std::string& text, const Recording& recording, StepIndex position,
                                WordIndex word, uint64_t mask);

}  // namespace hmmscope::app
