#include "traces/extract/page_states.h"

#include <fmt/format.h>

#include <algorithm>

#include "traces/extract/scenario_parts.h"

namespace hmmscope::traces {
namespace {

constexpr size_t max_devices = 16;
constexpr uint64_t max_gap = 65536;  ///< between the caller's device pages, in pages
using scenario_parts::hex;

bool is_huge_level(const FactEntry& entry) { return entry.level != Level::pte; }

}  // namespace

PageStates::PageStates(const KernelModel& model, const CallFacts& facts)
    : format_(model),
      error_(model.hmm_pfn->mask(Role::error)),
      valid_(model.hmm_pfn->mask(Role::valid)),
      facts_(facts) {
  const auto look = [&](const std::vector<FactEntry>& entries) {
    for (const FactEntry& entry : entries)
      if (is_zero_page(entry)) zero_pfn_ = x86::pte_pfn(entry.value);
  };
  look(facts.entries);
  for (const FactBatch& batch : facts.batches) look(batch.then);
  for (const auto& [pfn, own] : facts.own_device_pages) {
    if (own) {
      if (own_.pages == 0)
        own_ = {pfn, 1};
      else if (pfn - own_.first < max_gap)
        own_.pages = pfn - own_.first + 1;
      else
        failure_ = "the caller's device pages lie too far apart";
    } else if (!foreign_.empty() && foreign_.back().first + foreign_.back().pages == pfn) {
      ++foreign_.back().pages;
    } else {
      foreign_.push_back({pfn, 1});
    }
  }
  if (foreign_.size() + 1 > max_devices)
    failure_ = "it shows device pages of more devices than a scenario can have";
}

const FactVma* PageStates::vma_at(uint64_t addr) const {
  for (const FactVma& vma : facts_.vmas)
    if (addr >= vma.start && addr < vma.end) return &vma;
  return nullptr;
}

/// A special pte that became a valid word, or stands where only the zero page is special.
bool PageStates::is_zero_page(const FactEntry& entry) const {
  if (entry.level != Level::pte || !x86::pte_present(entry.value) || !x86::pte_special(entry.value))
    return false;
  const uint64_t slot = (entry.addr - facts_.start) >> page_bits;
  if (entry.addr >= facts_.start && slot < facts_.out.size()) {
    const uint64_t word = facts_.out[slot];
    if ((word & valid_) != 0 && facts_.in[slot] != word) return true;
    if ((word & error_) != 0) return false;
  }
  const FactVma* vma = vma_at(entry.addr);
  return vma == nullptr || (vma->flags & (vm::mixedmap | vm::pfnmap)) == 0;
}

PageStates::Json PageStates::devices() const {
  Json list = Json::array();
  Json driver = {{"name", caller}, {"pages", std::max<uint64_t>(own_.pages, 1)}};
  if (own_.pages != 0) driver["pfn"] = hex(own_.first);
  list.push_back(std::move(driver));
  for (size_t k = 0; k < foreign_.size(); ++k)
    list.push_back({{"name", fmt::format("other{}", k + 1)},
                    {"pages", foreign_[k].pages},
                    {"pfn", hex(foreign_[k].first)}});
  return list;
}

std::string PageStates::device_of(uint64_t pfn) const {
  for (size_t k = 0; k < foreign_.size(); ++k)
    if (pfn >= foreign_[k].first && pfn - foreign_[k].first < foreign_[k].pages)
      return fmt::format("other{}", k + 1);
  return caller;
}

bool PageStates::declared_before(uint64_t pfn, uint64_t pages) {
  const uint64_t end = pfn + pages;
  const bool before = std::any_of(declared_.begin(), declared_.end(),
                                  [&](const auto& range) { return pfn < range.second && range.first < end; });
  if (!declared_.empty() && declared_.back().second == pfn)
    declared_.back().second = end;
  else
    declared_.emplace_back(pfn, end);
  return before;
}

std::optional<PageStates::State> PageStates::present(const FactEntry& entry, State state) {
  state.writable = (entry.value & x86::rw.mask()) != 0;
  state.pfn = leaf_pfn(entry.level, entry.value);
  state.uffd_wp = (entry.value & x86::uffd_wp.mask()) != 0;
  const bool no_access = !x86::pte_none(entry.value) && (entry.value & x86::present.mask()) == 0;
  const bool huge = is_huge_level(entry) && !entry.hugetlb;
  state.protnone = no_access && huge;
  state.devmap = huge && format_.is_devmap(entry.value);
  if (no_access && !huge)
    state.name = "protnone";
  else if (entry.hugetlb)
    state.name = "present";
  else if (entry.level == Level::pud)
    state.name = "pud-leaf";
  else if (entry.level == Level::pmd && facts_.huge_zero_pfn == state.pfn)
    state.name = "huge-zero", state.pfn.reset();
  else if (entry.level == Level::pmd)
    state.name = "thp";
  else if (is_zero_page(entry))
    state.name = "zero-page", state.pfn.reset();
  else
    state.name = x86::pte_special(entry.value) ? "special" : "present";
  return state;
}

std::optional<PageStates::State> PageStates::nonpresent(const FactEntry& entry, State state) {
  const SwapEntry swap = decode_swap(format_.swap, entry.value);
  state.writable = is_writable(swap.kind);
  if (is_pfn_entry(swap.kind)) state.pfn = swap.pfn;
  if (entry.level == Level::pmd && !entry.hugetlb) {
    if (!is_migration(swap.kind)) failure_ = "it shows a pmd that a scenario cannot hold";
    state.name = "pmd-migration";
    return state;
  }
  switch (swap.kind) {
    case SwapKind::swap:
      state.name = "swapped";
      break;
    case SwapKind::hwpoison:
      state.name = "hwpoison";
      break;
    case SwapKind::migration_read:
      state.name = "migration-read";
      break;
    case SwapKind::migration_read_exclusive:
      state.name = "migration-read-exclusive";
      break;
    case SwapKind::migration_write:
      state.name = "migration-write";
      break;
    case SwapKind::device_write:
    case SwapKind::device_read:
      state.name = "device-private";
      state.device = device_of(swap.pfn);
      break;
    case SwapKind::device_exclusive_write:
    case SwapKind::device_exclusive_read:
      state.name = "device-exclusive";
      break;
    case SwapKind::pte_marker:
      state.name = (swap.offset & marker_uffd_wp) != 0    ? "marker-uffd-wp"
                   : (swap.offset & marker_poisoned) != 0 ? "marker-poison"
                                                          : "marker-guard";
      break;
    default:
      failure_ = fmt::format("it shows the entry {:#x}, whose type this kernel does not have", entry.value);
      break;
  }
  return state;
}

std::optional<PageStates::State> PageStates::state_of(const FactEntry& entry) {
  State state;
  state.addr = entry.addr;
  state.pages = state.unit = level_size(entry.level) >> page_bits;
  const FactVma* vma = vma_at(entry.addr);
  if (vma == nullptr || vma->end - entry.addr < level_size(entry.level)) {
    if (failure_.empty()) failure_ = fmt::format("the entry at {:#x} is not inside one VMA", entry.addr);
    return std::nullopt;
  }
  if (x86::pte_none(entry.value)) {
    state.name = "none";
    // "none" is a state of 4 KiB pages, but for hugetlb.
    if (!entry.hugetlb) state.unit = 1;
    return state;
  }
  return x86::pte_present(entry.value) ? present(entry, state) : nonpresent(entry, state);
}

PageStates::Json PageStates::declare(std::vector<FactEntry> entries) {
  std::stable_sort(entries.begin(), entries.end(),
                   [](const FactEntry& a, const FactEntry& b) { return a.addr < b.addr; });
  std::vector<State> states;
  for (const FactEntry& entry : entries) {
    auto state = state_of(entry);
    if (!state) continue;
    if (!states.empty()) {
      State& last = states.back();
      const bool follows = vma_at(last.addr) == vma_at(state->addr) &&
                           last.addr + last.pages * page_bytes == state->addr && last.unit == state->unit &&
                           last.name == state->name && last.device == state->device &&
                           last.writable == state->writable && last.uffd_wp == state->uffd_wp &&
                           last.protnone == state->protnone && last.devmap == state->devmap &&
                           last.pfn.has_value() == state->pfn.has_value();
      if (follows && (!last.pfn || *last.pfn + last.pages == *state->pfn)) {
        last.pages += state->pages;
        continue;
      }
    }
    states.push_back(std::move(*state));
  }
  Json list = Json::array();
  for (const State& state : states) {
    Json item = {{"at", hex(state.addr)}, {"state", state.name}};
    if (state.pages != 1) item["pages"] = state.pages;
    if (state.pfn) {
      item["pfn"] = hex(*state.pfn);
      if (declared_before(*state.pfn, state.pages)) item["shared"] = true;
      item["writable"] = state.writable;
    }
    if (state.uffd_wp) item["uffd_wp"] = true;
    if (state.protnone) item["protnone"] = true;
    if (state.devmap) item["devmap"] = true;
    if (!state.device.empty()) item["device"] = state.device;
    list.push_back(std::move(item));
  }
  return list;
}

}  // namespace hmmscope::traces
