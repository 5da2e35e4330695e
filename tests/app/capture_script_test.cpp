// The capture script against directories that look like tracefs and /proc of some kernel: what it would
// probe, that the reader knows every event and field of it, that it leaves nothing behind, and that hmmscope
// opens what it writes.
#include <sys/stat.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <map>
#include <set>
#include <sstream>

#include "tests/support/fake_machine.h"
#include "tests/support/program.h"
#include "traces/reader/source.h"
#include "traces/replay/event_kinds.h"

namespace hmmscope {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using testing_support::btf_readme;
using testing_support::content_of;
using testing_support::FakeMachine;
using testing_support::new_readme;
using testing_support::old_readme;
using testing_support::Ran;
using testing_support::run_program;
using testing_support::ScratchDirectory;
using testing_support::source_root;
using testing_support::walker;

const std::filesystem::path text_sample = source_root / "traces/samples/6.12-snapshot.trace.txt";
const std::filesystem::path dat_sample = source_root / "traces/samples/dat/6.12-snapshot-v7.dat.xz";

/// Event name -> its arguments' names, from "p:group/event function name=... name=...".
std::map<std::string, std::vector<std::string>> definitions(const std::string& text) {
  std::map<std::string, std::vector<std::string>> found;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const size_t slash = line.find("hmmscope/");
    if (slash == std::string::npos || line.find(':') > slash) continue;
    std::istringstream words(line.substr(slash + 9));
    std::string event, word;
    words >> event >> word;
    while (words >> word) found[event].push_back(word.substr(0, word.find('=')));
  }
  return found;
}

TEST(CaptureScript, IsPlainShell) {
  for (const char* file : {"hmmscope-capture", "probes.sh", "bundle.sh", "ownership.sh"}) {
    const std::string path = (source_root / "traces/capture" / file).string();
    EXPECT_EQ(std::system(("dash -n '" + path + "'").c_str()), 0) << file;
    EXPECT_EQ(
        std::system(("cd '" + source_root.string() + "' && shellcheck -x -s sh traces/capture/" + file).c_str()), 0)
        << file;
  }
}

TEST(CaptureScript, BadUsageEndsWithTwo) {
  const FakeMachine machine("6.12.1", btf_readme, walker);
  for (const char* arguments :
       {"", "--moon", "--pid", "--pid x --dry-run", "--pid 99 --dry-run", "--pages 65 --all", "--all true",
        "--seconds 0 --all", "--pid 123 --all --dry-run", "--cleanup --all", "--callback 'a;b' --all", "--method magic --all"}) {
    const Ran ran = machine.run(arguments);
    EXPECT_EQ(ran.code, 2) << arguments << ran.err;
    EXPECT_THAT(ran.err, HasSubstr("hmmscope-capture: ")) << arguments;
  }
  EXPECT_TRUE(machine.left_nothing());
  EXPECT_EQ(machine.run("--help").code, 0);
}

TEST(CaptureScript, AKernelThatCannotBeTracedEndsWithThree) {
  const FakeMachine machine("6.12.1", btf_readme, "nothing\n");
  EXPECT_EQ(machine.run("--all").code, 3);
  std::filesystem::remove(machine.path() / "tracing/kprobe_events");
  EXPECT_EQ(machine.run("--all --method kprobe").code, 3);
  EXPECT_TRUE(machine.left_nothing());
}

/// The reader and the replay know every event that the script defines.
TEST(CaptureScript, EveryEventIsKnownToTheReplay) {
  const FakeMachine machine("6.12.1", btf_readme,
                        walker + "hmm_vma_handle_pte\nhmm_vma_handle_pmd\ndmirror_interval_invalidate\n");
  const Ran ran = machine.run("--all --dry-run");
  ASSERT_EQ(ran.code, 0) << ran.err;
  const std::set<std::string> shown_only = {"md_range", "md_pages", "md_fin"};  // listed, not replayed
  const auto events = definitions(ran.out);
  EXPECT_GT(events.size(), 40u);
  for (const auto& [event, fields] : events) {
    if (!shown_only.contains(event)) {
      EXPECT_NE(traces::event_kind(event), traces::EventKind::other) << event;
    }
  }
}

