#include "traces/extract/scenario_parts.h"

#include <fmt/format.h>

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

}  // namespace hmmscope::traces::scenario_parts
