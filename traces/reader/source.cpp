#include "traces/reader/source.h"

#include <array>

#include "traces/reader/capture_bundle.h"
#include "traces/reader/ftrace_text.h"
#include "traces/reader/trace_dat.h"
#include "traces/reader/trace_info.h"

namespace hmmscope::traces {
namespace {

std::string known_formats() {
  std::string names;
  for (const TraceSource* source : trace_sources()) names += (names.empty() ? "" : ", ") + std::string(source->name());
  return names;
}

Result<const TraceSource*> source_or_error(std::string_view head, std::string_view name) {
  if (head.empty()) return fail(Error{"is empty", std::string(name), 0, 0, false});
  if (const TraceSource* source = find_trace_source(head)) return source;
  return fail(Error::at_offset(name, 0, "is in no trace format known here (" + known_formats() + "), and no scenario or recording of hmmscope"));
}

/// The format is asked of the first bytes before the rest is unpacked, so that a packed file of something else costs
/// next to nothing.
Result<Trace::Parts> read_packed(std::string_view packed, Packing packing, std::string_view name, ReadWatch& watch) {
  const auto head = unpack_head(packed, packing, name, head_size);
  if (!head) return tl::unexpected(head.error());
  if ((*head)->view().empty()) {  // damaged from the start, or really empty: unpacking says which
    auto all = unpack(packed, packing, name, watch.progress());
    if (!all) return tl::unexpected(all.error());
  }
  const auto source = source_or_error((*head)->view(), name);
  if (!source) return tl::unexpected(source.error());
  auto bytes = unpack(packed, packing, name, watch.progress());
  if (!bytes) return tl::unexpected(bytes.error());
  return (*source)->read(std::move(*bytes), name, watch);
}

Result<Trace::Parts> read_bytes(std::shared_ptr<const Bytes> bytes, std::string_view name, ReadWatch& watch) {
  const std::string_view view = bytes->view();
  if (const Packing packing = detect_packing(view); packing != Packing::none) {
    return read_packed(view, packing, name, watch);
  }
  const auto source = source_or_error(view.substr(0, head_size), name);
  if (!source) return tl::unexpected(source.error());
  return (*source)->read(std::move(bytes), name, watch);
}

/// Hands traces out; `complete` adds to each what the file itself does not say.
ReadWatch watch_of(const ReadOptions& options, std::function<void(TraceInfo&)> complete = {}) {
  if (!options.prefix) return ReadWatch(options.progress);
  const auto hand_out = [&options, complete = std::move(complete)](Trace::Parts parts) {
    if (complete) complete(parts.info);
    options.prefix(std::make_shared<const Trace>(std::move(parts)));
  };
  return ReadWatch(options.progress, hand_out, options.first_prefix);
}

Result<std::shared_ptr<const Trace>> trace_of(Trace::Parts parts, const ReadOptions& options) {
  if (parts.info.incomplete && !options.accept_incomplete) return fail(std::move(*parts.info.incomplete));
  return std::make_shared<const Trace>(std::move(parts));
}

}  // namespace

std::span<const TraceSource* const> trace_sources() {
  static const std::array<const TraceSource*, 3> sources = {&trace_dat_source(), &capture_bundle_source(),
                                                        &ftrace_text_source()};
  return sources;
}

const TraceSource* find_trace_source(std::string_view head) {
  const TraceSource* best = nullptr;
  int best_score = 0;
  for (const TraceSource* source : trace_sources()) {
    if (const int score = source->recognise(head); score > best_score) best = source, best_score = score;
  }
  return best;
}

Result<std::shared_ptr<const Trace>> open_trace(const std::filesystem::path& path, const ReadOptions& options) {
  auto bytes = open_bytes(path, options.progress);
  if (!bytes) return tl::unexpected(bytes.error());
  return open_trace(std::move(*bytes), path, options);
}

Result<std::shared_ptr<const Trace>> open_trace(std::shared_ptr<const Bytes> file, const std::filesystem::path& path,
                                                const ReadOptions& options) {
  TraceInfo meta;
  if (!is_standard_input(path)) {
    if (auto read = read_meta_beside(path, meta); !read) return tl::unexpected(read.error());
  }
  const auto complete = [&meta](TraceInfo& info) { fill_unknown(meta, info); };
  ReadWatch watch = watch_of(options, complete);
  auto parts = read_bytes(std::move(file), display_name(path), watch);
  if (!parts) return tl::unexpected(parts.error());
  complete(parts->info);
  return trace_of(std::move(*parts), options);
}

Result<std::shared_ptr<const Trace>> read_trace(std::span<const uint8_t> bytes, std::string_view name,
                                                const ReadOptions& options) {
  auto copy = copy_bytes({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, name);
  if (!copy) return tl::unexpected(copy.error());
  ReadWatch watch = watch_of(options);
  auto parts = read_bytes(std::move(*copy), name, watch);
  if (!parts) return tl::unexpected(parts.error());
  return trace_of(std::move(*parts), options);
}

}  // namespace hmmscope::traces
