#include <nlohmann/json.hpp>

#include "app/cli/command.h"
#include "app/cli/error_json.h"

namespace hmmscope::app {

nlohmann::ordered_json error_json(const Error& error) {
  nlohmann::ordered_json details = {{"message", error.message}};
  if (!error.file.empty()) details["file"] = error.file;
  if (error.line != 0) details["line"] = error.line;
  if (error.line == 0 && error.has_offset) details["offset"] = error.offset;
  return details;
}

int Output::bad_input(const Error& error) const {
  if (json) {
    // File names and messages may quote bytes that are not UTF-8.
    print(nlohmann::ordered_json{{"error", error_json(error)}}.dump(2, ' ', false,
                                                          nlohmann::json::error_handler_t::replace) +
          "\n");
    return exit_bad_input;
  }
  const std::string text = "hmmscope: " + error.to_string() + "\n";
  std::fwrite(text.data(), 1, text.size(), err);
  return exit_bad_input;
}

}  // namespace hmmscope::app
