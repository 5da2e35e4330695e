#pragma once
/// The small language of lesson numbers: function calls over names, numbers and 'strings', such as
/// `field('hmm-v9-posted', 'ORDER', slot(first-look, 0))`. There are no loops and no state, so evaluation
/// always ends. The vocabulary is listed in FORMAT.md.
///
/// Threads: an Expression is immutable once parsed.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "engine/base/result.h"

namespace hmmscope::lessons {

using Value = std::variant<bool, uint64_t, std::string>;

/// As shown to a learner: numbers in decimal with thin grouping, booleans as yes and no.
std::string to_text(const Value& value);

struct Expression {
  enum class Kind : uint8_t { number, text, name, call };
  Kind kind = Kind::number;
  uint64_t number = 0;
  std::string text;                   ///< text, name, or the function's name
  std::vector<Expression> arguments;  ///< call
};

/// Errors say at which character. Nesting is limited to 32, length to 4096 characters.
Result<Expression> parse_expression(std::string_view text);

/// A {{...}} in a text.
struct Placeholder {
  size_t begin, length;  ///< braces included
  std::string expression;
};
/// Every placeholder of a text; an error when one is left open.
Result<std::vector<Placeholder>> placeholders(std::string_view text);

/// What names and functions mean.
class Environment {
 public:
  virtual ~Environment() = default;
  virtual Result<Value> name(const std::string& name) = 0;
  /// Arguments are passed unevaluated: some are names of moments.
  virtual Result<Value> call(const Expression& call) = 0;
};
Result<Value> evaluate(const Expression& expression, Environment& environment);

}  // namespace hmmscope::lessons