/// The events of a capture taken with the same probe set have every field the script asks for.
TEST(CaptureScript, FieldsAreThoseOfTheSample) {
  const FakeMachine machine("6.12.117", new_readme,
                        walker + "hmm_vma_handle_pte\nhmm_vma_handle_pmd\ndmirror_interval_invalidate\n");
  const Ran ran = machine.run("--all --dry-run --pages 64");
  ASSERT_EQ(ran.code, 0) << ran.err;
  const auto defined = definitions(ran.out);
  const auto trace = traces::open_trace(dat_sample);
  ASSERT_TRUE(trace) << trace.error().to_string();
  std::set<std::string> compared;
  std::array<uint64_t, 64> words{};
  for (size_t i = 0; i < (*trace)->size(); ++i) {
    const traces::EventView event = (**trace)[i];
    const auto found = defined.find(std::string(event.kind_name()));
    if (found == defined.end()) continue;
    compared.insert(found->first);
    for (const std::string& field : found->second)
      EXPECT_TRUE(event.number(field) || event.text(field) || event.array(field, words))
          << found->first << " " << field;
  }
  for (const char* name : {"rf_in", "rf_out", "w_test", "w_pmd", "h_pte", "h_pte_r", "mmf", "mn_start",
                           "mv_setup_in", "mv_fin_in", "dm_inv"})
    EXPECT_TRUE(compared.contains(name)) << name;
}

TEST(CaptureScript, ProbesFollowWhatTheKernelOffers) {
  const std::string inlined = walker + "__pte_offset_map\n";
  const Ran stock = FakeMachine("6.12.1-amd64", btf_readme, inlined).run("--all --dry-run");
  EXPECT_THAT(stock.out, HasSubstr("rf_in hmm_range_fault range=range:x64"));
  EXPECT_THAT(stock.out, HasSubstr("r:hmmscope/ptes __pte_offset_map"));
  EXPECT_THAT(stock.out, HasSubstr("h_pte: hmm_vma_handle_pte is inlined"));
  EXPECT_THAT(stock.out, HasSubstr("hc_inv: no driver's interval callback"));

  const Ran driver = FakeMachine("6.12.1", btf_readme, inlined + "my_invalidate [my]\n")
                         .run("--all --dry-run --callback my_invalidate");
  EXPECT_THAT(driver.out, HasSubstr("p:hmmscope/hc_inv my_invalidate sub=$arg1 start=+8($arg2)"));

  const FakeMachine old("6.1.150", old_readme, walker + "hmm_vma_handle_pte.isra.0\n");
  const Ran before = old.run("--all --dry-run");
  EXPECT_THAT(before.out, HasSubstr("h_pte hmm_vma_handle_pte.isra.0 addr=$arg2 end=$arg3 pte=$arg5:x64"));
  EXPECT_THAT(before.out, HasSubstr("r:hmmscope/rf_out hmm_range_fault ret=$retval:s32\n"));
  EXPECT_THAT(before.out, HasSubstr("rf_out: return probes of this kernel cannot see the array"));
  EXPECT_THAT(before.out, HasSubstr("mm=+8($arg1):x64 start=+16($arg1):x64"));
  EXPECT_THAT(before.out, Not(HasSubstr("r:hmmscope/rf_out_b")));
  const Ran helped = old.run("--all --dry-run --output-probe 'hmm_range_fault+0x56 ret=%ax:s32 range=%bx'");
  EXPECT_THAT(helped.out, HasSubstr("p:hmmscope/rf_out hmm_range_fault+0x56 ret=%ax:s32 range=%bx\n"));

  const Ran fprobe = FakeMachine("6.12.1", btf_readme, inlined).run("--all --dry-run --method fprobe");
  EXPECT_THAT(fprobe.out, HasSubstr("f:hmmscope/rf_in hmm_range_fault range="));
  EXPECT_THAT(fprobe.out, HasSubstr("f:hmmscope/rf_out hmm_range_fault%return ret=$retval:s32"));
}

