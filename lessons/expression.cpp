#include "lessons/expression.h"

#include "lessons/number.h"

namespace hmmscope::lessons {
namespace {

constexpr size_t max_length = 4096;
constexpr int max_nesting = 32;

bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name_part(char c) { return is_name_start(c) || is_digit(c) || c == '-' || c == '.'; }

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<Expression> whole() {
    auto expression = next(0);
    if (!expression) return expression;
    skip_spaces();
    if (at_ != text_.size()) return problem("nothing may follow here");
    return expression;
  }

 private:
  Result<Expression> next(int nesting) {
    if (nesting > max_nesting) return problem("nested too deeply");
    skip_spaces();
    if (at_ == text_.size()) return problem("a value is missing");
    if (text_[at_] == '\'') return quoted();
    if (is_digit(text_[at_])) return number();
    if (is_name_start(text_[at_])) return name_or_call(nesting);
    return problem("a name, a number or a 'string' is expected");
  }

  Result<Expression> quoted() {
    const size_t end = text_.find('\'', at_ + 1);
    if (end == std::string_view::npos) return problem("the string has no closing '");
    Expression result{Expression::Kind::text, 0, std::string(text_.substr(at_ + 1, end - at_ - 1)), {}};
    at_ = end + 1;
    return result;
  }

  Result<Expression> number() {
    const size_t begin = at_;
    while (at_ < text_.size() && is_name_part(text_[at_])) ++at_;
    const auto value = parse_number(text_.substr(begin, at_ - begin));
    if (!value) return problem(value.error().message);
    return Expression{Expression::Kind::number, *value, {}, {}};
  }

  Result<Expression> name_or_call(int nesting) {
    const size_t begin = at_;
    while (at_ < text_.size() && is_name_part(text_[at_])) ++at_;
    Expression result{Expression::Kind::name, 0, std::string(text_.substr(begin, at_ - begin)), {}};
    skip_spaces();
    if (at_ == text_.size() || text_[at_] != '(') return result;
    result.kind = Expression::Kind::call;
    ++at_;
    skip_spaces();
    if (take(')')) return result;
    for (;;) {
      auto argument = next(nesting + 1);
      if (!argument) return argument;
      result.arguments.push_back(std::move(*argument));
      skip_spaces();
      if (take(')')) return result;
      if (!take(',')) return problem("',' or ')' is expected");
    }
  }

  bool take(char c) {
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void skip_spaces() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
  }
  tl::unexpected<Error> problem(std::string_view what) const {
    return fail("in \"" + std::string(text_) + "\", at character " + std::to_string(at_ + 1) + ": " +
                std::string(what));
  }

  std::string_view text_;
  size_t at_ = 0;
};

}  // namespace

std::string to_text(const Value& value) {
  if (const bool* truth = std::get_if<bool>(&value)) return *truth ? "yes" : "no";
  if (const uint64_t* number = std::get_if<uint64_t>(&value)) return grouped(*number);
  return std::get<std::string>(value);
}

Result<Expression> parse_expression(std::string_view text) {
  if (text.size() > max_length)
    return fail("an expression is longer than " + std::to_string(max_length) + " characters");
  return Parser(text).whole();
}

Result<std::vector<Placeholder>> placeholders(std::string_view text) {
  std::vector<Placeholder> found;
  for (size_t at = 0; (at = text.find("{{", at)) != std::string_view::npos;) {
    const size_t end = text.find("}}", at);
    if (end == std::string_view::npos) return fail("\"{{\" without \"}}\" in \"" + std::string(text) + "\"");
    found.push_back({at, end + 2 - at, std::string(text.substr(at + 2, end - at - 2))});
    at = end + 2;
  }
  return found;
}

Result<Value> evaluate(const Expression& expression, Environment& environment) {
  switch (expression.kind) {
    case Expression::Kind::number:
      return Value(expression.number);
    case Expression::Kind::text:
      return Value(expression.text);
    case Expression::Kind::name:
      return environment.name(expression.text);
    case Expression::Kind::call:
      return environment.call(expression);
  }
  return fail("unreachable kind of expression");
}

}  // namespace hmmscope::lessons
