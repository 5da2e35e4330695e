#include "ui/panels/other_layouts.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "ui/unseen.h"

namespace hmmscope::ui {
namespace {

constexpr std::array<std::string_view, 4> references = {"hmm-5.9", "hmm-v9-posted", "hmm-6.16",
                                                        "hmm-unified-rfc"};

bool is_flag(const Field& field) { return field.width == 1; }

/// Is the value that `other` reads in `field` really there when the word is read with its own layout?
bool flag_is_real(const Layout& own, const Field& field, uint64_t word) {
  const Field* same = own.field(field.role);
  return same != nullptr && is_flag(*same) && same->get(word) != 0;
}

/// What the writing layout itself makes of the word: its own overlaps leave it with two readings.
OtherReading own_reading(const Layout& own, uint64_t word) {
  OtherReading reading{&own, describe(own, word), Misreading::same, "in force", true};
  for (const Overlap& overlap : overlaps(own)) {
    if ((word & overlap.mask) == 0) continue;
    const Field* flag = is_flag(*overlap.a) ? overlap.a : overlap.b;
    reading.kind = Misreading::phantom;
    reading.remark = fmt::format("in force: phantom {}?", flag->name);
  }
  return reading;
}

OtherReading judge(const Layout& own, const Layout& other, uint64_t word) {
  OtherReading reading{&other, describe(other, word), Misreading::same, "reads the same", false};
  const auto worse = [&](Misreading kind, std::string remark) {
    if (kind <= reading.kind) return;
    reading.kind = kind;
    reading.remark = std::move(remark);
  };
  for (const Field& field : other.fields) {
    if (!is_flag(field) || field.get(word) == 0 || flag_is_real(own, field, word)) continue;
    worse(Misreading::phantom, std::string("phantom ") + field.name + ": nobody set it");
  }
  for (const Field& field : own.fields) {
    if (!is_flag(field) || field.get(word) == 0) continue;
    const Field* same = other.field(field.role);
    if (same == nullptr)
      worse(Misreading::note, std::string(field.name) + " does not exist here");
    else if (same->get(word) == 0)
      worse(Misreading::wrong, std::string("loses ") + field.name);
  }
  const auto number = [&](Role role, const char* name) {
    const Field *mine = own.field(role), *theirs = other.field(role);
    if (mine == nullptr || theirs == nullptr) return;
    if (mine->get(word) == theirs->get(word)) return;
    const bool small = mine->width <= 8;
    worse(Misreading::wrong,
          small ? fmt::format("wrong {}: {}, not {}", name, theirs->get(word), mine->get(word))
                : fmt::format("wrong {}", name));
  };
  number(Role::order, "order");
  number(Role::pfn, "pfn");
  return reading;
}

}  // namespace

std::vector<OtherReading> other_readings(const Layout& own, uint64_t word, uint64_t unseen) {
  std::vector<const Layout*> others;
  for (const std::string_view id : references) {
    const Layout* layout = find_layout(id);
    if (layout != nullptr && layout->family == own.family && layout != &own) others.push_back(layout);
  }
  for (const Layout& layout : layouts()) {
    if (layout.family != own.family || layout.word_bits != own.word_bits || &layout == &own) continue;
    if (std::find(others.begin(), others.end(), &layout) == others.end()) others.push_back(&layout);
  }
  std::vector<OtherReading> readings;
  readings.reserve(others.size() + 1);
  readings.push_back(own_reading(own, word));
  for (const Layout* layout : others) readings.push_back(judge(own, *layout, word));
  for (OtherReading& reading : readings) {
    if ((reading.layout->mask(Role::pfn) & unseen) != 0) reading.fields = without_pfn(std::move(reading.fields), "pfn ?");
  }
  return readings;
}

}  // namespace hmmscope::ui
