#include "engine/recording/recording.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/recording/pattern.h"

namespace hmmscope {

std::string_view evidence_name(Evidence evidence) {
  switch (evidence) {
    case Evidence::computed:
      return "computed";
    case Evidence::observed:
      return "observed";
    case Evidence::inferred:
      return "inferred";
    case Evidence::unknown:
      return "unknown";
  }
  return "";
}

StepIndex Recording::step_of_write(uint32_t write) const {
  return static_cast<StepIndex>(std::upper_bound(write_end_.begin(), write_end_.end(), write) -
                                write_end_.begin());
}

std::string_view Recording::rule_name(StepIndex step) const {
  const std::string* name = foreign_.name(foreign_.of_step, step);
  return name != nullptr ? *name : rule(rule_of(step)).id;
}

std::string_view Recording::rule_name_of_check(size_t check) const {
  const std::string* name = foreign_.name(foreign_.of_check, check);
  return name != nullptr ? *name : rule(checks_[check].rule).id;
}

std::string_view Recording::function_name_of(CallId call) const {
  const std::string* name = foreign_.name(foreign_.of_call, call);
  return name != nullptr ? *name : function_name(calls_[call].function);
}

std::vector<CallId> Recording::path(CallId call) const {
  std::vector<CallId> calls;
  for (; call != no_call; call = calls_[call].parent) calls.push_back(call);
  std::reverse(calls.begin(), calls.end());
  return calls;
}

std::string Recording::word_name(WordIndex word) const {
  const RegionId id = region_of(word);
  if (id == no_region) return fmt::format("word {}", word);
  const Region& region = regions_[id];
  const uint32_t index = word - region.first;
  const std::string_view kind = region_kind_name(region.kind);
  const std::string_view name = region.name.empty() ? kind : std::string_view(region.name);
  const auto names = word_names(region.kind);
  if (index < names.size()) return fmt::format("{}.{}", name, names[index]);
  if (region.kind <= RegionKind::hugetlb) return fmt::format("{} {:#x} [{}]", kind, region.address, index);
  return fmt::format("{}[{}]", name, index);
}

std::string Recording::meta(const std::string& key) const {
  const auto value = meta_.find(key);
  return value == meta_.end() ? std::string() : value->second;
}

size_t Recording::bytes() const {
  return rule_.bytes() + call_.bytes() + operand_end_.bytes() + write_end_.bytes() + event_.bytes() +
         operands_.bytes() + write_word_.bytes() + write_info_.bytes() + write_old_.bytes() +
         write_new_.bytes() + runs_.bytes() + literals_.bytes() + calls_.bytes() + arguments_.bytes() +
         initial_.bytes() + events_.bytes() + regions_.capacity() * sizeof(Region) +
         tasks_.capacity() * sizeof(Task) + checks_.capacity() * sizeof(CallCheck);
}

void Recording::shrink_to_fit() {
  rule_.shrink_to_fit();
  call_.shrink_to_fit();
  operand_end_.shrink_to_fit();
  write_end_.shrink_to_fit();
  event_.shrink_to_fit();
  operands_.shrink_to_fit();
  write_word_.shrink_to_fit();
  write_info_.shrink_to_fit();
  write_old_.shrink_to_fit();
  write_new_.shrink_to_fit();
  runs_.shrink_to_fit();
  literals_.shrink_to_fit();
  calls_.shrink_to_fit();
  arguments_.shrink_to_fit();
  initial_.shrink_to_fit();
  events_.shrink_to_fit();
}

uint32_t Recording::share_run(Run run, uint64_t new_base) {
  // Pages that are written again: all old bases are as far from the new ones, mostly the same.
  const bool linear = run.new_shape == WriteShape::linear && run.old_shape == WriteShape::linear;
  if (linear && run.old_stride != 0 && run.old_stride == run.new_stride) {
    run.old_follows = true;
    run.old_base -= new_base;
  }
  if (runs_.empty() || !(runs_.back() == run)) runs_.push(run);
  return static_cast<uint32_t>(runs_.size() - 1);
}

uint64_t Recording::set_new(Run& run, std::span<const uint64_t> values) {
  const Pattern pattern = find_pattern(values);
  run.new_shape = pattern.linear ? WriteShape::linear : WriteShape::literal;
  run.new_stride = pattern.stride;
  const uint64_t base = pattern.linear ? pattern.base : literals_.size();
  if (!pattern.linear) literals_.append(values.data(), values.size());
  return base;
}

void Recording::set_old(Run& run, std::span<const uint64_t> values, const Pattern& pattern) {
  run.old_shape = pattern.linear ? WriteShape::linear : WriteShape::literal;
  run.old_base = pattern.linear ? pattern.base : literals_.size();
  run.old_stride = pattern.stride;
  if (!pattern.linear) literals_.append(values.data(), values.size());
}

}  // namespace hmmscope
