#include "traces/replay/start_state.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include "engine/encoding/swap_entry.h"
#include "traces/reader/text_fields.h"

namespace hmmscope::traces {
namespace {

constexpr std::string_view mark_begins = "hmmscope: snapshot ";
constexpr uint64_t huge_bytes = uint64_t{1} << 21;

std::string_view take(std::string_view& text, char until) {
  const size_t at = text.find(until);
  const std::string_view word = text.substr(0, at);
  text.remove_prefix(at == std::string_view::npos ? text.size() : at + 1);
  return word;
}

std::optional<std::pair<uint64_t, uint64_t>> range_of(std::string_view word) {
  const auto begin = parse_number(take(word, '-'), true), end = parse_number(word, true);
  if (!begin || !end || *end <= *begin || ((*begin | *end) & ~page_mask) != 0) return std::nullopt;
  return std::pair(*begin, *end);
}

/// "7f0000000000-7f0000021000 rw-p 00000000 00:00 0    [heap]"
std::optional<ShownVma> vma_of(std::string_view line) {
  const auto range = range_of(take(line, ' '));
  const std::string_view access = take(line, ' ');
  const auto offset = parse_number(take(line, ' '), true);
  take(line, ' ');  // the device
  const auto inode = parse_number(take(line, ' '), false);
  if (!range || access.size() < 4 || !offset || !inode) return std::nullopt;
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  ShownVma vma;
  std::tie(vma.start, vma.end) = *range;
  const bool shared = access[3] == 's';
  vma.flags = vm::may_access | (access[0] == 'r' ? vm::read : 0) | (access[1] == 'w' ? vm::write : 0) |
              (access[2] == 'x' ? vm::exec : 0) | (shared ? vm::shared : 0);
  const bool shmem = line.starts_with("/dev/shm/") || line.starts_with("/dev/zero") || line.starts_with("/memfd:") ||
                     line.starts_with("/SYSV");
  const bool named_huge = line.starts_with("/anon_hugepage") || line.find("hugepages") != std::string_view::npos;
  if (line.starts_with("[v") || (line.starts_with("/dev/") && !shmem))
    vma.kind = VmaKind::special;
  else if (named_huge)
    vma.kind = VmaKind::hugetlb, vma.page_shift = 21, vma.flags |= vm::hugetlb;
  else if (*inode == 0)
    vma.kind = shared ? VmaKind::shmem : VmaKind::anonymous;
  else
    vma.kind = shmem ? VmaKind::shmem : shared ? VmaKind::file_shared : VmaKind::file_private;
  vma.file = *inode;
  vma.pgoff = vma.kind == VmaKind::anonymous ? vma.start >> page_bits : *offset >> page_bits;
  return vma;
}

/// One entry of /proc/PID/pagemap.
struct PagemapEntry {
  uint64_t addr = 0, bits = 0;
  bool present() const { return bits >> 63 != 0; }
  bool swapped() const { return (bits >> 62 & 1) != 0; }
  bool file() const { return (bits >> 61 & 1) != 0; }
  bool exclusive() const { return (bits >> 56 & 1) != 0; }
  uint64_t pfn() const { return bits & ((uint64_t{1} << 55) - 1); }
  uint8_t swap_type() const { return static_cast<uint8_t>(bits & 31); }
  uint64_t swap_offset() const { return pfn() >> 5; }
};

/// Turns the notes of one process into facts.
class Applier {
 public:
  /// `sure`: nothing but what World::changed() tells has changed since the notes were taken.
  Applier(World& world, int32_t pid, bool sure)
      : world_(world), space_(world.space_of_process(pid)), pid_(static_cast<uint64_t>(pid)), sure_(sure) {}

