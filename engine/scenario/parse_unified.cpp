#include "engine/scenario/parse_unified.h"

#include "engine/scenario/json_values.h"

namespace hmmscope::scenario {

namespace {

using Sequence = FaultAndMigrateOp::Sequence;
using Until = FaultAndMigrateOp::Until;

Sequence sequence_named(const std::string& name) {
  if (name == "S1") return Sequence::fault_then_migrate;
  if (name == "S2") return Sequence::migrate_then_fault;
  if (name == "migrate-only") return Sequence::migrate_only;
  return name == "posted" ? Sequence::posted : Sequence::one_pass;
}

Until until_named(const std::string& name) {
  return name == "walk" ? Until::walk : name == "setup" ? Until::setup : Until::end;
}

FaultAndMigrateOp fault_and_migrate(const json& object) {
  FaultAndMigrateOp op;
  op.migration = object.at("migration").get<std::string>();
  op.at = address(object.at("at"));
  op.pages = object.at("pages").get<uint64_t>();
  op.device = object.at("device").get<std::string>();
  op.sequence = sequence_named(object.value("sequence", std::string("S3")));
  op.until = until_named(object.value("until", std::string("end")));
  op.select_given = object.contains("select");
  for (const json& kind : object.value("select", json::array())) op.select.push_back(kind.get<std::string>());
  const auto flag = [&](const char* key, bool& target) { target = object.value(key, target); };
  flag("fault", op.fault);
  flag("write", op.write);
  flag("request", op.request);
  flag("owner", op.owner);
  flag("memory", op.memory);
  op.mirror = op.sequence == Sequence::posted;
  flag("mirror", op.mirror);
  flag("filter", op.filter);
  flag("retry", op.retry);
  flag("finish", op.finish);
  op.chunk = object.value("chunk", op.chunk);
  op.rounds = object.value("rounds", op.rounds);
  op.preset = flag_text(object, "preset");
  if (object.contains("interrupt")) {
    const json& interrupt = object.at("interrupt");
    op.interrupt = InvalidateOp{address(interrupt.at("at")),
                                interrupt.at("pages").get<uint64_t>(),
                                interrupt.value("event", std::string("UNMAP")),
                                {}};
  }
  if (object.contains("expect")) op.expect = object.at("expect").get<std::string>();
  if (object.contains("moved")) op.moved = object.at("moved").get<uint64_t>();
  return op;
}

}  // namespace

std::optional<OpBody> unified_operation(const std::string& name, const json& object) {
  if (name == "fault-and-migrate") return fault_and_migrate(object);
  if (name != "page-out") return std::nullopt;
  PageOutOp op{address(object.at("at")), object.at("pages").get<uint64_t>(), object.value("process", std::string()),
               std::nullopt, std::nullopt};
  if (object.contains("taken")) op.taken = object.at("taken").get<uint64_t>();
  if (object.contains("unwritten")) op.unwritten = object.at("unwritten").get<uint64_t>();
  return op;
}

}  // namespace hmmscope::scenario
