// `hmmscope actions`: what the window can do, and the keys it ships with.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "app/cli/window.h"
#include "app/gui/action_table.h"

namespace hmmscope::app {
namespace {

std::string plain(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c != '&') result += c;
  }
  return result;
}

std::string padded(std::string text, size_t width) {
  text.resize(std::max(text.size() + 2, width), ' ');
  return text;
}

class ActionsCommand : public Command {
 public:
  std::string_view name() const override { return "actions"; }
  std::string_view summary() const override { return "List the actions of the window and their keys"; }
  void declare(Arguments&) override {}
  int run(const Output& output) override {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    std::string text;
    for (const ActionRow& row : action_table()) {
      list.push_back({{"id", row.id},
                      {"menu", row.menu},
                      {"text", plain(row.text)},
                      {"keys", row.shortcuts},
                      {"hint", row.hint}});
      text += padded(row.id, 26) + padded(row.shortcuts, 20) + row.hint + "\n";
    }
    output.print(output.json ? list.dump(2) + "\n" : text);
    return exit_ok;
  }
};

}  // namespace

std::unique_ptr<Command> make_actions_command() { return std::make_unique<ActionsCommand>(); }

}  // namespace hmmscope::app
