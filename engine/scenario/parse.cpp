// Reads scenario JSON. The schema has checked names, types and ranges; what is left are references between the parts.

#include <algorithm>
#include <array>
#include <set>

#include "engine/base/json_document.h"
#include "engine/fault/handle_mm_fault.h"
#include "engine/scenario/json_values.h"
#include "engine/scenario/parse_device.h"
#include "engine/scenario/parse_eras.h"
#include "engine/scenario/parse_migration.h"
#include "engine/scenario/parse_unified.h"
#include "engine/scenario/scenario.h"

namespace hmmscope::embedded {
extern const char scenario_schema[];
}

namespace hmmscope::scenario {
namespace {

struct KindName {
  std::string_view name;
  VmaKind kind;
  uint64_t flags;
  uint32_t page_shift;
};
constexpr std::array vma_kinds{
    KindName{"anon", VmaKind::anonymous, 0, 12},
    KindName{"shmem", VmaKind::shmem, vm::shared, 12},
    KindName{"file-private", VmaKind::file_private, 0, 12},
    KindName{"file-shared", VmaKind::file_shared, vm::shared, 12},
    KindName{"hugetlb-2m", VmaKind::hugetlb, vm::hugetlb, 21},
    KindName{"hugetlb-1g", VmaKind::hugetlb, vm::hugetlb, 30},
    KindName{"pfnmap", VmaKind::special, vm::pfnmap, 12},
    KindName{"io", VmaKind::special, vm::io | vm::pfnmap, 12},
    KindName{"mixedmap", VmaKind::special, vm::mixedmap, 12},
};

constexpr std::array<std::string_view, 22> state_names{
    "none", "zero-page", "present", "swapped", "device-private", "device-exclusive", "migration-read",
    "migration-read-exclusive", "migration-write", "hwpoison", "protnone", "special", "thp", "huge-zero",
    "pmd-migration", "pud-leaf", "marker-uffd-wp", "marker-poison", "marker-guard", "file-cached", "device-coherent",
    "device-private-thp"};

VmaDecl vma(const json& object) {
  VmaDecl decl;
  decl.name = object.at("name").get<std::string>();
  decl.start = number(object.at("start"));
  decl.bytes = byte_size(object.at("size"));
  decl.flags = protection(object.value("prot", std::string("rw")));
  const std::string kind = object.value("kind", std::string("anon"));
  for (const KindName& known : vma_kinds) {
    if (known.name != kind) continue;
    decl.kind = known.kind;
    decl.flags |= known.flags;
    decl.page_shift = known.page_shift;
  }
  if (object.contains("flags")) decl.flags = number(object.at("flags"));
  if (object.value("thp", false)) decl.flags |= vm::hugepage;
  decl.shadow_stack = object.value("shadow_stack", false);
  if (decl.shadow_stack) decl.flags |= vm::shadow_stack | vm::read | vm::write;
  if (object.value("uffd_missing", false)) decl.flags |= vm::uffd_missing;
  if (object.contains("file_pages")) decl.file_pages = object.at("file_pages").get<uint64_t>();
  return decl;
}

PageDecl page(const json& object) {
  PageDecl decl;
  decl.at = address(object.at("at"));
  decl.pages = object.value("pages", uint64_t{1});
  const std::string state = object.at("state").get<std::string>();
  for (size_t k = 0; k < state_names.size(); ++k) {
    if (state_names[k] == state) decl.state = static_cast<PageState>(k);
  }
  decl.writable = object.value("writable", true);
  decl.exclusive = object.value("exclusive", true);
  if (object.contains("pfn")) decl.pfn = number(object.at("pfn"));
  decl.device = object.value("device", std::string());
  decl.shared = object.value("shared", false);
  const std::string cache = object.value("swapcache", std::string("none"));
  decl.swapcache = cache == "own" ? SwapCache::own : cache == "shared" ? SwapCache::shared : SwapCache::none;
  const auto flag = [&](const char* key) { return object.contains(key) ? std::optional(object.at(key).get<bool>()) : std::nullopt; };
  decl.accessed = flag("accessed");
  decl.dirty = flag("dirty");
  decl.soft_dirty = flag("soft_dirty");
  decl.uffd_wp = flag("uffd_wp");
  decl.protnone = object.value("protnone", false);
  decl.devmap = object.value("devmap", false);
  return decl;
}

uint32_t fault_result(const json& value) {
  const std::string text = value.get<std::string>();
  if (text == "ok") return 0;
  if (text == "SIGBUS") return vm_fault::sigbus;
  if (text == "SIGSEGV") return vm_fault::sigsegv;
  if (text == "OOM") return vm_fault::oom;
  if (text == "HWPOISON") return vm_fault::hwpoison;
  return static_cast<uint32_t>(digits(text));
}

std::vector<FaultDecl> fault_script(const json& object, const char* key) {
  std::vector<FaultDecl> script;
  for (const json& item : object.value(key, json::array())) {
    FaultDecl decl;
    decl.at = address(item.at("at"));
    decl.pages = item.value("pages", uint64_t{1});
    if (item.contains("result")) decl.result = fault_result(item.at("result"));
    decl.invalidates = item.value("invalidates", false);
    for (const json& then : item.value("then", json::array())) decl.then.push_back(page(then));
    script.push_back(std::move(decl));
  }
  return script;
}

RangeFaultOp range_fault(const json& object) {
  RangeFaultOp op;
  op.array = object.at("array").get<std::string>();
  op.start = address(object.at("at"));
  op.pages = object.at("pages").get<uint64_t>();
  op.device = object.value("device", std::string());
  op.default_flags = flag_text(object, "default");
  op.pfn_flags_mask = flag_text(object, "mask");
  for (const json& slot : object.value("slots", json::array())) {
    op.slots.push_back({slot.at("index").get<uint64_t>(), slot.value("count", uint64_t{1}), flag_text(slot.at("value"))});
  }
  op.rounds = object.value("rounds", uint64_t{8});
  const std::string sequence = object.value("sequence", std::string());
  if (sequence == "earlier") op.sequence = RangeFaultOp::Sequence::earlier;
  if (sequence == "late") op.sequence = RangeFaultOp::Sequence::late;
  op.stale = object.value("stale", false);
  op.faults = fault_script(object, "faults");
  op.waits = fault_script(object, "waits");
  read_era_keys(object, op);
  read_prepares(object, op);
  if (object.contains("expect")) op.expect = object.at("expect").get<std::string>();
  return op;
}

ExpectOp expectation(const json& object) {
  ExpectOp op;
  op.array = object.at("array").get<std::string>();
  op.index = object.value("index", uint64_t{0});
  op.count = object.value("count", uint64_t{1});
  if (object.contains("flags")) op.flags = flag_text(object.at("flags"));
  if (object.contains("order")) op.order = object.at("order").get<uint64_t>();
  if (object.contains("pfn")) op.pfn = number(object.at("pfn"));
  if (object.contains("word")) op.word = number(object.at("word"));
  if (object.contains("has")) op.has = flag_text(object.at("has"));
  if (object.contains("lacks")) op.lacks = flag_text(object.at("lacks"));
  if (object.contains("phys")) op.phys = number(object.at("phys"));
  op.value = object.value("value", std::string());
  return op;
}

OpBody operation(const json& object) {
  const std::string name = object.at("op").get<std::string>();
  if (name == "range-fault") return range_fault(object);
  if (name == "expect") return expectation(object);
  if (name == "set-page") return SetPageOp{page(object)};
  if (auto op = migration_operation(name, object)) return std::move(*op);
  if (auto op = device_operation(name, object)) return std::move(*op);
  if (auto op = unified_operation(name, object)) return std::move(*op);
  if (auto op = era_operation(name, object)) return std::move(*op);
  const Address at = address(object.at("at"));
  const uint64_t pages = object.value("pages", uint64_t{1});
  const std::string process = object.value("process", std::string());
  if (name == "munmap") return UnmapOp{at, pages, process};
  if (name == "madvise-dontneed") return DontNeedOp{at, pages, process};
  if (name == "mprotect") return ProtectOp{at, pages, protection(object.at("prot").get<std::string>()), process};
  if (name == "invalidate") {
    return InvalidateOp{at, pages, object.value("event", std::string("CLEAR")), object.value("owner", std::string()),
                        object.value("blockable", true), maybe<std::string>(object, "expect")};
  }
  TouchOp touch{at, pages, object.value("access", std::string("read")) == "write", std::nullopt, process, std::nullopt};
  if (object.contains("expect")) touch.expect = object.at("expect").get<std::string>();
  touch.data = page_content(object);
  return touch;
}

/// Names must be known before they are used, and given once.
Result<void> check_references(const JsonDocument& document, const Scenario& scenario) {
  std::set<std::string> vmas, devices, arrays;
  for (size_t k = 0; k < scenario.devices.size(); ++k) {
    if (!devices.insert(scenario.devices[k].name).second) {
      return fail(document.error_at("/devices/" + std::to_string(k) + "/name", "a device of this name exists already"));
    }
  }
  for (size_t k = 0; k < scenario.vmas.size(); ++k) {
    if (!vmas.insert(scenario.vmas[k].name).second) {
      return fail(document.error_at("/vmas/" + std::to_string(k) + "/name", "a VMA of this name exists already"));
    }
  }
  const auto known = [&](const std::string& where, const Address& at, const std::string& device) -> Result<void> {
    if (!at.vma.empty() && !vmas.contains(at.vma)) return fail(document.error_at(where + "/at", "no VMA is named '" + at.vma + "'"));
    if (!device.empty() && !devices.contains(device)) return fail(document.error_at(where, "no device is named '" + device + "'"));
    return {};
  };
  for (size_t k = 0; k < scenario.pages.size(); ++k) {
    const auto ok = known("/pages/" + std::to_string(k), scenario.pages[k].at, scenario.pages[k].device);
    if (!ok) return ok;
  }
  OperationNames names;
  MirrorNames mirrors;
  for (size_t k = 0; k < scenario.operations.size(); ++k) {
    const std::string where = "/operations/" + std::to_string(k);
    Result<void> ok = names.check(document, where);
    if (!ok) return ok;
    if (const auto* op = std::get_if<RangeFaultOp>(&scenario.operations[k].body)) {
      ok = known(where, op->start, op->device);
      arrays.insert(op->array);
      for (const auto* script : {&op->faults, &op->waits}) {
        for (const FaultDecl& decl : *script) {
          if (ok) ok = known(where, decl.at, "");
          for (const PageDecl& then : decl.then)
            if (ok) ok = known(where, then.at, then.device);
        }
      }
    } else if (const auto* unified = std::get_if<FaultAndMigrateOp>(&scenario.operations[k].body)) {
      ok = known(where, unified->at, unified->device);
      if (ok && unified->interrupt) ok = known(where + "/interrupt", unified->interrupt->at, {});
      arrays.insert(unified->migration);
    } else if (const auto* expect = std::get_if<ExpectOp>(&scenario.operations[k].body)) {
      if (!arrays.contains(expect->array)) {
        ok = fail(document.error_at(where + "/array", "no range-fault before this one fills an array named '" + expect->array + "'"));
      }
    } else if (const auto* dma = std::get_if<DmaMapOp>(&scenario.operations[k].body)) {
      if (!arrays.contains(dma->array)) {
        ok = fail(document.error_at(where + "/array", "no range-fault before this one fills an array named '" + dma->array + "'"));
      }
    } else if (const std::string table = document.root().at("operations").at(k).value("table", std::string()); !table.empty()) {
      ok = mirrors.check(document, where);
    } else if (const auto* set = std::get_if<SetPageOp>(&scenario.operations[k].body)) {
      ok = known(where, set->page.at, set->page.device);
    } else if (const auto* invalidate = std::get_if<InvalidateOp>(&scenario.operations[k].body)) {
      ok = known(where, invalidate->at, invalidate->owner);
    } else if (const auto* file = std::get_if<FileDataOp>(&scenario.operations[k].body)) {
      ok = known(where, {file->vma, 0}, "");
    } else {
      const json& operation = document.root().at("operations").at(k);
      const Address at = operation.contains("at") ? address(operation.at("at")) : Address();
      ok = known(where, at, operation.value("device", std::string()));
      if (ok && operation.contains("to")) ok = known(where, address(operation.at("to")), "");
    }
    if (!ok) return ok;
  }
  return {};
}

InjectDecl injection(const json& object) {
  constexpr std::array<std::string_view, 8> names{"allocation",   "folio-lock", "pin",    "reference", "poison",
                                                  "invalidation", "signal",     "flip"};
  InjectDecl decl;
  const std::string what = object.at("what").get<std::string>();
  for (size_t k = 0; k < names.size(); ++k) {
    if (names[k] == what) decl.what = static_cast<InjectDecl::What>(k);
  }
  decl.rule = object.value("rule", std::string());
  decl.occurrence = object.value("occurrence", decl.occurrence);
  decl.step = object.value("step", decl.step);
  decl.count = object.value("count", decl.count);
  decl.pages = object.value("pages", decl.pages);
  if (object.contains("at")) decl.at = address(object.at("at"));
  decl.array = object.value("array", std::string());
  decl.index = object.value("index", decl.index);
  decl.level = object.value("level", std::string("pte"));
  if (object.contains("bits")) decl.bits = number(object.at("bits"));
  return decl;
}

/// Operations of tasks stand together: those above run before all tasks, those below after them.
Result<void> collect_tasks(const JsonDocument& document, Scenario& scenario) {
  constexpr size_t most_tasks = 8;
  bool ended = false;
  for (size_t k = 0; k < scenario.operations.size(); ++k) {
    const std::string& task = scenario.operations[k].task;
    const std::string where = "/operations/" + std::to_string(k);
    if (task.empty()) {
      ended = ended || !scenario.tasks.empty();
      continue;
    }
    if (ended) return fail(document.error_at(where, "operations between those of tasks need a \"task\" too"));
    if (std::find(scenario.tasks.begin(), scenario.tasks.end(), task) == scenario.tasks.end()) scenario.tasks.push_back(task);
    if (scenario.tasks.size() > most_tasks) return fail(document.error_at(where + "/task", "a scenario may have 8 tasks"));
  }
  return {};
}

}  // namespace

Result<Scenario> parse(std::string_view text, std::string_view name) {
  auto document = JsonDocument::parse(text, name);
  if (!document) return fail(document.error());
  if (auto ok = document->check(json::parse(embedded::scenario_schema)); !ok) return fail(ok.error());
  const json& root = document->root();
  Scenario scenario;
  scenario.file = name;
  scenario.title = root.at("title").get<std::string>();
  scenario.description = root.value("description", std::string());
  scenario.kernel = root.value("kernel", scenario.kernel);
  scenario.config = root.value("config", std::string());
  scenario.levels = root.value("levels", scenario.levels);
  scenario.hugetlb_2m_pages = root.value("hugetlb_2m_pages", scenario.hugetlb_2m_pages);
  if (root.contains("zero_pfn")) scenario.zero_pfn = number(root.at("zero_pfn"));
  scenario.hugetlb_1g_pages = root.value("hugetlb_1g_pages", scenario.hugetlb_1g_pages);
  if (root.contains("selftest")) {
    const json& declared = root.at("selftest");
    SelftestDecl& selftest = scenario.selftest.emplace();
    selftest.since = declared.at("since").get<std::string>();
    const json earlier = declared.value("earlier", json::array());
    if (earlier.is_string()) selftest.earlier.push_back(earlier.get<std::string>());
    else for (const json& part : earlier) selftest.earlier.push_back(part.get<std::string>());
    const json variants = declared.value("variants", json::array({"private", "coherent"}));
    const auto has = [&](const char* variant) { return std::find(variants.begin(), variants.end(), variant) != variants.end(); };
    selftest.private_variant = has("private");
    selftest.coherent_variant = has("coherent");
  }
  const auto each = [&](const char* key, auto add) {
    if (!root.contains(key)) return;
    size_t index = 0;
    for (const json& item : root.at(key)) add(item, document->line_of("/" + std::string(key) + "/" + std::to_string(index++)));
  };
  each("devices", [&](const json& item, Line line) {
    scenario.devices.push_back({item.at("name").get<std::string>(), item.value("pages", uint64_t{65536}), item.value("coherent", false), line, {}});
    if (item.contains("pfn")) scenario.devices.back().pfn = number(item.at("pfn"));
    scenario.devices.back().p2pdma = item.value("p2pdma", false);
  });
  each("vmas", [&](const json& item, Line line) {
    scenario.vmas.push_back(vma(item));
    scenario.vmas.back().line = line;
  });
  each("pages", [&](const json& item, Line line) {
    scenario.pages.push_back(page(item));
    scenario.pages.back().line = line;
  });
  each("operations", [&](const json& item, Line line) {
    Operation& added = scenario.operations.emplace_back(Operation{operation(item), line});
    if (item.contains("only")) added.only_coherent = item.at("only") == "coherent";
    added.task = item.value("task", std::string());
    scenario.page_data = scenario.page_data || item.contains("data") || item.contains("uffd_data");
    if (auto* op = std::get_if<RangeFaultOp>(&added.body)) {
      for (auto* script : {&op->faults, &op->waits}) {
        for (FaultDecl& decl : *script) {
          decl.line = line;
          for (PageDecl& then : decl.then) then.line = line;
        }
      }
    }
  });
  each("inject", [&](const json& item, Line line) {
    scenario.inject.push_back(injection(item));
    scenario.inject.back().line = line;
  });
  scenario.check_devices = root.value("check_devices", true);
  for (const json& item : root.value("allows", json::array())) scenario.allows.push_back(item.get<std::string>());
  scenario.keeps_swap_cache = root.value("keeps_swap_cache", false);
  scenario.schedule = root.value("schedule", std::string());
  if (root.contains("seed")) scenario.seed = root.at("seed").get<uint64_t>();
  if (root.value("granularity", std::string()) == "rule") scenario.granularity = schedule::Granularity::rule;
  scenario.ends = root.value("ends", scenario.ends);
  if (auto ok = collect_tasks(*document, scenario); !ok) return fail(ok.error());
  if (auto ok = check_references(*document, scenario); !ok) return fail(ok.error());
  return scenario;
}

bool is_scenario(std::string_view first_bytes) {
  const size_t brace = first_bytes.find_first_not_of(" \t\r\n");
  return brace != std::string_view::npos && first_bytes[brace] == '{' &&
         first_bytes.find("\"hmmscope-scenario\"") != std::string_view::npos;
}

}  // namespace hmmscope::scenario
