#include "engine/encoding/geometry.h"

#include <fmt/format.h>

namespace hmmscope {

namespace {

// hmm_range_fault writes an order only for pmd leaves, pud leaves and hugetlb pages; contiguous ptes of a
// large folio stay order 0, so no such row is marked from_hmm.
constexpr MappingOrder single{0, "single page", true};

constexpr std::array x86_64{single, MappingOrder{9, "2M pmd leaf", true},
                            MappingOrder{18, "1G pud leaf", true}};
constexpr std::array arm64_4k{single,
                              MappingOrder{4, "64K contiguous ptes (hugetlb)", true},
                              MappingOrder{4, "64K contiguous ptes (large folio)", false},
                              MappingOrder{9, "2M pmd leaf", true},
                              MappingOrder{13, "32M contiguous pmds (hugetlb)", true},
                              MappingOrder{18, "1G pud leaf", true}};
constexpr std::array arm64_16k{single, MappingOrder{7, "2M contiguous ptes (hugetlb)", true},
                               MappingOrder{7, "2M contiguous ptes (large folio)", false},
                               MappingOrder{11, "32M pmd leaf", true},
                               MappingOrder{16, "1G contiguous pmds (hugetlb)", true}};
constexpr std::array arm64_64k{single, MappingOrder{5, "2M contiguous ptes (hugetlb)", true},
                               MappingOrder{5, "2M contiguous ptes (large folio)", false},
                               MappingOrder{13, "512M pmd leaf", true},
                               MappingOrder{18, "16G contiguous pmds (hugetlb)", true}};
constexpr std::array powerpc_64k{
    single, MappingOrder{5, "2M leaf (radix)", true}, MappingOrder{8, "16M page (hash)", true},
    MappingOrder{14, "1G leaf (radix)", true}, MappingOrder{18, "16G page (hash)", true}};
constexpr std::array s390{single, MappingOrder{8, "1M segment", true}, MappingOrder{19, "2G region", true}};
constexpr std::array lpae{single, MappingOrder{9, "2M pmd leaf", true}};

constexpr std::array machines{
    Geometry{"x86-64", "x86-64, 4K pages", 12, 64, 52, x86_64},
    Geometry{"arm64-4k", "arm64, 4K pages", 12, 64, 52, arm64_4k},
    Geometry{"arm64-16k", "arm64, 16K pages", 14, 64, 52, arm64_16k},
    Geometry{"arm64-64k", "arm64, 64K pages", 16, 64, 52, arm64_64k},
    Geometry{"powerpc-64k", "powerpc, 64K pages", 16, 64, 51, powerpc_64k},
    Geometry{"s390", "s390, 4K pages", 12, 64, 53, s390},
    Geometry{"lpae", "32-bit ARM with LPAE, 4K pages", 12, 32, 40, lpae},
};

}  // namespace

std::span<const Geometry> geometries() { return machines; }

const Geometry* find_geometry(std::string_view id) {
  for (const Geometry& g : machines)
    if (id == g.id) return &g;
  return nullptr;
}

Result<const Geometry*> geometry_or_error(std::string_view id) {
  if (const Geometry* found = find_geometry(id)) return found;
  std::string known;
  for (const Geometry& g : machines) known += (known.empty() ? "" : ", ") + std::string(g.id);
  return fail(fmt::format("no machine is called '{}'; known: {}", id, known));
}

}  // namespace hmmscope
