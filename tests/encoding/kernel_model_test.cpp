// Kernels: what a model says of each version, and which model a trace's own words select.

#include "engine/model/kernel_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "engine/model/kernel_release.h"

namespace hmmscope {
namespace {

using ::testing::HasSubstr;

constexpr std::string_view config_612 =
    "DEVICE_PRIVATE=y,MIGRATION=y,MEMORY_FAILURE=n,PTE_MARKER=n,PTE_MARKER_UFFD_WP=y,USERFAULTFD=y,SWAP=y,"
    "TRANSPARENT_HUGEPAGE=y,HUGETLB_PAGE=y,ARCH_HAS_PTE_DEVMAP=y,MEM_SOFT_DIRTY=n";
constexpr std::string_view config_61 =
    "DEVICE_PRIVATE=y,MIGRATION=y,MEMORY_FAILURE=n,PTE_MARKER=y,PTE_MARKER_UFFD_WP=y,USERFAULTFD=y,SWAP=y,"
    "TRANSPARENT_HUGEPAGE=y,HUGETLB_PAGE=y,ARCH_HAS_PTE_DEVMAP=y,MEM_SOFT_DIRTY=n";
constexpr std::string_view config_debian =
    "DEVICE_PRIVATE=n,MIGRATION=y,MEMORY_FAILURE=y,PTE_MARKER=n,PTE_MARKER_UFFD_WP=y,USERFAULTFD=y,SWAP=y,"
    "TRANSPARENT_HUGEPAGE=y,HUGETLB_PAGE=y,ARCH_HAS_PTE_DEVMAP=y,MEM_SOFT_DIRTY=y";

KernelModel detected(std::string_view release, std::string_view patch, std::string_view config) {
  auto m = detect_model(release, patch, config);
  EXPECT_TRUE(m.has_value()) << (m ? "" : m.error().to_string());
  return m ? *m : KernelModel{};
}

KernelModel named(const char* id) {
  auto m = kernel_model(id);
  EXPECT_TRUE(m.has_value()) << id;
  return m ? *m : KernelModel{};
}

TEST(KernelModels, AreCompleteSortedAndUnique) {
  std::set<std::string> ids;
  uint32_t last = 0;
  for (const KernelModel& m : kernel_models()) {
    EXPECT_TRUE(ids.insert(m.id).second) << m.id;
    EXPECT_GE(m.version, last) << m.id;
    last = m.version;
    for (const Layout* l : {m.hmm_pfn, m.migrate_pfn, m.pte, m.pmd, m.pud, m.table, m.swap})
      ASSERT_NE(l, nullptr) << m.id;
    EXPECT_EQ(m.sticky_mask, m.hmm_pfn->sticky_mask()) << m.id;
    EXPECT_EQ(m.types, swap_types(m.version, m.config)) << m.id;
    EXPECT_EQ(m.reports_order, m.hmm_pfn->field(Role::order) != nullptr) << m.id;
    EXPECT_FALSE(m.title.empty());
  }
  for (const char* id : {"4.14", "4.17", "4.17-draft", "5.2", "5.2-odp", "5.2-example", "5.3", "5.4", "5.6", "5.7",
                         "6.12-first-repair", "6.12-genmask", "6.18-devpriv-posted", "6.18-devpriv", "5.8", "5.9", "5.13", "5.15", "6.1", "6.6", "6.12", "6.12-v9", "6.12-fixed",
                         "6.12-unified-rfc", "6.15", "6.16", "6.18", "7.3"})
    EXPECT_TRUE(ids.contains(id)) << id;
}

TEST(KernelModels, LayoutsByVersion) {
  EXPECT_STREQ(named("5.9").hmm_pfn->id, "hmm-5.9");
  EXPECT_STREQ(named("6.15").hmm_pfn->id, "hmm-5.9");
  EXPECT_STREQ(named("6.16").hmm_pfn->id, "hmm-6.16");
  EXPECT_STREQ(named("7.3").hmm_pfn->id, "hmm-6.16");
  EXPECT_STREQ(named("5.15").migrate_pfn->id, "migrate-5.4");
  EXPECT_STREQ(named("6.1").migrate_pfn->id, "migrate-5.16");
  EXPECT_STREQ(named("6.19").migrate_pfn->id, "migrate-6.19");
  EXPECT_STREQ(named("6.1").swap->id, "swap-x86-64-6.1");
  EXPECT_STREQ(named("6.18").pte->id, "pte-x86-64-6.17");
  EXPECT_EQ(named("6.12").sticky_mask, 0u);
  EXPECT_EQ(named("6.16").sticky_mask, 0x1c00000000000000u);
  EXPECT_EQ(named("6.12-v9").sticky_mask, 0x0200000000000000u);
}

TEST(KernelModels, RulesByVersion) {
  EXPECT_FALSE(named("5.8").reports_order);
  EXPECT_TRUE(named("5.13").rejects_mixedmap);
  EXPECT_FALSE(named("5.13").device_exclusive);
  EXPECT_FALSE(named("5.15").foreign_device_private_faults);
  EXPECT_TRUE(named("5.15").device_exclusive);
  EXPECT_TRUE(named("6.1").walk_pud_checks_none_only);
  EXPECT_TRUE(named("6.1").foreign_device_private_faults);
  EXPECT_FALSE(named("6.1").rejects_mixedmap);
  EXPECT_FALSE(named("6.12").walk_pud_checks_none_only);
  EXPECT_TRUE(named("6.16").devmap);
  EXPECT_FALSE(named("6.18").devmap);
  EXPECT_TRUE(named("6.18").pmd_device_private);
  EXPECT_FALSE(named("6.16").pmd_device_private);
  EXPECT_EQ(named("6.18").fault_style, FaultStyle::inside_walk);
  EXPECT_EQ(named("7.3").fault_style, FaultStyle::outside_walk);
  EXPECT_TRUE(named("7.3").only_uffd_wp_marker_like_none);
  EXPECT_TRUE(named("7.3").fault_errno_mapped);
}

TEST(KernelModels, PlainReleasesInBetweenAreModelsToo) {
  const KernelModel m = named("6.8");
  EXPECT_EQ(m.version, 6008u);
  EXPECT_TRUE(m.walk_pud_checks_none_only);
  EXPECT_EQ(named("4.15").range_api, RangeApi::get_pfns_4_14);
  EXPECT_STREQ(named("5.3").hmm_pfn->id, "nouveau-5.1");
  EXPECT_STREQ(named("5.3-odp").hmm_pfn->id, "odp-2019");
  EXPECT_STREQ(named("6.17-devpriv").hmm_pfn->id, "hmm-devpriv");
  EXPECT_FALSE(kernel_model("5.8-odp").has_value());
  EXPECT_FALSE(kernel_model("6.16-v9").has_value());
  const auto wrong = kernel_model("4.13");
  ASSERT_FALSE(wrong.has_value());
  EXPECT_THAT(wrong.error().message, HasSubstr("6.12-fixed"));
  EXPECT_FALSE(kernel_model("latest").has_value());
  EXPECT_FALSE(kernel_model("").has_value());
  EXPECT_THAT(named("7.9").title, HasSubstr("by the rules of 7.3"));
}

TEST(DetectModel, EveryCapturedKernel) {
  const KernelModel m612 = detected("6.12.117-hmmcap", "none", config_612);
  EXPECT_EQ(m612.id, "6.12");
  EXPECT_EQ(m612.types.migration_read, 24);
  EXPECT_EQ(m612.types.device_write, 27);
  EXPECT_EQ(m612.types.hwpoison, SwapTypes::absent);
  EXPECT_EQ(m612.types.pte_marker, 31);
  EXPECT_TRUE(m612.config.pud_thp);
  EXPECT_FALSE(m612.config.numa_balancing);

  const KernelModel m61 = detected("6.1.192-hmmcap", "none", config_61);
  EXPECT_EQ(m61.id, "6.1");
  EXPECT_EQ(m61.types.migration_read, 23);
  EXPECT_EQ(m61.types.device_write, 26);
  EXPECT_EQ(m61.types.device_exclusive_write, 28);

  const KernelModel v9 = detected("6.12.117-hmmcap-overlap", "dma-mapped-v9-as-posted", config_612);
  EXPECT_EQ(v9.id, "6.12-v9");
  EXPECT_STREQ(v9.hmm_pfn->id, "hmm-v9-posted");

  const KernelModel fixed = detected("6.12.117-hmmcap-fixed", "dma-mapped-merged-layout", config_612);
  EXPECT_EQ(fixed.id, "6.12-fixed");
  EXPECT_STREQ(fixed.hmm_pfn->id, "hmm-6.16");
  EXPECT_EQ(fixed.sticky_mask, 0x1c00000000000000u);
  EXPECT_EQ(fixed.types, m612.types);

  const KernelModel rfc = detected("6.12.117-hmmcap-fixed", "unified-rfc-as-posted", config_612);
  EXPECT_EQ(rfc.id, "6.12-unified-rfc");
  EXPECT_STREQ(rfc.hmm_pfn->id, "hmm-unified-rfc");
  EXPECT_EQ(rfc.hmm_pfn->field(Role::order)->shift, 52);

  const KernelModel debian = detected("6.12.117+deb12-amd64", "none", config_debian);
  EXPECT_EQ(debian.id, "6.12");
  EXPECT_EQ(debian.types.migration_read, 28);
  EXPECT_EQ(debian.types.device_write, SwapTypes::absent);
  EXPECT_TRUE(debian.config.numa_balancing);
  EXPECT_TRUE(debian.config.mem_soft_dirty);
}

TEST(DetectModel, TheLocalVersionSpeaksWhereNoPatchIsNamed) {
  EXPECT_EQ(detected("6.12.117-hmmcap-overlap", "", "").id, "6.12-v9");
  EXPECT_EQ(detected("6.12.117-hmmcap-fixed", "", "").id, "6.12-fixed");
  EXPECT_EQ(detected("6.12.117-hmmcap", "", "").id, "6.12");
  EXPECT_EQ(detected("6.12.117-hmmcap-overlap", "none", "").id, "6.12")
      << "what is said beats what is guessed";
  EXPECT_EQ(detected("6.9.1-arch1-1", "", "").id, "6.9");
  EXPECT_EQ(detected("6.10.0-rc3+", "", "").id, "6.10");
}

TEST(DetectModel, RefusesWhatItDoesNotUnderstand) {
  for (const char* release :
       {"", "linux", "6", "6.", "6.x", ".12", "-6.12", "6.12.", "999999999999.1", "6.12.99999999999"})
    EXPECT_FALSE(detect_model(release, "none", "").has_value()) << release;
  EXPECT_FALSE(detect_model("4.19.1", "none", "").has_value());
  EXPECT_FALSE(detect_model("5.7.3", "none", "").has_value());
  const auto patch = detect_model("6.12.117", "my-patch", "");
  ASSERT_FALSE(patch.has_value());
  EXPECT_THAT(patch.error().message, HasSubstr("my-patch"));
  EXPECT_THAT(patch.error().message, HasSubstr("dma-mapped-v9-as-posted"));
  EXPECT_FALSE(detect_model("6.12.117", "none", "DEVICE_PRIVATE").has_value());
  EXPECT_FALSE(detect_model("6.12.117", "none", "DEVICE_PRIVATE=maybe").has_value());
  EXPECT_FALSE(detect_model("6.12.117", "none", "PGTABLE_LEVELS=6").has_value());
  EXPECT_FALSE(detect_model("6.12.117", "none", "PAGE_SHIFT=16").has_value()) << "x86-64 has 4K pages";
}

TEST(ParseConfig, OverridesDefaultsAndIgnoresStrangers) {
  const Release r{6012, {}};
  const KernelConfig c =
      parse_config(" CONFIG_MEMORY_FAILURE=n, FOO=whatever ,,NUMA_BALANCING=m,PGTABLE_LEVELS=5", r).value();
  EXPECT_FALSE(c.memory_failure);
  EXPECT_TRUE(c.numa_balancing);
  EXPECT_EQ(c.levels, 5);
  EXPECT_TRUE(c.device_private);
  EXPECT_FALSE(parse_config("ARCH_HAS_PTE_DEVMAP=n", r)->pud_thp);
  EXPECT_TRUE(parse_config("ARCH_HAS_PTE_DEVMAP=n", Release{6017, {}})->pud_thp)
      << "devmap no longer matters";
  EXPECT_FALSE(parse_config("TRANSPARENT_HUGEPAGE=n", r)->pud_thp);
}

TEST(ParseRelease, SplitsVersionAndLocalPart) {
  const Release r = parse_release("6.12.117-hmmcap-fixed").value();
  EXPECT_EQ(r.version, 6012u);
  EXPECT_EQ(r.rest, "-hmmcap-fixed");
  EXPECT_EQ(parse_release("6.16")->version, 6016u);
  EXPECT_EQ(parse_release("6.16-rc1")->rest, "-rc1");
}

}  // namespace
}  // namespace hmmscope
