#include "tests/ui/demo.h"

#include <algorithm>

#include "engine/recording/keyframes.h"
#include "engine/recording/recorder.h"
#include "engine/rules/rule.h"

namespace hmmscope::ui::test {
namespace {

constexpr uint64_t base = 0x7f5a40000000;  // 1 GiB aligned
constexpr uint64_t user_rw = 0x67, user_ro = 0x25;

std::shared_ptr<const traces::Document> document_of(Recorder recorder, const char* title, const char* model,
                                                    bool traced) {
  auto document = std::make_shared<traces::Document>();
  document->kind = traced ? traces::SourceKind::trace : traces::SourceKind::scenario;
  document->title = title;
  document->model = kernel_model(model).value();
  document->recording = std::make_shared<const Recording>(std::move(recorder).finish());
  document->keyframes = std::make_shared<const Keyframes>(document->recording);
  document->history = std::make_shared<const History>(document->recording);
  return document;
}

struct World {
  Memory memory;
  WordIndex pgd, pud, pmd, pte, array, notifier, range;

  WordIndex add(RegionKind kind, uint32_t count, uint64_t address, uint64_t stride, const char* name) {
    Region region;
    region.kind = kind;
    region.count = count;
    region.address = address;
    region.stride = stride;
    region.name = name;
    return memory.region(memory.add_region(region)).first;
  }
  void name(RegionKind kind, WordIndex first, std::string_view word, uint64_t value) {
    const auto names = word_names(kind);
    memory.store(first + static_cast<WordIndex>(std::find(names.begin(), names.end(), word) - names.begin()),
                 value);
  }
  explicit World(uint32_t slots) {
    pgd = add(RegionKind::pgd, 512, 0, 1ull << 39, "pgd");
    pud = add(RegionKind::pud, 512, base & ~((1ull << 39) - 1), 1ull << 30, "pud table");
    pmd = add(RegionKind::pmd, 512, base, 1ull << 21, "pmd table");
    pte = add(RegionKind::pte, 512, base, 4096, "pte table");
    array = add(RegionKind::hmm_pfns, slots, base, 4096, "hmm_pfns");
    notifier = add(RegionKind::notifier, static_cast<uint32_t>(word_names(RegionKind::notifier).size()), 0, 0,
                   "dmirror");
    range =
        add(RegionKind::range, static_cast<uint32_t>(word_names(RegionKind::range).size()), 0, 0, "range");
    const WordIndex vma =
        add(RegionKind::vma, static_cast<uint32_t>(word_names(RegionKind::vma).size()), 0, 0, "buffer");
    name(RegionKind::vma, vma, "vm_start", base);
    name(RegionKind::vma, vma, "vm_end", base + slots * 4096ull);
    name(RegionKind::vma, vma, "vm_flags", 3);
    name(RegionKind::range, range, "default_flags", 1ull << 63);
    name(RegionKind::notifier, notifier, "start", base);
    name(RegionKind::notifier, notifier, "last", base + slots * 4096ull - 1);
    name(RegionKind::notifier, notifier, "invalidate_seq", 0x2a);
    name(RegionKind::range, range, "start", base);
    name(RegionKind::range, range, "end", base + slots * 4096ull);
    name(RegionKind::range, range, "notifier_seq", 0x2a);
    for (const uint32_t i : {3u, 17u, 20u, 21u, 88u, 255u, 256u, 300u, 480u})
      memory.store(pgd + i, 0x100000067 + i * 4096);
    for (const uint32_t i : {1u, 40u, 41u, 42u, 200u, 361u, 363u, 500u})
      memory.store(pud + i, 0x110000067 + i * 4096);
    memory.store(pgd + ((base >> 39) & 511), 0x2c4001067);
    memory.store(pud + ((base >> 30) & 511), 0x2c4002067);
    memory.store(pmd + 0, 0x2c4003067);
    for (const uint32_t i : {4u, 5u, 60u, 61u, 130u})
      memory.store(pmd + i, 0x80000000a00000e7 + i * 0x200000);
  }
};

/// A step with as many of the operands as its rule names.
StepIndex step(Recorder& recorder, RuleId id, std::initializer_list<uint64_t> operands = {}) {
  const size_t count = std::min<size_t>(operands.size(), rule(id).operand_count());
  return recorder.step(id, std::span<const uint64_t>(operands.begin(), count));
}

uint64_t slot_value(uint64_t pfn, bool write) {
  return (write ? 0xc000000000000000 : 0x8000000000000000) | pfn;
}

Evidence evidence_of(bool traced, uint32_t i) {
  if (!traced) return Evidence::computed;
  return i % 11 == 7 ? Evidence::inferred : i % 53 == 20 ? Evidence::unknown : Evidence::observed;
}

void add_events(Recorder& recorder) {
  const uint16_t kind = recorder.add_event_kind("hmm_range_fault");
  const uint32_t task = recorder.add_task({1201, "hmm-tests"});
  Event event;
  event.task = task;
  event.kind = kind;
  event.line = 12;
  event.time_ns = 1'000'000;
  recorder.set_event(recorder.add_event(event));
  event.time_ns = 42'800'000;
  recorder.add_event(event);
}

/// A trace knows nothing before an event tells: empties the memory, to be told again by tell().
std::vector<uint64_t> take_words(World& world) {
  const auto span = world.memory.words();
  std::vector<uint64_t> words(span.begin(), span.end());
  for (WordIndex word = 0; word < words.size(); ++word) world.memory.store(word, 0);
  return words;
}

/// One step that shows every word but some ptes and the array, which calls show.
void tell(Recorder& recorder, const World& world, const std::vector<uint64_t>& words) {
  step(recorder, RuleId::trace_pagemap_at_start);
  for (WordIndex word = 0; word < words.size(); ++word) {
    const bool pte = word >= world.pte && word < world.array;
    const bool array = word >= world.array && word < world.notifier;
    if (array || (pte && evidence_of(true, word - world.pte) == Evidence::unknown)) continue;
    recorder.write(word, words[word], Evidence::observed);
  }
}

/// Walks slots [first, last) from the ptes; stops at a swap entry that must be faulted and returns its index.
uint32_t walk_ptes(Recorder& recorder, const World& world, uint32_t first, uint32_t last, bool traced) {
  recorder.enter(Function::walk_page_range, {base + first * 4096ull, base + last * 4096ull});
  recorder.enter(Function::hmm_vma_walk_pmd);
  step(recorder, RuleId::pmd_table, {world.memory.load(world.pmd)});
  recorder.enter(Function::hmm_vma_handle_pte);
  uint32_t i = first;
  for (; i < last; ++i) {
    const uint64_t pte = world.memory.load(world.pte + i);
    if (pte == 0) {
      step(recorder, RuleId::pte_none_zero, {pte});
      recorder.write(world.array + i, 0, evidence_of(traced, i));
    } else if ((pte & 1) == 0) {
      step(recorder, RuleId::pte_swap_fault, {pte, 1});
      break;
    } else {
      const uint64_t pfn = (pte & 0x000ffffffffff000) >> 12;
      step(recorder, RuleId::pte_present, {pte, slot_value(0, (pte & 2) != 0), pfn});
      recorder.write(world.array + i, slot_value(pfn, (pte & 2) != 0), evidence_of(traced, i));
    }
  }
  recorder.leave(i < last ? -16 : 0);
  recorder.leave(i < last ? -16 : 0);
  recorder.leave(i < last ? -16 : 0);
  return i;
}

/// One hmm_range_fault call with its restarts.
CallId range_fault(Recorder& recorder, const World& world, uint32_t first, uint32_t last, bool traced) {
  const CallId call = recorder.enter(Function::hmm_range_fault, {base + first * 4096ull});
  while (first < last) {
    step(recorder, RuleId::range_walk, {base + first * 4096ull, base + last * 4096ull, 0x2a});
    first = walk_ptes(recorder, world, first, last, traced);
    if (first == last) break;
    recorder.enter(Function::handle_mm_fault, {base + first * 4096ull});
    step(recorder, RuleId::fault_pte_absent,
         {base + first * 4096ull, world.memory.load(world.pte + first), 0});
    recorder.write(world.pte + first, ((0x14000ull + first) << 12) | user_rw,
                   traced ? Evidence::inferred : Evidence::computed);
    recorder.leave(0);
    step(recorder, RuleId::range_restart, {base + first * 4096ull});
  }
  step(recorder, RuleId::range_return, {0, base + last * 4096ull});
  recorder.leave(0);
  return call;
}

CallCheck check_of(const Recording& so_far, CallId call, Verdict verdict) {
  CallCheck check;
  check.call = call;
  check.verdict = verdict;
  check.step = so_far.steps() - 1;
  check.words_compared = 128;
  return check;
}

}  // namespace

std::shared_ptr<const traces::Document> walk_document(bool traced) {
  World world(512);
  for (uint32_t i = 0; i < 400; ++i) {
    if (i % 37 == 30)
      world.memory.store(world.pte + i, 0x0007fffffffff000 - (i << 14) - 0x1ff);  // swap entries: bit 0 clear
    else if (i % 5 != 4)
      world.memory.store(world.pte + i,
                         ((0x14000ull + i) << 12) | (i % 3 == 0 ? user_ro : user_rw) | (1ull << 63));
  }
  for (uint32_t i = 0; i < 400; ++i) {
    if (i % 37 == 30) world.memory.store(world.pte + i, world.memory.load(world.pte + i) & ~1ull);
  }
  const std::vector<uint64_t> words = traced ? take_words(world) : std::vector<uint64_t>();
  Recorder recorder(world.memory);
  if (traced) add_events(recorder);
  recorder.enter(traced ? Function::kernel_trace : Function::scenario);
  if (traced) tell(recorder, world, words);
  recorder.enter(Function::ioctl);
  for (uint32_t part = 0; part < 3; ++part) {
    const CallId call = range_fault(recorder, world, part * 128, part * 128 + 128, traced);
    if (!traced) continue;
    CallCheck check = check_of(recorder.peek(), call, part == 1 ? Verdict::unknown : Verdict::agreed);
    if (part == 1) check.reason = "the pte of 0x7f5a40098000 is not in the trace";
    recorder.add_check(check);
  }
  recorder.enter(Function::mmu_notifier_invalidate_range_start, {base, base + 0x100000});
  step(recorder, RuleId::notifier_start_overlap, {});
  recorder.write(world.notifier + 2, 0x2b);
  for (uint32_t i = 0; i < 40; ++i) {
    step(recorder, RuleId::dontneed_zap, {base + i * 4096ull, base + (i + 1) * 4096ull});
    recorder.write(world.pte + i, 0, evidence_of(traced, i));
  }
  recorder.leave(0);
  const CallId call = range_fault(recorder, world, 0, 96, traced);
  if (traced) {
    CallCheck check = check_of(recorder.peek(), call, Verdict::diverged);
    // The difference is in the slot written last: the kernel says writable, the engine read-only.
    const Recording& so_far = recorder.peek();
    for (StepIndex at = so_far.steps(); at-- > 0;) {
      if (so_far.write_count(at) == 0 || so_far.rule_of(at) != RuleId::pte_present) continue;
      const WriteView write = so_far.write(at, 0);
      check.step = at;
      check.word = write.first;
      check.engine = write.new_at(0);
      check.kernel = check.engine ^ 0x4000000000000000;
      break;
    }
    check.reason = "kernel has WRITE, engine has not";
    recorder.add_check(check);
  }
  recorder.leave();
  recorder.leave();
  return document_of(std::move(recorder), "walk", "6.12", traced);
}

std::shared_ptr<const traces::Document> overlap_document() {
  World world(262144);
  world.memory.store(world.pud + ((base >> 30) & 511), 0x80000001400008e7);
  Recorder recorder(world.memory);
  recorder.enter(Function::scenario);
  recorder.enter(Function::ioctl);
  recorder.enter(Function::hmm_range_fault, {base});
  step(recorder, RuleId::range_walk, {base, base + (1ull << 30), 0x2a});
  recorder.enter(Function::walk_page_range);
  recorder.enter(Function::hmm_vma_walk_hugetlb_entry);
  constexpr uint64_t flags = 0xd200000000000000;
  step(recorder, RuleId::hugetlb_entry_fill, {0x80000001400008e7, flags, 0x140000});
  recorder.fill(world.array, 150000, flags | 0x140000, 1);
  step(recorder, RuleId::pte_special_error, {0x225});
  recorder.write(world.array + 200001, 0x2000000000000000);
  step(recorder, RuleId::hugetlb_entry_fill, {0x80000001400008e7, flags, 0x140000});
  recorder.fill_keeping(world.array, 90000, flags | 0x140000, 1, 0x0200000000000000);
  recorder.leave(0);
  recorder.leave(0);
  recorder.leave(0);
  recorder.leave();
  recorder.leave();
  return document_of(std::move(recorder), "order-overlap", "6.12-v9", false);
}

std::shared_ptr<const traces::Document> long_document(StepIndex steps, StepIndex rare) {
  World world(16);
  Recorder recorder(world.memory);
  recorder.enter(Function::kernel_trace);
  CallId last_call = no_call;
  for (StepIndex done = 0; done < steps;) {
    last_call = recorder.enter(Function::hmm_range_fault);
    for (StepIndex i = 0; i < 1000 && done < steps; ++i, ++done) {
      step(recorder, RuleId::pte_none_zero, {0});
      if (done % 4096 == 0) recorder.write(world.array + done % 16, done);
    }
    recorder.leave(0);
    CallCheck check = check_of(recorder.peek(), last_call, Verdict::agreed);
    if (rare < done && done - rare <= 1000) {
      check.verdict = Verdict::diverged;
      check.step = rare;
      check.reason = "one word";
    }
    recorder.add_check(check);
  }
  recorder.leave();
  return document_of(std::move(recorder), "long", "6.12", true);
}

StepIndex diverged_position(const traces::Document& document) {
  for (const CallCheck& check : document.recording->checks()) {
    if (check.verdict == Verdict::diverged) return check.step + 1;
  }
  return 0;
}

}  // namespace hmmscope::ui::test
