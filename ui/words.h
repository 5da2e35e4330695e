#pragma once
/// What the panels ask about words, steps and checks again and again, in one place, so that they agree.

#include <string>
#include <utility>
#include <vector>

#include "ui/view.h"

namespace hmmscope::ui {

/// True when there is a recording with a cursor to draw.
bool has_recording(const ViewContext& view);

/// What the value of a word rests on: its last write at or before the current step.
struct LastWrite {
  StepIndex step = no_step;  ///< no_step: never written, before == after == the initial value, unknown in a trace
  uint64_t before = 0, after = 0;
  Evidence evidence = Evidence::computed;         ///< of `after`
  Evidence before_evidence = Evidence::computed;  ///< of `before`
  bool in_current_step = false;
};
LastWrite last_write(const ViewContext& view, WordIndex word);

/// The value of a word at a position, without moving the cursor.
struct WordAt {
  uint64_t value = 0;
  Evidence evidence = Evidence::computed;
};
WordAt word_at(const ViewContext& view, WordIndex word, StepIndex position);

/// "hmm_pfns[7]", "bit 57 of hmm_pfns[7]", "bits 0x3 of hmm_pfns[7]".
std::string breakpoint_text(const Recording& recording, const Breakpoint& point);

/// The region of a word; nullptr when it has none.
const Region* region_of(const ViewContext& view, WordIndex word);
/// The virtual address a word of a table or an array stands for; 0 for other words.
uint64_t address_of(const ViewContext& view, WordIndex word);
/// One line in the layout that reads the word now: "VALID WRITE order 9 pfn 0x12345", "swap type 0 offset
/// 0x5"; "pfn not shown by any event" when the `unseen` bits are those of a pfn.
std::string describe_word(const ViewContext& view, WordIndex word, uint64_t value, uint64_t unseen);
/// The operand of the current step with that name; nullopt when its rule has none.
std::optional<uint64_t> operand(const ViewContext& view, std::string_view name);
/// How an operand reads for people: numbers below 10 plain, required_fault and Boolean names in words, others
/// hex.
std::string operand_text(std::string_view name, uint64_t value);

/// The checks of a recording by step; built once a recording.
class CheckIndex {
 public:
  void update(const Recording* recording);
  /// The verdict to show at a step: a divergence there first; nullptr when the step has none.
  const CallCheck* at(StepIndex step) const;

 private:
  const Recording* recording_ = nullptr;
  std::vector<std::pair<StepIndex, uint32_t>> by_step_;
};

/// 262144 -> "262 144"
std::string grouped(uint64_t number);
/// "1 word", "2 words": the number, grouped, with the noun it takes.
std::string counted(uint64_t number, std::string_view one, std::string_view many);
/// "0x" and the digits; `digits` pads with zeros.
std::string hex(uint64_t value, int digits = 1);

}  // namespace hmmscope::ui
