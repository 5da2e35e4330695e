#include "engine/base/json_lines.h"

#include <nlohmann/json.hpp>
#include <vector>

namespace hmmscope {
namespace {

/// Walks a text that is known to be valid JSON, so that it may look at a character and trust what follows.
class Scanner {
 public:
  Scanner(std::string_view text, std::string_view name, size_t max_depth)
      : text_(text), name_(name), max_depth_(max_depth) {}

  Result<std::unordered_map<std::string, uint64_t>> run() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '\n') ++line_;
      if (c == '"') {
        if (auto done = string(); !done) return fail(done.error());
        continue;
      }
      if (c == '{' || c == '[') {
        value();
        if (open_.size() == max_depth_) return fail(Error::at_line(name_, line_, "nested too deeply"));
        open_.push_back({c == '[', c == '{', 0, pointer_.size()});
      } else if (c == '}' || c == ']') {
        pointer_.resize(open_.back().pointer_length);
        open_.pop_back();
      } else if (c == ',') {
        pointer_.resize(open_.back().pointer_length);
        if (open_.back().array) ++open_.back().index;
        open_.back().key_next = !open_.back().array;
      } else if (c == '-' || c == 't' || c == 'f' || c == 'n' || (c >= '0' && c <= '9')) {
        value();
        while (at_ + 1 < text_.size() &&
               text_.substr(at_ + 1, 1).find_first_of(",]} \t\r\n") == std::string_view::npos)
          ++at_;
      }
      ++at_;
    }
    return std::move(lines_);
  }

 private:
  struct Open {
    bool array;
    bool key_next;          ///< the next string is a key
    size_t index;           ///< of the next array element
    size_t pointer_length;  ///< of the container's own pointer
  };

  /// A value begins here: notes its line under its pointer.
  void value() {
    if (!open_.empty() && open_.back().array) pointer_ += "/" + std::to_string(open_.back().index);
    lines_.emplace(pointer_, line_);
  }

  Result<void> string() {
    const size_t begin = at_++;
    while (text_[at_] != '"') at_ += text_[at_] == '\\' ? 2 : 1;
    ++at_;
    if (open_.empty() || !open_.back().key_next) {
      value();
      return {};
    }
    const auto key = nlohmann::json::parse(text_.substr(begin, at_ - begin)).get<std::string>();
    open_.back().key_next = false;
    pointer_ += "/" + escape_pointer_part(key);
    if (lines_.contains(pointer_))
      return fail(Error::at_line(name_, line_, "the key \"" + key + "\" stands twice in one object"));
    return {};
  }

  std::string_view text_, name_;
  size_t max_depth_;
  size_t at_ = 0;
  uint64_t line_ = 1;
  std::vector<Open> open_;
  std::string pointer_;
  std::unordered_map<std::string, uint64_t> lines_;
};

}  // namespace

Result<std::unordered_map<std::string, uint64_t>> json_lines(std::string_view text, std::string_view name,
                                                             size_t max_depth) {
  return Scanner(text, name, max_depth).run();
}

std::string escape_pointer_part(std::string_view key) {
  std::string escaped;
  for (const char c : key) {
    if (c == '~')
      escaped += "~0";
    else if (c == '/')
      escaped += "~1";
    else
      escaped += c;
  }
  return escaped;
}

}  // namespace hmmscope
