#include "engine/base/json_document.h"

#include <algorithm>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

#include "engine/base/json_lines.h"

namespace hmmscope {
namespace {

uint64_t line_at(std::string_view text, size_t offset) {
  return 1 + static_cast<uint64_t>(std::count(
                 text.begin(), text.begin() + static_cast<ptrdiff_t>(std::min(offset, text.size())), '\n'));
}

/// nlohmann's messages begin with an exception number and a position that the line repeats.
std::string syntax_message(std::string_view what) {
  const size_t end_of_position = what.find(": ");
  return "not valid JSON: " +
         std::string(end_of_position == std::string_view::npos ? what : what.substr(end_of_position + 2));
}

/// Finds where the parser stops; its exception does not say for a number.
struct NumberTooLarge final : nlohmann::json_sax<nlohmann::json> {
  size_t end = 1;   ///< characters read
  std::string text;
  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_object(size_t) override { return true; }
  bool key(string_t&) override { return true; }
  bool end_object() override { return true; }
  bool start_array(size_t) override { return true; }
  bool end_array() override { return true; }
  bool parse_error(size_t position, const std::string& token, const nlohmann::json::exception&) override {
    end = std::max<size_t>(position, 1);
    text = token;
    return false;
  }
};

/// valijson writes a path as "<root>", "[tasks]", "[0]"; a JSON pointer says the same.
std::string pointer_from(const std::vector<std::string>& context) {
  std::string pointer;
  for (const std::string& part : context) {
    if (part.size() < 2 || part.front() != '[') continue;
    pointer += "/" + escape_pointer_part(std::string_view(part).substr(1, part.size() - 2));
  }
  return pointer;
}

}  // namespace

Result<JsonDocument> JsonDocument::parse(std::string_view text, std::string_view name) {
  if (text.size() > max_bytes)
    return fail(Error{"larger than any file of this kind should be", std::string(name), 0, 0, false});
  // The parser takes a NUL for the end of the text, whatever follows.
  if (const size_t nul = text.find('\0'); nul != std::string_view::npos)
    return fail(Error::at_line(name, line_at(text, nul), "a NUL character, which no JSON has"));
  JsonDocument document;
  document.name_ = name;
  try {
    document.root_ = nlohmann::json::parse(text);
  } catch (const nlohmann::json::parse_error& mistake) {
    const size_t offset = mistake.byte == 0 ? 0 : mistake.byte - 1;
    return fail(Error::at_line(name, line_at(text, offset), syntax_message(mistake.what())));
  } catch (const nlohmann::json::exception&) {  // a number no double can hold
    NumberTooLarge found;
    (void)nlohmann::json::sax_parse(text, &found);
    return fail(Error::at_line(name, line_at(text, found.end - 1), "not valid JSON: the number " + found.text.substr(0, 40) + " is too large"));
  }
  auto lines = json_lines(text, name, max_depth);
  if (!lines) return fail(lines.error());
  document.lines_ = std::move(*lines);
  return document;
}

Result<void> JsonDocument::check(const nlohmann::json& schema_text) const {
  try {
    valijson::Schema schema;
    valijson::SchemaParser parser;
    parser.populateSchema(valijson::adapters::NlohmannJsonAdapter(schema_text), schema);
    valijson::Validator validator;
    valijson::ValidationResults results;
    if (validator.validate(schema, valijson::adapters::NlohmannJsonAdapter(root_), &results)) return {};
    // The deepest complaint comes first and is the most telling one.
    valijson::ValidationResults::Error complaint;
    results.popError(complaint);
    const std::string pointer = pointer_from(complaint.context);
    return fail(error_at(pointer, (pointer.empty() ? "" : pointer + ": ") + complaint.description));
  } catch (const std::exception& mistake) {
    return fail(std::string("the schema itself is broken: ") + mistake.what());
  }
}

uint64_t JsonDocument::line_of(std::string_view pointer) const {
  for (;;) {
    if (const auto found = lines_.find(std::string(pointer)); found != lines_.end()) return found->second;
    const size_t slash = pointer.rfind('/');
    if (slash == std::string_view::npos) return 1;
    pointer = pointer.substr(0, slash);
  }
}

Error JsonDocument::error_at(std::string_view pointer, std::string message) const {
  return Error::at_line(name_, line_of(pointer), std::move(message));
}

}  // namespace hmmscope
