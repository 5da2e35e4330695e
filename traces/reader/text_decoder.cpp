#include "traces/reader/text_decoder.h"

#include <array>
#include <atomic>

#include "traces/reader/field_split.h"
#include "traces/reader/text_fields.h"

namespace hmmscope::traces {
namespace {

constexpr std::string_view marker_function = "tracing_mark_write: ";

PayloadForm form_of(const TraceEvent& event) { return static_cast<PayloadForm>(event.format_data); }

/// trace_marker text: bare in `trace`, behind the function's name in trace-cmd report, "ip=... buf=..." in its raw form.
std::string_view marker_text(std::string_view payload) {
  if (payload.starts_with(marker_function)) return payload.substr(marker_function.size());
  if (payload.starts_with("ip=")) {
    if (const size_t buf = payload.find(" buf="); buf != std::string_view::npos) return payload.substr(buf + 5);
  }
  return payload;
}

std::optional<std::string_view> exit_value(std::string_view payload, std::string_view name) {
  if (const auto field = find_field(payload, name)) return field;  // trace-cmd report -R: "__syscall_nr=9 ret=0x0"
  if (name != "ret" || payload.find('=') != std::string_view::npos) return std::nullopt;
  return payload;
}

std::optional<std::string_view> probe_field(std::string_view payload, std::string_view name) {
  const auto symbols = probe_symbols(payload);
  if (!symbols) return std::nullopt;
  const std::string_view text = name == "__probe_ip" ? symbols->ip : name == "__probe_func" ? symbols->func : symbols->ret_ip;
  if (text.empty()) return std::nullopt;
  return text;
}

}  // namespace

TextDecoder::TextDecoder(std::shared_ptr<const Bytes> bytes, const std::vector<std::string>& kinds)
    : bytes_(std::move(bytes)) {
  static std::atomic<uint64_t> made = 0;
  id_ = ++made;
  dialects_.reserve(kinds.size());
  for (const std::string& kind : kinds) {
    Dialect dialect = Dialect::plain;
    if (kind == "sched_process_fork") dialect = Dialect::fork;
    if (kind == "task_newtask") dialect = Dialect::new_task;
    if (kind == "set_migration_pte" || kind == "remove_migration_pte") dialect = Dialect::migration_entry;
    dialects_.push_back(dialect);
  }
}

std::string_view TextDecoder::line_from(uint64_t offset) const {
  const std::string_view rest = bytes_->view().substr(offset);
  return without_line_end(rest.substr(0, rest.find('\n')));
}

std::string_view TextDecoder::payload_of(const TraceEvent& event) const {
  return line_from(event.offset + event.fields_at);
}

FieldSplit& TextDecoder::fields_of(const TraceEvent& event) const {
  struct Last {
    uint64_t decoder = 0, offset = 0;
    FieldSplit fields;
  };
  // One a kind: calls look at their entry and their return in turn, and the payloads of a kind are alike.
  thread_local constinit std::array<Last, 64> kinds{};
  Last& last = kinds[event.kind % kinds.size()];
  if (last.decoder != id_ || last.offset != event.offset) {
    last.fields.split(bytes_->view().substr(event.offset + event.fields_at));
    last.decoder = id_;
    last.offset = event.offset;
  }
  return last.fields;
}

/// Text prints "comm=A pid=1 child_comm=B child_pid=2" for the fields parent_comm, parent_pid, child_comm, child_pid.
/// The names may hold spaces, so the pids are looked for from the right.
std::optional<std::string_view> TextDecoder::fork_field(std::string_view payload, std::string_view name) const {
  if (payload.starts_with("parent_comm=")) return find_field(payload, name);
  constexpr std::string_view parent_mark = " pid=", child_mark = " child_comm=", child_pid_mark = " child_pid=";
  const size_t child_pid = payload.rfind(child_pid_mark);
  const size_t child = payload.rfind(child_mark, child_pid);
  const size_t parent_pid = child == std::string_view::npos ? child : payload.rfind(parent_mark, child);
  if (!payload.starts_with("comm=") || child_pid == std::string_view::npos || parent_pid == std::string_view::npos) {
    return std::nullopt;
  }
  const size_t parent_value = parent_pid + parent_mark.size(), child_value = child + child_mark.size();
  if (name == "parent_comm" || name == "comm") return payload.substr(5, parent_pid - 5);
  if (name == "parent_pid" || name == "pid") return payload.substr(parent_value, child - parent_value);
  if (name == "child_comm") return payload.substr(child_value, child_pid - child_value);
  if (name == "child_pid") return payload.substr(child_pid + child_pid_mark.size());
  return std::nullopt;
}

std::optional<std::string_view> TextDecoder::text(const TraceEvent& event, std::string_view name) const {
  if (form_of(event) == PayloadForm::fields && dialects_[event.kind] != Dialect::fork) {
    if (const auto field = fields_of(event).find(name); field || !name.starts_with("__probe_")) return field;
    return probe_field(payload_of(event), name);
  }
  const std::string_view payload = payload_of(event);
  switch (form_of(event)) {
    case PayloadForm::print:
      if (name != "buf") return std::nullopt;
      return marker_text(payload);
    case PayloadForm::exit: return exit_value(payload, name);
    case PayloadForm::enter:
      if (const auto argument = find_argument(payload, name)) return argument;
      return find_field(payload, name);
    case PayloadForm::lost: return std::nullopt;
    case PayloadForm::fields: break;
  }
  return fork_field(payload, name);
}

bool TextDecoder::number(const TraceEvent& event, std::string_view name, uint64_t& number) const {
  const bool fields = form_of(event) == PayloadForm::fields && dialects_[event.kind] != Dialect::fork;
  if (fields && !name.starts_with('_')) return fields_of(event).number(name, prints_hex(dialects_[event.kind], name), number);
  const auto special = special_number(event, name);
  number = special.value_or(0);
  return special.has_value();
}

/// Without 0x, too.
bool TextDecoder::prints_hex(Dialect dialect, std::string_view name) {
  if (dialect == Dialect::plain) return false;
  return dialect == Dialect::migration_entry ? name == "addr" || name == "pte" : dialect == Dialect::new_task && name == "clone_flags";
}

/// Of a line that is no list of fields, or of the place in front of them.
std::optional<uint64_t> TextDecoder::special_number(const TraceEvent& event, std::string_view name) const {
  if (form_of(event) == PayloadForm::lost) {
    ParsedLine mark;
    if (name != "count" || parse_line(line_from(event.offset), mark) != LineKind::lost || !mark.lost_known) {
      return std::nullopt;
    }
    return mark.lost;
  }
  const auto value = text(event, name);
  if (!value) return std::nullopt;
  return parse_number(*value, (form_of(event) == PayloadForm::enter && name != "__syscall_nr") || name.starts_with("__probe_"));
}

std::optional<uint32_t> TextDecoder::array(const TraceEvent& event, std::string_view name, std::span<uint64_t> out) const {
  if (form_of(event) != PayloadForm::fields) return std::nullopt;
  const auto value = fields_of(event).find(name);
  if (!value) return std::nullopt;
  return parse_array(*value, out);
}

bool TextDecoder::array_damaged(const TraceEvent& event, std::string_view name) const {
  if (form_of(event) != PayloadForm::fields) return false;
  if (const auto value = fields_of(event).find(name)) return !parse_array(*value, {});
  // Without its closing brace it is no field at all.
  const std::string_view payload = payload_of(event);
  for (size_t at = payload.find(name); at != std::string_view::npos; at = payload.find(name, at + 1)) {
    const std::string_view behind = payload.substr(at + name.size());
    const bool begins = at == 0 || payload[at - 1] == ' ';
    if (begins && (behind.starts_with("={") || behind.starts_with("=ARRAY["))) return true;
  }
  return false;
}

std::string TextDecoder::payload(const TraceEvent& event) const {
  std::string_view text = payload_of(event);
  if (form_of(event) == PayloadForm::enter && text.ends_with(')')) text.remove_suffix(1);
  if (form_of(event) == PayloadForm::print) text = marker_text(text);
  return std::string(text);
}

}  // namespace hmmscope::traces
