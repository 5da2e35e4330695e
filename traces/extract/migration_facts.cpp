#include "traces/extract/migration_facts.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/fault/handle_mm_fault.h"
#include "engine/machine/words.h"
#include "engine/migrate/migrate_vma.h"

namespace hmmscope::traces {
namespace {

constexpr uint64_t max_migration_pages = 65536;

class MigrationFactCollector {
 public:
  MigrationFactCollector(const Document& document, CallId setup)
      : document_(document),
        recording_(*document.recording),
        setup_(setup),
        call_(recording_.calls()[setup]),
        format_(document.model),
        cursor_(document.recording, document.keyframes) {}

  Result<MigrationFacts> run() {
    if (auto done = arguments(); !done) return tl::unexpected(done.error());
    facts_.agreed = followed(setup_).has_value();
    facts_.result = call_.result;
    facts_.refused = refusals(call_);
    facts_.src = words_at(call_.end_step, src_);
    cursor_.seek(call_.first_step);
    find_vma();
    if (facts_.pages.vmas.empty()) return fail("the recording does not show its VMA");
    find_entries();
    find_touch();
    if (call_.result == 0 && !facts_.touch && facts_.agreed) later_calls();
    note_devices();
    if (!failure_.empty()) return fail(failure_);
    return std::move(facts_);
  }

 private:
  /// The struct and its arrays are shown just before the call.
  Result<void> arguments() {
    StepIndex step = call_.first_step;
    while (step > 0 && recording_.rule_of(step - 1) != RuleId::trace_migrate_args &&
           call_.first_step - step < 8)
      --step;
    if (step == 0 || recording_.rule_of(step - 1) != RuleId::trace_migrate_args)
      return fail("the recording does not show its struct migrate_vma");
    const auto shown = recording_.operands(step - 1);
    facts_.pages.start = shown[0] & ~(page_bytes - 1);
    facts_.pages.end = shown[1];
    facts_.select = shown[2];
    facts_.owner = shown[3];
    if (facts_.pages.end <= facts_.pages.start ||
        (facts_.pages.end - facts_.pages.start) >> page_bits > max_migration_pages)
      return fail("its range is empty, or larger than 65536 pages");
    for (const Region& region : recording_.regions()) {
      if (region.address != facts_.pages.start || region.kind != RegionKind::migrate_src) continue;
      if (!written(region, step, call_.end_step)) continue;
      src_ = region.first;
      space_ = region.owner;
    }
    if (src_ == no_word) return fail("the recording does not show its arrays");
    for (const Region& region : recording_.regions())
      if (region.kind == RegionKind::migrate_dst &&
          region.first == src_ + recording_.regions()[recording_.region_of(src_)].count)
        dst_ = region.first;
    return {};
  }

  /// Some step of [begin, end) writes the region.
  bool written(const Region& region, StepIndex begin, StepIndex end) const {
    for (StepIndex step = begin; step < std::min(end, recording_.steps()); ++step)
      for (uint32_t k = 0; k < recording_.write_count(step); ++k)
        if (const WordIndex first = recording_.write(step, k).first;
            first >= region.first && first - region.first < region.count)
          return true;
    return false;
  }

  /// Error when engine and kernel part inside the call.
  Result<void> followed(CallId call) const {
    bool judged = false;
    for (const CallCheck& check : recording_.checks()) {
      if (check.call != call) continue;
      if (check.verdict != Verdict::agreed) return fail(check.reason);
      judged = true;
    }
    return judged ? Result<void>() : fail("it was not judged");
  }

  void find_vma() {
    for (const Region& region : recording_.regions()) {
      if (region.kind != RegionKind::vma || region.owner != space_) continue;
      const auto word = [&](VmaWord which) { return cursor_.load(region.first + static_cast<WordIndex>(which)); };
      // One that ends before the range does is why setup refuses it.
      if (word(VmaWord::start) > facts_.pages.start || word(VmaWord::end) <= facts_.pages.start) continue;
      facts_.pages.vmas = {{word(VmaWord::start), word(VmaWord::end), word(VmaWord::flags),
                            word(VmaWord::file), static_cast<VmaKind>(word(VmaWord::kind)),
                            static_cast<uint32_t>(word(VmaWord::page_shift))}};
    }
  }

