#include "engine/scenario/parse_migration.h"

#include "engine/scenario/json_values.h"

namespace hmmscope::scenario {

namespace {

uint64_t page_count(const json& object) { return object.value("pages", uint64_t{1}); }

std::vector<std::string> selection(const json& object) {
  if (!object.contains("select")) return {"system"};
  std::vector<std::string> names;
  for (const json& kind : object.at("select")) names.push_back(kind.get<std::string>());
  return names;
}

MigratePagesOp migrate_pages(const json& object) {
  MigratePagesOp op{text(object, "migration"), std::nullopt, maybe<uint64_t>(object, "moved")};
  if (!object.contains("slots")) return op;
  op.slots.emplace();
  for (const json& slot : object.at("slots")) {
    op.slots->push_back({slot.at("index").get<uint64_t>(), slot.value("count", uint64_t{1}), {}});
  }
  return op;
}

HoldOp hold(const std::string& name, const json& object) {
  HoldOp op;
  op.at = address(object.at("at"));
  op.pages = page_count(object);
  op.what = name == "pin"          ? HoldOp::What::pin
            : name == "get-page"   ? HoldOp::What::get
            : name == "lock-folio" ? HoldOp::What::lock
                                   : HoldOp::What::isolate;
  op.release = object.value("release", false);
  op.longterm = object.value("longterm", false);
  op.process = text(object, "process");
  op.expect = maybe<std::string>(object, "expect");
  return op;
}

ExpectPageOp expect_page(const json& object) {
  ExpectPageOp op;
  op.at = address(object.at("at"));
  op.pages = page_count(object);
  op.process = text(object, "process");
  op.state = maybe<std::string>(object, "state");
  op.device = text(object, "device");
  op.writable = maybe<bool>(object, "writable");
  op.accessed = maybe<bool>(object, "accessed");
  op.dirty = maybe<bool>(object, "dirty");
  op.soft_dirty = maybe<bool>(object, "soft_dirty");
  op.uffd_wp = maybe<bool>(object, "uffd_wp");
  op.exclusive = maybe<bool>(object, "exclusive");
  op.locked = maybe<bool>(object, "locked");
  op.refcount = maybe<uint64_t>(object, "refcount");
  op.mapcount = maybe<uint64_t>(object, "mapcount");
  return op;
}

ExpectMigrateOp expect_migrate(const json& object) {
  ExpectMigrateOp op;
  op.migration = text(object, "migration");
  op.dst = text(object, "array") == "dst";
  op.index = object.value("index", uint64_t{0});
  op.count = object.value("count", uint64_t{1});
  if (object.contains("flags")) op.flags = flag_text(object.at("flags"));
  if (object.contains("pfn")) op.pfn = number(object.at("pfn"));
  if (object.contains("word")) op.word = number(object.at("word"));
  return op;
}

}  // namespace

void read_prepares(const json& object, RangeFaultOp& op) {
  if (!object.contains("prepares")) return;
  const json& prepares = object.at("prepares");
  op.prepares = PreparesDecl{text(prepares, "migration"), {}, prepares.value("owner", true)};
  if (prepares.contains("select")) op.prepares->select = selection(prepares);
}

std::optional<OpBody> migration_operation(const std::string& name, const json& object) {
  const auto at = [&] { return address(object.at("at")); };
  if (name == "migrate-setup") {
    return MigrateSetupOp{text(object, "migration"),
                          at(),
                          page_count(object),
                          text(object, "device"),
                          selection(object),
                          maybe<std::string>(object, "expect"),
                          maybe<uint64_t>(object, "cpages")};
  }
  if (name == "migrate-range-setup")
    return MigrateRangeSetupOp{text(object, "migration"), text(object, "array"), maybe<std::string>(object, "expect"),
                               maybe<uint64_t>(object, "cpages")};
  if (name == "migrate-pages") return migrate_pages(object);
  if (name == "migrate-finalize") return MigrateFinalizeOp{text(object, "migration")};
  if (name == "migrate-to-device" || name == "migrate-to-system") {
    return MigrateOp{object.value("migration", name),
                     at(),
                     page_count(object),
                     text(object, "device"),
                     name == "migrate-to-device",
                     maybe<std::string>(object, "expect"),
                     maybe<uint64_t>(object, "cpages")};
  }
  if (name == "evict-device") return EvictOp{text(object, "device"), maybe<uint64_t>(object, "moved")};
  if (name == "make-exclusive") {
    return MakeExclusiveOp{at(), page_count(object), text(object, "device"), maybe<uint64_t>(object, "made")};
  }
  if (name == "pin" || name == "get-page" || name == "lock-folio" || name == "isolate-folio")
    return hold(name, object);
  if (name == "oom-reap") return OomReapOp{text(object, "process"), maybe<std::string>(object, "expect")};
  if (name == "fork") return ForkOp{text(object, "child"), text(object, "process")};
  if (name == "expect-migrate") return expect_migrate(object);
  if (name == "expect-page") return expect_page(object);
  if (name == "expect-device") {
    return ExpectDeviceOp{text(object, "device"), at(), page_count(object), object.value("mapped", true),
                          maybe<bool>(object, "writable")};
  }
  return std::nullopt;
}

Result<void> OperationNames::check(const JsonDocument& document, const std::string& where) {
  const json& operation = document.root().at(json::json_pointer(where));
  const std::string name = text(operation, "op"), process = text(operation, "process");
  const std::string migration = text(operation, "migration");
  if (!process.empty() && !processes_.contains(process)) {
    return fail(document.error_at(where + "/process",
                                  "no fork before this one makes a process named '" + process + "'"));
  }
  if (name == "fork" && !processes_.insert(text(operation, "child")).second) {
    return fail(document.error_at(where + "/child", "a process of this name exists already"));
  }
  const bool runs_one = name == "migrate-setup" || name == "migrate-to-device" || name == "migrate-to-system" ||
                        name == "fault-and-migrate";
  if (runs_one && !migration.empty()) migrations_.insert(migration);
  if (operation.contains("prepares")) migrations_.insert(text(operation.at("prepares"), "migration"));
  if (!runs_one && !migration.empty() && !migrations_.contains(migration)) {
    return fail(
        document.error_at(where + "/migration", "no migration before this one is named '" + migration + "'"));
  }
  return {};
}

}  // namespace hmmscope::scenario
