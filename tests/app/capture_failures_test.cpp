// The capture script where something is in its way: full disks, outputs that are no files, another capture,
// one that was killed, a process that is gone. What it cannot do it says, and it leaves to others what is
// theirs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <sstream>

#include "tests/support/fake_machine.h"
#include "traces/reader/source.h"

namespace hmmscope {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using testing_support::btf_readme;
using testing_support::content_of;
using testing_support::FakeMachine;
using testing_support::Ran;
using testing_support::walker;

const std::string one_event =
    "            prog-123     [001] d....  1.000001: mmf: (handle_mm_fault+0x4/0x80) addr=0x1000\n";

struct TroubledMachine : FakeMachine {
  TroubledMachine() : FakeMachine("6.12.117-test", btf_readme, walker) {}
  std::string at(const std::string& name) const { return (path() / name).string(); }
  bool has(const std::string& name) const { return std::filesystem::exists(path() / name); }
  /// A program that is found before the system's; the text to stand in front of a run.
  std::string instead_of(const std::string& program, const std::string& text) const {
    std::filesystem::create_directories(path() / "bin");
    write("bin/" + program, "#!/bin/sh\n" + text);
    std::filesystem::permissions(path() / "bin" / program, std::filesystem::perms::owner_all);
    return "PATH=" + at("bin") + ":$PATH ";
  }
  /// The lock of a capture with that number, which runs or was killed.
  void locked_by(const std::string& pid, bool runs) const {
    std::filesystem::create_directories(path() / "run/hmmscope-capture.lock");
    write("run/hmmscope-capture.lock/pid", pid + "\n");
    write("run/hmmscope-capture.lock/buffer", "main\n");
    if (!runs) return;
    std::filesystem::create_directories(path() / "proc" / pid);
    write("proc/" + pid + "/cmdline", std::string("sh\0hmmscope-capture\0--all\0", 26));
  }
};
const std::string nobody = "4194305";  // no process can have this number

TEST(CaptureFailures, ATraceThatCannotBeKeptIsSaid) {
  const TroubledMachine machine;
  machine.write("tracing/trace_pipe", one_event + one_event);
  const std::string full = machine.instead_of(
      "cat", "case $1 in */trace_pipe) head -n 1 \"$1\"; exit 1 ;; esac\nexec /bin/cat \"$@\"\n");
  const Ran ran = machine.run("--no-instance --all -o " + machine.at("capture"), full);
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.err, HasSubstr("the trace could not be kept in " + machine.at("tmp/hmmscope-capture.")));
  EXPECT_THAT(machine.read("capture"),
              AllOf(HasSubstr("stopped by a failed write: the trace is not whole\n"), HasSubstr(one_event)));
  EXPECT_THAT(machine.read("tracing/kprobe_events"), HasSubstr("-:hmmscope/rf_in\n"));
  EXPECT_TRUE(machine.left_nothing());
}

/// What must be done on a full disk makes no file: a temporary directory that takes none is noticed before
/// anything is changed, and --cleanup needs none.
TEST(CaptureFailures, AFullTemporaryDirectoryChangesNothing) {
  const TroubledMachine machine;
  const std::string full =
      machine.instead_of("mktemp", "mkdir -p " + machine.at("tmp/d") + " && ln -s /dev/full " +
                                       machine.at("tmp/d/pid") + " && echo " + machine.at("tmp/d") + "\n");
  const Ran ran = machine.run("--no-instance --all -o " + machine.at("capture"), full);
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.err, HasSubstr("is its file system full?"));
  EXPECT_THAT(machine.read("tracing/kprobe_events"), IsEmpty());
  EXPECT_FALSE(machine.has("capture.part"));

  machine.write("tracing/kprobe_events",
                "p:hmmscope/rf_in hmm_range_fault\nr32:hmmscope/rf_out hmm_range_fault\np:mine/x y\n");
  EXPECT_EQ(machine.run("--cleanup", "PATH=" + machine.at("bin") + ":$PATH TMPDIR=/dev/full ").code, 0);
  EXPECT_THAT(
      machine.read("tracing/kprobe_events"),
      AllOf(HasSubstr("-:hmmscope/rf_in\n"), HasSubstr("-:hmmscope/rf_out\n"), Not(HasSubstr("-:mine"))));
}

