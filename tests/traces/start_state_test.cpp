// What a capture noted of a process before its trace: facts, as far as nothing changed meanwhile.
#include "traces/replay/start_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/traces/trace_text.h"
#include "traces/check/facts.h"

namespace hmmscope::traces {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t start = 0x7f0000000000, page = 0x1000;
constexpr const char* marks[] = {"hmmscope: snapshot 10 start begin", "hmmscope: snapshot 10 start end"};

std::string hex(uint64_t value) {
  char text[24];
  std::snprintf(text, sizeof text, "%llx", static_cast<unsigned long long>(value));
  return text;
}

/// A capture of pid 10: what was noted, and events of a kernel with the samples' configuration.
class Notes {
 public:
  Notes& maps(const std::string& line) {
    maps_ += "#| " + line + "\n";
    return *this;
  }
  Notes& looked_at(uint64_t begin, uint64_t end) {
    pagemap_ += "#| " + hex(begin) + "-" + hex(end) + "\n";
    return *this;
  }
  Notes& entry(uint64_t addr, uint64_t bits) {
    pagemap_ += "#| " + hex(addr) + " " + hex(bits) + "\n";
    return *this;
  }
  Notes& event(const std::string& payload, int pid = 10) {
    char text[400];
    std::snprintf(text, sizeof text, "            prog-%-7d [000] .....     1.%06d: %s\n", pid, ++count_, payload.c_str());
    events_ += text;
    return *this;
  }
  Notes& mark(size_t which) { return event(std::string("tracing_mark_write: ") + marks[which], 99); }
  std::string text() const {
    return "# hmmscope-bundle: 1\n"
           "# hmmscope-capture: kernel=6.12.117-x arch=x86_64 page_shift=12 page_table_levels=4 patch=none\n"
           "# hmmscope-capture: config=DEVICE_PRIVATE=y,MIGRATION=y,MEMORY_FAILURE=n,PTE_MARKER=n,PTE_MARKER_UFFD_WP=y,"
           "USERFAULTFD=y,SWAP=y\n"
           "# hmmscope-section: maps 10 start\n" +
           maps_ + "# hmmscope-section: pagemap 10 start\n" + pagemap_ +
           "# hmmscope-section: trace\n# tracer: nop\n" + events_;
  }