TEST(CaptureScript, ADryRunChangesNothing) {
  const FakeMachine machine("6.12.1", btf_readme, walker);
  EXPECT_EQ(machine.run("--all --dry-run").code, 0);
  EXPECT_THAT(machine.read("tracing/kprobe_events"), IsEmpty());
  EXPECT_FALSE(std::filesystem::exists(machine.path() / "tracing/tracing_on"));
  EXPECT_FALSE(std::filesystem::exists(machine.path() / "tracing/instances"));
  EXPECT_TRUE(machine.left_nothing());
}

/// The sample's events through a pretended kernel: the capture opens and every call agrees.
TEST(CaptureScript, WhatItWritesIsOpenedAndChecked) {
  const FakeMachine machine("6.12.117-test", btf_readme, walker);
  std::string events;
  std::istringstream lines(content_of(text_sample));
  for (std::string line; std::getline(lines, line);)
    if (!line.starts_with('#')) events += line + "\n";
  machine.write("tracing/trace_pipe",
                events + "            half-1     [000] d....  99.0");  // cut by the end of the capture
  const std::string output = (machine.path() / "capture").string();
  const Ran ran = machine.run("--no-instance --pid 123 -o " + output);
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.err, HasSubstr("open it with: hmmscope " + output));
  EXPECT_TRUE(machine.left_nothing());
  EXPECT_EQ(machine.read("tracing/tracing_on"), "0\n");
  EXPECT_THAT(machine.read("tracing/kprobe_events"), HasSubstr("-:hmmscope/rf_in\n"));

  const auto trace = traces::open_trace(output);
  ASSERT_TRUE(trace) << trace.error().to_string();
  EXPECT_EQ((*trace)->info().format, "hmmscope capture");
  EXPECT_EQ((*trace)->info().kernel, "6.12.117-test");
  std::map<std::string, std::string> sections;
  for (const auto& section : (*trace)->info().sections) sections[section.title] = section.text;
  EXPECT_THAT(sections["about"], HasSubstr("target pid 123\n"));
  EXPECT_THAT(sections["probes"], HasSubstr("p:hmmscope/rf_in hmm_range_fault"));
  EXPECT_THAT(sections["unobserved"], HasSubstr("other_tasks: "));
  EXPECT_EQ(sections["maps 123 start"], "7f0000000000-7f0000004000 rw-p 00000000 00:00 0 \n");
  EXPECT_TRUE(sections.contains("maps 123 end"));

  const Ran check = run_program({"check", output});
  EXPECT_EQ(check.code, 0) << check.out << check.err;
  EXPECT_THAT(check.out, HasSubstr("calls 1, agreed 1, diverged 0, unknown 0"));
}

/// Page map entries of the first pages of a process, by address.
TEST(CaptureScript, NotesThePageMap) {
  const FakeMachine machine("6.12.117-test", btf_readme, walker);
  machine.write("proc/123/maps",
                "000000001000-000000004000 rw-p 00000000 00:00 0 \nffffffffff600000-ffffffffff601000 --xp "
                "00000000 00:00 0 [vsyscall]\n");
  std::string map(8 * 8, '\0');
  map[8 * 1] = 0x11;        // page 1
  map[8 * 3 + 7] = '\x81';  // page 3
  machine.write("proc/123/pagemap", map);
  machine.write(
      "tracing/trace_pipe",
      "            prog-123     [001] d....  1.000001: mmf: (handle_mm_fault+0x4/0x80) addr=0x1000\n");
  const std::string output = (machine.path() / "capture").string();
  ASSERT_EQ(machine.run("--no-instance --pid 123 -o " + output).code, 0);
  EXPECT_THAT(
      content_of(output),
      HasSubstr(
          "# hmmscope-section: pagemap 123 start\n#| 1000-4000\n#| 1000 0000000000000011\n#| 3000 8100000000000000\n"));
}