/// The only copy of a finished capture is not thrown away.
TEST(CaptureFailures, ACaptureThatCannotBeWrittenIsKept) {
  const TroubledMachine machine;
  machine.write("tracing/trace_pipe", one_event);
  const std::string once =
      machine.instead_of("cat", "case $1 in */trace) ! mkdir " + machine.at("once") +
                                    " 2>/dev/null || exit 1 ;; esac\nexec /bin/cat \"$@\"\n");
  const Ran ran = machine.run("--no-instance --all -o " + machine.at("capture"), once);
  EXPECT_EQ(ran.code, 1);
  const size_t name = ran.err.find("is kept in ");
  ASSERT_NE(name, std::string::npos) << ran.err;
  const std::string kept = ran.err.substr(name + 11, ran.err.find('\n', name) - name - 11);
  EXPECT_THAT(content_of(kept), HasSubstr(one_event));
  EXPECT_TRUE(traces::open_trace(kept)) << kept;
  EXPECT_FALSE(machine.has("capture"));
  EXPECT_FALSE(machine.has("capture.part"));
  EXPECT_EQ(machine.run("--cleanup").code, 0);
  EXPECT_TRUE(std::filesystem::exists(kept)) << "it is nobody's leftover";

  const Ran unmoved =
      machine.run("--no-instance --all -o " + machine.at("capture"), machine.instead_of("mv", "exit 1\n"));
  EXPECT_EQ(unmoved.code, 1);
  EXPECT_THAT(unmoved.err, HasSubstr("is kept in " + machine.at("capture.part\n")));
  EXPECT_THAT(machine.read("capture.part"), HasSubstr(one_event));
}

/// Standard output is not there to take anything, and nothing follows the heading that would fail in its
/// place.
TEST(CaptureFailures, StandardOutputThatIsFullIsAnError) {
  const TroubledMachine machine;
  const std::string full = "to_full() { sh -c 'exec \"$@\" >/dev/full' sh \"$@\"; }; to_full env ";
  const Ran ran = machine.run("--no-instance --all -o -", full);
  EXPECT_EQ(ran.code, 1) << ran.err;
  EXPECT_THAT(ran.err, HasSubstr("standard output cannot be written; the capture is kept in "));
}

TEST(CaptureFailures, OnlyRegularFilesAreReplaced) {
  const TroubledMachine machine;
  ASSERT_EQ(::mkfifo(machine.at("fifo").c_str(), 0600), 0);
  std::filesystem::create_directory(machine.path() / "directory");
  std::filesystem::create_symlink("nowhere", machine.path() / "dangling");
  for (const std::string name : {"fifo", "directory", "dangling"}) {
    const Ran ran = machine.run("--no-instance --all -o " + machine.at(name));
    EXPECT_EQ(ran.code, 2) << name;
    EXPECT_THAT(ran.err, HasSubstr("regular file")) << name;
  }
  EXPECT_TRUE(std::filesystem::is_fifo(machine.path() / "fifo"));
  EXPECT_TRUE(std::filesystem::is_empty(machine.path() / "directory"));
  EXPECT_THAT(machine.read("tracing/kprobe_events"), IsEmpty());

  // A link to a file stays one, and the file keeps its mode. A new file is its owner's alone.
  machine.write("real", "old\n");
  std::filesystem::permissions(machine.path() / "real", std::filesystem::perms(0640));
  std::filesystem::create_symlink("real", machine.path() / "link");
  ASSERT_EQ(machine.run("--no-instance --all -o link", "cd " + machine.at("") + ";").code, 0);
  EXPECT_TRUE(std::filesystem::is_symlink(machine.path() / "link"));
  EXPECT_THAT(machine.read("real"), HasSubstr("# hmmscope-bundle: 1\n"));
  EXPECT_EQ(std::filesystem::status(machine.path() / "real").permissions(), std::filesystem::perms(0640));
  ASSERT_EQ(machine.run("--no-instance --all -o -x.cap", "cd " + machine.at("") + ";").code, 0);
  EXPECT_EQ(std::filesystem::status(machine.path() / "-x.cap").permissions(), std::filesystem::perms(0600));
}

