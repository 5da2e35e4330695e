#pragma once
/// Reads the operations of the eras: DMA maps, mirror tables, and what range-fault says about old and new calls.
/// Internal to engine/scenario.

#include <map>
#include <optional>
#include <set>
#include <string>

#include "engine/base/json_document.h"
#include "engine/scenario/scenario.h"

namespace hmmscope::scenario {

/// Nothing when the operation is of another kind.
std::optional<OpBody> era_operation(const std::string& name, const nlohmann::json& object);
void read_era_keys(const nlohmann::json& object, RangeFaultOp& op);

/// Mirror tables and their iterators in the order of the file: they must be made before they are used.
class MirrorNames {
 public:
  Result<void> check(const JsonDocument& document, const std::string& where);

 private:
  std::set<std::string> tables_;
};

}  // namespace hmmscope::scenario