  /// The table of that level that covers addr; nullptr when there is none.
  const Region* table_of(uint64_t addr, RegionKind level = RegionKind::pte) const {
    for (const Region& region : recording_.regions())
      if (region.kind == level && region.owner == space_ && addr >= region.address &&
          addr - region.address < region.count * region.stride)
        return &region;
    return nullptr;
  }

  /// A 2M mapping stands at addr; a table of ptes may lie ready for its split.
  bool is_huge(uint64_t addr) const {
    const Region* table = table_of(addr, RegionKind::pmd);
    if (table == nullptr) return false;
    const uint64_t pmd = cursor_.load(
        table->first + static_cast<WordIndex>((addr - table->address) >> level_shift(Level::pmd)));
    return x86::pmd_present(pmd) && format_.is_huge(pmd);
  }

  /// The entries as the collector read them: what stood there, and what the replay put there before it
  /// looked.
  void find_entries() {
    // A refusal looks at no entry, and hugetlb pages are refused.
    if (facts_.pages.vmas.front().kind == VmaKind::hugetlb) return;
    const uint64_t stop = std::min(facts_.pages.end, facts_.pages.vmas.front().end);
    for (uint64_t addr = facts_.pages.start; addr < stop;) {
      const uint64_t end = std::min(stop, (addr | (level_size(Level::pmd) - 1)) + 1);
      if (const auto huge = huge_entry(addr)) {
        facts_.pages.entries.push_back({Level::pmd, addr & ~(level_size(Level::pmd) - 1), *huge, false});
        if (taken_as_holes(addr, end)) facts_.pages.huge_zero_pfn = leaf_pfn(Level::pmd, *huge);
      } else if (met_table(addr)) {
        table_entries(addr, end);
      }
      addr = end;
    }
  }

  /// Setup marked every page of the part as a hole: so it does with the zero page.
  bool taken_as_holes(uint64_t addr, uint64_t end) const {
    const uint64_t hole = MigrateFormat::from(document_.model).migrate;
    const std::vector<uint64_t>& words = facts_.src;
    const size_t first = (addr - facts_.pages.start) >> page_bits,
                 last = (end - facts_.pages.start) >> page_bits;
    return last <= words.size() && std::all_of(words.begin() + static_cast<std::ptrdiff_t>(first),
                                               words.begin() + static_cast<std::ptrdiff_t>(last),
                                               [&](uint64_t word) { return word == hole; });
  }

  /// The collector met a table of ptes for this part.
  bool met_table(uint64_t addr) const {
    for (StepIndex step = call_.first_step; step < call_.end_step; ++step) {
      if (recording_.rule_of(step) != RuleId::trace_table_absent) continue;
      const auto hole = recording_.operands(step);
      if (addr >= hole[0] && addr < hole[1]) return false;
    }
    return true;
  }

  std::optional<uint64_t> huge_entry(uint64_t addr) const {
    for (StepIndex step = call_.first_step; step < call_.end_step; ++step) {
      const RuleId rule = recording_.rule_of(step);
      if (rule != RuleId::trace_pmd_shown && rule != RuleId::trace_pmd_restored) continue;
      if (recording_.operands(step)[0] != addr) continue;
      const uint64_t pmd = recording_.operands(step)[1];
      if (x86::pmd_present(pmd) && format_.is_huge(pmd)) return pmd;
    }
    return std::nullopt;
  }

  void table_entries(uint64_t addr, uint64_t end) {
    const std::vector<uint64_t> words = entries_met(call_, addr, end);
    for (uint32_t k = 0; k < words.size(); ++k)
      facts_.pages.entries.push_back({Level::pte, addr + k * page_bytes, words[k], false});
  }

