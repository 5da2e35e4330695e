#pragma once
/// Reads the operations of migration, and keeps track of the names they give and use. Internal to
/// engine/scenario.

#include <optional>
#include <set>
#include <string>

#include "engine/base/json_document.h"
#include "engine/scenario/scenario.h"

namespace hmmscope::scenario {

/// Nothing when the operation is of another kind.
std::optional<OpBody> migration_operation(const std::string& name, const nlohmann::json& object);

/// Processes and migrations in the order of the file: they must be made before they are used.
class OperationNames {
 public:
  Result<void> check(const JsonDocument& document, const std::string& where);

 private:
  std::set<std::string> processes_, migrations_;
};

/// The key `prepares` of a range-fault.
void read_prepares(const nlohmann::json& object, RangeFaultOp& op);

}  // namespace hmmscope::scenario
