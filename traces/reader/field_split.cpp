#include "traces/reader/field_split.h"

#include <cstring>

#include "traces/reader/byte_mask.h"
#include "traces/reader/hex_run.h"
#include "traces/reader/text_line.h"

namespace hmmscope::traces {
namespace {

uint64_t load_word(const char* p) {
  uint64_t word;
  std::memcpy(&word, p, sizeof word);
  return word;
}

}  // namespace

FieldSplit::Key FieldSplit::Key::of(std::string_view name) {
  if (name.size() >= 8) return {load_word(name.data()), load_word(name.data() + name.size() - 8)};
  if (name.size() >= 4) {
    uint32_t first, last;
    std::memcpy(&first, name.data(), 4);
    std::memcpy(&last, name.data() + name.size() - 4, 4);
    return {uint64_t{last} << 32 | first, 0};
  }
  Key key;
  for (const char c : name) key.first = key.first << 8 | static_cast<uint8_t>(c);
  return key;
}

void FieldSplit::Name::learn(std::string_view name) {
  key = Key::of(name);
  size = name.size();
  text = name;
  std::memset(mask, 0, sizeof mask);
  if (name.size() + 1 > sizeof bytes) return;
  std::memset(bytes, 0, sizeof bytes);
  std::memcpy(bytes, name.data(), name.size());
  std::memcpy(reinterpret_cast<char*>(bytes) + name.size(), "=", 1);
  std::memset(mask, 0xff, name.size() + 1);
}

bool FieldSplit::Name::stands_at(const char* at, const char* end_of_text) const {
  if (mask[0] == 0 || end_of_text - at < static_cast<std::ptrdiff_t>(sizeof bytes)) return false;
  return (((load_word(at) ^ bytes[0]) & mask[0]) | ((load_word(at + 8) ^ bytes[1]) & mask[1])) == 0;
}

void FieldSplit::split(std::string_view text) {
  text_ = text;
  count_ = 0;
  next_value_ = first_value();
  if (next_value_ == nullptr) scan_ = FieldScan(payload());
}

std::string_view FieldSplit::payload() const {
  return without_line_end(text_.substr(0, text_.find('\n')));
}

bool FieldSplit::ends_at(const char* at) const {
  const char* const end = text_.data() + text_.size();
  if (at != end && *at == '\r') ++at;
  return at == end || *at == '\n';
}

/// Behind the first '=', when the first name of before is in front of it.
const char* FieldSplit::first_value() const {
  const Name& name = names_[0];
  const size_t equals = find_near(text_, '=', '\n', 0);
  if (equals == std::string_view::npos || equals < name.size) return nullptr;
  const char* const at = text_.data() + equals - name.size;
  if (equals != name.size && at[-1] != ' ' && at[-1] != '(') return nullptr;
  return name.stands_at(at, text_.data() + text_.size()) ? text_.data() + equals + 1 : nullptr;
}

std::optional<std::string_view> FieldSplit::find(std::string_view name) {
  const Value* value = look_up(name);
  if (value == nullptr) return std::nullopt;
  return value->text;
}

bool FieldSplit::number(std::string_view name, bool bare_hex, uint64_t& number) {
  const Value* value = look_up(name);
  if (value == nullptr) return false;
  if (value->digits == Digits::prefixed || (value->digits == Digits::bare && (bare_hex || value->number < 10))) {
    number = value->number;
    return true;
  }
  const auto parsed = parse_number(value->text, bare_hex);
  number = parsed.value_or(0);
  return parsed.has_value();
}

const FieldSplit::Value* FieldSplit::look_up(std::string_view name) {
  if (name.empty()) return nullptr;
  const Key key = Key::of(name);
  for (size_t i = 0; i < count_; ++i) {
    if (names_[i].is(name, key)) return &values_[i];
  }
  while (count_ < most) {
    if (!next()) return nullptr;
    if (names_[count_++].is(name, key)) return &values_[count_ - 1];
  }
  take_slowly();
  FieldScan rest = scan_;
  beyond_.digits = Digits::unknown;
  for (std::string_view found; rest.next(found, beyond_.text);) {
    if (found == name) return &beyond_;
  }
  return nullptr;
}

bool FieldSplit::next() {
  if (next_value_ != nullptr && next_as_before()) return true;
  take_slowly();
  std::string_view name;
  values_[count_].digits = Digits::unknown;
  if (!scan_.next(name, values_[count_].text)) return false;
  if (name.size() > 16 || !names_[count_].is(name, Key::of(name))) names_[count_].learn(name);
  const auto after = scan_.known_next();
  const Name& next_name = names_[count_ + 1];
  const char* const text = text_.data();
  if (after && after->equals - after->begin == next_name.size && next_name.stands_at(text + after->begin, text + text_.size()))
    next_value_ = text + after->equals + 1;
  return true;
}

/// The next field is left to scan_.
void FieldSplit::take_slowly() {
  if (next_value_ == nullptr) return;
  const auto equals = static_cast<size_t>(next_value_ - text_.data()) - 1;
  scan_ = FieldScan(payload(), {equals - names_[count_].size, equals});
  next_value_ = nullptr;
}

/// A value of digits with the name of before behind it, or the end: no other '=' can be between, which is all that
/// FieldScan looks for.
bool FieldSplit::next_as_before() {
  const char *const begin = next_value_, *const end = text_.data() + text_.size();
  const char* at = begin;
  Value& value = values_[count_];
  value.digits = Digits::unknown;
  if (at == end) return false;
  if (*at == '{') {
    const auto* const close = static_cast<const char*>(std::memchr(at + 1, '}', static_cast<size_t>(end - at - 1)));
    if (close == nullptr || std::memchr(at + 1, '\n', static_cast<size_t>(close - at - 1)) != nullptr) return false;
    value.text = {at + 1, static_cast<size_t>(close - at - 1)};
    at = close + 1;
  } else {
    const bool prefixed = end - at > 2 && at[0] == '0' && at[1] == 'x', negative = *at == '-';
    at += prefixed ? 2 : negative ? 1 : 0;
    const HexRun run = read_hex_run({at, static_cast<size_t>(end - at)});
    if (run.digits == 0) return false;
    at += run.digits;
    value.text = {begin, static_cast<size_t>(at - begin)};
    value.number = run.number;
    value.digits = prefixed ? Digits::prefixed : negative ? Digits::unknown : Digits::bare;
    if (at != end && *at == ',' && !ends_at(at + 1)) ++at;
  }
  const Name& next = names_[count_ + 1];
  if (at != end && *at == ' ' && next.stands_at(at + 1, end)) {
    next_value_ = at + 1 + next.size + 1;
    return true;
  }
  if (!ends_at(at)) return false;
  scan_ = FieldScan();   // it was the last one
  next_value_ = nullptr;
  return true;
}

}  // namespace hmmscope::traces
