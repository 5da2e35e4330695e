#include "lessons/design.h"

#include <algorithm>

#include "engine/encoding/geometry.h"
#include "lessons/number.h"

namespace hmmscope::lessons {

Result<std::unique_ptr<Design>> Design::make(const Layout& start,
                                             const std::map<std::string, int>& positions) {
  std::unique_ptr<Design> design(new Design);
  int lowest = start.word_bits;
  for (const auto& [name, bit] : positions) {
    const Field* field = start.field_named(name);
    if (field == nullptr || field->role == Role::pfn) {
      return fail("\"" + name + "\" is not a field to be placed (the pfn takes what is left below)");
    }
    const auto same = [&](const Field& other) { return other.name == std::string_view(field->name); };
    if (std::any_of(design->fields_.begin(), design->fields_.end(), same))
      return fail("the field " + name + " is placed twice");
    if (bit < 0 || bit + field->width > start.word_bits) {
      return fail(std::string(field->name) + " does not fit at bit " + std::to_string(bit) + " of a " +
                  std::to_string(start.word_bits) + "-bit word");
    }
    Field placed = *field;
    placed.shift = static_cast<uint8_t>(bit);
    design->fields_.push_back(placed);
    lowest = std::min(lowest, bit);
  }
  if (const Field* pfn = start.field(Role::pfn); pfn != nullptr && lowest > 0) {
    Field rest = *pfn;
    rest.shift = 0;
    rest.width = static_cast<uint8_t>(lowest);
    design->fields_.push_back(rest);
  }
  std::sort(design->fields_.begin(), design->fields_.end(),
            [](const Field& a, const Field& b) { return a.shift > b.shift; });
  design->layout_ = start;
  design->layout_.id = "yours";
  design->layout_.title = "your layout";
  design->layout_.fields = design->fields_;
  return design;
}

Result<std::vector<std::string>> faults(const LayoutTask& task, const Design& design) {
  std::vector<std::string> found;
  const Layout& layout = design.layout();
  for (const std::string& field : task.fields) {
    if (layout.field_named(field) == nullptr) found.push_back(field + " has no place");
  }
  if (layout.field(Role::pfn) == nullptr) found.push_back("no bit is left for the pfn");
  for (const Overlap& overlap : overlaps(layout)) {
    found.push_back(std::string(overlap.a->name) + " and " + overlap.b->name + " both own " +
                    hex(overlap.mask));
  }
  for (const std::string& id : task.machines) {
    const auto machine = geometry_or_error(id);
    if (!machine) return fail(machine.error());
    const LayoutCheck check = check_layout(layout, **machine);
    if (!check.applies)
      found.push_back(id + " has no words of " + std::to_string(layout.word_bits) + " bits");
    for (const Collision& collision : check.collisions) found.push_back(id + ": " + collision.text);
  }
  return found;
}

}  // namespace hmmscope::lessons