 private:
  std::string maps_, pagemap_, events_;
  int count_ = 0;
};

/// Of the first region of this kind that holds addr, or has it as its first word.
std::optional<Fact> fact_at(const Document& document, RegionKind kind, uint64_t addr) {
  for (const Region& region : document.recording->regions()) {
    if (region.kind != kind) continue;
    const StepIndex end = document.recording->steps();
    if (kind == RegionKind::vma) {
      const Fact fact = fact_of(document, region.first, end);
      if (fact.value == addr) return fact;
    } else if (addr >= region.address && addr - region.address < region.count * region.stride) {
      return fact_of(document, region.first + static_cast<WordIndex>((addr - region.address) / region.stride), end);
    }
  }
  return std::nullopt;
}

constexpr uint64_t present = uint64_t{1} << 63, swapped = uint64_t{1} << 62, exclusive = uint64_t{1} << 56;

TEST(StartState, BecomesFactsAtTheSecondMark) {
  const auto document = document_of(Notes()
                                        .maps("7f0000000000-7f0000004000 rw-p 00000000 00:00 0 ")
                                        .looked_at(start, start + 4 * page)
                                        .entry(start, present | exclusive | 0x1234)
                                        .entry(start + page, swapped | 27 | 0x5555ull << 5)  // device private, writable
                                        .mark(0)
                                        .mark(1)
                                        .text());
  ASSERT_NE(document, nullptr);
  const auto vma = fact_at(*document, RegionKind::vma, start);
  ASSERT_TRUE(vma);
  EXPECT_EQ(vma->evidence, Evidence::observed);
  EXPECT_EQ(vma->rule, "trace.maps_at_start");
  const auto mapped = fact_at(*document, RegionKind::pte, start);
  ASSERT_TRUE(mapped);
  EXPECT_EQ(mapped->evidence, Evidence::inferred);  // page map: the page, not whether it is writable
  EXPECT_EQ(mapped->rule, "trace.pagemap_at_start");
  EXPECT_EQ(x86::pte_pfn(mapped->value), 0x1234u);
  const auto device = fact_at(*document, RegionKind::pte, start + page);
  ASSERT_TRUE(device);
  EXPECT_EQ(device->evidence, Evidence::observed);
  const SwapEntry entry = decode_swap(EntryFormat(document->model).swap, device->value);
  EXPECT_EQ(entry.kind, SwapKind::device_write);
  EXPECT_EQ(entry.pfn, 0x5555u);
}

/// A page that faults between the two marks may have been looked at before or after.
TEST(StartState, LeavesOutWhatChangedMeanwhile) {
  const auto document = document_of(Notes()
                                        .maps("7f0000000000-7f0000004000 rw-p 00000000 00:00 0 ")
                                        .looked_at(start, start + 4 * page)
                                        .entry(start, present | exclusive | 0x1234)
                                        .entry(start + page, present | exclusive | 0x1235)
                                        .mark(0)
                                        .event("mmf: (handle_mm_fault+0x4/0x80) vma=0x1 addr=0x7f0000001000 flags=0x255")
                                        .event("mmf_r: (a+0x1/0x2 <- handle_mm_fault) ret=0x0 addr=0x7f0000001000 flags=0x255")
                                        .mark(1)
                                        .text());
  ASSERT_NE(document, nullptr);
  const auto quiet = fact_at(*document, RegionKind::pte, start);
  ASSERT_TRUE(quiet);
  EXPECT_EQ(quiet->rule, "trace.pagemap_at_start");
  const auto faulted = fact_at(*document, RegionKind::pte, start + page);
  ASSERT_TRUE(faulted);
  EXPECT_NE(faulted->rule, "trace.pagemap_at_start");
}

TEST(StartState, AMappingMadeMeanwhileIsTheEventsOwn) {
  const auto document =
      document_of(Notes()
                      .maps("7f0000000000-7f0000004000 r--p 00000000 00:00 0 ")
                      .mark(0)
                      .event("sys_mmap(addr: 7f0000000000, len: 4000, prot: 3, flags: 32, fd: ffffffff, off: 0)")
                      .event("sys_mmap -> 0x7f0000000000")
                      .mark(1)
                      .text());
  ASSERT_NE(document, nullptr);
  const auto vma = fact_at(*document, RegionKind::vma, start);
  ASSERT_TRUE(vma);
  EXPECT_EQ(vma->rule, "trace.mmap");
}

/// 512 pages in a row may be one mapping of 2 MiB; a page mapped several times may be the zero page.
TEST(StartState, WhatThePageMapCannotTellStaysUnknown) {
  constexpr uint64_t huge = uint64_t{1} << 21;
  Notes notes;
  notes.maps("7f0000000000-7f0000400000 rw-p 00000000 00:00 0 ").looked_at(start, start + 2 * huge);
  for (uint64_t k = 0; k < 512; ++k) notes.entry(start + k * page, present | exclusive | (0x10000 + k));
  notes.entry(start + huge, present | exclusive | 0x20001).entry(start + huge + page, present | 0x300);
  const auto document = document_of(notes.mark(0).mark(1).text());
  ASSERT_NE(document, nullptr);
  EXPECT_FALSE(fact_at(*document, RegionKind::pte, start));
  const auto plain = fact_at(*document, RegionKind::pte, start + huge);
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->rule, "trace.pagemap_at_start");
  EXPECT_EQ(fact_at(*document, RegionKind::pte, start + huge + page)->step, no_step);
}

