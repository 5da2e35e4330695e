#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "app/cli/command.h"
#include "engine/base/output_file.h"
#include "traces/document.h"
#include "traces/export/call_array.h"
#include "traces/export/sink.h"
#include "traces/extract/extract.h"

namespace hmmscope::app {
namespace {

/// `hmmscope extract`: a call of a trace as a scenario that can be edited and run.
class ExtractCommand : public Command {
 public:
  std::string_view name() const override { return "extract"; }
  std::string_view summary() const override { return "Turn a call of a trace into a scenario"; }

  void declare(Arguments& arguments) override {
    arguments.option("FILE", file_, "A kernel trace or a recording made from one; - is standard input")
        .required();
    Option call = arguments.option("--call", call_, "The call, by its number in --list").type_name("N");
    const Option list = arguments.flag("--list", list_, "List the calls instead");
    call.excludes(list);
    arguments.option("-o,--output", output_, "File to write (default: standard output)").type_name("OUT");
    arguments.option("--kernel", kernel_, "Read FILE as of this kernel model, whatever it says of itself")
        .type_name("MODEL");
  }

  int run(const Output& output) override {
    if (!call_ && !list_)
      return output.bad_input(Error{"which call? --call N, or --list to see them", {}, 0, 0, false});
    if (!output_.empty() && output_ != "-") {
      if (const auto other = check_not_input(output_, file_); !other) return output.bad_input(other.error());
    }
    traces::OpenOptions options;
    options.kernel = kernel_;
    const auto opened = traces::open_document(file_, options);
    if (!opened) return output.bad_input(opened.error());
    if (list_) return list(output, **opened);
    const auto text = traces::extract_call(**opened, *call_);
    if (!text) return output.bad_input(text.error());
    auto sink = traces::FileSink::create(output_.empty() ? "-" : output_);
    if (!sink) return output.bad_input(sink.error());
    (*sink)->write(*text);
    if (const auto done = (*sink)->finish(); !done) return output.bad_input(done.error());
    return exit_ok;
  }

 private:
  static int list(const Output& output, const traces::Document& document) {
    nlohmann::ordered_json rows = nlohmann::ordered_json::array();
    for (const traces::ExtractableCall& call : traces::extractable_calls(*document.recording)) {
      const std::string_view verdict = traces::verdict_name(call.verdict);
      if (output.json) {
        rows.push_back({{"call", call.number},
                        {"function", function_name(call.function)},
                        {"line", call.line},
                        {"start", fmt::format("{:#x}", call.start)},
                        {"end", fmt::format("{:#x}", call.end)},
                        {"result", call.result},
                        {"verdict", verdict}});
      } else {
        output.print(fmt::format("{:>6}  line {:<8} {:<17} {:#x}-{:#x}  {:>4}  {}\n", call.number, call.line,
                                 function_name(call.function), call.start, call.end, call.result, verdict));
      }
    }
    if (output.json) output.print(rows.dump(2) + "\n");
    return exit_ok;
  }

  std::string file_, output_, kernel_;
  std::optional<uint32_t> call_;
  bool list_ = false;
};

}  // namespace

std::unique_ptr<Command> make_extract_command() { return std::make_unique<ExtractCommand>(); }

}  // namespace hmmscope::app
