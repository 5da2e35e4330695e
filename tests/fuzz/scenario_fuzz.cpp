// Scenario files: JSON, schema and references of any text; what parses and asks for little work also runs, under its
// own kernel model, and ends in a recording or an error with a message.
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "engine/scenario/run.h"

namespace {

/// Whether no decimal number of the text is above 512: pages and repetitions are counted in decimal, so the run is
/// over in a moment.
bool little_work(std::string_view text) {
  uint64_t number = 0;
  bool hexadecimal = false;
  for (const char c : text) {
    if (std::isdigit(static_cast<unsigned char>(c)) == 0) {
      hexadecimal = c == 'x' || (hexadecimal && std::isxdigit(static_cast<unsigned char>(c)) != 0);
      number = 0;
    } else if (!hexadecimal) {
      number = number * 10 + static_cast<uint64_t>(c - '0');
      if (number > 512) return false;
    }
  }
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hmmscope;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto parsed = scenario::parse(text, "input.json");
  if (!parsed) {
    if (parsed.error().message.empty()) std::abort();
    return 0;
  }
  if (!little_work(text)) return 0;
  const auto outcome = scenario::run(*parsed);
  if (!outcome) {
    if (outcome.error().message.empty()) std::abort();
    return 0;
  }
  if (outcome->failures.size() > outcome->expectations) std::abort();
  for (const scenario::Failure& failure : outcome->failures)
    if (failure.text.empty() || failure.line == 0) std::abort();
  return 0;
}
