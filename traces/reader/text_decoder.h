#pragma once
/// Fields of ftrace text, decoded from the line of an event.

#include <memory>
#include <string>
#include <vector>

#include "traces/reader/bytes.h"
#include "traces/reader/text_line.h"
#include "traces/reader/trace.h"

namespace hmmscope::traces {

class TextDecoder final : public FieldDecoder {
 public:
  /// `kinds` are the canonical names of the trace.
  TextDecoder(std::shared_ptr<const Bytes> bytes, const std::vector<std::string>& kinds);

  std::optional<uint64_t> number(const TraceEvent& event, std::string_view name) const override;
  std::optional<std::string_view> text(const TraceEvent& event, std::string_view name) const override;
  std::optional<uint32_t> array(const TraceEvent& event, std::string_view name, std::span<uint64_t> out) const override;
  bool array_damaged(const TraceEvent& event, std::string_view name) const override;
  std::string payload(const TraceEvent& event) const override;

 private:
  /// What is special about the print format of an event.
  enum class Dialect : uint8_t { plain, fork, new_task, migration_entry };

  std::string_view line_from(uint64_t offset) const;
  std::string_view payload_of(const TraceEvent& event) const;
  /// As find_field(payload_of(event), name); several fields of one event cost one pass.
  std::optional<std::string_view> field_of(const TraceEvent& event, std::string_view name) const;
  std::optional<std::string_view> fork_field(std::string_view payload, std::string_view name) const;

  std::shared_ptr<const Bytes> bytes_;
  std::vector<Dialect> dialects_;
  uint64_t id_;   ///< no two decoders have the same: tells whose event a thread has split last
};

}  // namespace hmmscope::traces
