#pragma once
/// Small migration scenarios: four devices (gpu0; gpu1 with 16 pages; apu, whose memory is coherent; nic, whose memory no
/// process can have) and shorthand for the operations.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/scenario/scenario_support.h"

namespace hmmscope::scenario {

inline std::string json_of(const std::string& vmas, const std::string& pages, const std::string& operations) {
  return R"({"hmmscope-scenario": 1, "title": "test", "devices": [{"name": "gpu0", "pages": 4096}, )"
         R"({"name": "gpu1", "pages": 16}, {"name": "apu", "pages": 1024, "coherent": true}, )"
         R"({"name": "nic", "pages": 1024, "p2pdma": true}], "vmas": [)" +
         vmas + R"(], "pages": [)" + pages + R"(], "operations": [)" + operations + "]}";
}

inline const std::string heap = R"({"name": "heap", "start": "0x7f0000000000", "size": "128K"})";
inline const std::string readable = R"({"name": "heap", "start": "0x7f0000000000", "size": "128K", "prot": "r"})";
inline const std::string shared = R"({"name": "heap", "start": "0x7f0000000000", "size": "128K", "kind": "shmem"})";
inline const std::string file = R"({"name": "heap", "start": "0x7f0000000000", "size": "128K", "kind": "file-private"})";
inline const std::string huge = R"({"name": "heap", "start": "0x7f0000200000", "size": "4M", "thp": true})";

/// A page declaration for the first pages of the heap.
inline std::string pages(const std::string& state, const std::string& more = "", int count = 1) {
  return R"({"at": "heap", "pages": )" + std::to_string(count) + R"(, "state": ")" + state + "\"" +
         (more.empty() ? "" : ", " + more) + "}";
}
inline std::string thp() { return pages("thp", "", 512); }
inline std::string on(const std::string& device) { return pages("device-private", R"("device": ")" + device + "\""); }

/// An operation at heap: op("touch", R"("access": "write")").
inline std::string op(const std::string& name, const std::string& more = "", const std::string& at = "heap") {
  return R"({"op": ")" + name + R"(", "at": ")" + at + "\"" + (more.empty() ? "" : ", " + more) + "}";
}
inline std::string setup(const std::string& more = "", int count = 1, const std::string& device = "gpu0") {
  return op("migrate-setup", R"("migration": "m", "device": ")" + device + R"(", "pages": )" + std::to_string(count) +
                                 (more.empty() ? "" : ", " + more));
}
inline std::string step_pages(const std::string& more = "") {
  return R"({"op": "migrate-pages", "migration": "m")" + (more.empty() ? "" : ", " + more) + "}";
}
inline const std::string finalize = R"({"op": "migrate-finalize", "migration": "m"})";
inline std::string to_device(const std::string& more = "", int count = 1, const std::string& device = "gpu0") {
  return op("migrate-to-device", R"("device": ")" + device + R"(", "pages": )" + std::to_string(count) +
                                     (more.empty() ? "" : ", " + more));
}
inline std::string to_system(const std::string& more = "", int count = 1, const std::string& device = "gpu0") {
  return op("migrate-to-system", R"("device": ")" + device + R"(", "pages": )" + std::to_string(count) +
                                     (more.empty() ? "" : ", " + more));
}
inline std::string evict(const std::string& device) { return R"({"op": "evict-device", "device": ")" + device + "\"}"; }
inline std::string then(std::initializer_list<std::string> operations) {
  std::string all;
  for (const std::string& operation : operations) all += (all.empty() ? "" : ", ") + operation;
  return all;
}
inline const std::string fork_child = R"({"op": "fork", "child": "child"})";

/// A way to make one rule of migrate.def fire.
struct Case {
  const char* rule;
  std::string vmas, pages, operations;
  const char* kernel = "6.12";
};
std::vector<Case> rule_cases();

/// The last step of that rule, with its operands; fails the test when it never fired.
inline std::vector<uint64_t> operands_of(const Recording& recording, RuleId id, size_t nth_from_end = 0) {
  for (StepIndex step = recording.steps(); step-- > 0;) {
    if (recording.rule_of(step) != id || nth_from_end-- != 0) continue;
    const auto operands = recording.operands(step);
    return {operands.begin(), operands.end()};
  }
  ADD_FAILURE() << rule(id).id << " did not fire";
  return std::vector<uint64_t>(8);
}

}  // namespace hmmscope::scenario
