// The operation that looks at slots of an array.

#include <fmt/format.h>

#include "engine/driver_format/driver_format.h"
#include "engine/encoding/hmm_pfn_helpers.h"
#include "engine/scenario/operations.h"

namespace hmmscope::scenario {

namespace {

/// What the model's format has for "nothing", "cannot be accessed" and "special".
uint64_t value_word(const KernelModel& model, std::string_view name) {
  if (model.has_driver_format()) {
    const DriverFormat format = DriverFormat::from(*model.hmm_pfn);
    return name == "NONE" ? format.none : name == "ERROR" ? format.error : format.special;
  }
  return name == "NONE" ? 0 : model.hmm_pfn->mask(Role::error);
}

}  // namespace

Result<void> Operations::perform(const ExpectOp& op, Line line) {
  const Array& array = world_.arrays()[op.array];
  if (op.index >= array.pages || array.pages - op.index < op.count) return fail(world_.error(line, "the array has " + std::to_string(array.pages) + " slots"));
  std::optional<uint64_t> flags;
  if (op.flags) {
    const auto value = world_.flags(*op.flags, line);
    if (!value) return fail(value.error());
    flags = *value;
  }
  const Layout& layout = *machine_.model().hmm_pfn;
  uint64_t has = 0, lacks = 0;
  for (auto [text, bits] : {std::pair{&op.has, &has}, std::pair{&op.lacks, &lacks}}) {
    if (!*text) continue;
    const auto value = world_.flags(**text, line);
    if (!value) return fail(value.error());
    *bits = *value;
  }
  const uint64_t pfn_mask = layout.mask(Role::pfn), order_mask = layout.mask(Role::order);
  const Field* order = layout.field(Role::order);
  const Field* pfn_field = layout.field(Role::pfn);
  ++outcome_.expectations;
  for (uint64_t k = 0; k < op.count; ++k) {
    const WordIndex word = array.first + static_cast<WordIndex>(op.index + k);
    const uint64_t found = machine_.load(word);
    std::string wrong;
    uint64_t expected = found;
    const auto check = [&](uint64_t mask, uint64_t bits, std::string text) {
      if ((found & mask) == (bits & mask) || !wrong.empty()) return;
      wrong = std::move(text);
      expected = (found & ~mask) | (bits & mask);
    };
    if (op.word) check(~0ull, *op.word, fmt::format("the word {:#018x}", *op.word));
    if (flags) check(~(pfn_mask | order_mask), *flags, fmt::format("the flags {}", op.flags->text));
    if (op.order && order != nullptr) check(order_mask, *op.order << order->shift, fmt::format("order {}", *op.order));
    if (op.has) check(has, has, fmt::format("{} set", op.has->text));
    if (op.lacks) check(lacks, 0, fmt::format("{} clear", op.lacks->text));
    if (!op.value.empty()) check(~0ull, value_word(machine_.model(), op.value), op.value);
    if (op.phys && wrong.empty() && hmm_pfn_to_phys(layout, found) != *op.phys + k * page_bytes) {
      wrong = fmt::format("hmm_pfn_to_phys {:#x} instead of {:#x}", *op.phys + k * page_bytes, hmm_pfn_to_phys(layout, found));
    }
    if (op.pfn && pfn_field != nullptr) check(pfn_mask, pfn_field->put(*op.pfn + k), fmt::format("pfn {:#x}", *op.pfn + k));
    if (wrong.empty()) continue;
    machine_.step(RuleId::expect_failed, {word, expected, found});
    failed(line, fmt::format("{}[{}]: expected {}, found {:#018x} ({})", op.array, op.index + k, wrong, found, describe(layout, found)));
    return {};
  }
  machine_.step(RuleId::expect_held, {op.index, op.count});
  return {};
}

}  // namespace hmmscope::scenario
