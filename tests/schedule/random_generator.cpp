#include "tests/schedule/random_generator.h"

#include <algorithm>
#include <utility>

namespace hmmscope::scenario {
namespace {

constexpr uint32_t heap_pages = 8, huge_1g = 262144;

/// What the generator leaves out because the engine is wrong there. All true: nothing is left out.
namespace whole {
constexpr bool same_name_in_two_tasks = true;
constexpr bool huge_without_access = true;          // splitting a 2M entry that is PROTNONE
constexpr bool isolated_coherent = true;            // a device page that is put back gets the LRU flag
constexpr bool child_of_other_task = true;          // a task touches a child that another has not forked yet
constexpr bool oom_reap_beside_old_calls = true;    // the OOM reaper beside a range call of 5.6 and before
constexpr bool no_memory_for_files = true;          // a file's fault maps pfn 0 when there is no memory
constexpr bool injects_beside_driver_locks = true;  // invalidation and poison while a task holds its driver's lock
}  // namespace whole

}  // namespace

void Generator::choose_kernel() {
  switch (wanted_.era) {
    case Era::range_only: sample_.kernel = pick({"4.14", "4.17", "5.2", "5.4", "5.6", "5.7"}); break;
    case Era::unified: sample_.kernel = pick({"6.12-unified-rfc", "7.1-unified-later"}); break;
    case Era::migrating:
      sample_.kernel = wanted_.huge ? pick({"6.12", "6.16", "6.19", "7.3", "7.3"}) : pick({"5.15", "6.1", "6.12", "6.12", "6.16", "6.19", "7.3"});
  }
  model_ = *kernel_model(sample_.kernel);
}

std::vector<std::string> Generator::states_of_memory() {
  std::vector<std::string> all{R"("none")", R"("none")", R"("present")", R"("present")", R"("present", "writable": false)",
                               R"("present", "writable": false, "exclusive": false)", R"("zero-page")", R"("swapped")",
                               R"("swapped", "exclusive": false)", R"("special")", R"("hwpoison")",
                               R"("device-private", "device": "gpu0")", R"("device-private", "device": "gpu1")",
                               R"("device-private", "device": "gpu0", "writable": false, "exclusive": false)",
                               R"("present", "swapcache": "own")", R"("present", "dirty": false, "soft_dirty": true)"};
  if (model_.device_exclusive && wanted_.era != Era::range_only) {
    all.push_back(R"("device-exclusive", "device": "gpu0")");
    all.push_back(R"("device-exclusive", "device": "gpu0", "writable": false)");
  }
  if (model_.device_coherent && wanted_.era != Era::range_only) all.push_back(R"("device-coherent", "device": "apu")");
  if (sample_.numa_balancing) all.push_back(R"("protnone")");
  if (later_than(5019)) all.push_back(R"("marker-uffd-wp")");
  if (later_than(6006)) all.push_back(R"("marker-poison")");
  if (later_than(6013)) all.push_back(R"("marker-guard")");
  return all;
}

void Generator::add_vma(const char* name, const char* start, const char* size,
                        std::initializer_list<std::pair<const char*, const char*>> more, Place place) {
  Item vma = Item().with("name", name).with("start", start).with("size", size);
  for (const auto& [key, json] : more) vma.raw(key, json);
  sample_.vmas.push_back(std::move(vma));
  place.vma = name;
  places_.push_back(std::move(place));
}

void Generator::add_places() {
  add_vma("heap", "0x7f0000000000", "32K", {}, {"", heap_pages, states_of_memory()});
  const std::vector<std::string> file{R"("none")", R"("none")", R"("file-cached")", R"("present")", R"("present", "writable": false)"};
  if (wanted_.huge) {
    std::vector<std::string> states{R"("none")", R"("thp")", R"("thp")", R"("thp", "writable": false)", R"("huge-zero")"};
    if (whole::huge_without_access && sample_.numa_balancing) states.push_back(R"("thp", "protnone": true)");
    if (model_.compound_migration) states.push_back(R"("device-private-thp", "device": "gpu0")");
    add_vma("huge", "0x7f0000200000", "2M", {{"thp", "true"}}, {"", 512, states, 512});
    if (number(2) == 0) add_vma("leaf", "0x7f0080000000", "1G", {}, {"", 8, {R"("pud-leaf")"}, huge_1g});
  }
  if (number(3) == 0) add_vma("shm", "0x7f0000600000", "32K", {{"kind", "\"shmem\""}}, {"", 8, file});
  if (number(3) == 0) add_vma("doc", "0x7f0000700000", "32K", {{"kind", "\"file-private\""}, {"file_pages", "6"}}, {"", 8, {file.begin(), file.begin() + 3}});
  if (number(4) == 0) add_vma("pub", "0x7f0000800000", "32K", {{"kind", "\"file-shared\""}, {"file_pages", "6"}}, {"", 8, file});
  if (number(6) == 0) add_vma("big", "0x7f0001000000", "4M", {{"kind", "\"hugetlb-2m\""}}, {"", 1024, {R"("none")", R"("present")", R"("present", "writable": false)"}, 512});
  if (number(8) == 0) add_vma("giant", "0x7f0040000000", "1G", {{"kind", "\"hugetlb-1g\""}}, {"", 8, {R"("none")", R"("present")"}, huge_1g});
  if (number(8) == 0) add_vma("missing", "0x7f0000900000", "16K", {{"uffd_missing", "true"}}, {"", 4, {R"("none")", R"("present")"}});
  if (number(8) == 0) add_vma("window", "0x7f0000a00000", "16K", {{"kind", "\"pfnmap\""}}, {"", 4, {R"("special")"}});
  if (number(8) == 0) add_vma("mixed", "0x7f0000b00000", "16K", {{"kind", "\"mixedmap\""}}, {"", 4, {R"("special")", R"("none")"}});
}

void Generator::declare_pages() {
  for (const Place& place : places_) {
    const uint32_t units = std::max(1u, place.pages / place.unit);
    for (uint32_t k = 0; k < units; ++k) {
      const std::string& state = place.states[number(static_cast<uint32_t>(place.states.size()))];
      if (state == R"("none")") continue;
      Item page = Item().with("at", place.vma + "+" + std::to_string(k * place.unit));
      if (place.unit != 1) page.with("pages", place.unit);
      // `state` may go on with other members.
      sample_.pages.push_back(page.raw("state", state));
    }
  }
}

void Generator::add_inject() {
  const bool no_memory = whole::no_memory_for_files || places_.size() == (wanted_.huge ? 2u : 1u);
  std::string what = pick({"allocation", "folio-lock", "pin", "reference", "poison", "invalidation", "signal"});
  if (what == "allocation" && !no_memory) what = "pin";
  if (wanted_.tasks && !whole::injects_beside_driver_locks && (what == "poison" || what == "invalidation")) what = "reference";
  Item inject = Item().with("what", what);
  if (what == "allocation") {
    inject.with("rule", pick({"driver.no_memory", "driver.allocate", "anon.new_page", "wp.copy", "fault.pmd_none.thp", "driver.compound", "collect.pte.present"}));
    inject.with("count", 1 + number(3));
  } else {
    inject.with("step", 1 + number(50));
  }
  if (what != "allocation" && what != "signal") inject.with("at", "heap+" + std::to_string(number(heap_pages)));
  sample_.inject.push_back(std::move(inject));
}

const Generator::Place& Generator::place() {
  if (wanted_.huge && number(2) == 0) return places_[1];
  if (wanted_.huge && number(4) == 0) return places_.back();
  return number(3) != 0 ? places_.front() : places_[number(static_cast<uint32_t>(places_.size()))];
}

Item Generator::in_place(Item item, const Place& place) {
  if (place.vma == "giant") {   // a part of a hugetlb page is refused, which ends the scenario
    const std::string& name = item.keys().front().second;
    const bool takes_whole = name == R"("munmap")" || name == R"("mprotect")" || name == R"("madvise-dontneed")";
    if (takes_whole && number(16) != 0) return item.with("at", place.vma).with("pages", place.unit);
  }
  uint32_t first = number(place.pages), count = 1 + number(place.pages - first);
  if (place.pages == 512) {
    first = number(3) == 0 ? number(32) * 16 : 0;
    count = first == 0 && number(2) == 0 ? 512 : 1 + number(number(3) == 0 ? 512 - first : 16);
  } else if (place.pages == 1024) {
    first = number(2) * 512;
    count = number(2) == 0 ? 512 : 1 + number(8);
  }
  return item.with("at", place.vma + "+" + std::to_string(first)).with("pages", count);
}

Sample Generator::sample(const Wanted& wanted) {
  wanted_ = wanted;
  sample_ = {};
  places_.clear();
  choose_kernel();
  sample_.by_rule = wanted.tasks && number(2) == 0;
  sample_.keeps_swap_cache = number(4) == 0;
  sample_.numa_balancing = number(3) == 0;
  sample_.devices = {Item().with("name", "gpu0").with("pages", wanted.huge ? 1088 : 64), Item().with("name", "gpu1").with("pages", 16)};
  if (model_.device_coherent && wanted.era != Era::range_only)
    sample_.devices.push_back(Item().with("name", "apu").with("pages", 32).raw("coherent", "true"));
  add_places();
  declare_pages();
  // Under tasks a hold must find its page: either the memory stays where it is, or nobody takes hold of it.
  vmas_change_ = number(2) == 0;
  const uint32_t count = 3 + number(wanted.tasks ? 4 : 9);
  for (uint32_t k = 0; k < count; ++k) {
    const std::string task = pick({"cpu", "gpu", "reclaim"});
    for (Item& item : group()) {
      Item placed;
      if (wanted.tasks) placed.with("task", task);
      for (auto& [key, json] : item.keys()) placed.raw(key, json);
      sample_.operations.push_back(std::move(placed));
    }
  }
  if (wanted.injects) {
    for (uint32_t k = 1 + number(2); k > 0; --k) add_inject();
  }
  if (wanted.tasks) sample_.seed = word();
  return sample_;
}

// --- operations

Generator::Group Generator::group() {
  if (wanted_.era == Era::unified && number(3) != 0) return group_of_unified();
  switch (wanted_.era == Era::range_only ? 0 : number(5)) {
    case 1:
    case 2: return group_of_migration();
    case 3: return group_of_driver();
    case 4: return hold();
    default: return group_of_any_kernel();
  }
}

Item Generator::touch() {
  Item item = anywhere("touch");
  if (item.keys().back().second.size() > 2) item.with("pages", 3);   // not hundreds of pages one by one
  if (forked_ && (whole::child_of_other_task || !wanted_.tasks) && number(2) == 0) item.with("process", "child");
  return item.with("access", pick({"read", "write"}));
}

Generator::Group Generator::range_fault() {
  const bool old = model_.has_driver_format();
  // A walk that begins inside a 2M device entry misreports it (tests/engine/pmd_cases.cpp), so from its start.
  const Place& where = place();
  Item item = in_place(op("range-fault"), where);
  if (where.pages == 512) item.with("at", "huge");
  item.with("array", "a" + std::to_string(++names_)).with("default", old ? pick({"0", "VALID", "VALID|WRITE"}) : pick({"0", "REQ_FAULT", "REQ_FAULT|REQ_WRITE"}));
  if (!old && number(3) == 0) {
    item.with("mask", pick({"~0", "REQ_FAULT", "REQ_FAULT|REQ_WRITE"}));
    item.raw("slots", R"([{"index": 0, "value": ")" + pick({"REQ_FAULT", "REQ_FAULT|REQ_WRITE", "~0"}) + "\"}]");
  }
  if (number(8) == 0 && later_than(5005)) item.raw("stale", "true");
  maybe_scripted(item, where);
  return {on_device(item)};
}

