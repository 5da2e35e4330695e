#include "engine/scenario/parse_eras.h"

#include <array>
#include <sstream>

#include "engine/scenario/json_values.h"

namespace hmmscope::scenario {

namespace {

std::optional<uint64_t> maybe_number(const json& object, const char* key) {
  return object.contains(key) ? std::optional(number(object.at(key))) : std::nullopt;
}

DmaMapOp dma_map(const std::string& name, const json& object) {
  DmaMapOp op;
  op.array = object.at("array").get<std::string>();
  op.index = object.value("index", uint64_t{0});
  op.count = object.value("count", uint64_t{1});
  op.unmap = name == "dma-unmap";
  const std::string p2p = object.value("p2p", std::string("none"));
  op.p2p = p2p == "host-bridge"     ? P2pdma::host_bridge
           : p2p == "bus"           ? P2pdma::bus_address
           : p2p == "not-supported" ? P2pdma::not_supported
                                    : P2pdma::none;
  op.use_iova = object.value("iova", true);
  op.need_unmap = object.value("need_unmap", true);
  op.fails = object.value("fails", false);
  op.mapped = maybe_number(object, "mapped");
  op.addr = maybe_number(object, "addr");
  return op;
}

MirrorTableOp mirror_table(const json& object) {
  MirrorTableOp op;
  op.table = object.at("table").get<std::string>();
  op.last = number(object.at("last"));
  op.page_shift = object.value("page_shift", op.page_shift);
  op.entry_bytes = object.value("entry_bytes", op.entry_bytes);
  if (object.value("rounding", std::string("clear")) == "set") op.rounding = LastRounding::set;
  const std::string generation = object.value("generation", std::string("first"));
  op.generation = generation == "device"   ? MirrorGeneration::device
                  : generation == "select" ? MirrorGeneration::select
                                           : MirrorGeneration::first;
  op.keep = object.value("keep", false);
  op.compare = object.value("compare", true);
  op.grace = object.value("grace", true);
  return op;
}

/// "map-dma 0x1000 0x12345 rw"; the schema has checked the words.
MirrorAction action(const std::string& text) {
  constexpr std::array<std::string_view, 10> names{"lookup", "populate", "map-pfn", "map-dma", "map-dev",
                                                   "unmap",  "dirty",    "select",  "release", "fini"};
  std::istringstream in(text);
  std::string name, addr, value, access;
  in >> name >> addr >> value >> access;
  MirrorAction result;
  for (size_t k = 0; k < names.size(); ++k) {
    if (names[k] == name) result.kind = static_cast<MirrorAction::Kind>(k);
  }
  result.addr = digits(addr);
  result.value = digits(value);
  result.write = access == "rw";
  return result;
}

MirrorRunOp mirror_run(const json& object) {
  MirrorRunOp op;
  op.table = object.at("table").get<std::string>();
  for (const json& program : object.at("iterators")) {
    MirrorProgram made{program.at("name").get<std::string>(), {}};
    for (const json& text : program.at("do")) made.actions.push_back(action(text.get<std::string>()));
    op.programs.push_back(std::move(made));
  }
  for (const json& item : object.value("schedule", json::array())) {
    const std::string text = item.get<std::string>();
    const size_t times = text.find('*');
    const uint64_t turns = times == std::string::npos ? 1 : digits(std::string_view(text).substr(times + 1));
    op.schedule.insert(op.schedule.end(), turns, text.substr(0, times));
  }
  op.seed = maybe_number(object, "seed");
  op.expect = object.value("expect", op.expect);
  return op;
}

ExpectMirrorOp expect_mirror(const json& object) {
  ExpectMirrorOp op;
  op.table = object.at("table").get<std::string>();
  op.llevel = maybe_number(object, "llevel");
  op.root_entries = maybe_number(object, "root_entries");
  op.allocated = maybe_number(object, "allocated");
  op.freed = maybe_number(object, "freed");
  op.grace_periods = maybe_number(object, "grace_periods");
  op.live = maybe_number(object, "live");
  op.peak = maybe_number(object, "peak");
  op.at = maybe_number(object, "at");
  if (object.contains("mapped")) op.mapped = object.at("mapped").get<bool>();
  op.word = maybe_number(object, "word");
  return op;
}

}  // namespace

std::optional<OpBody> era_operation(const std::string& name, const json& object) {
  if (name == "dma-map" || name == "dma-unmap") return dma_map(name, object);
  if (name == "mirror-table") return mirror_table(object);
  if (name == "mirror-run") return mirror_run(object);
  if (name == "mirror-unmap") return MirrorUnmapOp{object.at("table").get<std::string>()};
  if (name == "expect-mirror") return expect_mirror(object);
  return std::nullopt;
}

void read_era_keys(const json& object, RangeFaultOp& op) {
  if (object.contains("snapshot")) op.snapshot = object.at("snapshot").get<bool>();
  if (object.contains("write")) op.write = object.at("write").get<bool>();
  op.block = object.value("block", true);
  op.count = maybe_number(object, "count");
  op.page_shift = object.value("page_shift", op.page_shift);
  if (!object.contains("unlocked")) return;
  const json& unlocked = object.at("unlocked");
  UnlockedDecl decl;
  decl.timeout = unlocked.value("timeout", uint64_t{0});
  decl.collisions = unlocked.value("collisions", uint64_t{0});
  decl.killed_at_round = unlocked.value("killed_at_round", uint32_t{0});
  decl.oom_reaped = unlocked.value("oom_reaped", false);
  decl.fatal_signal = unlocked.value("fatal_signal", false);
  op.unlocked = decl;
}

Result<void> MirrorNames::check(const JsonDocument& document, const std::string& where) {
  const json& operation = document.root().at(json::json_pointer(where));
  const std::string table = operation.at("table").get<std::string>();
  if (operation.at("op") == "mirror-table") {
    if (tables_.insert(table).second) return {};
    return fail(document.error_at(where + "/table", "a mirror table of this name exists already"));
  }
  if (!tables_.contains(table)) {
    return fail(document.error_at(where + "/table", "no mirror-table before this one makes a table named '" + table + "'"));
  }
  if (operation.at("op") != "mirror-run") return {};
  std::set<std::string> names;
  for (const json& program : operation.at("iterators")) {
    if (!names.insert(program.at("name").get<std::string>()).second)
      return fail(document.error_at(where + "/iterators", "an iterator runs one program at a time"));
  }
  for (const json& item : operation.value("schedule", json::array())) {
    const std::string text = item.get<std::string>();
    const std::string name = text.substr(0, text.find('*'));
    if (!names.contains(name)) return fail(document.error_at(where + "/schedule", "no iterator of this run is named '" + name + "'"));
  }
  return {};
}

}  // namespace hmmscope::scenario
