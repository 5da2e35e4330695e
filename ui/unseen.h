#pragma once
/// Which bits of a word nobody has seen, so that no panel draws them as if they were known.
///
/// A recording of a kernel trace knows a word from the first write that tells of it on: before that, what the recording
/// holds for it is no fact. (A scenario knows every word: the machine began with it.) And a page that only faults tell of
/// is mapped, but no event shows where: its pfn in a recording is a stand-in beyond every memory. What a trace shows is as
/// it shows it, however odd: callers hand in arrays with any pfn.

#include <string>

#include "traces/stand_in.h"
#include "ui/view.h"

namespace hmmscope::ui {

/// The recording is of a kernel trace: a word that nothing wrote is unknown.
bool is_of_trace(const Recording& recording);

/// Stand-ins for pfns in the words of one layout.
class StandIns {
 public:
  StandIns(const Recording& recording, const Layout& layout);
  /// The pfn bits of a present entry or a valid hmm_pfn that was not seen and whose pfn is a stand-in; 0 for every other
  /// word.
  uint64_t bits(uint64_t word, Evidence evidence) const {
    return pfn_ != nullptr && evidence != Evidence::observed && (word & live_) != 0 && pfn_->get(word) >= traces::first_stand_in_pfn ? pfn_->mask() : 0;
  }

 private:
  const Field* pfn_ = nullptr;  ///< nullptr: no stand-ins here
  uint64_t live_ = 0;           ///< one of these is set in words whose pfn counts
};

/// The bits of `value`, which `word` has with that evidence, that nothing shows: all when it is unknown, those of a pfn
/// that is a stand-in, else none.
uint64_t unseen_bits(const ViewContext& view, WordIndex word, uint64_t value, Evidence evidence);
/// hex(value, 16) with "?" for every digit that has an unseen bit; "unknown" when all have.
std::string hex_seen(uint64_t value, uint64_t unseen);
/// The description of a word with a stand-in: its pfn replaced by `instead`.
std::string without_pfn(std::string description, std::string_view instead = "pfn not shown by any event");

}  // namespace hmmscope::ui