/// What some of the faults inside the call end with, and what they leave. Beside other tasks they only end: what a script puts
/// into the page tables it puts there past every lock. Its pages are small ones.
void Generator::maybe_scripted(Item& range, const Place& where) {
  if (number(3) != 0) return;
  std::string script;
  for (uint32_t k = 1 + number(3); k > 0; --k) {
    Item fault = Item().with("at", where.vma + "+" + std::to_string(number(std::min(where.pages, 16u))));
    // One that succeeds and changes nothing comes for ever, which nobody can tell while others may still change something.
    if (model_.has_driver_format() && number(4) == 0) fault.with("result", "0x400");   // VM_FAULT_RETRY
    else if (wanted_.injects || wanted_.tasks || number(2) == 0) fault.with("result", pick({"SIGBUS", "SIGSEGV", "OOM", "HWPOISON"}));
    const bool leaves = !wanted_.tasks && where.unit == 1 && number(3) != 0;
    if (leaves) {
      const std::string& state = where.states[number(static_cast<uint32_t>(where.states.size()))];
      fault.raw("then", "[" + Item().raw("at", fault.keys().front().second).raw("state", state).text() + "]");
    } else if (number(3) == 0) {
      fault.with("pages", 4);
    }
    if (leaves || number(2) == 0) fault.raw("invalidates", "true");   // a device that maps the page must hear of what is put there
    script += (script.empty() ? "" : ", ") + fault.text();
  }
  range.raw("faults", "[" + script + "]");
}

