#include "app/cli/arguments.h"

#include <CLI/CLI.hpp>

namespace hmmscope::app {

Option& Option::required() {
  option_->required();
  return *this;
}

Option& Option::type_name(const std::string& name) {
  option_->type_name(name);
  return *this;
}

Option& Option::one_of(const std::vector<std::string>& values) {
  option_->check(CLI::IsMember(values));
  return *this;
}

Option& Option::range(double least, double most) {
  option_->check(CLI::Range(least, most));
  return *this;
}

Option& Option::positive() {
  option_->check(CLI::PositiveNumber);
  return *this;
}

Option& Option::show_default() {
  option_->capture_default_str();
  return *this;
}

Option& Option::excludes(const Option& other) {
  option_->excludes(other.option_);
  return *this;
}

/// An empty value is a script's unset variable, not a wish for the default.
static const CLI::Validator& not_empty() {
  static const CLI::Validator validator([](const std::string& value) { return value.empty() ? std::string("may not be empty") : std::string(); }, "");
  return validator;
}

Option Arguments::option(const std::string& name, std::string& value, const std::string& help) {
  return Option(app_->add_option(name, value, help)->check(not_empty()));
}
Option Arguments::option(const std::string& name, std::vector<std::string>& values, const std::string& help) {
  return Option(app_->add_option(name, values, help)->check(not_empty()));
}
Option Arguments::option(const std::string& name, uint64_t& value, const std::string& help) {
  return Option(app_->add_option(name, value, help));
}
Option Arguments::option(const std::string& name, double& value, const std::string& help) {
  return Option(app_->add_option(name, value, help));
}
Option Arguments::option(const std::string& name, std::optional<uint32_t>& value, const std::string& help) {
  return Option(app_->add_option(name, value, help));
}
Option Arguments::option(const std::string& name, std::optional<uint64_t>& value, const std::string& help) {
  return Option(app_->add_option(name, value, help));
}
Option Arguments::flag(const std::string& name, bool& value, const std::string& help) {
  return Option(app_->add_flag(name, value, help));
}

Arguments Arguments::subcommand(const std::string& name, const std::string& help) {
  app_->require_subcommand(0, 1);
  return Arguments(app_->add_subcommand(name, help));
}

bool Arguments::parsed() const { return app_ != nullptr && app_->parsed(); }

}  // namespace hmmscope::app