  /// The ptes of [addr, end), within one table, as the call met them: what stands there now, at its first
  /// step, and what the replay put there before the engine wrote. Nothing without a table.
  std::vector<uint64_t> entries_met(const Call& call, uint64_t addr, uint64_t end) const {
    std::vector<uint64_t> words = words_of_table(addr, end);
    const auto count = static_cast<uint32_t>(words.size());
    const Region* table = table_of(addr);
    if (table == nullptr) return words;
    const auto first = table->first + static_cast<WordIndex>((addr - table->address) >> page_bits);
    std::vector<bool> engines(count, false);
    for (StepIndex step = call.first_step; step < call.end_step; ++step) {
      for (uint32_t n = 0; n < recording_.write_count(step); ++n) {
        const WriteView write = recording_.write(step, n);
        for (uint32_t k = 0; k < write.count; ++k) {
          const WordIndex word = write.first + k;
          if (word < first || word - first >= count || engines[word - first]) continue;
          if (write.evidence == Evidence::computed)
            engines[word - first] = true;
          else
            words[word - first] = write.new_at(k);
        }
      }
    }
    return words;
  }

  /// Entries that others changed between the end of setup and the call of pages.
  void find_meanwhile(const Call& pages) {
    for (uint64_t addr = facts_.pages.start; addr < facts_.pages.end;) {
      const uint64_t end = std::min(facts_.pages.end, (addr | (level_size(Level::pmd) - 1)) + 1);
      cursor_.seek(call_.end_step);
      const bool was_huge = is_huge(addr);
      const std::vector<uint64_t> left = words_of_table(addr, end);
      cursor_.seek(pages.first_step);
      const bool huge = is_huge(addr);
      if (huge && !was_huge) facts_.meanwhile.push_back({addr, FactMeanwhile::Did::touched});
      const std::vector<uint64_t> met = entries_met(pages, addr, end);
      for (uint32_t k = 0; !huge && k < left.size(); ++k) {
        const uint64_t at = addr + k * page_bytes;
        if (x86::pte_none(left[k]) && x86::pte_present(met[k]))
          facts_.meanwhile.push_back(
              {at, x86::pte_write(met[k]) ? FactMeanwhile::Did::touched : FactMeanwhile::Did::read});
        else if (x86::pte_none(met[k]) && is_migration(format_.swap.kind(left[k])))
          facts_.meanwhile.push_back({at, FactMeanwhile::Did::zapped});
      }
      addr = end;
    }
  }

  /// The ptes of [addr, end) as they stand now; zeroes without a table.
  std::vector<uint64_t> words_of_table(uint64_t addr, uint64_t end) const {
    std::vector<uint64_t> words((end - addr) >> page_bits, 0);
    const Region* table = table_of(addr);
    if (table == nullptr) return words;
    const size_t first = table->first + ((addr - table->address) >> page_bits);
    for (size_t k = 0; k < words.size() && first + k < recording_.word_count(); ++k)
      words[k] = cursor_.load(static_cast<WordIndex>(first + k));
    return words;
  }

  std::vector<FactRefusal> refusals(const Call& call) const {
    std::vector<FactRefusal> list;
    for (StepIndex step = call.first_step; step < std::min(call.end_step, recording_.steps()); ++step) {
      if (recording_.rule_of(step) != RuleId::trace_migrate_refused) continue;
      const auto operands = recording_.operands(step);
      list.push_back({operands[0], operands[1], operands.size() > 2 ? operands[2] : 0});
    }
    return list;
  }

  std::vector<uint64_t> words_at(StepIndex step, WordIndex first) {
    const auto pages = static_cast<size_t>((facts_.pages.end - facts_.pages.start) >> page_bits);
    if (first == no_word) return {};
    // What the engine could not know is written just behind the call.
    while (step < recording_.steps() && recording_.rule_of(step) == RuleId::check_unknown) ++step;
    cursor_.seek(step);
    const auto state = cursor_.words(first, static_cast<uint32_t>(pages));
    return {state.begin(), state.end()};
  }

