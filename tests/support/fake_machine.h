#pragma once
/// Directories that look like tracefs, /proc, /sys and /run of some kernel, for the capture script to work
/// on.

#include <cstdlib>
#include <filesystem>
#include <string>

#include "tests/support/program.h"

namespace hmmscope::testing_support {

inline const std::filesystem::path source_root = HMMSCOPE_SOURCE_DIR;
inline const std::string capture_script = (source_root / "traces/capture/hmmscope-capture").string();

inline const std::string walker =
    "hmm_range_fault\nhmm_vma_walk_test\nhmm_vma_walk_hole\nhmm_vma_walk_pud\nhmm_vma_walk_pmd\n"
    "hmm_vma_walk_hugetlb_entry\nhmm_vma_fault.isra.0\nhmm_range_need_fault\nhandle_mm_fault\n"
    "__mmu_notifier_invalidate_range_start\n__mmu_notifier_invalidate_range_end\nmmu_interval_read_begin\n"
    "mmu_interval_notifier_insert\nmmu_interval_notifier_remove\nmigrate_vma_setup\nmigrate_vma_pages\n"
    "migrate_vma_finalize\nmigrate_vma_collect_pmd\nmigrate_vma_collect_hole\nmigrate_device_range\n"
    "migrate_device_pages\nmigrate_device_finalize\nmake_device_exclusive_range\n";
inline const std::string old_readme = "\t  fetcharg: $arg<N>, $retval\n";
inline const std::string new_readme =
    old_readme + "\t  kernel return probes support: $retval, $arg<N>, $comm\n";
inline const std::string btf_readme = new_readme + "\t  <argname>[->field[->field|.field...]],\n";
/// The configuration of the sample's kernel.
inline const std::string kernel_config =
    "CONFIG_DEVICE_PRIVATE=y\nCONFIG_MIGRATION=y\n# CONFIG_MEMORY_FAILURE is not "
    "set\nCONFIG_PTE_MARKER_UFFD_WP=y\n"
    "CONFIG_USERFAULTFD=y\nCONFIG_SWAP=y\nCONFIG_TRANSPARENT_HUGEPAGE=y\nCONFIG_HUGETLB_PAGE=y\n"
    "CONFIG_ARCH_HAS_PTE_DEVMAP=y\n";

/// A machine made of files.
class FakeMachine {
 public:
  FakeMachine(const std::string& release, const std::string& readme, const std::string& functions) {
    for (const char* name : {"tracing/options", "proc/sys/kernel", "proc/123/task/123", "proc/123/task/124",
                             "boot", "sys", "run", "tmp"})
      std::filesystem::create_directories(path() / name);
    scratch_.write("tracing/README", readme);
    scratch_.write("tracing/available_filter_functions", functions);
    for (const char* name : {"tracing/kprobe_events", "tracing/trace", "tracing/trace_pipe"})
      scratch_.write(name, "");
    scratch_.write("proc/sys/kernel/osrelease", release + "\n");
    scratch_.write("proc/cpuinfo", "processor\t: 0\nprocessor\t: 1\n");
    scratch_.write("boot/config-" + release, kernel_config);
    scratch_.write("proc/123/maps", "7f0000000000-7f0000004000 rw-p 00000000 00:00 0 \n");
  }
  const std::filesystem::path& path() const { return scratch_.path(); }
  void write(const std::string& name, const std::string& text) const { scratch_.write(name, text); }
  std::string read(const std::string& name) const { return content_of(path() / name); }

  /// `before` stands in front of the call: assignments, or commands that end with ";".
  Ran run(const std::string& arguments, const std::string& before = "") const {
    const std::string here = path().string();
    const std::string command = before + "HMMSCOPE_PROC=" + here + "/proc HMMSCOPE_BOOT=" + here +
                                "/boot HMMSCOPE_SYS=" + here + "/sys HMMSCOPE_RUN=" + here +
                                "/run HMMSCOPE_ARCH=x86_64 TMPDIR=" + here + "/tmp sh '" + capture_script +
                                "' --tracefs " + here + "/tracing " + arguments + " >" + here + "/out 2>" +
                                here + "/err";
    const int status = std::system(command.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, read("out"), read("err")};
  }
  bool left_nothing() const {
    return std::filesystem::is_empty(path() / "tmp") && std::filesystem::is_empty(path() / "run");
  }

 private:
  ScratchDirectory scratch_;
};

}  // namespace hmmscope::testing_support