  void maps(std::string_view text) {
    while (!text.empty()) {
      const auto vma = vma_of(take(text, '\n'));
      if (!vma || vma->end > space_.tables().limit()) continue;
      if (sure_ && world_.vmas_changed(space_, vma->start, vma->end)) continue;
      if (!world_.spend_inferred(1)) return;
      world_.recorder().step(RuleId::trace_maps_at_start, {pid_, vma->start, vma->end});
      const auto shown = world_.show_vma(space_, *vma, sure_ ? Evidence::observed : Evidence::inferred);
      if (shown && !sure_) world_.doubt(*shown);
    }
  }

  void pagemap(std::string_view text) {
    while (!text.empty()) {
      std::string_view line = take(text, '\n');
      if (line.find('-') != std::string_view::npos) {
        if (const auto range = range_of(line)) covered_.push_back(*range);
        continue;
      }
      const auto addr = parse_number(take(line, ' '), true), bits = parse_number(line, true);
      if (addr && bits && (*addr & ~page_mask) == 0) entries_.push_back({*addr, *bits});
    }
    std::stable_sort(entries_.begin(), entries_.end(),
                     [](const PagemapEntry& a, const PagemapEntry& b) { return a.addr < b.addr; });
    const auto same = [](const PagemapEntry& a, const PagemapEntry& b) { return a.addr == b.addr; };
    entries_.erase(std::unique(entries_.begin(), entries_.end(), same), entries_.end());
    std::sort(covered_.begin(), covered_.end());
    for (const auto& [begin, end] : covered_) part(begin, end);
  }

 private:
  bool changed(uint64_t start, uint64_t end) const { return sure_ && world_.changed(space_, start, end); }

  void part(uint64_t begin, uint64_t end) {
    const Vma vma = space_.vma_at(begin);
    if (!vma || end > vma.end() || vma.is_hugetlb() || vma.kind() == VmaKind::special) return;
    if (!sure_ || !world_.spend_entries((end - begin) >> page_bits)) return;
    world_.recorder().step(RuleId::trace_pagemap_at_start, {pid_, begin, end});
    uint64_t at = begin;
    const auto from = std::lower_bound(entries_.begin(), entries_.end(), begin,
                                       [](const PagemapEntry& entry, uint64_t addr) { return entry.addr < addr; });
    for (auto entry = from; entry != entries_.end() && entry->addr < end; ++entry) {
      none(at, entry->addr);
      page(vma, *entry);
      at = entry->addr + page_bytes;
    }
    none(at, end);
  }

  void none(uint64_t begin, uint64_t end) {
    if (begin >= end) return;
    if (!changed(begin, end)) return world_.know_empty(space_, begin, end);
    for (uint64_t addr = begin; addr < end; addr += page_bytes)
      if (!changed(addr, addr + page_bytes)) world_.know_empty(space_, addr, addr + page_bytes);
  }

  void page(const Vma& vma, const PagemapEntry& entry) {
    if (changed(entry.addr, entry.addr + page_bytes)) return;
    if (!entry.present() && !entry.swapped()) return none(entry.addr, entry.addr + page_bytes);
    if (entry.present()) return mapped(vma, entry);
    const uint64_t word = make_swap_word(entry.swap_type(), entry.swap_offset());
    const SwapKind kind = world_.entries().swap.kind(word);
    if (kind == SwapKind::swap || is_device_private(kind) || is_device_exclusive(kind))
      world_.know_pte(space_, entry.addr, word, pte_fact::all, Evidence::observed);
  }

  void mapped(const Vma& vma, const PagemapEntry& entry) {
    const uint64_t zero = world_.machine().physical().zero_pfn();
    if (may_be_huge(vma, entry.addr)) return;
    if (entry.pfn() == zero) return world_.know_zero_page(space_, vma, entry.addr);
    const bool zero_known = zero <= x86::pfn.mask() >> page_bits;
    if (!entry.file() && !entry.exclusive() && !zero_known) return;
    // Without CAP_SYS_ADMIN the kernel leaves the pfn out.
    world_.know_mapped(space_, vma, entry.addr,
                       entry.pfn() == 0 ? std::nullopt : std::optional<uint64_t>(entry.pfn()));
  }