Generator::Group Generator::group_of_any_kernel() {
  switch (number(9)) {
    case 0:
    case 1: return {touch()};
    case 2:
    case 3:
    case 4: return range_fault();
    case 5: return {anywhere("madvise-dontneed")};
    case 6: return {in_heap("invalidate").with("event", pick({"UNMAP", "CLEAR", "PROTECTION_VMA", "PROTECTION_PAGE", "SOFT_DIRTY", "EXCLUSIVE"}))};
    case 7: return {in_heap("page-out")};
    default: return change_of_vmas();
  }
}

Generator::Group Generator::change_of_vmas() {
  if (!vmas_change_) return {touch()};
  switch (number(6)) {
    case 0:
      if (forked_) return {touch()};
      forked_ = true;
      return {op("fork").with("child", "child")};
    case 1: return {anywhere("munmap")};
    case 2:
      return {in_heap("mremap").with("to", "0x7f00f" + std::to_string(moved_++ % 10) + "000000")};
    case 3: {
      const bool refused = wanted_.era == Era::range_only && wanted_.tasks && !whole::oom_reap_beside_old_calls;
      if (reaped_ || refused || number(2) == 0) return {in_heap("madvise-free")};
      reaped_ = true;
      return {op("oom-reap")};
    }
    default: {
      const bool none = whole::huge_without_access || !wanted_.huge;
      return {anywhere("mprotect").with("prot", none ? pick({"r", "rw", "none"}) : pick({"r", "rw"}))};
    }
  }
}

