#include <fmt/format.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <memory>

#include "engine/recording/file_format.h"
#include "engine/recording/recording_file.h"

namespace hmmscope {
namespace format = file_format;

namespace {

/// Names in ascending order, numbered.
class NameTable {
 public:
  void add(std::string_view name) { names_.push_back(name); }
  void close() {
    std::sort(names_.begin(), names_.end());
    names_.erase(std::unique(names_.begin(), names_.end()), names_.end());
  }
  uint16_t index(std::string_view name) const {
    return static_cast<uint16_t>(std::lower_bound(names_.begin(), names_.end(), name) - names_.begin());
  }
  void put(format::Bytes& out) const {
    out.put(static_cast<uint32_t>(names_.size()));
    for (const std::string_view name : names_) out.put(name);
  }
  size_t size() const { return names_.size(); }

 private:
  std::vector<std::string_view> names_;
};


/// Saving favours speed: recordings are large and mostly regular.
constexpr int compression_level = 1;

}  // namespace

class RecordingWriter {
 public:
  explicit RecordingWriter(const Recording& recording) : r_(recording) {}

  Result<std::vector<uint8_t>> write() {
    context_.reset(ZSTD_createCCtx());
    if (context_ == nullptr) return fail("out of memory while saving a recording");
    collect_names();
    put_tables();
    put_steps();
    put_writes();
    put_calls();
    put_trace();
    if (error_ != nullptr) return fail(fmt::format("a recording could not be compressed: {}", error_));
    return assemble();
  }

 private:
  struct FreeContext {
    void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  };

  void section(uint32_t tag, const void* data, size_t size) {
    format::SectionEntry entry{};
    entry.tag = tag;
    entry.size = size;
    entry.offset = body_.size();  // made absolute when the table's size is known
    const size_t bound = ZSTD_compressBound(size);
    body_.resize_uninitialised(entry.offset + bound);
    uint8_t* out = body_.data() + entry.offset;
    const size_t packed = ZSTD_compressCCtx(context_.get(), out, bound, data, size, compression_level);
    if (ZSTD_isError(packed)) error_ = ZSTD_getErrorName(packed);
    if (!ZSTD_isError(packed) && packed < size) {
      entry.flags = format::SectionEntry::zstd;
      entry.stored_size = packed;
    } else {
      if (size > 0) std::memcpy(out, data, size);
      entry.stored_size = size;
    }
    entry.checksum = file_format::crc(0, out, entry.stored_size);
    body_.resize_uninitialised(entry.offset + entry.stored_size);
    table_.push_back(entry);
  }
  template <class T>
  void column(uint32_t tag, const T& values) {
    section(tag, values.data(), values.size() * sizeof(*values.data()));
  }
  void bytes(uint32_t tag, const format::Bytes& values) { column(tag, values.data); }

  void collect_names() {
    std::vector<bool> rule_used(rules().size());
    for (StepIndex s = 0; s < r_.steps(); ++s) {
      if (!rule_used[r_.rule_[s]] || foreign(r_.foreign_.of_step, s)) rules_.add(r_.rule_name(s));
      if (!foreign(r_.foreign_.of_step, s)) rule_used[r_.rule_[s]] = true;
    }
    for (size_t i = 0; i < r_.checks_.size(); ++i) rules_.add(r_.rule_name_of_check(i));
    for (CallId c = 0; c < r_.calls_.size(); ++c) functions_.add(r_.function_name_of(c));
    for (const Region& region : r_.regions_) kinds_.add(region_kind_name(region.kind));
    rules_.close();
    functions_.close();
    kinds_.close();
  }

  bool foreign(const Column<uint16_t>& column, size_t index) const {
    return r_.foreign_.name(column, index) != nullptr;
  }

  void put_tables() {
    format::Bytes names;
    rules_.put(names);
    functions_.put(names);
    kinds_.put(names);
    bytes(format::names, names);

    format::Bytes meta;
    meta.put(static_cast<uint32_t>(r_.meta_.size()));
    for (const auto& [key, value] : r_.meta_) {
      meta.put(std::string_view(key));
      meta.put(std::string_view(value));
    }
    bytes(format::meta, meta);

    format::Bytes regions;
    regions.put(static_cast<uint32_t>(r_.regions_.size()));
    for (const Region& region : r_.regions_) {
      regions.put(format::RegionRow{kinds_.index(region_kind_name(region.kind)), 0, region.owner,
                                    region.count, 0, region.address, region.stride});
      regions.put(std::string_view(region.name));
    }
    bytes(format::regions, regions);
    column(format::initial, r_.initial_);
  }