TEST(CaptureFailures, OneCaptureAtATime) {
  const TroubledMachine machine;
  machine.locked_by("77", true);
  machine.write("tracing/tracing_on", "1\n");
  for (const std::string buffer : {"--no-instance ", ""}) {
    const Ran ran = machine.run(buffer + "--all -o " + machine.at("capture"));
    EXPECT_EQ(ran.code, 1);
    EXPECT_THAT(ran.err, HasSubstr("another capture runs (process 77)"));
  }
  const Ran cleanup = machine.run("--cleanup");
  EXPECT_EQ(cleanup.code, 1);
  EXPECT_THAT(cleanup.err, HasSubstr("a capture runs (process 77) and is left alone"));
  EXPECT_EQ(machine.read("tracing/tracing_on"), "1\n");
  EXPECT_THAT(machine.read("tracing/kprobe_events"), IsEmpty());
  EXPECT_FALSE(machine.has("capture.part"));
  EXPECT_EQ(machine.read("run/hmmscope-capture.lock/pid"), "77\n");

  // The number belongs to another program now.
  machine.write("proc/77/cmdline", "vim");
  const Ran stale = machine.run("--no-instance --all -o " + machine.at("capture"));
  EXPECT_EQ(stale.code, 1);
  EXPECT_THAT(stale.err, HasSubstr("--cleanup puts everything back"));
  EXPECT_EQ(machine.run("--cleanup").code, 0);
  EXPECT_EQ(machine.run("--no-instance --all -o " + machine.at("capture")).code, 0);
}

/// A capture with an instance that cannot see the lock leaves the probes of the one that holds the instance
/// alone.
TEST(CaptureFailures, TheInstanceIsTakenBeforeAnythingElse) {
  const TroubledMachine machine;
  std::filesystem::create_directories(machine.path() / "tracing/instances/hmmscope");
  machine.write("tracing/kprobe_events", "p:hmmscope/rf_in hmm_range_fault\n");
  EXPECT_EQ(machine.run("--all -o " + machine.at("capture")).code, 1);
  EXPECT_EQ(machine.read("tracing/kprobe_events"), "p:hmmscope/rf_in hmm_range_fault\n");
  EXPECT_TRUE(machine.left_nothing());
}

