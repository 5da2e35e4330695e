// The half of World that turns shown VMAs and entries into words.
#include <algorithm>

#include "engine/machine/folio.h"
#include "traces/replay/world.h"

namespace hmmscope::traces {
namespace {

/// The words of a VMA, written with the evidence of what showed them.
void write_vma(Recorder& recorder, const Vma& vma, const ShownVma& shown, Evidence evidence) {
  recorder.write(vma.word(VmaWord::start), shown.start, evidence);
  recorder.write(vma.word(VmaWord::end), shown.end, evidence);
  recorder.write(vma.word(VmaWord::flags), shown.flags, evidence);
  recorder.write(vma.word(VmaWord::pgoff), shown.pgoff, evidence);
  recorder.write(vma.word(VmaWord::kind), static_cast<uint64_t>(shown.kind), evidence);
  recorder.write(vma.word(VmaWord::file), shown.file, evidence);
  recorder.write(vma.word(VmaWord::page_shift), shown.page_shift, evidence);
}

bool is_table(const EntryFormat& format, uint64_t entry) {
  return (entry & x86::present.mask()) != 0 && !format.is_huge(entry);
}

}  // namespace

/// Takes [start, end) out of every VMA that overlaps it.
void World::carve(AddressSpace& space, uint64_t start, uint64_t end) {
  note_vma_change(space, start, end);
  for (;;) {
    const Vma vma = space.find_vma(start);
    if (!vma || vma.start() >= end) return;
    (void)spend_inferred(1);
    if (vma.start() < start && vma.end() > end) {
      const auto upper = space.split_vma(vma, end);
      if (!upper) return;
      if (in_doubt(vma)) doubtful_vmas_.insert(upper->first());
      space.resize_vma(vma, vma.start(), start);
    } else if (vma.start() < start) {
      space.resize_vma(vma, vma.start(), start);
    } else if (vma.end() > end) {
      machine_->store(vma.word(VmaWord::pgoff), vma.pgoff() + ((end - vma.start()) >> page_bits));
      space.resize_vma(vma, end, vma.end());
    } else {
      doubtful_vmas_.erase(vma.first());
      space.remove_vma(vma);
    }
  }
}

Result<Vma> World::show_vma(AddressSpace& space, const ShownVma& shown, Evidence evidence) {
  note_vma_change(space, shown.start, shown.end);
  Vma vma = space.vma_at(shown.start);
  if (!vma || vma.start() != shown.start || vma.end() != shown.end) {
    carve(space, shown.start, shown.end);
    VmaSpec spec;
    spec.start = shown.start;
    spec.end = shown.end;
    spec.flags = shown.flags;
    spec.pgoff = shown.pgoff;
    spec.kind = shown.kind;
    spec.file = shown.file;
    spec.page_shift = shown.page_shift;
    spec.name = "vma";
    auto added = space.add_vma(spec);
    if (!added) return added;
    vma = *added;
  }
  doubtful_vmas_.erase(vma.first());
  write_vma(*recorder_, vma, shown, evidence);
  return vma;
}

void World::show_gap(AddressSpace& space, uint64_t start, uint64_t end) { carve(space, start, end); }

void World::ensure_tables(AddressSpace& space, Level level, uint64_t addr) {
  for (Level above = space.tables().top(); above > level;
       above = static_cast<Level>(static_cast<uint8_t>(above) - 1)) {
    const WordIndex word = space.tables().ensure_word(above, addr);
    if (!is_table(entries(), machine_->load(word)))
      recorder_->write(word, EntryFormat::make_table(machine_->physical().allocate_table()),
                       Evidence::inferred);
  }
}

void World::note_pte_table(const AddressSpace& space, uint64_t addr) {
  pte_tables_.emplace(space.id(), addr & ~(level_size(Level::pmd) - 1));
}

WordIndex World::show_entry(AddressSpace& space, Level level, uint64_t addr, uint64_t value,
                            Evidence evidence) {
  ensure_tables(space, level, addr);
  if (level == Level::pte) note_pte_table(space, addr);
  const WordIndex word = space.tables().ensure_word(level, addr);
  recorder_->write(word, value, evidence);
  const uint64_t start = addr & ~(level_size(level) - 1), end = start + level_size(level);
  note_change(space, start, end);
  if (level == Level::pte) {
    const bool frozen = !x86::pte_none(value) && !x86::pte_present(value);
    if (evidence == Evidence::observed)
      facts_.set(
          word, 1,
          static_cast<uint8_t>(pte_fact::all | pte_fact::seen | (frozen ? pte_fact::accessed_dirty : 0)));
  } else if (x86::pte_none(value)) {
    each_pte_table(space, start, end, [&](uint64_t, WordIndex first, uint32_t count) {
      const auto words = machine_->memory().words().subspan(first, count);
      if (std::any_of(words.begin(), words.end(), [](uint64_t old) { return old != 0; }))
        recorder_->fill(first, count, 0, 0, Evidence::inferred);
    });
    forget_ptes(space, start, end);
    facts_.add_empty(space.id(), start, end);
  } else if (!is_table(entries(), value)) {
    forget_ptes(space, start, end);
  }
  return word;
}

void World::show_ptes(AddressSpace& space, uint64_t addr, std::span<const uint64_t> ptes, Evidence evidence) {
  if (ptes.empty()) return;
  ensure_tables(space, Level::pte, addr);
  note_pte_table(space, addr);
  const size_t room = entries_per_table - entry_index(Level::pte, addr);
  const WordIndex first = space.tables().ensure_word(Level::pte, addr);
  const auto shown = ptes.first(std::min(room, ptes.size()));
  recorder_->copy(first, shown, evidence);
  note_change(space, addr, addr + shown.size() * page_bytes);
  facts_.set(first, static_cast<uint32_t>(shown.size()), pte_fact::all | pte_fact::seen);
}

/// The pages that [start, end) maps lose these mappings, and what others do with them no event tells.
void World::doubt_folios(const AddressSpace& space, uint64_t start, uint64_t end) {
  each_pte_table(space, start, end, [&](uint64_t, WordIndex first, uint32_t count) {
    if (!spend_entries(count)) return;
    for (uint32_t k = 0; k < count; ++k) {
      const uint64_t pte = machine_->memory().words()[first + k];
      if ((facts_.of(first + k) & pte_fact::pfn) == 0 || x86::pte_none(pte)) continue;
      const bool device = !x86::pte_present(pte) && is_device_private(entries().swap.kind(pte));
      if (!device && !x86::pte_present(pte)) continue;
      const Folio folio = Folio::of(*machine_, device ? entries().swap.pfn(pte) : x86::pte_pfn(pte));
      if (!folio) continue;
      doubt_words(folio.word(FolioWord::refcount), 1);
      doubt_words(folio.word(FolioWord::mapcount), 1);
    }
  });
}

void World::clear_ptes(AddressSpace& space, uint64_t start, uint64_t end) {
  doubt_folios(space, start, end);
  forget_ptes(space, start, end);
  facts_.add_empty(space.id(), start, end);
  const uint64_t table_size = level_size(Level::pmd);
  for (auto table = pte_tables_.lower_bound({space.id(), start & ~(table_size - 1)});
       table != pte_tables_.end() && table->first == space.id() && table->second < end; ++table) {
    const uint64_t from = std::max(start, table->second), to = std::min(end, table->second + table_size);
    if (from >= to) continue;
    if (!spend_inferred(1)) return;
    const WordIndex first = space.tables().ensure_word(Level::pte, from);
    const auto count = static_cast<uint32_t>((to - from) >> page_bits);
    const auto words = machine_->memory().words().subspan(first, count);
    if (std::any_of(words.begin(), words.end(), [](uint64_t word) { return word != 0; }))
      recorder_->fill(first, count, 0, 0, Evidence::inferred);
  }
}

}  // namespace hmmscope::traces