/// INT, TERM and HUP while it captures: what was traced is written, and everything is as before.
TEST(CaptureScript, EverySignalEndsItCleanly) {
  for (const std::string signal : {"INT", "TERM", "HUP"}) {
    const FakeMachine machine("6.12.117-test", btf_readme, walker);
    machine.write("tracing/options/record-tgid", "0\n");
    const std::string pipe = (machine.path() / "tracing/trace_pipe").string(),
                      output = (machine.path() / "capture").string(), pid = (machine.path() / "pid").string();
    std::filesystem::remove(pipe);
    // A pipe that somebody keeps open, as the kernel's is. Who writes to it waits for the script to read it: then
    // the capture runs, and the signal comes.
    const Ran ran = machine.run("--no-instance --all --seconds 60 -o " + output,
                                "mkfifo " + pipe + "; echo $$ >" + pid +
                                    "; { echo '            prog-123     [001] d....  1.000001: mmf: addr=0x1000'; "
                                    "sleep 1; kill -" +
                                    signal + " $(cat " + pid + "); sleep 20; } >" + pipe + " & exec env --default-signal ");
    EXPECT_TRUE(machine.left_nothing()) << signal;
    EXPECT_EQ(machine.read("tracing/tracing_on"), "0\n") << signal << ran.err;
    EXPECT_EQ(machine.read("tracing/options/record-tgid"), "0\n") << signal;
    EXPECT_THAT(machine.read("tracing/kprobe_events"), HasSubstr("-:hmmscope/rf_out\n")) << signal;
    EXPECT_THAT(content_of(output), HasSubstr("#| stopped by a signal\n")) << signal;
    EXPECT_THAT(content_of(output), HasSubstr("prog-123")) << signal;
    EXPECT_FALSE(std::filesystem::exists(output + ".part")) << signal;
  }
}

/// What fails on the way undoes what was done so far.
TEST(CaptureScript, AnErrorEndsItCleanly) {
  const FakeMachine machine("6.12.117-test", btf_readme, walker);
  EXPECT_EQ(machine.run("--no-instance --all -o " + (machine.path() / "no/such/place").string()).code, 1);
  EXPECT_TRUE(machine.left_nothing());
  EXPECT_THAT(machine.read("tracing/kprobe_events"), IsEmpty());

  // Somebody else's capture runs: its buffer stays.
  std::filesystem::create_directories(machine.path() / "tracing/instances/hmmscope");
  const Ran busy = machine.run("--all --seconds 1 -o " + (machine.path() / "capture").string());
  EXPECT_EQ(busy.code, 1);
  EXPECT_THAT(busy.err, HasSubstr("another capture runs"));
  EXPECT_TRUE(std::filesystem::exists(machine.path() / "tracing/instances/hmmscope"));
  EXPECT_FALSE(std::filesystem::exists(machine.path() / "capture.part"));
  EXPECT_TRUE(machine.left_nothing());
}

/// A killed capture leaves its temporary directory and its unfinished file; those of one that runs are left alone.
TEST(CaptureScript, CleanupRemovesWhatAKilledCaptureLeft) {
  const FakeMachine machine("6.12.117-test", btf_readme, walker);
  const std::string here = machine.path().string();
  for (const char* name : {"tmp/hmmscope-capture.killed", "tmp/hmmscope-capture.runnin", "proc/77"})
    std::filesystem::create_directories(machine.path() / name);
  machine.write("tmp/hmmscope-capture.killed/pid", "4194305\n");
  machine.write("tmp/hmmscope-capture.killed/part", here + "/killed.hmmcap.part\n");
  machine.write("tmp/hmmscope-capture.runnin/pid", "77\n");
  machine.write("tmp/hmmscope-capture.runnin/part", here + "/running.hmmcap.part\n");
  machine.write("proc/77/cmdline", std::string("sh\0hmmscope-capture\0--all\0", 26));
  for (const char* name : {"killed.hmmcap.part", "killed.hmmcap", "running.hmmcap.part"}) machine.write(name, "x");
  const Ran ran = machine.run("--cleanup");
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_FALSE(std::filesystem::exists(machine.path() / "tmp/hmmscope-capture.killed"));
  EXPECT_FALSE(std::filesystem::exists(machine.path() / "killed.hmmcap.part"));
  EXPECT_TRUE(std::filesystem::exists(machine.path() / "killed.hmmcap"));
  EXPECT_TRUE(std::filesystem::exists(machine.path() / "tmp/hmmscope-capture.runnin/pid"));
  EXPECT_TRUE(std::filesystem::exists(machine.path() / "running.hmmcap.part"));
}