/// With --no-instance the main buffer, its reader and its options are what a killed capture leaves.
TEST(CaptureFailures, CleanupPutsTheMainBufferBack) {
  const TroubledMachine machine;
  const std::string lock = machine.at("run/hmmscope-capture.lock"), pipe = machine.at("tracing/trace_pipe");
  machine.locked_by(nobody, false);
  machine.write("run/hmmscope-capture.lock/event-fork", "0\n");
  machine.write("run/hmmscope-capture.lock/record-tgid", "0\n");
  for (const char* name : {"tracing_on", "options/event-fork", "options/record-tgid"})
    machine.write("tracing/" + std::string(name), "1\n");
  machine.write("tracing/set_event", "hmmscope:*\nsched:sched_process_fork\n");
  machine.write("tracing/set_event_pid", "123\n");
  machine.write("tracing/kprobe_events", "p:hmmscope/rf_in hmm_range_fault\n");
  std::filesystem::remove(pipe);
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  const std::string reader = "cat " + pipe + " & echo $! >" + lock + "/reader; mkdir " + machine.at("proc/") +
                             "$!; ln -s /proc/$!/cmdline " + machine.at("proc/") +
                             "$!/cmdline; "
                             "until grep -q trace_pipe /proc/$!/cmdline; do :; done; ";
  const Ran dry = machine.run("--cleanup --dry-run", reader);
  EXPECT_EQ(dry.code, 0) << dry.err;
  const std::string pid = std::to_string(std::stoi(machine.read("run/hmmscope-capture.lock/reader")));
  EXPECT_THAT(dry.out,
              AllOf(HasSubstr("would remove the probe hmmscope/rf_in\n"),
                    HasSubstr("would end process " + pid + ", which reads " + pipe),
                    HasSubstr("would turn tracing and all events of " + machine.at("tracing") + " off\n")));
  EXPECT_EQ(machine.read("tracing/tracing_on"), "1\n");
  EXPECT_EQ(machine.read("tracing/kprobe_events"), "p:hmmscope/rf_in hmm_range_fault\n");
  EXPECT_THAT(content_of("/proc/" + pid + "/cmdline"), HasSubstr("trace_pipe"));

  const Ran ran = machine.run("--cleanup");
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(content_of("/proc/" + pid + "/cmdline"), IsEmpty());
  for (const char* name : {"tracing_on", "options/event-fork", "options/record-tgid"})
    EXPECT_EQ(machine.read("tracing/" + std::string(name)), "0\n");
  EXPECT_THAT(machine.read("tracing/set_event") + machine.read("tracing/set_event_pid"), IsEmpty());
  EXPECT_THAT(machine.read("tracing/kprobe_events"), HasSubstr("-:hmmscope/rf_in\n"));
  EXPECT_TRUE(machine.left_nothing());
}

TEST(CaptureFailures, AProcessThatIsGoneEndsIt) {
  const TroubledMachine machine;
  std::filesystem::remove_all(machine.path() / "proc/123/task");
  const Ran ran = machine.run("--no-instance --pid 123 -o " + machine.at("capture"));
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.err, HasSubstr("process 123 is gone"));
  EXPECT_THAT(machine.read("tracing/set_event_pid"), IsEmpty());
  EXPECT_FALSE(machine.has("capture"));
}

/// Input, signals, locale and mask of a command are those of the caller; how it ends is said.
TEST(CaptureFailures, ACommandRunsAsItWouldWithout) {
  const TroubledMachine machine;
  const std::string pipe = machine.at("tracing/trace_pipe"), seen = machine.at("seen");
  std::filesystem::remove(pipe);
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  machine.write("command",
                "{ cat; sed -n 's/^SigIgn:[[:space:]]*//p' /proc/self/status; umask; echo $LC_ALL; } >" +
                    seen + "; exit 3\n");
  // As the kernel's, it has no end while somebody may still write.
  const Ran ran = machine.run("--no-instance -o " + machine.at("capture") + " -- sh " + machine.at("command"),
                              "sleep 600 >" + pipe + " & echo $! >" + machine.at("writer") +
                                  "; umask 027; echo hi | env --default-signal LC_ALL=C.UTF-8 ");
  EXPECT_EQ(std::system(("kill $(cat " + machine.at("writer") + ")").c_str()), 0);
  EXPECT_EQ(ran.code, 0) << ran.err;
  std::istringstream words(content_of(seen));
  std::string input, ignored, mask, locale;
  words >> input >> ignored >> mask >> locale;
  EXPECT_EQ(input, "hi");
  EXPECT_EQ(std::stoull("0" + ignored, nullptr, 16) & 6, 0u) << "INT and QUIT are for the command too";
  EXPECT_EQ(mask, "0027");
  EXPECT_EQ(locale, "C.UTF-8");
  EXPECT_THAT(machine.read("capture"), HasSubstr("stopped by the command's end (exit code 3)\n"));

  const Ran none = machine.run("--no-instance -o " + machine.at("none") + " -- no-such-command");
  EXPECT_EQ(none.code, 2);
  EXPECT_THAT(none.err, HasSubstr("there is no command no-such-command"));
}

