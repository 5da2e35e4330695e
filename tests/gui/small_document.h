#pragma once
// A recording whose every step the tests know:
//
//   step  call                         what
//   0     hmm_range_fault A            writes pfns[0] = 1
//   1       handle_mm_fault B          writes pte[0] = 0x11
//   2       handle_mm_fault B          writes pte[1] = 0x12
//   3     A                            writes pfns[1] = 2
//   4     hmm_range_fault C            writes pfns[0] = 3
//   5     C                            writes nothing
//   6       handle_mm_fault D          writes pte[0] = 0x13
//   7     hmm_range_fault E            writes pfns[0] = 1
//
// One check diverged, at step 4.
#include <memory>

#include "app/gui/session.h"
#include "engine/recording/recorder.h"

namespace hmmscope::app::test {

inline constexpr WordIndex pfns = 0, pte = 4;  // first words of the two regions

inline DocumentPtr small_document() {
  Memory memory;
  Region array;
  array.kind = RegionKind::hmm_pfns;
  array.count = 4;
  array.address = 0x10000;
  array.stride = 0x1000;
  array.name = "hmm_pfns";
  memory.add_region(array);
  Region table = array;
  table.kind = RegionKind::pte;
  table.name = "pte table";
  memory.add_region(table);
  Recorder recorder(memory);
  recorder.set_meta("model", "5.8");
  const RuleId range_rule = rules_of(Function::hmm_range_fault).front();
  const RuleId fault_rule = rules_of(Function::handle_mm_fault).front();
  const auto write = [&](RuleId id, WordIndex word, uint64_t value) {
    recorder.step(id, {value});
    recorder.write(word, value);
  };
  recorder.enter(Function::hmm_range_fault, {0x10000, 0x14000});
  write(range_rule, pfns, 1);
  recorder.enter(Function::handle_mm_fault, {0x10000});
  write(fault_rule, pte, 0x11);
  write(fault_rule, pte + 1, 0x12);
  recorder.leave(0);
  write(range_rule, pfns + 1, 2);
  recorder.leave(0);
  const CallId second = recorder.enter(Function::hmm_range_fault, {0x10000, 0x14000});
  write(range_rule, pfns, 3);
  recorder.step(range_rule, {0xabc});
  recorder.enter(Function::handle_mm_fault, {0x11000});
  write(fault_rule, pte, 0x13);
  recorder.leave(0);
  recorder.leave(-16);
  recorder.enter(Function::hmm_range_fault, {0x10000, 0x14000});
  write(range_rule, pfns, 1);
  recorder.leave(0);
  CallCheck check;
  check.call = second;
  check.verdict = Verdict::diverged;
  check.step = 4;
  check.word = pfns;
  check.kernel = 3;
  check.engine = 2;
  check.rule = range_rule;
  check.words_compared = 4;
  check.reason = "the kernel kept bit 0";
  recorder.add_check(check);
  auto document = std::make_shared<traces::Document>();
  document->path = "/nowhere/small.hmmrec";
  document->title = "small";
  document->model = kernel_model("5.8").value();
  document->recording = std::make_shared<const Recording>(std::move(recorder).finish());
  document->keyframes = Cursor(document->recording).keyframes();
  document->history = std::make_shared<const History>(document->recording);
  return document;
}

inline void open_small(Session& session) {
  const DocumentPtr document = small_document();
  session.open(document, find_landmarks(*document->recording));
}

}  // namespace hmmscope::app::test
