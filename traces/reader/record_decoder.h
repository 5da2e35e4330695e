#pragma once
/// Fields of binary ring-buffer records, decoded by tables taken from the trace's own format descriptions. Knows
/// nothing of the file the records came from.

#include <memory>
#include <string>
#include <vector>

#include "traces/reader/bytes.h"
#include "traces/reader/trace.h"

namespace hmmscope::traces {

struct RecordField {
  enum class Type : uint8_t {
    number,          ///< size 1, 2, 4 or 8
    symbol,          ///< a number that text traces print as the symbol at that address, with the offset in it
    function,        ///< as symbol, without the offset
    array,           ///< of numbers of `element` bytes
    string,          ///< fixed room, or up to the end of the record when size is 0
    dynamic_string,  ///< offset and length in a 32-bit word
  };
  std::string name;
  uint32_t offset = 0;
  uint32_t size = 0;
  uint32_t element = 0;   ///< size of a number
  Type type = Type::number;
  bool is_signed = false;
};

/// One event's record layout.
struct RecordFormat {
  std::vector<RecordField> fields;
  uint32_t left_out = 0;   ///< bytes in front of the record that were not kept: dynamic strings count them, `offset` does not
};

struct RecordSymbol {
  uint64_t address;
  std::string text;       ///< "hugetlb_vm_ops+0x0"
};

/// An event's offset is its record's place in `records`, fields_at the record's size, format_data its format's index.
class RecordDecoder final : public FieldDecoder {
 public:
  /// `symbols` sorted by address.
  RecordDecoder(std::shared_ptr<const Bytes> records, std::vector<RecordFormat> formats, std::vector<RecordSymbol> symbols);

  bool number(const TraceEvent& event, std::string_view name, uint64_t& number) const override;
  std::optional<std::string_view> text(const TraceEvent& event, std::string_view name) const override;
  std::optional<uint32_t> array(const TraceEvent& event, std::string_view name, std::span<uint64_t> out) const override;
  bool array_damaged(const TraceEvent& event, std::string_view name) const override;
  std::string payload(const TraceEvent& event) const override;

 private:
  const RecordField* find(const TraceEvent& event, std::string_view name) const;
  std::string_view record(const TraceEvent& event) const;
  std::optional<std::string_view> symbol(uint64_t address) const;

  std::shared_ptr<const Bytes> records_;
  std::vector<RecordFormat> formats_;
  std::vector<RecordSymbol> symbols_;
};

}  // namespace hmmscope::traces