/// bpftrace is told the process; what it does not follow stands in the file.
TEST(CaptureFailures, BpftraceTracesTheCommandAlone) {
  const TroubledMachine machine;
  std::filesystem::create_directories(machine.path() / "sys/bus/event_source/devices/kprobe");
  const std::string fake = machine.instead_of(
      "bpftrace", "echo '# hmmscope.bt'; echo \"$2\" >" + machine.at("told") + "; exec sleep 60\n");
  const Ran ran = machine.run(
      "--method bpftrace -o " + machine.at("capture") + " -- sh -c 'echo $$ >" + machine.at("own") + "'",
      fake);
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(machine.read("told"), machine.read("own"));
  EXPECT_THAT(machine.read("capture"),
              HasSubstr("#| children: the bpftrace script traces the process alone"));
}

TEST(CaptureFailures, NumbersAreDecimal) {
  const TroubledMachine machine;
  ASSERT_EQ(machine.run("--no-instance --all --buffer-mb 08 -o " + machine.at("capture")).code, 0);
  EXPECT_EQ(machine.read("tracing/buffer_size_kb"), "4097\n");
  ASSERT_EQ(machine.run("--no-instance --all --buffer-mb 010 -o " + machine.at("capture")).code, 0);
  EXPECT_EQ(machine.read("tracing/buffer_size_kb"), "5121\n");
}

TEST(CaptureFailures, TheNextMethodIsTriedWhereOneIsRefused) {
  const TroubledMachine machine;
  machine.write("tracing/README", btf_readme + "\tf[:[<group>/][<event>]]\n");
  std::filesystem::remove(machine.path() / "tracing/kprobe_events");
  std::filesystem::create_directory(machine.path() / "tracing/kprobe_events");  // cannot be written to
  machine.write("tracing/dynamic_events", "");
  const Ran ran = machine.run("--no-instance --all -o " + machine.at("capture"));
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(machine.read("capture"),
              AllOf(HasSubstr("#| method fprobe\n"), HasSubstr("#| f:hmmscope/rf_in hmm_range_fault ")));
}

/// A dry run has its plan to show also where there is nothing to carry it out with.
TEST(CaptureFailures, ADryRunShowsItsPlanWithoutAMethod) {
  const TroubledMachine machine;
  std::filesystem::remove(machine.path() / "tracing/kprobe_events");
  const Ran dry = machine.run("--all --dry-run");
  EXPECT_EQ(dry.code, 0) << dry.err;
  EXPECT_THAT(
      dry.out,
      AllOf(HasSubstr("  p:hmmscope/rf_in hmm_range_fault "), HasSubstr("not observed, and what it costs:\n"),
            HasSubstr("a capture would end at once:\n  this kernel has neither kprobe events")));
  EXPECT_EQ(machine.run("--all").code, 3);
}

TEST(CaptureFailures, ALinkToTheScriptFindsItsFiles) {
  const TroubledMachine machine;
  std::filesystem::create_symlink(testing_support::capture_script, machine.path() / "linked");
  EXPECT_EQ(std::system(("sh " + machine.at("linked") + " --all --dry-run --tracefs " +
                         machine.at("tracing") + " >/dev/null")
                            .c_str()),
            0);
}

TEST(CaptureFailures, WhatTheKernelLacksIsSaid) {
  const FakeMachine machine("6.15.1", btf_readme, "hmm_range_fault\nmigrate_vma_setup\n");
  EXPECT_THAT(machine.run("--all --dry-run").out,
              HasSubstr("\n  excl_in: the kernel has no make_device_exclusive_range"));
}

}  // namespace
}  // namespace hmmscope