void Generator::maybe_named(Item& item) {
  const uint32_t which = number(4);
  if (which == 0) item.with("migration", whole::same_name_in_two_tasks ? "m" : "m" + std::to_string(++names_));
  if (which == 1) item.with("migration", "m" + std::to_string(++names_));
}

Generator::Group Generator::three_calls() {
  const std::string name = "call" + std::to_string(++names_);
  const std::string compound = model_.compound_migration && number(2) == 0 ? R"(, "compound")" : "";
  const std::string select = "[" + pick({R"("system")", R"("system")", R"("device-private")", R"("system", "device-private")"}) +
                             (model_.device_coherent && number(3) == 0 ? R"(, "device-coherent")" : "") + compound + "]";
  Item setup = anywhere("migrate-setup").with("migration", name).raw("select", select);
  Item pages = op("migrate-pages").with("migration", name);
  if (number(3) == 0) pages.raw("slots", R"([{"index": 0}])");
  Group all{on_device(setup), std::move(pages), op("migrate-finalize").with("migration", name)};
  if (!wanted_.tasks && number(2) == 0) all.insert(all.begin() + 1 + number(2), touch());
  return all;
}

Generator::Group Generator::group_of_migration() {
  const bool exclusive = model_.device_exclusive;
  switch (number(8)) {
    case 0:
    case 1:
    case 2: {
      Item item = anywhere("migrate-to-device");
      maybe_named(item);
      return {item.with("device", model_.device_coherent ? pick({"gpu0", "gpu0", "gpu1", "apu"}) : pick({"gpu0", "gpu1"}))};
    }
    case 3:
    case 4: {
      Item item = anywhere("migrate-to-system");
      maybe_named(item);
      return {on_device(item)};
    }
    case 5: return {op("evict-device").with("device", pick({"gpu0", "gpu1"}))};
    case 6:
      if (!exclusive) return three_calls();
      return {in_heap("make-exclusive").with("device", pick({"gpu0", "gpu1"}))};
    default: return three_calls();
  }
}