/// However much comes between two looks at the size.
TEST(CaptureScript, TheTraceIsNoLongerThanAsked) {
  const FakeMachine machine("6.12.117-test", btf_readme, walker);
  const std::string line = "            prog-123     [001] d....  1.000001: mmf: (handle_mm_fault+0x4/0x80) addr=0x1000\n";
  std::string events;
  while (events.size() < size_t{3} << 20) events += line;
  machine.write("tracing/trace_pipe", events);
  const std::string output = (machine.path() / "capture").string();
  const Ran ran = machine.run("--no-instance --all --max-mb 1 -o " + output);
  ASSERT_EQ(ran.code, 0) << ran.err;
  const std::string text = content_of(output);
  EXPECT_THAT(text, HasSubstr("stopped by 1 MiB of trace"));
  const size_t trace = text.size() - text.find("prog-123");
  EXPECT_LE(trace, size_t{1} << 20);
  EXPECT_GT(trace, (size_t{1} << 20) - 2 * line.size());
  EXPECT_TRUE(text.ends_with(line)) << "half a line at the end";
}

/// What a capture would be refused for, a dry run says; what bpftrace cannot show, both do.
TEST(CaptureScript, BpftraceSaysWhatItCannotShow) {
  const FakeMachine machine("6.12.117-test", btf_readme, walker);
  const std::string no_sys = "HMMSCOPE_SYS=" + (machine.path() / "sys").string() + " ";
  const Ran dry = machine.run("--all --method bpftrace --dry-run", no_sys);
  EXPECT_EQ(dry.code, 0) << dry.err;
  for (const char* event : {"w_test: ", "h_pte: ", "mn_start: ", "mv_setup_in: ", "tasks: "})
    EXPECT_THAT(dry.out, HasSubstr("\n  " + std::string(event))) << event;
  EXPECT_THAT(dry.out, HasSubstr("a capture would end at once:\n"));
  EXPECT_THAT(dry.out, HasSubstr("this kernel has no kprobes"));
  EXPECT_EQ(machine.run("--all --method bpftrace", no_sys).code, 3);
  EXPECT_THAT(machine.run("--all --dry-run").out, Not(HasSubstr("would end at once")));
}

/// Nothing of HMM would be in such a capture.
TEST(CaptureScript, AKernelThatRefusesEveryProbeEndsWithThree) {
  const FakeMachine machine("6.12.117-test", btf_readme, walker);
  std::filesystem::remove(machine.path() / "tracing/kprobe_events");
  std::filesystem::create_directory(machine.path() / "tracing/kprobe_events");  // cannot be written to
  const Ran ran = machine.run("--no-instance --all -o " + (machine.path() / "capture").string());
  EXPECT_EQ(ran.code, 3);
  EXPECT_THAT(ran.err, HasSubstr("refused every probe"));
  EXPECT_TRUE(machine.left_nothing());
}

/// The command begins when the trace is on, and its pid is among those that are traced.
TEST(CaptureScript, TheCommandWaitsForTheTrace) {
  const FakeMachine machine("6.12.117-test", btf_readme, walker);
  // As the kernel's, it has no end while somebody may still write: the capture does not stop before the command has looked.
  const std::string pipe = (machine.path() / "tracing/trace_pipe").string();
  std::filesystem::remove(pipe);
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  machine.write("tracing/tracing_on", "0\n");
  const std::string seen = (machine.path() / "seen").string();
  const Ran ran = machine.run("--no-instance -o " + (machine.path() / "capture").string() + " -- sh -c 'cat " +
                              machine.path().string() + "/tracing/tracing_on " + machine.path().string() +
                              "/tracing/set_event_pid >" + seen + "; echo $$ >>" + seen + "; echo >" + pipe + "'");
  ASSERT_EQ(ran.code, 0) << ran.err;
  std::istringstream lines(content_of(seen));
  std::string on, traced, own;
  lines >> on >> traced >> own;
  EXPECT_EQ(on, "1");
  EXPECT_EQ(traced, own);
}