/// Without marks nobody knows when the notes were taken: the mappings are shown, nothing rests on them.
TEST(StartState, WithoutMarksIsShownOnly) {
  const auto document = document_of(Notes()
                                        .maps("7f0000000000-7f0000004000 rw-p 00000000 00:00 0 ")
                                        .looked_at(start, start + 4 * page)
                                        .entry(start, present | exclusive | 0x1234)
                                        .event("sys_munmap(addr: 7f0000100000, len: 1000)")
                                        .text());
  ASSERT_NE(document, nullptr);
  EXPECT_EQ(fact_at(*document, RegionKind::vma, start)->evidence, Evidence::inferred);
  EXPECT_FALSE(fact_at(*document, RegionKind::pte, start));
}

/// The kinds of mappings that /proc names.
TEST(StartState, ReadsMappings) {
  struct Case {
    const char* line;
    VmaKind kind;
    uint64_t flags;
  };
  for (const Case& c :
       {Case{"7f0000000000-7f0000001000 r-xp 00002000 fe:00 77    /usr/lib/x y.so", VmaKind::file_private, vm::read | vm::exec},
        Case{"7f0000000000-7f0000001000 rw-s 00000000 fe:00 77    /data", VmaKind::file_shared, vm::read | vm::write | vm::shared},
        Case{"7f0000000000-7f0000001000 rw-s 00000000 00:01 77    /dev/zero (deleted)", VmaKind::shmem, vm::read | vm::write | vm::shared},
        Case{"7f0000000000-7f0000001000 rw-s 00000000 00:06 9    /dev/dri/renderD128", VmaKind::special, vm::read | vm::write | vm::shared},
        Case{"7f0000000000-7f0000001000 ---p 00000000 00:00 0 ", VmaKind::anonymous, 0},
        Case{"7f0000000000-7f0000001000 rw-p 00000000 00:00 0    [stack]", VmaKind::anonymous, vm::read | vm::write}}) {
    const auto document = document_of(Notes().maps(c.line).mark(0).mark(1).text());
    ASSERT_NE(document, nullptr);
    const auto vma = fact_at(*document, RegionKind::vma, start);
    ASSERT_TRUE(vma) << c.line;
    const StepIndex end = document->recording->steps();
    const auto word = [&](VmaWord which) { return fact_of(*document, vma->first + static_cast<WordIndex>(which), end).value; };
    EXPECT_EQ(word(VmaWord::kind), static_cast<uint64_t>(c.kind)) << c.line;
    EXPECT_EQ(word(VmaWord::flags) & (vm::read | vm::write | vm::exec | vm::shared), c.flags) << c.line;
  }
}

/// Damaged notes are no facts, and no reason to give up.
TEST(StartState, DamagedNotesAreLeftOut) {
  const auto document = document_of(Notes()
                                        .maps("moon")
                                        .maps("7f0000004000-7f0000000000 rw-p 0 00:00 0")
                                        .maps("7f0000000001-7f0000001000 rw-p 0 00:00 0")
                                        .maps("f000000000000000-f000000000001000 rw-p 0 00:00 0")
                                        .looked_at(0, ~uint64_t{0} << 12)
                                        .entry(start + 1, present)
                                        .entry(start, present)
                                        .mark(0)
                                        .mark(1)
                                        .mark(1)
                                        .text());
  ASSERT_NE(document, nullptr);
  for (const Region& region : document->recording->regions()) EXPECT_NE(region.kind, RegionKind::vma);
}

