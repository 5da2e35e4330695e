#pragma once
/// What a command says of its options and subcommands. The words are CLI11's, which does the parsing; only arguments.cpp
/// and cli.cpp see its header, because reading it costs the compiler more than any of our own files.
///
/// Ownership: handles; the options belong to the program's parser and the variables to the command, which both outlive
/// the parse. Threads: the main one.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace hmmscope::app {

/// One option, to be described further.
class Option {
 public:
  Option& required();
  Option& type_name(const std::string& name);   ///< stands behind the option in the help
  Option& one_of(const std::vector<std::string>& values);
  Option& range(double least, double most);
  Option& positive();
  Option& show_default();                       ///< the variable's value, in the help
  Option& excludes(const Option& other);

 private:
  friend class Arguments;
  explicit Option(CLI::Option* option) : option_(option) {}
  CLI::Option* option_;
};

class Arguments {
 public:
  Arguments() = default;                        ///< of no command: nothing was parsed
  explicit Arguments(CLI::App* app) : app_(app) {}

  /// `name` without a dash in front is positional; "-o,--output" has two names. The variable's value is the default.
  Option option(const std::string& name, std::string& value, const std::string& help);
  Option option(const std::string& name, std::vector<std::string>& values, const std::string& help);
  Option option(const std::string& name, uint64_t& value, const std::string& help);
  Option option(const std::string& name, double& value, const std::string& help);
  Option option(const std::string& name, std::optional<uint32_t>& value, const std::string& help);
  Option option(const std::string& name, std::optional<uint64_t>& value, const std::string& help);
  Option flag(const std::string& name, bool& value, const std::string& help);

  /// At most one of the subcommands may be given.
  Arguments subcommand(const std::string& name, const std::string& help);
  /// Whether this (sub)command was given.
  bool parsed() const;

 private:
  CLI::App* app_ = nullptr;
};

}  // namespace hmmscope::app
