#include "traces/reader/record_decoder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace hmmscope::traces {
namespace {

using Type = RecordField::Type;

/// Little-endian number of 1, 2, 4 or 8 bytes; false when it lies outside the record.
bool load(std::string_view record, uint64_t offset, uint32_t size, bool is_signed, uint64_t& value) {
  if (size == 0 || size > 8 || offset + size > record.size()) return false;
  value = 0;
  std::memcpy(&value, record.data() + offset, size);
  if (is_signed && size < 8 && (value >> (8 * size - 1) & 1) != 0) value |= ~uint64_t{0} << (8 * size);
  return true;
}

bool is_symbol(const RecordField& field) { return field.type == Type::symbol || field.type == Type::function; }

std::optional<std::string_view> load_string(std::string_view record, const RecordField& field, uint32_t left_out) {
  uint64_t offset = field.offset, size = field.size;
  if (field.type == Type::dynamic_string) {
    uint64_t place;
    if (!load(record, field.offset, 4, false, place)) return std::nullopt;
    offset = place & 0xffff;
    if (offset < left_out) return std::nullopt;
    offset -= left_out;
    size = place >> 16;
  }
  if (offset > record.size()) return std::nullopt;
  std::string_view text = record.substr(offset, size == 0 ? std::string_view::npos : size);
  text = text.substr(0, text.find('\0'));
  while (text.ends_with('\n')) text.remove_suffix(1);  // markers keep the newline they were written with
  return text;
}

}  // namespace

RecordDecoder::RecordDecoder(std::shared_ptr<const Bytes> records, std::vector<RecordFormat> formats,
                             std::vector<RecordSymbol> symbols)
    : records_(std::move(records)), formats_(std::move(formats)), symbols_(std::move(symbols)) {}

std::string_view RecordDecoder::record(const TraceEvent& event) const {
  return records_->view().substr(event.offset, event.fields_at);
}

const RecordField* RecordDecoder::find(const TraceEvent& event, std::string_view name) const {
  for (const RecordField& field : formats_[event.format_data].fields) {
    if (field.name == name) return &field;
  }
  return nullptr;
}

std::optional<std::string_view> RecordDecoder::symbol(uint64_t address) const {
  const auto found = std::lower_bound(symbols_.begin(), symbols_.end(), address,
                                      [](const RecordSymbol& s, uint64_t a) { return s.address < a; });
  if (found == symbols_.end() || found->address != address) return std::nullopt;
  return found->text;
}

bool RecordDecoder::number(const TraceEvent& event, std::string_view name, uint64_t& number) const {
  const RecordField* field = find(event, name);
  if (field == nullptr || (field->type != Type::number && !is_symbol(*field))) return false;
  return load(record(event), field->offset, field->size, field->is_signed, number);
}

std::optional<std::string_view> RecordDecoder::text(const TraceEvent& event, std::string_view name) const {
  const RecordField* field = find(event, name);
  if (field == nullptr) return std::nullopt;
  if (field->type == Type::string || field->type == Type::dynamic_string) {
    return load_string(record(event), *field, formats_[event.format_data].left_out);
  }
  if (!is_symbol(*field)) return std::nullopt;
  uint64_t address;
  if (!load(record(event), field->offset, field->size, false, address)) return std::nullopt;
  auto printed = symbol(address);
  if (printed && field->type == Type::function) printed = printed->substr(0, printed->find('+'));
  return printed;
}

std::optional<uint32_t> RecordDecoder::array(const TraceEvent& event, std::string_view name, std::span<uint64_t> out) const {
  const RecordField* field = find(event, name);
  if (field == nullptr || field->type != Type::array || field->element == 0) return std::nullopt;
  const uint32_t count = field->size / field->element;
  for (uint32_t i = 0; i < count && i < out.size(); ++i) {
    const uint64_t at = uint64_t{field->offset} + uint64_t{i} * field->element;
    if (!load(record(event), at, field->element, field->is_signed, out[i])) return std::nullopt;
  }
  return count;
}

bool RecordDecoder::array_damaged(const TraceEvent& event, std::string_view name) const {
  const RecordField* field = find(event, name);
  return field != nullptr && field->type == Type::array && !array(event, name, {});
}

std::string RecordDecoder::payload(const TraceEvent& event) const {
  std::string out;
  for (const RecordField& field : formats_[event.format_data].fields) {
    if (!out.empty()) out += ' ';
    out += field.name + '=';
    if (field.type == Type::array) {
      std::vector<uint64_t> words(field.element == 0 ? 0 : field.size / field.element);
      const auto count = array(event, field.name, words);
      out += '{';
      for (uint32_t i = 0; i < count.value_or(0); ++i) out += fmt::format("{}{:#x}", i == 0 ? "" : ",", words[i]);
      out += '}';
    } else if (const auto printed = text(event, field.name)) {
      out += *printed;
    } else if (uint64_t value; number(event, field.name, value)) {
      out += field.is_signed ? fmt::format("{}", static_cast<int64_t>(value)) : fmt::format("{:#x}", value);
    }
  }
  return out;
}

}  // namespace hmmscope::traces
