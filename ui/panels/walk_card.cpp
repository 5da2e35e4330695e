#include "ui/panels/walk_card.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "engine/machine/words.h"
#include "ui/unseen.h"
#include "ui/words.h"

namespace hmmscope::ui {
namespace {

/// The fields people ask for first; the Bits panel has them all.
int interest(Role role) {
  constexpr std::array order{Role::present,   Role::write,       Role::valid,      Role::error,
                             Role::huge,      Role::order,       Role::pfn,        Role::table_address,
                             Role::swap_type, Role::swap_offset, Role::dma_mapped, Role::p2pdma,
                             Role::dirty,     Role::accessed,    Role::user,       Role::no_execute,
                             Role::exclusive, Role::soft_dirty,  Role::uffd_wp};
  const auto it = std::find(order.begin(), order.end(), role);
  return it == order.end() ? 1000 : static_cast<int>(it - order.begin());
}

float draw_fields(Painter& p, const ViewContext& view, WordIndex word, uint64_t value, uint64_t unseen,
                  const Rect& area) {
  const Theme& t = p.theme();
  auto fields = decode(layout_of(view, word, value), value);
  std::erase_if(fields, [](const DecodedField& f) { return interest(f.field->role) == 1000; });
  std::stable_sort(fields.begin(), fields.end(), [](const DecodedField& a, const DecodedField& b) {
    return interest(a.field->role) < interest(b.field->role);
  });
  constexpr float row = 18;
  const auto rows = std::min<size_t>(4, static_cast<size_t>(std::max(0.0f, area.h) / row));
  if (fields.size() > rows * 2) fields.resize(rows * 2);
  // Long numbers go to the right column, flags fill the rest in order.
  std::stable_partition(fields.begin(), fields.end(),
                        [](const DecodedField& f) { return f.field->width == 1; });
  const size_t lines = (fields.size() + 1) / 2;
  const float column = area.w * 0.44f;
  for (size_t i = 0; i < fields.size(); ++i) {
    const bool right = i >= lines;
    const Rect cell{area.x + (right ? column + 8 : 0),
                    area.y + row * static_cast<float>(right ? i - lines : i),
                    right ? area.w - column - 8 : column - 4, row};
    const bool seen = (fields[i].field->mask() & unseen) == 0;
    const std::string text = !seen                         ? "?"
                             : fields[i].field->width == 1 ? std::to_string(fields[i].value)
                                                           : hex(fields[i].value);
    const bool set = seen && fields[i].value != 0;
    const float used = p.width(text, Font::mono_small);
    p.text_in({cell.x, cell.y, cell.w - used - 6, row}, fields[i].field->name, Font::mono_small,
              t.text_faint);
    p.text_in(cell, text, Font::mono_small, set ? t.field_text(fields[i].field->role) : t.text_muted,
              Align::right);
  }
  return row * static_cast<float>(lines);
}

std::string byte_size(uint64_t bytes) {
  constexpr std::string_view units[] = {"KiB", "MiB", "GiB", "TiB"};
  size_t unit = 0;
  for (bytes >>= 10; unit + 1 < std::size(units) && bytes >= 1024 && bytes % 1024 == 0; bytes >>= 10) ++unit;
  return fmt::format("{} {}", grouped(bytes), units[unit]);
}

/// Flags of a request, by name; the pfn field says nothing in a request.
std::string request_text(const ViewContext& view, uint64_t flags) {
  const Layout* layout = view.layout != nullptr ? view.layout : view.document->model.hmm_pfn;
  if (layout == nullptr || flags == 0) return hex(flags);
  if (flags == ~0ull) return "all";
  std::string text = describe(*layout, flags & ~layout->mask(Role::pfn));
  const size_t pfn = text.find(" pfn 0x0");
  if (pfn != std::string::npos) text.erase(pfn);
  return text;
}

}  // namespace

Rect draw_entry_card(Painter& p, const ViewContext& view, const WalkScene& scene, const Rect& area) {
  const Theme& t = p.theme();
  const bool table = !scene.path.empty();
  WordIndex word = table ? scene.path.back().word : scene.word;
  for (const PathLevel& level : scene.path) {
    if (level.word == scene.word) word = level.word;
  }
  const uint64_t value = view.cursor->load(word);
  const LastWrite write = last_write(view, word);
  const uint64_t unseen = unseen_bits(view, word, value, write.evidence);
  const bool unknown = write.evidence == Evidence::unknown;
  const Region* region = region_of(view, word);
  const auto need = operand(view, "need"), cpu_flags = operand(view, "cpu_flags");
  const LastWrite slot_write = last_write(view, scene.slot);
  const bool wrote =
      scene.slot != no_word && slot_write.in_current_step && slot_write.evidence != Evidence::unknown;
  const bool judged = need.has_value() || cpu_flags.has_value() || wrote;
  const Layout& layout = layout_of(view, word, value);
  const float width = area.w - 24;
  float height = 36 + (judged ? 46.0f : 0.0f) + 20;
  const auto shown_fields = static_cast<size_t>(std::count_if(
      layout.fields.begin(), layout.fields.end(), [](const Field& f) { return interest(f.role) < 1000; }));
  const float field_rows = static_cast<float>(std::min<size_t>(4, (shown_fields + 1) / 2)) * 18;
  height = std::min(height + field_rows, area.h);
  const Rect card{area.x, area.y, area.w, height};
  p.fill(card, t.raised, measure::radius);
  p.outline(card, write.in_current_step ? t.changed : t.accent, measure::radius,
            write.in_current_step ? 2 : 1);
  float y = card.y + 8;
  const std::string kind = region == nullptr ? "" : std::string(region_kind_name(region->kind));
  // A number says how it is known; that there is none says it already.
  std::string_view tag = unknown ? "" : evidence_name(write.evidence);
  if (write.evidence == Evidence::computed) tag = "";
  const float tag_width = tag.empty() ? 0 : p.width(tag, Font::small) + 8;
  // Hex is shown whole; how it is known gives way to the line below.
  const std::string number = kind + " " + hex_seen(value, unseen);
  const bool beside = p.width(number, Font::mono) + tag_width <= width;
  const Font font = p.width(number, Font::mono) <= width ? Font::mono : Font::mono_small;
  p.text_in({card.x + 12, y, width, 20}, number, font, t.text);
  p.text_in({card.x + 12, beside ? y : y + 22, width, beside ? 20.0f : 17.0f}, tag, Font::small,
            write.evidence == Evidence::observed ? t.good : t.warning, Align::right);
  y += 22;
  const std::string meaning = unknown      ? "not shown by the trace"
                              : value == 0 ? "empty entry"
                                           : describe_word(view, word, value, unseen);
  p.text_in({card.x + 12, y, width - (beside ? 0 : tag_width), 17}, meaning, Font::small,
            unknown ? t.warning : t.text_muted);
  y += 20;
  const float room = card.bottom() - y - (judged ? 48 : 6);
  if (room >= 18) y += draw_fields(p, view, word, value, unseen, {card.x + 12, y, width, room});
  if (!judged || card.bottom() - y < 44) return card;
  y = card.bottom() - 44;
  p.horizontal(card.x + 12, card.right() - 12, y, t.border);
  const Rect first{card.x + 12, y + 4, width, 18}, second{card.x + 12, y + 22, width, 18};
  if (!need && !cpu_flags) {
    const std::string name = fmt::format("hmm_pfns[{}] becomes", scene.slot - scene.array->first);
    p.text_in(first, name, Font::mono_small, t.text_muted);
    const std::string text =
        describe_word(view, scene.slot, slot_write.after,
                      unseen_bits(view, scene.slot, slot_write.after, slot_write.evidence));
    p.text_in(second, text, Font::mono_small, t.field_text(Role::order));
    return card;
  }
  const uint64_t required = need.value_or(0);
  const Color ink = required == 0 ? t.good : t.warning;
  p.text_in(first, "required_fault = " + operand_text("need", required), Font::mono_small, ink);
  if (cpu_flags) {
    p.text_in(second, "cpu_flags = " + request_text(view, *cpu_flags), Font::mono_small,
              t.field_text(Role::order));
  }
  return card;
}

void draw_walk_facts(Painter& p, const ViewContext& view, const RegionIndex& regions, const WalkScene& scene,
                     Rect area) {
  const Theme& t = p.theme();
  constexpr float row = 22;
  const auto line = [&](std::string_view name, const std::string& value, Color ink) {
    if (area.h < row) return;
    const Rect box = area.take_top(row);
    const Rect frame{box.x, box.y, box.w, row - 4};
    p.fill(frame, t.sunken, 3);
    p.outline(frame, t.border, 3);
    const float used = std::max(54.0f, p.width(name, Font::small) + 12);
    p.text_in({frame.x + 8, frame.y, used, frame.h}, name, Font::small, t.text_faint);
    p.text_in({frame.x + 8 + used, frame.y, frame.w - used - 14, frame.h}, value, Font::mono_small, ink);
  };
  for (const Region* vma : regions.owned(RegionKind::vma, scene.owner)) {
    const auto start = named_word(view, *vma, "vm_start"), end = named_word(view, *vma, "vm_end");
    if (!start || !end || scene.address < *start || scene.address >= *end) continue;
    const uint64_t flags = named_word(view, *vma, "vm_flags").value_or(0);
    const auto letter = [&](uint64_t bit, char c) { return (flags & bit) != 0 ? c : '-'; };
    line("vma",
         fmt::format("{}{}{}{}  {}  {}", letter(vm::read, 'r'), letter(vm::write, 'w'), letter(vm::exec, 'x'),
                     (flags & vm::shared) != 0 ? 's' : 'p', byte_size(*end - *start), vma->name),
         t.text);
    break;
  }
  // What stands in a word that nothing has told of is no fact.
  const auto told = [&](const Region& region, std::string_view name) {
    const auto names = word_names(region.kind);
    const auto offset = static_cast<WordIndex>(std::find(names.begin(), names.end(), name) - names.begin());
    return last_write(view, region.first + offset).evidence != Evidence::unknown;
  };
  std::optional<uint64_t> range_seq, sequence;
  const Region* current_range = nullptr;
  for (const Region* range : regions.owned(RegionKind::range, scene.owner)) {
    const auto start = named_word(view, *range, "start"), end = named_word(view, *range, "end");
    if (start && end && scene.address >= *start && scene.address < *end) current_range = range;
  }
  if (current_range != nullptr) {
    range_seq = named_word(view, *current_range, "notifier_seq");
    const auto request = [&](const char* name) {
      return told(*current_range, name) ? request_text(view, named_word(view, *current_range, name).value_or(0)) : "?";
    };
    line("request", fmt::format("default {}, mask {}", request("default_flags"), request("pfn_flags_mask")),
         t.text);
  }
  for (const Region* notifier : regions.owned(RegionKind::notifier, scene.owner)) {
    const auto start = named_word(view, *notifier, "start"), last = named_word(view, *notifier, "last");
    if (start && last && scene.address >= *start && scene.address <= *last && told(*notifier, "invalidate_seq"))
      sequence = named_word(view, *notifier, "invalidate_seq");
  }
  if (sequence) {
    std::string text = hex(*sequence);
    if (range_seq)
      text += *range_seq == *sequence ? " as read: valid" : fmt::format(", read {}: retry", hex(*range_seq));
    line("notifier", text, range_seq && *range_seq != *sequence ? t.warning : t.text);
  }
  // A device's table bears the device's number, not the address space's: all that cover the address are shown.
  for (const RegionKind kind : {RegionKind::device_table, RegionKind::mirror_table}) {
    for (const Region* device : regions.covering(kind, scene.address)) {
      const WordIndex word = word_at(*device, scene.address);
      const uint64_t value = view.cursor->load(word);
      const Evidence evidence = last_write(view, word).evidence;
      const bool unknown = evidence == Evidence::unknown;
      line(device->name.empty() ? region_kind_name(kind) : std::string_view(device->name),
           fmt::format("[{}] {}", word - device->first,
                       unknown      ? "?"
                       : value == 0 ? "empty"
                                    : describe_word(view, word, value, unseen_bits(view, word, value, evidence))),
           unknown || value == 0 ? t.text_faint : t.text);
    }
  }
}

}  // namespace hmmscope::ui
