#include "lessons/vocabulary.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <optional>

#include "engine/encoding/geometry.h"
#include "engine/encoding/layout.h"
#include "lessons/number.h"

namespace hmmscope::lessons {
namespace {

using Arguments = std::span<const Value>;

// ---- reading arguments; the first one that does not fit is remembered and ends the call
// -------------------------

class Reader {
 public:
  explicit Reader(Arguments arguments) : arguments_(arguments) {}

  uint64_t number(size_t index) { return keep(as_number(arguments_[index])); }
  std::string text(size_t index) { return keep(as_text(arguments_[index])); }
  const Layout* layout(size_t index) { return keep(layout_or_error(text(index))); }
  const Geometry* machine(size_t index) { return keep(geometry_or_error(text(index))); }
  const Field* field(const Layout* layout, size_t index) {
    const std::string name = text(index);
    if (layout == nullptr) return nullptr;
    const Field* found = layout->field_named(name);
    if (found == nullptr)
      note({"layout " + std::string(layout->id) + " has no field \"" + name + "\"", {}, 0, 0, false});
    return found;
  }
  /// FIELD, value, FIELD, value ... from `index` on.
  std::vector<FieldValue> assignments(size_t index) {
    if ((arguments_.size() - index) % 2 != 0) note({"fields and values must come in pairs", {}, 0, 0, false});
    for (size_t i = index; i + 1 < arguments_.size(); i += 2) names_.push_back(text(i));
    std::vector<FieldValue> values;
    for (size_t i = index; i + 1 < arguments_.size(); i += 2)
      values.push_back({names_[(i - index) / 2], number(i + 1)});
    return values;
  }
  bool ok() const { return !error_; }
  tl::unexpected<Error> error() const { return fail(*error_); }

 private:
  template <class T>
  T keep(Result<T> result) {
    if (result) return *std::move(result);
    note(result.error());
    return T{};
  }
  void note(Error error) {
    if (!error_) error_ = std::move(error);
  }

