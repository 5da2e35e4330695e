#pragma once
/// JSON that a person wrote: parsed, checked against a JSON Schema, and able to say on which line a value
/// stands, so that every complaint about it can name file and line.
///
/// Threads: immutable after parsing.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <unordered_map>

#include "engine/base/result.h"

namespace hmmscope {

class JsonDocument {
 public:
  static constexpr size_t max_bytes = size_t{4} << 20;
  static constexpr size_t max_depth = 64;

  /// `name` appears in errors. Objects with the same key twice are refused: one of the two values would be
  /// lost.
  static Result<JsonDocument> parse(std::string_view text, std::string_view name);

  const nlohmann::json& root() const { return root_; }
  const std::string& name() const { return name_; }

  /// The first complaint of the schema (draft 7), at its line.
  Result<void> check(const nlohmann::json& schema) const;
  /// Line of the value at a JSON pointer ("/tasks/0/id"); of the nearest value around it when there is none.
  uint64_t line_of(std::string_view pointer) const;
  Error error_at(std::string_view pointer, std::string message) const;

 private:
  nlohmann::json root_;
  std::string name_;
  std::unordered_map<std::string, uint64_t> lines_;  ///< pointer -> line
};

}  // namespace hmmscope