/// A real migration of pages that only the CPU had written: without the notes the kernel's word for each is the only
/// one that tells its page, with them another one is found.
TEST(StartState, ChecksRestOnIt) {
  TraceText trace = sample_trace("6.12-migrate_fault.trace.txt.xz");
  const auto is = [](const char* name) {
    return [name](const std::string& event) { return event.find(name) != std::string::npos; };
  };
  const auto setup = std::find_if(trace.events.begin(), trace.events.end(), is(": mv_setup_in: "));
  const auto result = std::find_if(setup, trace.events.end(), is(": mv_setup_out: "));
  const auto last = std::find_if(result, trace.events.end(), is(": mv_fin_out: "));
  ASSERT_NE(last, trace.events.end());
  const uint64_t from = field_of(*setup, "start"), until = field_of(*setup, "end");
  std::vector<OutputWord> words;
  words_of_array(*result, result->find("src={") + 5, result->size(), 0, (until - from) >> 12, from, words);
  const auto pid = setup->substr(17, setup->find(' ', 17) - 17);
  std::string notes = "# hmmscope-section: maps " + pid + " start\n#| " + hex(field_of(*setup, "vm_start")) + "-" +
                      hex(field_of(*setup, "vm_end")) + " rw-p 00000000 00:00 0\n# hmmscope-section: pagemap " + pid +
                      " start\n#| " + hex(from) + "-" + hex(until) + "\n";
  for (const OutputWord& word : words)
    notes += "#| " + hex(from + word.slot * page) + " " + hex(present | exclusive | word.value >> 6) + "\n";
  std::string events;
  for (const char* text : marks) events += "            none-99      [000] .....     1.000000: tracing_mark_write: " + ("hmmscope: snapshot " + pid) + (text == marks[0] ? " start begin\n" : " start end\n");
  for (auto event = setup; event != last + 1; ++event) events += *event + "\n";
  const auto capture = [&](const std::string& with_notes, std::string said) {
    const size_t tracer = trace.head.find("# tracer");
    return "# hmmscope-bundle: 1\n" + trace.head.substr(0, tracer) + with_notes + "# hmmscope-section: trace\n" +
           trace.head.substr(tracer) + std::move(said);
  };
  // Another page in every event that names it.
  std::string other = events;
  const std::string word = "0x" + hex(words[3].value), changed = "0x" + hex(words[3].value + (uint64_t{0x40} << 6));
  for (size_t at = other.find(word); at != std::string::npos; at = other.find(word, at + 1)) other.replace(at, word.size(), changed);
  ASSERT_NE(other, events);
  const auto verdict = [&](const std::string& text) {
    const auto recording = replay_text(text);
    EXPECT_TRUE(recording) << recording.error().to_string();
    EXPECT_FALSE(recording->checks().empty());
    return recording->checks().front().verdict;
  };
  EXPECT_EQ(verdict(capture("", events)), Verdict::agreed);
  EXPECT_EQ(verdict(capture("", other)), Verdict::agreed);
  EXPECT_EQ(verdict(capture(notes, events)), Verdict::agreed);
  EXPECT_EQ(verdict(capture(notes, other)), Verdict::diverged);
}

/// transparent_hugepage=always: a page that faults may be mapped by 2 MiB, whatever the VMA asks for.
TEST(StartState, HugePagesComeUnaskedWhereTheSystemSaysSo) {
  const auto with = [](const std::string& mode) {
    Notes notes;
    notes.event("sys_mmap(addr: 0, len: 400000, prot: 3, flags: 22, fd: ffffffff, off: 0)")
        .event("sys_mmap -> 0x7f0000000000")
        .event("mmf: (handle_mm_fault+0x4/0x80) vma=0x1 addr=0x7f0000001000 flags=0x255")
        .event("mmf_r: (a+0x1/0x2 <- handle_mm_fault) ret=0x0 addr=0x7f0000001000 flags=0x255");
    std::string text = notes.text();
    const std::string section = "# hmmscope-section: trace";
    return document_of(text.insert(text.find(section), "# hmmscope-section: about\n#| transparent_hugepage " + mode + "\n"));
  };
  const auto always = with("always"), madvise = with("madvise");
  ASSERT_TRUE(always != nullptr && madvise != nullptr);
  EXPECT_FALSE(fact_at(*always, RegionKind::pte, start + page));
  EXPECT_TRUE(fact_at(*madvise, RegionKind::pte, start + page));
}

}  // namespace
}  // namespace hmmscope::traces
