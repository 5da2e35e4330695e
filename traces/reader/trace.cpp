#include "traces/reader/trace.h"

#include <algorithm>

namespace hmmscope::traces {

std::string_view TraceInfo::about(std::string_view key) const {
  for (const TraceSection& section : sections) {
    if (section.title != "about") continue;
    for (std::string_view rest = section.text; !rest.empty();) {
      const std::string_view line = rest.substr(0, rest.find('\n'));
      rest.remove_prefix(std::min(rest.size(), line.size() + 1));
      if (line.starts_with(key) && line.substr(key.size()).starts_with(' ')) return line.substr(key.size() + 1);
    }
  }
  return {};
}

int32_t EventView::pid() const { return trace_->tasks()[event_.task].pid; }
std::string_view EventView::kind_name() const { return trace_->kinds()[event_.kind]; }

std::optional<int64_t> EventView::integer(std::string_view name) const {
  const auto value = number(name);
  if (!value) return std::nullopt;
  return static_cast<int64_t>(*value);
}
std::optional<std::string_view> EventView::text(std::string_view name) const {
  return trace_->decoder().text(event_, name);
}
bool EventView::array_damaged(std::string_view name) const { return trace_->decoder().array_damaged(event_, name); }

std::optional<uint32_t> EventView::array(std::string_view name, std::span<uint64_t> out) const {
  return trace_->decoder().array(event_, name, out);
}
std::string EventView::payload() const { return trace_->decoder().payload(event_); }

Error EventView::error(std::string message) const {
  return Error::at_line(trace_->info().name, event_.line, std::move(message));
}

KindId Trace::kind(std::string_view name) const {
  for (size_t i = 0; i < parts_.kinds.size(); ++i) {
    if (parts_.kinds[i] == name) return static_cast<KindId>(i);
  }
  return no_kind;
}

size_t Trace::index_bytes() const {
  size_t bytes = parts_.events.bytes() + parts_.tasks.capacity() * sizeof(TraceTask) +
                 parts_.kinds.capacity() * sizeof(std::string);
  for (const TraceTask& task : parts_.tasks) bytes += task.name.capacity();
  for (const std::string& kind : parts_.kinds) bytes += kind.capacity();
  return bytes;
}

}  // namespace hmmscope::traces