  /// Setup asked for one page, for a fault that is under way around it.
  void find_touch() {
    StepIndex step = call_.first_step;
    while (step > 0 && recording_.rule_of(step - 1) != RuleId::trace_migrate_args) --step;
    if (step == 0 || recording_.operands(step - 1)[4] == 0) return;
    for (CallId call = call_.parent; call != no_call; call = recording_.calls()[call].parent) {
      if (recording_.calls()[call].function != Function::handle_mm_fault) continue;
      const auto arguments = recording_.arguments(call);
      if (arguments.size() >= 2)
        facts_.touch = FactTouch{arguments[0] & ~(page_bytes - 1), (arguments[1] & fault_flag::write) != 0};
      break;
    }
    if (!facts_.touch) failure_ = "it answers a CPU fault that the trace does not show";
  }

  /// The next call of this function for the same range by the same task; no_call when another setup comes
  /// first.
  CallId next_call(CallId after, Function wanted) const {
    for (CallId id = after + 1; id < recording_.calls().size(); ++id) {
      const Call& call = recording_.calls()[id];
      if (call.task != call_.task) continue;
      const auto arguments = recording_.arguments(id);
      if (arguments.empty() || (arguments[0] & ~(page_bytes - 1)) != facts_.pages.start) continue;
      if (call.function == wanted) return id;
      if (call.function == Function::migrate_vma_setup) return no_call;
    }
    return no_call;
  }

  void later_calls() {
    const CallId pages = next_call(setup_, Function::migrate_vma_pages);
    if (pages == no_call || !followed(pages)) return;
    const Call& moving = recording_.calls()[pages];
    facts_.has_pages = true;
    facts_.dst_in = words_at(moving.first_step, dst_);
    facts_.src_moved = words_at(moving.end_step, src_);
    facts_.refused_in_pages = refusals(moving);
    find_meanwhile(moving);
    const CallId finalize = next_call(pages, Function::migrate_vma_finalize);
    if (finalize == no_call || !followed(finalize)) return;
    facts_.has_finalize = true;
    cursor_.seek(recording_.calls()[finalize].end_step);
    const Region* table = nullptr;
    for (uint64_t addr = facts_.pages.start; addr < facts_.pages.end; addr += page_bytes) {
      if (table == nullptr || addr % level_size(Level::pmd) == 0) table = table_of(addr);
      if (table == nullptr || is_huge(addr)) continue;
      const auto word = table->first + static_cast<WordIndex>((addr - table->address) >> page_bits);
      facts_.after.push_back({Level::pte, addr, cursor_.load(word), false});
    }
  }

  /// Which device pages are the caller's: the ones it takes.
  void note_devices() {
    for (const FactEntry& entry : facts_.pages.entries) {
      if (entry.level != Level::pte || x86::pte_none(entry.value) || x86::pte_present(entry.value)) continue;
      if (!is_device_private(format_.swap.kind(entry.value))) continue;
      const uint64_t slot = (entry.addr - facts_.pages.start) >> page_bits;
      const bool takes = (facts_.select & migrate_select::device_private) != 0 && slot < facts_.src.size() &&
                         facts_.src[slot] != 0;
      facts_.pages.own_device_pages[format_.swap.pfn(entry.value)] = takes;
    }
  }

  const Document& document_;
  const Recording& recording_;
  CallId setup_;
  const Call& call_;
  EntryFormat format_;
  Cursor cursor_;
  MigrationFacts facts_;
  WordIndex src_ = no_word, dst_ = no_word;
  uint32_t space_ = 0;
  std::string failure_;
};

}  // namespace

Result<MigrationFacts> facts_of_migration(const Document& document, CallId setup) {
  return MigrationFactCollector(document, setup).run();
}

}  // namespace hmmscope::traces
