#pragma once
/// Fields of ftrace text, decoded from the line of an event.

#include <memory>
#include <string>
#include <vector>

#include "traces/reader/bytes.h"
#include "traces/reader/text_line.h"
#include "traces/reader/trace.h"

namespace hmmscope::traces {

class FieldSplit;

class TextDecoder final : public FieldDecoder {
 public:
  /// `kinds` are the canonical names of the trace.
  TextDecoder(std::shared_ptr<const Bytes> bytes, const std::vector<std::string>& kinds);

  bool number(const TraceEvent& event, std::string_view name, uint64_t& number) const override;
  std::optional<std::string_view> text(const TraceEvent& event, std::string_view name) const override;
  std::optional<uint32_t> array(const TraceEvent& event, std::string_view name, std::span<uint64_t> out) const override;
  bool array_damaged(const TraceEvent& event, std::string_view name) const override;
  std::string payload(const TraceEvent& event) const override;

 private:
  /// What is special about the print format of an event.
  enum class Dialect : uint8_t { plain, fork, new_task, migration_entry };

  static bool prints_hex(Dialect dialect, std::string_view name);
  std::optional<uint64_t> special_number(const TraceEvent& event, std::string_view name) const;
  std::string_view line_from(uint64_t offset) const;
  std::string_view payload_of(const TraceEvent& event) const;
  /// The fields of payload_of(event); several of one event cost one pass. Until the thread asks for another event's.
  FieldSplit& fields_of(const TraceEvent& event) const;
  std::optional<std::string_view> fork_field(std::string_view payload, std::string_view name) const;

  std::shared_ptr<const Bytes> bytes_;
  std::vector<Dialect> dialects_;
  uint64_t id_;   ///< no two decoders have the same: tells whose event a thread has split last
};

}  // namespace hmmscope::traces
