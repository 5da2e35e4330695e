#include "engine/encoding/layout.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "engine/encoding/layout_tables.h"
#include "engine/encoding/swap_entry.h"

namespace hmmscope {

namespace {

char lower(char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); }

bool same_name(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return lower(x) == lower(y); });
}

std::vector<Layout> collect() {
  std::vector<Layout> all;
  for (auto table : {tables::hmm_pfn_early(), tables::hmm_pfn_current(), tables::migrate_pfn(), tables::x86(),
                     tables::arm64(), tables::mirror(), tables::driver()})
    all.insert(all.end(), table.begin(), table.end());
  return all;
}

/// Levenshtein distance, for suggestions only; ids are short.
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replace = diagonal + (lower(a[i - 1]) == lower(b[j - 1]) ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replace, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

/// The layout a PROT_NONE (NUMA hint) entry of that family is read with: its pfn is stored inverted.
const Layout& protnone_layout(Family family) {
  static const Layout* const pte = find_layout("pte-x86-64-protnone");
  static const Layout* const pmd = find_layout("pmd-x86-64-protnone");
  static const Layout* const pud = find_layout("pud-x86-64-protnone");
  return family == Family::x86_pte ? *pte : family == Family::x86_pmd ? *pmd : *pud;
}

const Layout& table_layout() {
  static const Layout* const table = find_layout("table-x86-64");
  return *table;
}

bool is_x86_entry(Family family) {
  return family == Family::x86_pte || family == Family::x86_pmd || family == Family::x86_pud ||
         family == Family::x86_table || family == Family::x86_swap;
}

bool is_pfn_role(Role role) {
  return role == Role::pfn || role == Role::table_address || role == Role::swap_offset;
}

}  // namespace

const Field* Layout::field(Role role) const {
  for (const Field& f : fields)
    if (f.role == role) return &f;
  return nullptr;
}

const Field* Layout::field_named(std::string_view name) const {
  if (name.empty()) return nullptr;
  for (const Field& f : fields)
    if (same_name(f.name, name) || same_name(f.symbol, name)) return &f;
  return nullptr;
}

uint64_t Layout::flags_mask() const {
  uint64_t mask = 0;
  for (const Field& f : fields)
    if (!is_pfn_role(f.role)) mask |= f.mask();
  return mask;
}

uint64_t Layout::sticky_mask() const {
  uint64_t mask = 0;
  for (const Field& f : fields)
    if (f.sticky) mask |= f.mask();
  return mask;
}

uint64_t Layout::mask(Role role) const {
  const Field* f = field(role);
  return f == nullptr ? 0 : f->mask();
}

std::span<const Layout> layouts() {
  static const std::vector<Layout> all = collect();
  return all;
}

const Layout* find_layout(std::string_view id) {
  for (const Layout& layout : layouts())
    if (id == layout.id) return &layout;
  return nullptr;
}

std::string_view family_name(Family family) {
  static constexpr std::array<std::string_view, 12> names{
      "hmm_pfn",  "migrate_pfn", "x86_pte",    "x86_pmd",      "x86_pud",       "x86_table",
      "x86_swap", "arm64_pte",   "arm64_swap", "mirror_entry", "driver_format", "plain"};
  const auto i = static_cast<size_t>(family);
  return i < names.size() ? names[i] : "plain";
}

std::string_view status_name(Status status) {
  switch (status) {
    case Status::released:
      return "released";
    case Status::posted:
      return "posted";
    case Status::draft:
      return "draft";
  }
  return "draft";
}