  /// The pages of the 2 MiB around addr stand in a row, as far as the notes show them.
  bool may_be_huge(const Vma& vma, uint64_t addr) {
    const uint64_t start = addr & ~(huge_bytes - 1);
    if (start < vma.start() || start + huge_bytes > vma.end()) return false;
    if (start == huge_start_) return huge_;
    huge_start_ = start;
    huge_ = true;
    auto entry = std::lower_bound(entries_.begin(), entries_.end(), start,
                                  [](const PagemapEntry& one, uint64_t at) { return one.addr < at; });
    std::optional<uint64_t> base;
    uint64_t next = start;
    for (; entry != entries_.end() && entry->addr < start + huge_bytes; ++entry, next += page_bytes) {
      const uint64_t index = (entry->addr - start) >> page_bits;
      if (!base) base = entry->pfn() - index;
      if (entry->addr != next || !entry->present() || entry->pfn() - index != *base) return huge_ = false;
    }
    const bool whole = next == start + huge_bytes;
    const bool cut = !covers(start, start + huge_bytes);
    if (!base || (*base & (entries_per_table - 1)) != 0 || (!whole && !cut)) huge_ = false;
    return huge_;
  }

  bool covers(uint64_t begin, uint64_t end) const {
    const auto after = std::upper_bound(covered_.begin(), covered_.end(), std::pair(begin, ~uint64_t{0}));
    return after != covered_.begin() && end <= std::prev(after)->second;
  }

  World& world_;
  AddressSpace& space_;
  uint64_t pid_;
  bool sure_;
  std::vector<PagemapEntry> entries_;
  std::vector<std::pair<uint64_t, uint64_t>> covered_;
  uint64_t huge_start_ = ~uint64_t{0};
  bool huge_ = false;
};

}  // namespace

StartState::StartState(const Trace& trace, const EventKinds& kinds) {
  for (const TraceSection& section : trace.info().sections) add_section(section);
  if (snapshots_.empty() || !kinds.has(EventKind::marker)) return;
  for (uint32_t index = 0; index < trace.size(); ++index) {
    if (kinds.of(trace[index]) != EventKind::marker) continue;
    const auto ended = snapshot_of(trace[index].text("buf").value_or(""), "end");
    if (ended != snapshots_.end()) ended->second.marked = true;
  }
}

void StartState::add_section(const TraceSection& section) {
  std::string_view title = section.title;
  const std::string_view what = take(title, ' ');
  const auto pid = parse_number(take(title, ' '), false);
  if (!pid || title != "start" || (what != "maps" && what != "pagemap")) return;
  Snapshot& one = snapshots_[static_cast<int32_t>(*pid)];
  (what == "maps" ? one.maps : one.pagemap) = section.text;
}

/// The snapshot that a mark tells of, when it says `when`.
StartState::Snapshots::iterator StartState::snapshot_of(std::string_view text, std::string_view when) {
  if (!text.starts_with(mark_begins)) return snapshots_.end();
  text.remove_prefix(mark_begins.size());
  const auto pid = parse_number(take(text, ' '), false);
  if (!pid || take(text, ' ') != "start" || text != when) return snapshots_.end();
  return snapshots_.find(static_cast<int32_t>(*pid));
}

void StartState::begin(World& world) {
  for (const auto& [pid, one] : snapshots_)
    if (!one.marked) Applier(world, pid, false).maps(one.maps);
}

void StartState::mark(std::string_view text, World& world) {
  if (snapshot_of(text, "begin") != snapshots_.end()) return world.watch_changes(true);
  const auto ended = snapshot_of(text, "end");
  if (ended == snapshots_.end() || std::exchange(ended->second.applied, true)) return;
  world.watch_changes(false);
  Applier notes(world, ended->first, true);
  notes.maps(ended->second.maps);
  notes.pagemap(ended->second.pagemap);
}

}  // namespace hmmscope::traces
