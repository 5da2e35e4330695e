#include "engine/model/kernel_model.h"

#include <fmt/format.h>

#include <array>
#include <cassert>

#include "engine/model/kernel_release.h"

namespace hmmscope {

namespace {

constexpr uint32_t oldest = 4014;         // the first kernel with HMM
constexpr uint32_t oldest_traced = 5008;  // the first whose slots have a format of their own
constexpr uint32_t newest_rules = 7003;

const Layout& layout(const char* id) {
  const Layout* found = find_layout(id);
  assert(found != nullptr);
  return *found;
}

const char* hmm_pfn_id(uint32_t version) {
  if (version >= 5008) return version >= 6016 ? "hmm-6.16" : version >= 5009 ? "hmm-5.9" : "hmm-5.8";
  // The driver's own; nouveau was the only one that got in.
  return version >= 5007 ? "nouveau-5.7" : version >= 4017 ? "nouveau-5.1" : "hmm-4.14";
}

RangeApi range_api(uint32_t version) {
  if (version >= 5008) return RangeApi::hmm_pfns;
  if (version >= 5007) return RangeApi::owner_5_7;
  if (version >= 5005) return RangeApi::interval_5_5;
  if (version >= 5004) return RangeApi::flags_5_4;
  if (version >= 5002) return RangeApi::snapshot_5_2;
  return version >= 4017 ? RangeApi::get_pfns_4_17 : RangeApi::get_pfns_4_14;
}

const char* migrate_pfn_id(uint32_t version) {
  return version >= 6019 ? "migrate-6.19" : version >= 5016 ? "migrate-5.16" : version >= 5004 ? "migrate-5.4" : "migrate-4.14";
}

void set_hmm_pfn(KernelModel& m, const char* id) {
  m.hmm_pfn = &layout(id);
  m.sticky_mask = m.hmm_pfn->sticky_mask();
}

void set_entry_layouts(KernelModel& m) {
  const bool old = m.version < 6006;
  const bool no_devmap = m.version >= 6017;
  m.pte = &layout(old ? "pte-x86-64-5.9" : no_devmap ? "pte-x86-64-6.17" : "pte-x86-64");
  m.pmd = &layout(old ? "pmd-x86-64-5.9" : no_devmap ? "pmd-x86-64-6.17" : "pmd-x86-64");
  m.pud = &layout(old ? "pud-x86-64-5.9" : no_devmap ? "pud-x86-64-6.17" : "pud-x86-64");
  m.table = &layout("table-x86-64");
  m.swap = &swap_layout(Family::x86_swap, m.version);
}

std::string release_name(uint32_t version) { return fmt::format("{}.{}", version / 1000, version % 1000); }

KernelModel model_of(uint32_t version, const KernelConfig& config) {
  KernelModel m;
  m.version = version;
  m.id = release_name(version);
  m.title = "Linux " + m.id;
  if (version > newest_rules) m.title += fmt::format(" (by the rules of {})", release_name(newest_rules));
  m.config = config;
  m.types = swap_types(version, config);
  set_hmm_pfn(m, hmm_pfn_id(version));
  m.migrate_pfn = &layout(migrate_pfn_id(version));
  set_entry_layouts(m);

  m.reports_order = version >= 5009;
  m.rejects_mixedmap = version < 5017;
  m.special_test_is_pte_special = version < 5017;
  m.device_exclusive = version >= 5014;
  m.foreign_device_private_faults = version >= 5019;
  m.markers_like_none = version >= 5019;
  m.anon_exclusive_mark = version >= 5019;
  m.driver_faults_ask_the_vma = version >= 5004;
  m.only_uffd_wp_marker_like_none = version >= 7003;
  m.walk_pud_checks_none_only = version < 6010;
  m.devmap = version < 6017;
  m.pmd_device_private = version >= 6018;
  m.fault_errno_mapped = version >= 7003;
  m.pte_table_may_be_gone = version >= 6005;
  m.faults_under_vma_lock = version >= 6004;
  m.swap_in_maps_writable = version >= 6011;
  m.dontneed_frees_tables = version >= 6014;
  m.shmem_keeps_poison = version >= 5016;
  m.migration_keeps_ad = version >= 6001;
  m.collect_spins_on_pmd_migration = version >= 6005 && version < 6019;
  m.fault_page_locked = version >= 6015;
  m.exclusive_entries_are_mapped = version >= 6015;
  m.collect_splits_mapped_large = version >= 6019;
  m.compound_migration = version >= 6019;
  m.dmirror_release = version >= 6001;
  m.dmirror_flags = version >= 6019;
  m.device_coherent = version >= 6000;
  m.fault_style = version >= 7002 ? FaultStyle::outside_walk : FaultStyle::inside_walk;
  m.unlocked_fault = version >= 7003;
  m.range_api = range_api(version);
  return m;
}

/// A patch on top of a release, or a driver's format: which layout of the slots (and with it which sticky flags) it
/// brings.
struct Patch {
  std::string_view name;  ///< as captures name it; "" when none was made
  const char* suffix;     ///< of the model id
  const char* layout;
  const char* title;
  uint32_t listed;       ///< the release it is listed on
  uint32_t first, last;  ///< releases it can be put on
  UnifiedStyle unified = UnifiedStyle::none;
};
constexpr std::array patches{
    Patch{"", "-draft", "nouveau-2018-draft", "with the draft tables of 2018", 4017, 4017, 5006},
    Patch{"", "-odp", "odp-2019", "with the RDMA tables of 2019", 5002, 4017, 5006},
    Patch{"", "-example", "driver-2019-example", "with the tables of the 2019 example", 5002, 4017, 5007},
    Patch{"dma-mapped-v9-as-posted", "-v9", "hmm-v9-posted", "with v9 10/24 as posted", 6012, 5009, 6015},
    Patch{"v9-10/24-as-posted", "-v9", "hmm-v9-posted", "with v9 10/24 as posted", 6012, 5009, 6015},
    Patch{"", "-first-repair", "hmm-first-repair", "with DMA_MAPPED moved to bit -9", 6012, 5009, 6015},
    Patch{"", "-genmask", "hmm-genmask-dma", "with flags right above the pfn", 6012, 5009, 6015},
    Patch{"dma-mapped-merged-layout", "-fixed", "hmm-6.16", "with the merged 6.16 layout", 6012, 5009, 6015},
    Patch{"unified-rfc-as-posted", "-unified-rfc", "hmm-unified-rfc",
          "with the unified fault-and-migrate RFC", 6012, 5009, 7003, UnifiedStyle::rfc},
    Patch{"unified-later", "-unified-later", "hmm-unified-later",
          "with the later unified fault-and-migrate revisions", 7001, 6016, 7003, UnifiedStyle::later},
    Patch{"", "-devpriv-posted", "hmm-devpriv-posted", "with DEVICE_PRIVATE as first posted", 6018, 6016, 7003},
    Patch{"", "-devpriv", "hmm-devpriv", "with DEVICE_PRIVATE repaired", 6018, 6016, 7003},
};

void apply(KernelModel& m, const Patch& patch) {
  m.id += patch.suffix;
  m.title += fmt::format(" {}", patch.title);
  set_hmm_pfn(m, patch.layout);
  m.unified = patch.unified;
  if (patch.unified == UnifiedStyle::none) return;
  m.fault_page_locked = true;   // the patches rely on a fault path that locks the device page
  if (patch.unified == UnifiedStyle::rfc) m.compound_migration = false;   // splits every 2M page it meets
}

std::vector<KernelModel> build_models() {
  std::vector<KernelModel> all;
  for (uint32_t version : {4014u, 4017u, 5002u, 5003u, 5004u, 5006u, 5007u, 5008u, 5009u, 5013u, 5015u, 6001u,
                           6006u, 6012u, 6015u, 6016u, 6018u, 6019u, 7001u, 7003u}) {
    all.push_back(model_of(version, KernelConfig{}));
    for (const Patch& patch : patches) {
      if (patch.listed != version) continue;
      KernelModel m = model_of(version, KernelConfig{});
      apply(m, patch);
      if (m.id != all.back().id) all.push_back(m);
    }
  }
  return all;
}

std::string known_ids() {
  std::string list;
  for (const KernelModel& m : kernel_models()) list += (list.empty() ? "" : ", ") + m.id;
  return list;
}

const Patch* find_patch(std::string_view name) {
  for (const Patch& patch : patches)
    if (!patch.name.empty() && patch.name == name) return &patch;
  return nullptr;
}

const Patch* find_suffix(const Release& release) {
  for (const Patch& patch : patches)
    if (release.rest == patch.suffix && release.version >= patch.first && release.version <= patch.last)
      return &patch;
  return nullptr;
}

/// Kernels that say in their local version which patch they carry, for traces without a patch line.
std::string_view patch_of_local_version(std::string_view local) {
  if (local.find("hmmcap-overlap") != local.npos) return "dma-mapped-v9-as-posted";
  if (local.find("hmmcap-fixed") != local.npos) return "dma-mapped-merged-layout";
  return "none";
}

}  // namespace

std::span<const KernelModel> kernel_models() {
  static const std::vector<KernelModel> all = build_models();
  return all;
}

Result<KernelModel> kernel_model(std::string_view id) {
  for (const KernelModel& m : kernel_models())
    if (m.id == id) return m;
  const auto release = parse_release(id);
  const Patch* patch = release ? find_suffix(*release) : nullptr;
  if (release && (release->rest.empty() || patch != nullptr) && release->version >= oldest) {
    KernelModel m = model_of(release->version, KernelConfig{});
    if (patch != nullptr) apply(m, *patch);
    return m;
  }
  return fail(fmt::format("no kernel model is called '{}'; known: {}, and any plain release from {} on", id,
                          known_ids(), release_name(oldest)));
}

Result<KernelModel> detect_model(std::string_view release, std::string_view patch, std::string_view config) {
  const auto parsed = parse_release(release);
  if (!parsed) return fail(parsed.error());
  if (parsed->version < oldest_traced)
    return fail(
        fmt::format("kernel {} is older than {}, whose hmm_pfn format is the first fixed one; choose a model "
                    "by hand if the trace is of a newer kernel",
                    release, release_name(oldest_traced)));
  const auto settings = parse_config(config, *parsed);
  if (!settings) return fail(settings.error());

  KernelModel m = model_of(parsed->version, *settings);
  if (patch.empty()) patch = patch_of_local_version(parsed->rest);
  if (patch == "none") return m;
  const Patch* known = find_patch(patch);
  if (known == nullptr) {
    std::string names = "none";
    for (const Patch& p : patches)
      if (!p.name.empty()) names += ", " + std::string(p.name);
    return fail(fmt::format("patch '{}' on kernel {} is not known ({}); choose a model by hand", patch,
                            release, names));
  }
  apply(m, *known);
  return m;
}

}  // namespace hmmscope