Result<const Layout*> layout_or_error(std::string_view id) {
  if (const Layout* found = find_layout(id)) return found;
  std::vector<std::pair<size_t, std::string_view>> known;
  for (const Layout& layout : layouts()) known.emplace_back(edit_distance(id, layout.id), layout.id);
  std::stable_sort(known.begin(), known.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  constexpr size_t shown = 10;
  std::string list;
  for (size_t i = 0; i < std::min(shown, known.size()); ++i)
    list += (i == 0 ? "" : ", ") + std::string(known[i].second);
  return fail(fmt::format("no layout is called '{}'; nearest of {}: {}", id, known.size(), list));
}

std::vector<DecodedField> decode(const Layout& layout, uint64_t word) {
  std::vector<DecodedField> out;
  out.reserve(layout.fields.size());
  for (const Field& f : layout.fields) out.push_back({&f, f.get(word)});
  return out;
}

namespace {

void append(std::string& text, std::string_view part) {
  if (!text.empty()) text += ' ';
  text += part;
}

void append_field(std::string& text, const Field& f, uint64_t word) {
  const uint64_t value = f.get(word);
  if (value == 0) return;
  if (f.width == 1) {
    append(text, f.name);
  } else {
    append(text, fmt::format("{} {}", f.name, value));
  }
}

/// Low flags (pte style) read upwards, high flags (hmm_pfn style) downwards; the pfn is last either way.
std::string describe_fields(const Layout& layout, uint64_t word) {
  const Field* number = nullptr;
  for (const Field& f : layout.fields)
    if (is_pfn_role(f.role)) number = &f;
  std::string text;
  const size_t n = layout.fields.size();
  const bool upwards = number == nullptr || number->shift != 0;
  for (size_t i = 0; i < n; ++i) {
    const Field& f = layout.fields[upwards ? n - 1 - i : i];
    if (&f != number) append_field(text, f, word);
  }
  if (number == nullptr) return text.empty() ? "0" : text;
  const uint64_t value = number->get(word);
  const bool meant = (word & (layout.mask(Role::valid) | layout.mask(Role::present))) != 0;
  if (value != 0 || meant) append(text, fmt::format("{} {:#x}", number->name, value));
  return text.empty() ? "0" : text;
}

}  // namespace

std::string describe(const Layout& layout, uint64_t word) {
  for (const SpecialWord& s : layout.specials)
    if (s.word == word) return s.name;
  if (word == 0) return "0";
  if (is_x86_entry(layout.family) && x86::pte_none(word)) return "none (A and D do not count)";
  if (const uint32_t version = swap_version(layout); version != 0) {
    const uint8_t physical = layout.family == Family::x86_swap ? physmem_bits(4) : 52;
    return describe_swap(layout, word, swap_types(version, KernelConfig{}), physical);
  }
  return describe_fields(layout, word);
}

Result<uint64_t> encode(const Layout& layout, std::span<const FieldValue> values) {
  uint64_t word = 0;
  // A field that is not given reads as zero, which an inverted field stores as ones.
  for (const Field& f : layout.fields)
    if (f.inverted) word |= f.mask();
  for (const FieldValue& v : values) {
    const Field* f = layout.field_named(v.name);
    if (f == nullptr) {
      std::string names;
      for (const Field& known : layout.fields) names += (names.empty() ? "" : ", ") + std::string(known.name);
      return fail(fmt::format("layout {} has no field '{}'; it has {}", layout.id, v.name, names));
    }
    if (!f->fits(v.value))
      return fail(
          fmt::format("{} of layout {} holds 0 to {:#x}{}; {:#x} does not fit", f->name, layout.id, f->max(),
                      f->unit != 0 ? fmt::format(" in steps of {:#x}", 1ull << f->unit) : "", v.value));
    if (f->inverted) {
      word = (word & ~f->mask()) | f->put(v.value);
    } else {
      word |= f->put(v.value);
    }
  }
  return word;
}

std::vector<Overlap> overlaps(const Layout& layout) {
  std::vector<Overlap> out;
  for (size_t i = 0; i < layout.fields.size(); ++i) {
    for (size_t j = i + 1; j < layout.fields.size(); ++j) {
      const uint64_t common = layout.fields[i].mask() & layout.fields[j].mask();
      if (common != 0) out.push_back({&layout.fields[i], &layout.fields[j], common});
    }
  }
  return out;
}

const Layout& layout_for_entry(const Layout& pte_layout, const Layout& swap_layout, uint64_t word) {
  switch (pte_layout.family) {
    case Family::x86_pte:
      if (x86::pte_none(word)) return pte_layout;
      if (x86::pte_protnone(word)) return protnone_layout(Family::x86_pte);
      return x86::pte_present(word) ? pte_layout : swap_layout;
    case Family::x86_pmd:
    case Family::x86_pud:
      if (x86::pmd_none(word)) return pte_layout;
      if (!x86::pmd_present(word)) return swap_layout;
      if (!x86::pmd_leaf(word)) return table_layout();
      // Also a leaf that is being split: PSE alone, its pfn inverted.
      return (word & x86::present.mask()) == 0 ? protnone_layout(pte_layout.family) : pte_layout;
    case Family::arm64_pte: {
      const uint64_t live = pte_layout.mask(Role::present) | pte_layout.mask(Role::global);
      return word == 0 || (word & live) != 0 ? pte_layout : swap_layout;
    }
    default:
      return pte_layout;
  }
}

}  // namespace hmmscope