Generator::Group Generator::group_of_driver() {
  Item item = anywhere("ioctl");
  on_device(item);
  std::string command = pick({"READ", "WRITE", "SNAPSHOT", "MIGRATE_TO_DEV", "MIGRATE_TO_SYS", "EXCLUSIVE", "CHECK_EXCLUSIVE", "RELEASE", "FLAGS",
                              "OPEN", "CLOSE"});
  if (!model_.device_exclusive && command.find("EXCLUSIVE") != std::string::npos) command = "READ";
  if ((command == "RELEASE" && !model_.dmirror_release) || (command == "FLAGS" && !model_.dmirror_flags)) command = "MIGRATE_TO_DEV";
  if (model_.unlocked_fault && command == "READ") command = "READ_UNLOCKED";
  if (command == "CLOSE" && number(4) != 0) command = "OPEN";   // drivers of a closed file are refused
  if (command == "FLAGS") item.with("pages", 1);
  return {item.with("command", command)};
}

/// A range fault that prepares a migration, and what its driver goes on with. The setup of one call may begin in the walk
/// (`range-fault`) or in the driver's own sequence (`fault-and-migrate` that stops behind it).
Generator::Group Generator::unified_in_steps() {
  const std::string name = "u" + std::to_string(++names_), array = "a" + std::to_string(++names_);
  Group all;
  if (number(2) == 0) {
    Item walk = in_heap("range-fault").with("array", array).with("default", pick({"REQ_FAULT|MIGRATE", "REQ_FAULT|REQ_WRITE|MIGRATE", "MIGRATE"}));
    walk.raw("prepares", R"({"migration": ")" + name + R"("})");
    maybe_scripted(walk, places_.front());
    all = {std::move(on_device(walk)), op("migrate-range-setup").with("migration", name).with("array", array)};
  } else {
    Item driver = in_heap("fault-and-migrate").with("migration", name).with("until", "setup").with("sequence", pick({"S1", "S3", "migrate-only"}));
    all = {std::move(on_device(driver))};
  }
  Item pages = op("migrate-pages").with("migration", name);
  if (number(3) == 0) pages.raw("slots", R"([{"index": 0}])");
  all.push_back(std::move(pages));
  all.push_back(op("migrate-finalize").with("migration", name));
  if (!wanted_.tasks && number(2) == 0) all.insert(all.begin() + 1 + number(static_cast<uint32_t>(all.size()) - 1), touch());
  return all;
}

Generator::Group Generator::group_of_unified() {
  if (number(4) == 0) return unified_in_steps();
  if (number(5) == 0) {
    Item item = in_heap("ioctl").with("command", "MIGRATE_ON_FAULT_TO_DEV");
    return {on_device(item)};
  }
  Item item = in_heap("fault-and-migrate").with("migration", "u" + std::to_string(++names_)).with("sequence", pick({"S1", "S2", "S3", "S3", "migrate-only", "posted"}));
  if (number(4) == 0) item.raw("write", "true");
  if (number(4) == 0) item.raw("mirror", "true");
  if (number(4) == 0)
    item.raw("interrupt", R"({"at": "heap+)" + std::to_string(number(heap_pages)) + R"(", "pages": 1, "event": ")" + pick({"UNMAP", "CLEAR", "PROTECTION_PAGE"}) + "\"}");
  return {on_device(item)};
}

Generator::Group Generator::hold() {
  // Touched first, so that a page is there; mostly in memory that nobody takes away meanwhile.
  if (wanted_.tasks || (vmas_change_ && number(2) != 0)) return {touch()};
  const std::string at = "heap+" + std::to_string(number(heap_pages));
  const bool isolates = whole::isolated_coherent || !model_.device_coherent;
  const std::string what = isolates ? pick({"pin", "get-page", "lock-folio", "isolate-folio"}) : pick({"pin", "get-page", "lock-folio"});
  const auto named = [&](const std::string& name) { return op(name).with("at", at); };
  Item holds = named(what);
  if (what == "pin" && number(3) == 0) holds.raw("longterm", "true");
  Group all{named("touch").with("access", "write"), std::move(holds)};
  for (Item& between : number(2) == 0 ? group_of_migration() : Group{in_heap("migrate-to-device").with("device", "gpu0")}) all.push_back(std::move(between));
  if (what == "lock-folio" || number(3) != 0) all.push_back(named(what).raw("release", "true"));
  return all;
}

}  // namespace hmmscope::scenario
