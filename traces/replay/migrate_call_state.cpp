// The half of MigrateCall that makes the machine what the kernel found, just before the engine looks at it.
#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "engine/migrate/entry_conversion.h"
#include "traces/replay/migrate_call.h"
#include "traces/replay/replayer.h"

namespace hmmscope::traces {

bool MigrateCall::too_large(uint64_t pfn) const { return pfn >> world_.entries().swap.pfn_bits != 0; }

void MigrateCall::show_level(Level level, uint64_t addr, uint64_t end, uint64_t depth) {
  if (!judge_.in_step()) return;
  const uint32_t next = peek(EventKind::mv_cpmd, EventKind::mv_chole);
  if (next != no_index && kind(next) == EventKind::mv_chole && number(next, "start") == addr &&
      static_cast<uint32_t>(number(next, "depth")) == static_cast<uint32_t>(depth)) {
    recorder_.step(RuleId::trace_table_absent, {addr, end, depth});
    world_.show_entry(space(), level, addr, 0, Evidence::inferred);
    return;
  }
  if (level == Level::pmd || !replayer_.kinds().has(EventKind::mv_cpmd)) return;
  const auto below = static_cast<Level>(static_cast<uint8_t>(level) - 1);
  if (space().find_entry(below, addr) != no_word) return;
  recorder_.step(RuleId::trace_table_present, {addr});
  world_.ensure_tables(space(), below, addr);
}

void MigrateCall::before_pgd(uint64_t addr, uint64_t end) { show_level(Level::pgd, addr, end, 0); }

void MigrateCall::before_p4d(uint64_t addr, uint64_t end) {
  show_level(Level::p4d, addr, end, space().tables().levels() == 5 ? 1 : 0);
}

void MigrateCall::before_pud(uint64_t addr, uint64_t end) { show_level(Level::pud, addr, end, 2); }

void MigrateCall::before_pmd(uint64_t addr, uint64_t end) {
  if (!judge_.in_step()) return;
  const uint32_t next = peek(EventKind::mv_cpmd, EventKind::mv_chole);
  if (next == no_index || kind(next) != EventKind::mv_cpmd) return show_level(Level::pmd, addr, end, 3);
  auto pmd = event(next).number("pmd");
  if (number(next, "start") != addr || !pmd) return;
  recorder_.step(RuleId::trace_pmd_shown, {addr, *pmd});
  world_.show_entry(space(), Level::pmd, addr, *pmd, Evidence::observed);
  if (const auto back = came_back(addr, *pmd)) {
    pmd = back;
    recorder_.step(RuleId::trace_pmd_restored, {addr, *pmd});
    world_.show_entry(space(), Level::pmd, addr, *pmd, Evidence::inferred);
  }
  if (x86::pmd_present(*pmd) && world_.entries().is_huge(*pmd)) show_huge(addr, *pmd, end);
}

/// The huge pmd that the collector split, when the one shown was still another task's migration entry: the
/// collector tries such a pmd again until it is a mapping (mm/migrate_device.c, 6.12).
std::optional<uint64_t> MigrateCall::came_back(uint64_t addr, uint64_t pmd) const {
  const SwapFormat& swap = world_.entries().swap;
  if (x86::pmd_none(pmd) || x86::pmd_present(pmd) || !is_migration(swap.kind(pmd))) return std::nullopt;
  const auto restored = restored_in_setup(addr);
  if (!restored || !x86::pte_present(*restored)) return std::nullopt;
  const uint64_t pages_in = (addr & (level_size(Level::pmd) - 1)) >> page_bits, pfn = x86::pte_pfn(*restored);
  if (pfn < pages_in || ((pfn - pages_in) & (entries_per_table - 1)) != 0) return std::nullopt;
  return EntryFormat::make(pfn - pages_in, (*restored & ~x86::pfn.mask()) | x86::pse.mask());
}

/// The kernel's words say that it took some page of [addr, end), or marked a hole there.
bool MigrateCall::kernel_took_any(uint64_t addr, uint64_t end) const {
  for (uint64_t k = slot_of(addr); k < slot_of(end); ++k)
    if (src_out_.at(k).value_or(0) != 0) return true;
  return false;
}

/// A 2M mapping: the huge zero page, or a large folio that the collector splits.
void MigrateCall::show_huge(uint64_t addr, uint64_t pmd, uint64_t end) {
  Machine& machine = world_.machine();
  const uint64_t start = addr & ~(level_size(Level::pmd) - 1), base = leaf_pfn(Level::pmd, pmd);
  split_start_ = addr;
  split_end_ = end;
  huge_pending_ = true;
  const auto first = src_out_.at(slot_of(addr));
  const bool zero = first && *first == format_.migrate && kernel_took_any(addr, end);
  const bool covered = start >= args().vma.start() && start + level_size(Level::pmd) <= args().vma.end();
  if (zero) {
    machine.physical().set_huge_zero_pfn(base);
    // The split leaves small zero pages. When no event shows theirs, any page that nobody has will do.
    if (!replayer_.facts().zero_pfn()) machine.physical().set_zero_pfn(base);
    return;
  }
  if (covered && !too_large(base + entries_per_table)) folios_.large(args().vma, addr, base);
}

void MigrateCall::before_pte(uint64_t addr, uint64_t) {
  if (!judge_.in_step()) return;
  const uint64_t k = slot_of(addr);
  World::KnownPte is = world_.known_pte(space(), addr);
  if (addr >= split_start_ && addr < split_end_) {
    const WordIndex entry = space().find_entry(Level::pte, addr);
    is = {entry == no_word ? 0 : world_.machine().load(entry), pte_fact::all};
  }
  uint64_t pte = is.pte;
  if ((is.known & pte_fact::kind) == 0)
    pte = entry_from_word(k);
  else if (x86::pte_present(pte) && !x86::pte_special(pte))
    pte = with_kernels_page(k, is);
  const WordIndex entry = space().find_entry(Level::pte, addr);
  if (entry == no_word ? pte != 0 : world_.machine().load(entry) != pte) {
    recorder_.step(RuleId::trace_pte_inferred, {addr, pte, is.known});
    world_.know_pte(space(), addr, pte, facts_of_entry(pte), Evidence::inferred);
  }
  const bool device =
      !x86::pte_none(pte) && !x86::pte_present(pte) && is_device_private(world_.entries().swap.kind(pte));
  if (!device && (!x86::pte_present(pte) || x86::pte_special(pte))) return;
  const auto word = src_out_.at(k);
  const bool taken = word && format_.has_page(*word) && format_.migrates(*word);
  refused_[k] = word && !taken && later_.at(k).value_or(0) == 0;
  const uint64_t pfn = device ? world_.entries().swap.pfn(pte) : x86::pte_pfn(pte);
  if (too_large(pfn) && word.value_or(0) != 0)
    judge_.lost(addr, fmt::format("a page frame {:#x} cannot be", pfn));
  else if (!too_large(pfn))
    prepare_page(addr, pfn);
}

/// The word that tells what the kernel found, where earlier events do not: as the next call shows it, because
/// that confirms the word to be compared; as the call itself leaves it, if no next call does. Then its bits
/// decide nothing, so `undecided` is taken out of the comparison.
std::optional<uint64_t> MigrateCall::telling_word(uint64_t k, uint64_t undecided) {
  const auto word = src_out_.at(k), later = later_.at(k);
  if (later && format_.has_page(*later)) {
    judge_.unseen_words(1);
    return later;
  }
  if (word && format_.has_page(*word)) known_[k] &= ~undecided;
  return word;
}

/// A mapped page of which an earlier event has told, but not which page it is, or not whether it is writable.
uint64_t MigrateCall::with_kernels_page(uint64_t k, World::KnownPte is) {
  constexpr uint8_t both = pte_fact::pfn | pte_fact::write;
  if ((is.known & both) == both) return is.pte;
  const uint64_t addr = address(k), pfn_bits = ~uint64_t{0} << format_.shift;
  const bool knows_pfn = (is.known & pte_fact::pfn) != 0, knows_write = (is.known & pte_fact::write) != 0;
  const auto word = telling_word(k, (knows_pfn ? 0 : pfn_bits) | (knows_write ? 0 : format_.write));
  uint64_t pte = is.pte, pfn = 0;
  if (word && format_.has_page(*word)) {
    if (!knows_write) pte = (pte & ~x86::rw.mask()) | ((*word & format_.write) != 0 ? x86::rw.mask() : 0);
    pfn = format_.pfn(*word);
  } else if (const auto restored = restored_in_setup(addr); restored && x86::pte_present(*restored)) {
    if (!knows_write) pte = (pte & ~x86::rw.mask()) | (*restored & x86::rw.mask());
    pfn = x86::pte_pfn(*restored);
  }
  if (knows_pfn || pfn == 0) return pte;
  recorder_.step(RuleId::trace_migrate_pfn, {addr, pfn});
  world_.resolve_placeholder(addr, x86::pte_pfn(pte), pfn);
  return EntryFormat::make(pfn, pte & ~x86::pfn.mask());
}

/// Nothing tells what stood there: an entry that makes the kernel's word. What the word says itself is not
/// compared; what no word may say is.
uint64_t MigrateCall::entry_from_word(uint64_t k) {
  const uint64_t some_page = EntryFormat::make(world_.placeholder_pfn(), vm_page_prot(args().vma));
  const auto word = telling_word(k, (~uint64_t{0} << format_.shift) | format_.write);
  if (!word) {
    known_[k] = 0;
    return some_page;
  }
  const bool anonymous = args().vma.kind() == VmaKind::anonymous;
  const uint64_t pfn = format_.pfn(*word);
  if (format_.has_page(*word) && pfn != 0 && !too_large(pfn)) {
    const bool writable = (*word & format_.write) != 0;
    const DeviceMemory* device = world_.machine().physical().device_of(pfn);
    if (device != nullptr && !device->coherent)
      return make_device_private_entry(world_.entries().swap, pfn, writable);
    const uint64_t flags = vm_page_prot(args().vma) & ~x86::rw.mask();
    return EntryFormat::make(pfn, flags | (writable ? x86::rw.mask() : 0));
  }
  if (anonymous && (*word & ~format_.migrate) == 0) known_[k] = ~format_.migrate;
  if (const auto restored = restored_in_setup(address(k))) return *restored;
  return anonymous && *word == 0 ? some_page : 0;
}

void MigrateCall::prepare_page(uint64_t addr, uint64_t pfn) {
  if (!folios_.page(space(), args().vma, addr, pfn, args().fault_page))
    judge_.lost(addr, "more address spaces, VMAs and pages than can be replayed");
}

void MigrateCall::refuse(uint64_t addr, Refusal why) {
  recorder_.step(RuleId::trace_migrate_refused, {addr, addr + page_bytes, static_cast<uint64_t>(why)});
}

std::optional<bool> MigrateCall::trylock(uint64_t addr, uint64_t) {
  if (!judge_.in_step()) return false;
  if (huge_pending_) {
    huge_pending_ = false;
    // A split puts every page's mapping back, also those that are not selected.
    if (!kernel_took_any(split_start_, split_end_) && !restored_in_setup(split_start_)) {
      recorder_.step(RuleId::trace_migrate_refused,
                     {split_start_, split_end_, static_cast<uint64_t>(Refusal::split)});
      return false;
    }
    return true;
  }
  const uint64_t k = slot_of(addr);
  if (!refused_[k] || restored_in_setup(addr)) return std::nullopt;
  refuse(addr, Refusal::lock);
  return false;
}

std::optional<bool> MigrateCall::maybe_pinned(uint64_t, uint64_t) { return false; }

/// The mapping that setup put back at addr, when it did.
std::optional<uint64_t> MigrateCall::restored_in_setup(uint64_t addr) const {
  const auto found = rebuilt_.find({EventKind::remove_migration_pte, addr});
  if (found == rebuilt_.end() || found->second.empty()) return std::nullopt;
  return number(found->second.front(), "pte");
}

std::optional<bool> MigrateCall::isolate(uint64_t slot, uint64_t) {
  if (!judge_.in_step()) return false;
  const uint64_t addr = address(slot);
  if (!given_back(slot)) return std::nullopt;
  refuse(addr, Refusal::isolate);
  return false;
}

uint64_t MigrateCall::unseen_references(ReferenceCheck where, uint64_t slot, uint64_t) {
  if (!judge_.in_step() || slot >= pages_) return 1;
  const uint64_t addr = address(slot);
  if (where == ReferenceCheck::unmap) return given_back(slot) ? 1 : 0;
  const auto word = later_.at(slot) ? later_.at(slot) : src_out_.at(slot);
  if (!word || format_.migrates(*word)) return 0;
  refuse(addr, Refusal::reference);
  return 1;
}

void MigrateCall::before_insert(uint64_t slot, uint64_t addr) {
  if (!judge_.in_step()) return;
  const World::KnownPte is = world_.known_pte(space(), addr);
  const auto word = src_out_.at(slot);
  uint64_t pte = is.pte;
  if ((is.known & pte_fact::kind) == 0 && word && *word == 0) {
    pte = EntryFormat::make(world_.placeholder_pfn(), vm_page_prot(args().vma));
    known_[slot] = ~format_.migrate;
  } else if ((is.known & pte_fact::kind) == 0) {
    pte = 0;
    known_[slot] = ~format_.migrate;
  }
  const WordIndex entry = space().find_entry(Level::pte, addr);
  if (entry == no_word || world_.machine().load(entry) == pte) return;
  recorder_.step(RuleId::trace_pte_inferred, {addr, pte, is.known});
  world_.know_pte(space(), addr, pte, pte_fact::all, Evidence::inferred);
}

/// Why the arrays at entry cannot be followed; empty when they can.
std::string MigrateCall::unsound_arrays() const {
  const Shown &src = src_in_, &dst = dst_in_;
  if (args().npages != 0 && src.count == 0 && dst.count == 0)
    return "the probe shows neither src nor dst; let it fetch both arrays";
  if (src.count < args().npages || dst.count < args().npages)
    return "the probe shows only the first words of src and dst";
  std::vector<uint64_t> pfns;
  for (uint64_t k = 0; k < args().npages; ++k) {
    for (const uint64_t word : {src.words[k], dst.words[k]}) {
      if (!format_.has_page(word)) continue;
      const uint64_t pfn = format_.pfn(word);
      if (pfn == 0 || too_large(pfn)) return fmt::format("word {:#x} names a page that cannot be", word);
      pfns.push_back(pfn);
    }
  }
  std::sort(pfns.begin(), pfns.end());
  if (const auto twice = std::adjacent_find(pfns.begin(), pfns.end()); twice != pfns.end())
    return fmt::format("two words name the page {:#x}", *twice);
  return {};
}

/// The folios that the arrays name, as a migration holds them between its calls: locked, one reference.
void MigrateCall::prepare_slots() {
  recorder_.step(RuleId::trace_migrate_slots, {args().start, args().npages});
  const Machine& machine = world_.machine();
  for (uint64_t k = 0; k < args().npages; ++k) {
    const uint64_t src = machine.load(args().src + static_cast<WordIndex>(k)),
                   dst = machine.load(args().dst + static_cast<WordIndex>(k));
    if (format_.has_page(src)) make_source(k, format_.pfn(src));
    if (format_.has_page(dst)) make_target(k, format_.pfn(dst), format_.has_page(src));
  }
}

void MigrateCall::make_source(uint64_t k, uint64_t pfn) {
  Machine& machine = world_.machine();
  Folio folio = Folio::of(machine, pfn);
  if (!folio || folio.pfn() != pfn || folio.large()) folio = make_folio(machine, pfn, 0);
  if (folio.mapping() == 0) {
    folio.set(FolioWord::mapping, anon_mapping);
    folio.set(FolioWord::index, page_index(args().vma, address(k)));
    folio.set_flag(folio_flag::anon);
  }
  hold_lock(folio, FolioLocker::migration);
  set_if_changed(folio, FolioWord::mapcount, 0);
  set_if_changed(folio, FolioWord::refcount,
                 1 + (args().fault_page == pfn ? 1 : 0) + (folio.in_a_cache() ? 1 : 0));
}

void MigrateCall::make_target(uint64_t k, uint64_t pfn, bool moves) {
  Machine& machine = world_.machine();
  const bool pages = traced_.kind == EventKind::mv_pages_in;
  Folio folio = Folio::of(machine, pfn);
  if (!folio || folio.pfn() != pfn || folio.large() || pages) folio = make_folio(machine, pfn, 0);
  hold_lock(folio, FolioLocker::driver);
  if (!pages && moves) {
    set_if_changed(folio, FolioWord::mapcount, 0);
    if (folio.mapping() == 0) {
      folio.set(FolioWord::mapping, anon_mapping);
      folio.set(FolioWord::index, page_index(args().vma, address(k)));
      folio.set_flag(folio_flag::anon);
    }
  }
  set_if_changed(folio, FolioWord::refcount, folio.mapcount() + 1);
}

}  // namespace hmmscope::traces