  void put_steps() {
    std::vector<uint16_t> index_of_rule(rules().size());
    for (const Rule& known : rules()) index_of_rule[static_cast<size_t>(known.rule)] = rules_.index(known.id);
    Column<uint16_t> rule;
    rule.resize_uninitialised(r_.steps());
    for (StepIndex s = 0; s < r_.steps(); ++s) {
      const std::string* name = r_.foreign_.name(r_.foreign_.of_step, s);
      rule[s] = name != nullptr ? rules_.index(*name) : index_of_rule[r_.rule_[s]];
    }
    column(format::step_rule, rule);
    column(format::step_call, r_.call_);
    column(format::step_event, r_.event_);
    column(format::step_operands, differences(r_.operand_end_));
    column(format::step_writes, differences(r_.write_end_));
    column(format::operands, r_.operands_);
  }

  /// Counts rather than ends: small numbers compress.
  static Column<uint32_t> differences(const Column<uint32_t>& ends) {
    Column<uint32_t> counts;
    counts.resize_uninitialised(ends.size());
    uint32_t before = 0;
    for (size_t i = 0; i < ends.size(); ++i) {
      counts[i] = ends[i] - before;
      before = ends[i];
    }
    return counts;
  }

  void put_writes() {
    column(format::write_word, r_.write_word_);
    column(format::write_info, r_.write_info_);
    Column<uint64_t> values;
    values.resize_uninitialised(r_.writes());
    Column<format::RunRow> rows;
    Column<uint64_t> literals;
    for (uint32_t w = 0; w < r_.writes(); ++w) {
      const WriteView write = r_.write_at(w);
      values[w] = write.new_shape == WriteShape::single ? write.new_base : 0;
      if (write.new_shape == WriteShape::literal) {
        rows.push({write.count, format::RunRow::literal, 0, 0});
        literals.append(write.new_literal, write.count);
      } else if (write.new_shape == WriteShape::linear) {
        rows.push({write.count, format::RunRow::linear, write.new_base, write.new_stride});
      }
    }
    column(format::write_value, values);
    column(format::runs, rows);
    column(format::literals, literals);
  }

  void put_calls() {
    Column<format::CallRow> rows;
    Column<uint64_t> arguments;
    for (CallId c = 0; c < r_.calls_.size(); ++c) {
      const Call& call = r_.calls_[c];
      rows.push({call.parent, functions_.index(r_.function_name_of(c)), call.argument_count, call.first_step,
                 call.end_step, call.task, call.returned ? 1u : 0u, call.result});
      arguments.append(r_.arguments(c).data(), call.argument_count);
    }
    column(format::calls, rows);
    column(format::arguments, arguments);
  }

  void put_trace() {
    Column<format::EventRow> events;
    for (const Event& event : r_.events_)
      events.push({event.time_ns, event.line, event.task, event.cpu, event.kind});
    column(format::events, events);

    format::Bytes kinds;
    kinds.put(static_cast<uint32_t>(r_.event_kinds_.size()));
    for (const std::string& kind : r_.event_kinds_) kinds.put(std::string_view(kind));
    bytes(format::event_kinds, kinds);

    format::Bytes tasks;
    tasks.put(static_cast<uint32_t>(r_.tasks_.size()));
    for (const Task& task : r_.tasks_) {
      tasks.put(task.pid);
      tasks.put(std::string_view(task.name));
    }
    bytes(format::tasks, tasks);

    format::Bytes checks;
    checks.put(static_cast<uint32_t>(r_.checks_.size()));
    for (size_t i = 0; i < r_.checks_.size(); ++i) {
      const CallCheck& check = r_.checks_[i];
      checks.put(format::CheckRow{check.call, check.step, check.word, static_cast<uint16_t>(check.verdict),
                                  rules_.index(r_.rule_name_of_check(i)), check.kernel, check.engine,
                                  check.known, check.words_compared, check.words_unknown});
      checks.put(std::string_view(check.reason));
    }
    bytes(format::checks, checks);
  }

  std::vector<uint8_t> assemble() {
    format::Header header{format::magic, format::version, static_cast<uint32_t>(table_.size()), 0, 0};
    const size_t table_size = table_.size() * sizeof(format::SectionEntry);
    for (auto& entry : table_) entry.offset += sizeof header + table_size;
    header.checksum = file_format::crc(file_format::crc(0, &header, sizeof header), table_.data(), table_size);
    const auto* head = reinterpret_cast<const uint8_t*>(&header);
    const auto* table = reinterpret_cast<const uint8_t*>(table_.data());
    std::vector<uint8_t> file;
    file.reserve(sizeof header + table_size + body_.size());
    file.insert(file.end(), head, head + sizeof header);
    file.insert(file.end(), table, table + table_size);
    file.insert(file.end(), body_.begin(), body_.end());
    return file;
  }

  const Recording& r_;
  NameTable rules_, functions_, kinds_;
  std::unique_ptr<ZSTD_CCtx, FreeContext> context_;
  std::vector<format::SectionEntry> table_;
  Column<uint8_t> body_;
  const char* error_ = nullptr;
};

Result<std::vector<uint8_t>> RecordingFile::to_bytes(const Recording& recording) {
  return RecordingWriter(recording).write();
}

}  // namespace hmmscope