  Arguments arguments_;
  std::vector<std::string> names_;
  std::optional<Error> error_;
};

// ---- numbers and truth
// ------------------------------------------------------------------------------------------

Result<Value> apply_add(Arguments a) {
  Reader read(a);
  const uint64_t sum = read.number(0) + read.number(1);
  return read.ok() ? Result<Value>(sum) : read.error();
}
Result<Value> apply_sub(Arguments a) {
  Reader read(a);
  const uint64_t from = read.number(0), what = read.number(1);
  if (!read.ok()) return read.error();
  if (what > from) return fail("sub: the result would be below zero");
  return Value(from - what);
}
Result<Value> apply_pow2(Arguments a) {
  Reader read(a);
  const uint64_t exponent = read.number(0);
  if (!read.ok()) return read.error();
  if (exponent > 63) return fail("pow2: the result does not fit 64 bits");
  return Value(uint64_t{1} << exponent);
}
Result<Value> apply_hex(Arguments a) {
  Reader read(a);
  const uint64_t value = read.number(0);
  return read.ok() ? Result<Value>(hex(value)) : read.error();
}
Result<Value> apply_binary(Arguments a) {
  Reader read(a);
  const uint64_t value = read.number(0), digits = read.number(1);
  if (!read.ok()) return read.error();
  return Value(fmt::format("{:0{}b}", value, std::min<uint64_t>(digits, 64)));
}
Result<Value> apply_bits(Arguments a) {
  Reader read(a);
  const uint64_t value = read.number(0);
  if (!read.ok()) return read.error();
  std::string list;
  for (int bit = 63; bit >= 0; --bit) {
    if ((value >> bit & 1) != 0) list += (list.empty() ? "" : ", ") + std::to_string(bit);
  }
  return Value(list.empty() ? "none" : list);
}
Result<Value> apply_bits_in_common(Arguments a) {
  Reader read(a);
  const uint64_t common = read.number(0) & read.number(1);
  return read.ok() ? Result<Value>(common) : read.error();
}
Result<Value> apply_equal(Arguments a) { return Value(a[0] == a[1]); }
Result<Value> apply_not(Arguments a) {
  const auto truth = as_truth(a[0]);
  return truth ? Result<Value>(!*truth) : fail(truth.error());
}

// ---- layouts
// ----------------------------------------------------------------------------------------------------

Result<Value> apply_bit(Arguments a) {
  Reader read(a);
  const Field* field = read.field(read.layout(0), 1);
  return read.ok() ? Result<Value>(uint64_t{field->shift}) : read.error();
}
Result<Value> apply_top_bit(Arguments a) {
  Reader read(a);
  const Field* field = read.field(read.layout(0), 1);
  return read.ok() ? Result<Value>(uint64_t{field->shift} + field->width - 1) : read.error();
}
Result<Value> apply_width(Arguments a) {
  Reader read(a);
  const Field* field = read.field(read.layout(0), 1);
  return read.ok() ? Result<Value>(uint64_t{field->width}) : read.error();
}
Result<Value> apply_mask(Arguments a) {
  Reader read(a);
  const Field* field = read.field(read.layout(0), 1);
  return read.ok() ? Result<Value>(field->mask()) : read.error();
}
Result<Value> apply_flags(Arguments a) {
  Reader read(a);
  const Layout* layout = read.layout(0);
  return read.ok() ? Result<Value>(layout->flags_mask()) : read.error();
}
Result<Value> apply_field(Arguments a) {
  Reader read(a);
  const Field* field = read.field(read.layout(0), 1);
  const uint64_t word = read.number(2);
  return read.ok() ? Result<Value>(field->get(word)) : read.error();
}
Result<Value> apply_describe(Arguments a) {
  Reader read(a);
  const Layout* layout = read.layout(0);
  const uint64_t word = read.number(1);
  return read.ok() ? Result<Value>(describe(*layout, word)) : read.error();
}
Result<Value> apply_encode(Arguments a) {
  Reader read(a);
  const Layout* layout = read.layout(0);
  const auto values = read.assignments(1);
  if (!read.ok()) return read.error();
  const auto word = encode(*layout, values);
  return word ? Result<Value>(*word) : fail(word.error());
}
Result<Value> apply_versions(Arguments a) {
  Reader read(a);
  const Layout* layout = read.layout(0);
  return read.ok() ? Result<Value>(std::string(layout->versions)) : read.error();
}

// ---- machines
// ---------------------------------------------------------------------------------------------------

Result<Value> apply_order(Arguments a) {
  Reader read(a);
  const Geometry* machine = read.machine(0);
  const std::string part = read.text(1);
  if (!read.ok()) return read.error();
  for (const MappingOrder& order : machine->orders) {
    if (std::string_view(order.name).find(part) != std::string_view::npos)
      return Value(uint64_t{order.order});
  }
  return fail("machine " + std::string(machine->id) + " has no mapping named \"" + part + "\"");
}
Result<Value> apply_machine(Arguments a) {
  Reader read(a);
  const Geometry* machine = read.machine(0);
  return read.ok() ? Result<Value>(std::string(machine->title)) : read.error();
}
Result<Value> apply_size(Arguments a) {
  Reader read(a);
  const Geometry* machine = read.machine(0);
  const uint64_t order = read.number(1);
  if (!read.ok()) return read.error();
  if (order + machine->page_shift > 63)
    return fail("size: order " + std::to_string(order) + " is larger than any memory");
  constexpr std::array<const char*, 7> units = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  const uint64_t shift = order + machine->page_shift;
  return Value(std::to_string(uint64_t{1} << shift % 10) + " " + units[shift / 10]);
}
Result<Value> apply_sound(Arguments a) {
  Reader read(a);
  const Layout* layout = read.layout(0);
  const Geometry* machine = read.machine(1);
  return read.ok() ? Result<Value>(check_layout(*layout, *machine).ok()) : read.error();
}

/// The orders of `machine` that forge `field`, ascending, each once.
std::vector<uint64_t> forging_orders(const Layout& layout, const Geometry& machine, const Field& field) {
  std::vector<uint64_t> orders;
  for (const Collision& collision : check_layout(layout, machine).collisions) {
    // By role: the machine may use another variant of the layout, with fields of its own.
    if (collision.kind == CollisionKind::phantom_flag && collision.flag->role == field.role)
      orders.push_back(collision.order);
  }
  std::sort(orders.begin(), orders.end());
  orders.erase(std::unique(orders.begin(), orders.end()), orders.end());
  return orders;
}
Result<Value> apply_forging_orders(Arguments a) {
  Reader read(a);
  const Layout* layout = read.layout(0);
  const Geometry* machine = read.machine(1);
  const Field* field = read.field(layout, 2);
  if (!read.ok()) return read.error();
  std::string list;
  for (const uint64_t order : forging_orders(*layout, *machine, *field))
    list += (list.empty() ? "" : ", ") + std::to_string(order);
  return Value(list.empty() ? "none" : list);
}
Result<Value> apply_smallest_forging_order(Arguments a) {
  Reader read(a);
  const Layout* layout = read.layout(0);
  const Geometry* machine = read.machine(1);
  const Field* field = read.field(layout, 2);
  if (!read.ok()) return read.error();
  const auto orders = forging_orders(*layout, *machine, *field);
  if (orders.empty()) return fail("no order of " + std::string(machine->id) + " forges " + field->name);
  return Value(orders.front());
}

constexpr std::array words = std::to_array<Word>({
    {"add", 2, 2, apply_add},
    {"binary", 2, 2, apply_binary},
    {"bit", 2, 2, apply_bit},
    {"bits", 1, 1, apply_bits},
    {"bits_in_common", 2, 2, apply_bits_in_common},
    {"describe", 2, 2, apply_describe},
    {"encode", 1, 33, apply_encode},
    {"equal", 2, 2, apply_equal},
    {"field", 3, 3, apply_field},
    {"flags", 1, 1, apply_flags},
    {"forging_orders", 3, 3, apply_forging_orders},
    {"hex", 1, 1, apply_hex},
    {"machine", 1, 1, apply_machine},
    {"mask", 2, 2, apply_mask},
    {"not", 1, 1, apply_not},
    {"order", 2, 2, apply_order},
    {"pow2", 1, 1, apply_pow2},
    {"size", 2, 2, apply_size},
    {"smallest_forging_order", 3, 3, apply_smallest_forging_order},
    {"sound", 2, 2, apply_sound},
    {"sub", 2, 2, apply_sub},
    {"top_bit", 2, 2, apply_top_bit},
    {"versions", 1, 1, apply_versions},
    {"width", 2, 2, apply_width},
});
static_assert(std::is_sorted(words.begin(), words.end(),
                             [](const Word& a, const Word& b) { return a.name < b.name; }));

}  // namespace

std::span<const Word> vocabulary() { return words; }

const Word* find_word(std::string_view name) {
  const auto found =
      std::find_if(words.begin(), words.end(), [&](const Word& word) { return word.name == name; });
  return found == words.end() ? nullptr : &*found;
}

Result<uint64_t> as_number(const Value& value) {
  if (const uint64_t* number = std::get_if<uint64_t>(&value)) return *number;
  return fail("a number is expected where \"" + to_text(value) + "\" stands");
}
Result<std::string> as_text(const Value& value) {
  if (const std::string* text = std::get_if<std::string>(&value)) return *text;
  return fail("a 'string' is expected where " + to_text(value) + " stands");
}
Result<bool> as_truth(const Value& value) {
  if (const bool* truth = std::get_if<bool>(&value)) return *truth;
  return fail("yes or no is expected where \"" + to_text(value) + "\" stands");
}

}  // namespace hmmscope::lessons