/// A whole capture of a process: its notes between the marks, a real kernel's events behind them, opened and checked.
TEST(CaptureScript, ItsNotesBecomeFacts) {
  const FakeMachine machine("6.12.117-test", btf_readme, walker);
  std::string events =
      "              sh-99      [000] .....     0.000001: tracing_mark_write: hmmscope: snapshot 123 start begin\n"
      "              sh-99      [000] .....     0.000002: tracing_mark_write: hmmscope: snapshot 123 start end\n";
  std::istringstream lines(content_of(text_sample));
  for (std::string line; std::getline(lines, line);)
    if (!line.starts_with('#')) events += line + "\n";
  machine.write("tracing/trace_pipe", events);
  std::filesystem::create_directories(machine.path() / "sys/kernel/mm/transparent_hugepage");
  machine.write("sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n");
  std::string map(size_t{8} * 8, '\0');
  map[8 * 1] = 0x11, map[8 * 1 + 7] = '\x81';  // page 1: present, pfn 0x11, mapped once
  machine.write("proc/123/maps", "00001000-00004000 rw-p 00000000 00:00 0 \n");
  machine.write("proc/123/pagemap", map);
  const std::string output = (machine.path() / "capture").string();
  const Ran ran = machine.run("--no-instance --pid 123 -o " + output, "HMMSCOPE_SYS=" + (machine.path() / "sys").string() + " ");
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(content_of(output), HasSubstr("#| transparent_hugepage madvise\n"));
  EXPECT_THAT(machine.read("tracing/trace_marker"), HasSubstr("hmmscope: snapshot 123 "));

  const Ran check = run_program({"check", output});
  EXPECT_EQ(check.code, 0) << check.out << check.err;
  EXPECT_THAT(check.out, HasSubstr("calls 1, agreed 1, diverged 0, unknown 0"));
  const Ran facts = run_program({"replay", output, "--facts"});
  EXPECT_EQ(facts.code, 0) << facts.err;
  EXPECT_THAT(facts.out, HasSubstr("observed by trace.maps_at_start"));
  EXPECT_THAT(facts.out, HasSubstr("inferred by trace.pagemap_at_start"));
}

/// Pieces that bpftrace prints in any order become lines the reader understands, in order.
TEST(CaptureScript, BpftracePiecesBecomeATrace) {
  const ScratchDirectory scratch;
  const auto pieces = scratch.write("pieces",
                                    "# hmmscope.bt\n"
                                    "E 8 2000000005 1 7 two words rf_in range=0x1 start=0x1000 end=0x3000\n"
                                    "E 9 1000000001 0 9 prog mmf vma=0x1 addr=0x1000 flags=0x1\n"
                                    "W 8 0x0\nZ 9\nW 8 0xc000000000000001\nZ 8\n"
                                    "W 5 0x1\nE 6 3000000000 0 6 prog rf_out ret=-16\n");
  const auto lines = (scratch.path() / "lines").string();
  const std::string awk = (source_root / "traces/capture/bpftrace.awk").string();
  ASSERT_EQ(
      std::system(
          ("awk -f '" + awk + "' " + pieces.string() + " | sort -s -k 1,1n | cut -f 2- >" + lines).c_str()),
      0);
  const auto trace = traces::open_trace(lines);
  ASSERT_TRUE(trace) << trace.error().to_string() << content_of(lines);
  ASSERT_EQ((*trace)->size(), 2u);
  EXPECT_EQ((**trace)[0].kind_name(), "mmf");
  EXPECT_EQ((**trace)[0].time_ns(), 1000000001);
  EXPECT_EQ((**trace)[1].kind_name(), "rf_in");
  EXPECT_EQ((*trace)->tasks()[(**trace)[1].task()].name, "two words");
  std::array<uint64_t, 4> words{};
  EXPECT_EQ((**trace)[1].array("pfns", words), 2u);
  EXPECT_EQ(words[1], 0xc000000000000001u);
}

}  // namespace
}  // namespace hmmscope
