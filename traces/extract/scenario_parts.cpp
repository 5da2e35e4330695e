#include "traces/extract/scenario_parts.h"

#include <fmt/format.h>

#include "engine/scenario/sequence_driver.h"
#include "traces/replay/refusal.h"

namespace hmmscope::traces::scenario_parts {
namespace {

std::string_view kind_name(const FactVma& vma) {
  switch (vma.kind) {
    case VmaKind::file_private:
      return "file-private";
    case VmaKind::file_shared:
      return "file-shared";
    case VmaKind::shmem:
      return "shmem";
    case VmaKind::hugetlb:
      return vma.page_shift >= level_shift(Level::pud) ? "hugetlb-1g" : "hugetlb-2m";
    case VmaKind::special:
      return (vma.flags & vm::mixedmap) != 0 ? "mixedmap" : (vma.flags & vm::io) != 0 ? "io" : "pfnmap";
    default:
      return "anon";
  }
}

}  // namespace

std::string hex(uint64_t value) { return fmt::format("{:#x}", value); }

nlohmann::ordered_json vmas(const std::vector<FactVma>& vmas) {
  auto list = nlohmann::ordered_json::array();
  for (const FactVma& vma : vmas) {
    list.push_back({{"name", fmt::format("vma{}", list.size() + 1)},
                    {"start", hex(vma.start)},
                    {"size", hex(vma.end - vma.start)},
                    {"kind", kind_name(vma)},
                    {"flags", hex(vma.flags)}});
  }
  return list;
}

void hold(nlohmann::ordered_json& operations, const std::vector<FactRefusal>& refused) {
  for (const FactRefusal& one : refused) {
    const auto why = static_cast<Refusal>(one.why);
    operations.push_back({{"op", why == Refusal::lock      ? "lock-folio"
                                 : why == Refusal::isolate ? "isolate-folio"
                                                           : "get-page"},
                          {"at", hex(one.start)}});
    if (why != Refusal::split) operations.back()["pages"] = (one.end - one.start) >> page_bits;
  }
}

nlohmann::ordered_json select(const KernelModel& model, uint64_t flags) {
  auto names = nlohmann::ordered_json::array();
  for (const char* name : {"system", "device-private", "device-coherent", "compound", "fault", "write"}) {
    const uint64_t bit = scenario::select_bit(model, name);
    if (bit != 0 && (flags & bit) != 0) names.push_back(name);
  }
  return names;
}

std::string open_text(const Recording& recording, CallId call) {
  for (const CallCheck& check : recording.checks()) {
    if (check.call != call || check.verdict == Verdict::agreed) continue;
    if (check.verdict == Verdict::diverged)
      return fmt::format(" Engine and kernel part here: {}. What is expected is what the kernel left.", check.reason);
    return fmt::format(" The trace leaves something open: {}. What no event shows is not expected.", check.reason);
  }
  return {};
}

}  // namespace hmmscope::traces::scenario_parts
