#include "ui/words.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "engine/model/word_layout.h"
#include "engine/rules/rule.h"
#include "ui/unseen.h"

namespace hmmscope::ui {
namespace {

/// Of a word that nothing wrote.
Evidence evidence_at_start(const ViewContext& view) {
  return is_of_trace(view.cursor->recording()) ? Evidence::unknown : Evidence::computed;
}

}  // namespace

bool has_recording(const ViewContext& view) {
  return view.document != nullptr && view.document->recording != nullptr && view.cursor != nullptr;
}

LastWrite last_write(const ViewContext& view, WordIndex word) {
  LastWrite result;
  if (!has_recording(view) || word >= view.cursor->recording().word_count()) return result;
  result.before = result.after = view.cursor->load(word);
  if (view.document->history == nullptr) return result;
  if (const auto change = view.document->history->last_write(word, view.cursor->position())) {
    result.step = change->step;
    result.before = change->before;
    result.after = change->after;
    result.evidence = change->evidence;
    result.before_evidence = word_at(view, word, change->step).evidence;
    result.in_current_step = change->step == view.cursor->current_step();
  } else {
    result.evidence = result.before_evidence = evidence_at_start(view);
  }
  return result;
}

WordAt word_at(const ViewContext& view, WordIndex word, StepIndex position) {
  WordAt result;
  if (!has_recording(view)) return result;
  const auto initial = view.cursor->recording().initial();
  if (word < initial.size()) result.value = initial[word];
  if (view.document->history == nullptr) return result;
  if (const auto write = view.document->history->last_write(word, position)) {
    result.value = write->after;
    result.evidence = write->evidence;
  } else {
    result.evidence = evidence_at_start(view);
  }
  return result;
}

std::string breakpoint_text(const Recording& recording, const Breakpoint& point) {
  const std::string name = recording.word_name(point.word);
  if (point.mask == ~0ull) return name;
  if (std::has_single_bit(point.mask)) return fmt::format("bit {} of {}", std::countr_zero(point.mask), name);
  return fmt::format("bits {} of {}", hex(point.mask), name);
}

const Region* region_of(const ViewContext& view, WordIndex word) {
  if (!has_recording(view) || word == no_word) return nullptr;
  const Recording& recording = view.cursor->recording();
  const RegionId id = recording.region_of(word);
  return id == no_region ? nullptr : &recording.regions()[id];
}

uint64_t address_of(const ViewContext& view, WordIndex word) {
  const Region* region = region_of(view, word);
  return region == nullptr || region->stride == 0 ? 0
                                                  : region->address + (word - region->first) * region->stride;
}

std::string describe_word(const ViewContext& view, WordIndex word, uint64_t value, uint64_t unseen) {
  const Region* region = region_of(view, word);
  if (region == nullptr) return hex(value);
  std::string text = hmmscope::describe_word(view.document->model, region->kind, value, view.layout);
  return unseen != 0 ? without_pfn(std::move(text)) : text;
}

std::optional<uint64_t> operand(const ViewContext& view, std::string_view name) {
  if (!has_recording(view) || view.cursor->current_step() == no_step) return std::nullopt;
  const StepIndex step = view.cursor->current_step();
  const Recording& recording = view.cursor->recording();
  const auto operands = recording.operands(step);
  const Rule& row = rule(recording.rule_of(step));
  for (uint32_t i = 0; i < operands.size(); ++i) {
    if (row.operand_name(i) == name) return operands[i];
  }
  return std::nullopt;
}

std::string operand_text(std::string_view name, uint64_t value) {
  if (name == "need" || name == "required_fault") {
    constexpr std::string_view words[] = {"none", "NEED_FAULT", "NEED_WRITE_FAULT",
                                          "NEED_FAULT | NEED_WRITE_FAULT"};
    if (value < std::size(words)) return std::string(words[value]);
  }
  if (name == "ret" || name == "result" || name == "error")
    return std::to_string(static_cast<int64_t>(value));
  if (value < 10) return std::to_string(value);
  return hex(value);
}

void CheckIndex::update(const Recording* recording) {
  if (recording == recording_) return;
  recording_ = recording;
  by_step_.clear();
  if (recording == nullptr) return;
  const auto checks = recording->checks();
  by_step_.reserve(checks.size());
  for (uint32_t i = 0; i < checks.size(); ++i) {
    if (checks[i].step != no_step) by_step_.emplace_back(checks[i].step, i);
  }
  std::sort(by_step_.begin(), by_step_.end());
}

const CallCheck* CheckIndex::at(StepIndex step) const {
  const CallCheck* found = nullptr;
  for (auto it = std::lower_bound(by_step_.begin(), by_step_.end(), std::pair{step, 0u});
       it != by_step_.end() && it->first == step; ++it) {
    const CallCheck& check = recording_->checks()[it->second];
    if (found == nullptr || check.verdict == Verdict::diverged) found = &check;
    if (check.verdict == Verdict::diverged) break;
  }
  return found;
}

std::string grouped(uint64_t number) {
  const std::string digits = std::to_string(number);
  std::string result;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i != 0 && (digits.size() - i) % 3 == 0) result += ' ';
    result += digits[i];
  }
  return result;
}

std::string counted(uint64_t number, std::string_view one, std::string_view many) {
  return grouped(number) + ' ' + std::string(number == 1 ? one : many);
}

std::string hex(uint64_t value, int digits) { return fmt::format("{:#0{}x}", value, digits + 2); }

}  // namespace hmmscope::ui
