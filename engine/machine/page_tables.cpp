#include "engine/machine/page_tables.h"

#include <cassert>

#include "engine/machine/machine.h"

namespace hmmscope {
namespace {

RegionKind kind_of(Level level, uint32_t levels) {
  switch (level) {
    case Level::pte: return RegionKind::pte;
    case Level::pmd: return RegionKind::pmd;
    case Level::pud: return RegionKind::pud;
    case Level::p4d: return levels == 5 ? RegionKind::p4d : RegionKind::pgd;
    case Level::pgd: return RegionKind::pgd;
  }
  return RegionKind::pte;
}

}  // namespace

PageTables::PageTables(Machine& machine, uint32_t owner)
    : machine_(&machine), owner_(owner), levels_(machine.model().config.levels) {
  add_table(top(), 0);
}

uint32_t PageTables::add_table(Level level, uint64_t addr) {
  Region region;
  region.kind = kind_of(level, levels_);
  region.owner = owner_;
  region.count = entries_per_table;
  region.stride = level_size(level);
  region.address = level == top() ? 0 : addr & ~(level_size(level) * entries_per_table - 1);
  region.name = std::string(region_kind_name(region.kind));
  Table table{machine_->add_region(std::move(region)), level, nullptr};
  if (level != Level::pte) {
    table.children = std::make_unique<std::array<uint32_t, entries_per_table>>();
    table.children->fill(no_table);
  }
  tables_.push_back(std::move(table));
  return static_cast<uint32_t>(tables_.size() - 1);
}

WordIndex PageTables::find_entry(Level level, uint64_t addr) const {
  assert(level <= top() && addr < limit());
  uint32_t table = 0;
  for (Level at = top();; at = below(at)) {
    const uint32_t index = entry_index(at, addr);
    const WordIndex word = tables_[table].first + index;
    if (at == level) return word;
    if (!points_to_table(machine_->load(word))) return no_word;
    table = (*tables_[table].children)[index];
    if (table == no_table) return no_word;
  }
}

WordIndex PageTables::ensure_entry(Level level, uint64_t addr) {
  assert(level <= top() && addr < limit());
  uint32_t table = 0;
  for (Level at = top();; at = below(at)) {
    const uint32_t index = entry_index(at, addr);
    const WordIndex word = tables_[table].first + index;
    if (at == level) return word;
    if (!points_to_table(machine_->load(word))) {
      clear_table_below(at, addr);   // what an earlier table left there
      machine_->store(word, EntryFormat::make_table(machine_->physical().allocate_table()));
    }
    uint32_t child = (*tables_[table].children)[index];
    if (child == no_table) {
      child = add_table(below(at), addr);
      (*tables_[table].children)[index] = child;
    }
    table = child;
  }
}

uint32_t PageTables::table_for(Level level, uint64_t addr) const {
  uint32_t table = 0;
  for (Level at = top(); at != level && table != no_table; at = below(at)) {
    table = (*tables_[table].children)[entry_index(at, addr)];
  }
  return table;
}

uint32_t PageTables::ensure_table(Level level, uint64_t addr) {
  uint32_t table = 0;
  for (Level at = top(); at != level; at = below(at)) {
    const uint32_t index = entry_index(at, addr);
    uint32_t child = (*tables_[table].children)[index];
    if (child == no_table) {
      child = add_table(below(at), addr);
      (*tables_[table].children)[index] = child;
    }
    table = child;
  }
  return table;
}

WordIndex PageTables::entry_word(Level level, uint64_t addr) const {
  assert(level <= top() && addr < limit());
  const uint32_t table = table_for(level, addr);
  return table == no_table ? no_word : tables_[table].first + entry_index(level, addr);
}

WordIndex PageTables::ensure_word(Level level, uint64_t addr) {
  assert(level <= top() && addr < limit());
  return tables_[ensure_table(level, addr)].first + entry_index(level, addr);
}

void PageTables::clear_table_below(Level level, uint64_t addr) {
  assert(level != Level::pte && level <= top() && addr < limit());
  const uint32_t table = table_for(below(level), addr);
  if (table == no_table) return;
  const WordIndex first = tables_[table].first;
  for (uint32_t i = 0; i < entries_per_table; ++i) {
    if (machine_->load(first + i) == 0) continue;
    machine_->fill_keeping(first, entries_per_table, 0, 0, 0);
    return;
  }
}

}  // namespace hmmscope
