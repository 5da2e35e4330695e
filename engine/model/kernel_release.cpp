#include "engine/model/kernel_release.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>

namespace hmmscope {

namespace {

constexpr uint32_t x86_page_shift = 12;  // the only page size of the machines that models describe

/// Reads digits off the front; nothing when there are none or the number is above `limit`.
std::optional<uint32_t> take_number(std::string_view& text, uint32_t limit) {
  uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || value > limit) return std::nullopt;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return value;
}

bool take(std::string_view& text, char c) {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r'))
    text.remove_suffix(1);
  return text;
}

/// The options of the line that decide something; nothing = not named.
struct NamedRelease {
  std::optional<bool> device_private, migration, memory_failure, numa_balancing, mem_soft_dirty, pte_marker;
  std::optional<bool> devmap, thp, pud_thp, user_shadow_stack;
  std::optional<uint8_t> levels, page_shift;
};

std::optional<bool>* switch_of(NamedRelease& named, std::string_view key) {
  if (key == "DEVICE_PRIVATE") return &named.device_private;
  if (key == "MIGRATION") return &named.migration;
  if (key == "MEMORY_FAILURE") return &named.memory_failure;
  if (key == "NUMA_BALANCING") return &named.numa_balancing;
  if (key == "MEM_SOFT_DIRTY") return &named.mem_soft_dirty;
  if (key == "X86_USER_SHADOW_STACK") return &named.user_shadow_stack;
  if (key == "PTE_MARKER") return &named.pte_marker;
  if (key == "ARCH_HAS_PTE_DEVMAP") return &named.devmap;
  if (key == "TRANSPARENT_HUGEPAGE") return &named.thp;
  if (key == "HAVE_ARCH_TRANSPARENT_HUGEPAGE_PUD") return &named.pud_thp;
  return nullptr;
}

Result<void> set_item(NamedRelease& named, std::string_view item, bool known_only) {
  const size_t equals = item.find('=');
  if (equals == item.npos)
    return fail(fmt::format("configuration item '{}' is not of the form OPTION=y", item));
  std::string_view key = trimmed(item.substr(0, equals));
  const std::string_view value = trimmed(item.substr(equals + 1));
  if (key.starts_with("CONFIG_")) key.remove_prefix(7);

  if (key == "PGTABLE_LEVELS" || key == "PAGE_SHIFT") {
    std::string_view digits = value;
    const auto number = take_number(digits, 64);
    const bool levels = key == "PGTABLE_LEVELS";
    const bool good =
        number && digits.empty() && (levels ? *number == 4 || *number == 5 : *number == x86_page_shift);
    if (!good) return fail(fmt::format("configuration: {} cannot be '{}'", key, value));
    (levels ? named.levels : named.page_shift) = static_cast<uint8_t>(*number);
    return {};
  }
  if (std::optional<bool>* target = switch_of(named, key)) {
    if (value != "y" && value != "m" && value != "n")
      return fail(fmt::format("configuration: {} is '{}', expected y, m or n", key, value));
    const bool on = value != "n";
    if (*target && **target != on) return fail(fmt::format("configuration: {} is given twice", key));
    *target = on;
    return {};
  }
  if (known_only) return fail(fmt::format("configuration: nothing here depends on '{}'", key));
  return {};
}

}  // namespace

Result<Release> parse_release(std::string_view text) {
  std::string_view rest = trimmed(text);
  const auto major = take_number(rest, 99);
  const bool dot = major && take(rest, '.');
  const auto minor = dot ? take_number(rest, 999) : std::nullopt;
  if (!minor) return fail(fmt::format("kernel release '{}' does not begin with MAJOR.MINOR", text));
  if (take(rest, '.') && !take_number(rest, 99999))
    return fail(fmt::format("kernel release '{}' has no number after the second dot", text));
  return Release{*major * 1000 + *minor, rest};
}

Result<KernelConfig> parse_config(std::string_view text, const Release& release, ConfigNames names) {
  NamedRelease named;
  const bool known_only = names == ConfigNames::known_only;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    const std::string_view item = trimmed(text.substr(begin, end - begin));
    begin = end + 1;
    if (item.empty() && known_only) return fail("configuration: an item is missing");
    if (item.empty()) continue;
    if (auto done = set_item(named, item, known_only); !done) return fail(done.error());
  }

  KernelConfig c;
  c.device_private = named.device_private.value_or(c.device_private);
  c.migration = named.migration.value_or(c.migration);
  c.memory_failure = named.memory_failure.value_or(c.memory_failure);
  c.mem_soft_dirty = named.mem_soft_dirty.value_or(c.mem_soft_dirty);
  c.user_shadow_stack = named.user_shadow_stack.value_or(c.user_shadow_stack);
  c.pte_marker = named.pte_marker.value_or(c.pte_marker);
  c.levels = named.levels.value_or(c.levels);
  c.page_shift = named.page_shift.value_or(c.page_shift);
  // Debian builds its amd64 kernels with NUMA balancing; small test kernels leave it out.
  c.numa_balancing = named.numa_balancing.value_or(release.rest.ends_with("-amd64"));
  // hmm_vma_walk_pud is compiled for huge puds; until 6.16 only together with devmap.
  const bool devmap_allows = release.version >= 6017 || named.devmap.value_or(true);
  c.pud_thp = named.thp.value_or(true) && devmap_allows && named.pud_thp.value_or(true);
  return c;
}

}  // namespace hmmscope
