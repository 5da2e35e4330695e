#include "engine/mirror_table/mirror_table.h"

#include <algorithm>
#include <cassert>

namespace hmmscope {

namespace {

constexpr uint64_t pde_valid = 1;   // HMM_PDE_VALID

const Layout& leaf_layout(MirrorGeneration generation) {
  const char* id = generation == MirrorGeneration::first    ? "mirror-pte-2015"
                   : generation == MirrorGeneration::device ? "mirror-pte-2015-device"
                                                            : "mirror-pte-2015-select";
  const Layout* layout = find_layout(id);
  assert(layout != nullptr);
  return *layout;
}

RegionKind leaf_kind(MirrorGeneration generation) {
  return generation == MirrorGeneration::first    ? RegionKind::mirror_pte
         : generation == MirrorGeneration::device ? RegionKind::mirror_pte_device
                                                  : RegionKind::mirror_pte_select;
}

WordIndex add_struct(Machine& machine, RegionKind kind, uint32_t count, std::string name) {
  Region region;
  region.kind = kind;
  region.count = count;
  region.name = std::move(name);
  return machine.add_region(std::move(region));
}

}  // namespace

MirrorTable::MirrorTable(Machine& machine, MirrorOptions options, std::string name)
    : machine_(&machine), options_(options), name_(std::move(name)), pte_layout_(&leaf_layout(options.generation)),
      pte_valid_mask_(pte_layout_->mask(Role::valid) | pte_layout_->mask(Role::dma_mapped) |
                      pte_layout_->mask(Role::device_private)) {
  Region root;
  root.kind = geometry().llevel == 0 ? leaf_kind(options_.generation) : RegionKind::mirror_table;
  root.count = static_cast<uint32_t>(geometry().root_entries);
  root.stride = 1ull << geometry().shift[0];
  root.name = name_ + " root";
  root_ = machine.add_region(std::move(root));
  counters_ = add_struct(machine, RegionKind::mirror_counters, static_cast<uint32_t>(MirrorCounterWord::count_),
                         name_ + " counters");
  machine.enter(Function::hmm_pt_init, {geometry().last});
  machine.step(RuleId::mirror_init, {geometry().last, geometry().llevel, geometry().shift[0], geometry().root_entries});
  machine.leave(0);
}

void MirrorTable::count_up(MirrorCounterWord word, int64_t by) {
  machine_->store(word_of(counters_, word), counter(word) + static_cast<uint64_t>(by));
}

MirrorTable::PageId MirrorTable::allocate(uint32_t level, uint64_t addr) {
  const bool leaf = level == geometry().llevel;
  PageId id = 0;
  while (id < pages_.size() && (pages_[id].leaf != leaf || state(id) != MirrorDirectoryState::freed)) ++id;
  if (id == pages_.size()) {
    Region region;
    region.kind = leaf ? leaf_kind(options_.generation) : RegionKind::mirror_table;
    region.count = static_cast<uint32_t>(geometry().directory_mask + 1);
    region.stride = 1ull << geometry().shift[level];
    region.name = name_ + (leaf ? " leaf directory" : " directory");
    const WordIndex words = machine_->add_region(std::move(region));
    const WordIndex state = add_struct(*machine_, RegionKind::mirror_directory,
                                       static_cast<uint32_t>(MirrorDirectoryWord::count_), name_ + " directory page");
    pages_.push_back({words, state, leaf});
  }
  ++pages_[id].life;
  set(id, MirrorDirectoryWord::pfn, pfn(id));
  set(id, MirrorDirectoryWord::level, level);
  set(id, MirrorDirectoryWord::address, geometry().level_start(level, addr));
  set(id, MirrorDirectoryWord::parent, 0);
  set_count(id, 1);
  set_state(id, MirrorDirectoryState::fresh);
  count_up(MirrorCounterWord::allocated);
  count_up(MirrorCounterWord::live);
  if (counter(MirrorCounterWord::live) > counter(MirrorCounterWord::peak)) count_up(MirrorCounterWord::peak);
  return id;
}

void MirrorTable::free(PageId page) {
  machine_->fill_keeping(pages_[page].words, static_cast<uint32_t>(geometry().directory_mask + 1), 0, 0, 0);
  set_count(page, 0);
  set_state(page, MirrorDirectoryState::freed);
  ++pages_[page].life;
  count_up(MirrorCounterWord::freed);
  count_up(MirrorCounterWord::live, -1);
}

MirrorTable::PageId MirrorTable::page_of(uint64_t entry) const {
  if ((entry & pde_valid) == 0) return no_page;
  const uint64_t pfn = entry >> geometry().page_shift;
  return pfn >= first_pfn && pfn - first_pfn < pages_.size() ? static_cast<PageId>(pfn - first_pfn) : no_page;
}

uint64_t MirrorTable::pde(PageId page) const { return (pfn(page) << geometry().page_shift) | pde_valid; }

WordIndex MirrorTable::entry_word(uint32_t level, PageId page, uint64_t addr) const {
  return (level == 0 ? root_ : pages_[page].words) + geometry().index(level, addr);
}

uint64_t MirrorTable::pte(uint64_t addr) const {
  PageId page = no_page;
  for (uint32_t level = 0; level < geometry().llevel; ++level) {
    page = page_of(machine_->load(entry_word(level, page, addr)));
    if (page == no_page) return 0;
  }
  return machine_->load(entry_word(geometry().llevel, page, addr));
}

uint64_t MirrorTable::get(PageId page, MirrorDirectoryWord word) const {
  return machine_->load(word_of(pages_[page].state, word));
}

void MirrorTable::set(PageId page, MirrorDirectoryWord word, uint64_t value) {
  machine_->store(word_of(pages_[page].state, word), value);
}

void MirrorTable::report(MirrorViolation what, uint64_t pfn, uint64_t expected, uint64_t found) {
  machine_->step(RuleId::mirror_violated, {static_cast<uint64_t>(what), pfn, expected, found});
  if (violation_ == MirrorViolation::none) violation_ = what;
}

void MirrorTable::fini() {
  machine_->enter(Function::hmm_pt_fini);
  // Leaves first: a directory above waits until nothing below counts on it.
  for (uint32_t level = geometry().llevel; level >= 1; --level) {
    for (PageId id = 0; id < pages_.size(); ++id) {
      if (state(id) != MirrorDirectoryState::live || get(id, MirrorDirectoryWord::level) != level || count(id) != 1) continue;
      const uint64_t parent = get(id, MirrorDirectoryWord::parent);
      machine_->step(RuleId::mirror_drop_kept, {level, pfn(id)});
      const PageId above = parent == 0 ? no_page : static_cast<PageId>(parent - first_pfn);
      machine_->store(entry_word(level - 1, above, get(id, MirrorDirectoryWord::address)), 0);
      if (above != no_page) set_count(above, count(above) - 1);
      free(id);
    }
  }
  machine_->leave();
}

uint64_t MirrorTable::references(PageId page, const std::vector<uint32_t>& protectors) const {
  uint64_t found = page < protectors.size() ? protectors[page] : 0;
  if (options_.keep_until_unmap && state(page) == MirrorDirectoryState::live) ++found;
  if (pages_[page].leaf) {
    for (uint64_t k = 0; k <= geometry().directory_mask; ++k) {
      if (pte_valid(machine_->load(pages_[page].words + static_cast<WordIndex>(k)))) ++found;
    }
    return found;
  }
  for (PageId child = 0; child < pages_.size(); ++child) {
    const MirrorDirectoryState s = state(child);
    const bool counts = s == MirrorDirectoryState::live || s == MirrorDirectoryState::dying || s == MirrorDirectoryState::unlinked;
    if (counts && get(child, MirrorDirectoryWord::parent) == pfn(page)) ++found;
  }
  return found;
}

MirrorViolation MirrorTable::check(const std::vector<uint32_t>& protectors) const {
  for (PageId page = 0; page < pages_.size(); ++page) {
    const MirrorDirectoryState s = state(page);
    const bool is_protected = page < protectors.size() && protectors[page] != 0;
    if (is_protected && (s == MirrorDirectoryState::freed || s == MirrorDirectoryState::dead)) return MirrorViolation::use_after_free;
    if (s == MirrorDirectoryState::live || s == MirrorDirectoryState::dying) {
      if (references(page, protectors) != count(page)) return MirrorViolation::wrong_count;
    }
    if (s == MirrorDirectoryState::live) {
      const uint64_t parent = get(page, MirrorDirectoryWord::parent);
      const uint64_t level = get(page, MirrorDirectoryWord::level);
      const PageId above = parent == 0 ? no_page : static_cast<PageId>(parent - first_pfn);
      const WordIndex word = entry_word(static_cast<uint32_t>(level) - 1, above, get(page, MirrorDirectoryWord::address));
      if (machine_->load(word) != pde(page)) return MirrorViolation::lost_directory;
    }
    if (pages_[page].leaf || s == MirrorDirectoryState::freed) continue;
    for (uint64_t k = 0; k <= geometry().directory_mask; ++k) {
      const PageId below = page_of(machine_->load(pages_[page].words + static_cast<WordIndex>(k)));
      if (below != no_page && state(below) == MirrorDirectoryState::freed) return MirrorViolation::dangling_entry;
    }
  }
  return MirrorViolation::none;
}

}  // namespace hmmscope
