#pragma once
/// Reading a word of a recording under a kernel model: which layout names its bits, and its text. The one place that
/// joins region kinds with the layouts in force; views, the command line and exports all ask here.

#include <string>

#include "engine/model/kernel_model.h"
#include "engine/recording/memory.h"

namespace hmmscope {

/// The layout of a word of that kind holding `value` (a non-present pte reads as a swap entry, a pmd may be a table).
/// `array_layout` replaces the model's layout for hmm_pfns words when not null. Never fails: words without bit fields
/// get a layout with one field.
const Layout& word_layout(const KernelModel& model, RegionKind kind, uint64_t value, const Layout* array_layout = nullptr);

/// "VALID WRITE order 9 pfn 0x12345", "migration write pfn 0x12345", "0x17".
std::string describe_word(const KernelModel& model, RegionKind kind, uint64_t value, const Layout* array_layout = nullptr);

}  // namespace hmmscope
