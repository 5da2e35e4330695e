#include "traces/reader/trace_dat.h"

#include <fmt/format.h>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

#include <algorithm>
#include <cstring>
#include <limits>
#include <unordered_map>

#include "traces/reader/grow_buffer.h"
#include "traces/reader/intern.h"
#include "traces/reader/record_decoder.h"
#include "traces/reader/trace_dat_formats.h"
#include "traces/reader/trace_dat_input.h"
#include "traces/reader/trace_dat_sections.h"
#include "traces/reader/trace_info.h"
#include "traces/reader/tracecmd_api.h"

namespace hmmscope::traces {
namespace {

using namespace std::string_view_literals;

/// Bytes of records a file can hold: those of version 6 lie in it as they are, those of version 7 may be packed.
uint64_t records_limit(std::string_view file) {
  constexpr uint64_t slack = 1u << 20;
  return file.substr(dat_magic.size()).starts_with('6') ? file.size() + slack : unpack_limit(file.size());
}
constexpr uint64_t events_a_report = 1u << 16;
constexpr uint64_t events_a_look = 1u << 12;   // events between two looks at prefixes

/// The library takes and frees tens of megabytes in small pieces; what is kept lies between them.
struct ReturnFreedMemory {
  ReturnFreedMemory() = default;
  ReturnFreedMemory(const ReturnFreedMemory&) = delete;
  ReturnFreedMemory& operator=(const ReturnFreedMemory&) = delete;
  ~ReturnFreedMemory() {
#if defined(__GLIBC__)
    constexpr size_t worth_it = 8u << 20;   // giving back, and asking for pages again, takes a few per cent of opening a small file
    if (::mallinfo2().fordblks > worth_it) ::malloc_trim(0);
#endif
  }
};

class DatCollector {
 public:
  DatCollector(std::string_view file, std::optional<SymbolTablePlace> table, std::string_view name, ReadWatch& watch)
      : file_(file), table_(table), watch_(watch), progress_(watch.progress()), records_(std::make_shared<GrowBuffer>(records_limit(file))) {
    parts_.info.name = name;
    parts_.info.format = "trace.dat";
    parts_.info.clock_digits = 9;
    formats_.emplace_back();  // 0: lost-event marks
    formats_[0].fields.push_back({"count", 0, 8, 8, RecordField::Type::number, false});
  }

  /// `count`: of the records there are.
  Result<Trace::Parts> run(tracecmd_input* handle, uint64_t count) {
    tep_ = tracecmd_get_tep(handle);
    if (tep_ == nullptr) return fail(broken("has no event formats"));
    if (tep_is_file_bigendian(tep_)) return fail(broken("comes from a big-endian machine, which is not supported"));
    if (const int cpus = tracecmd_cpus(handle); cpus > 0) parts_.info.cpus = static_cast<uint32_t>(cpus);
    if (tep_is_old_format(tep_)) return fail(broken("has pages of a kernel before 2.6.30, or a damaged format of pages"));
    if (const tep_event* first = tep_get_first_event(tep_); first != nullptr) note_places(*first);
    if (!places_.known) return fail(broken("has no event formats, or ones without the type and the pid"));
    take_uname(tracecmd_get_uname(handle));
    if (std::string why = why_not_readable(parts_.info.arch); !why.empty()) return fail(broken(std::move(why)));
    take_all(handle, count);
    if (!failure_.empty()) {
      if (watch_.owes(parts_.events.size())) watch_.hand_out(prefix());
      return fail(failure_ == "cancelled" ? Error{failure_, {}, 0, 0, false} : broken(failure_));
    }
    if (parts_.events.empty()) return fail(broken("holds no events"));
    return finish();
  }

 private:
  Error broken(std::string message) const { return Error{std::move(message), parts_.info.name, 0, 0, false}; }
  bool stop(std::string why) {
    failure_ = std::move(why);
    return false;
  }

  /// "Linux HOST RELEASE VERSION... MACHINE"
  void take_uname(const char* uname) {
    if (uname == nullptr) return;
    std::string_view text(uname);
    std::vector<std::string_view> words;
    while (!text.empty()) {
      const size_t space = text.find(' ');
      if (space != 0) words.push_back(text.substr(0, space));
      text.remove_prefix(space == std::string_view::npos ? text.size() : space + 1);
    }
    if (words.size() < 4 || words[0] != "Linux") return;
    parts_.info.kernel = words[2];
    parts_.info.arch = words.back();
  }

  /// The CPUs' records in the order of time, equal times in the order of the CPUs: what tracecmd_iterate_events gives,
  /// without asking every CPU for its next record again for each one. The library gives no record when there is none, and
  /// when memory is out.
  void take_all(tracecmd_input* handle, uint64_t count) {
    struct Free {
      void operator()(tep_record* record) const { tracecmd_free_record(record); }
    };
    std::vector<std::unique_ptr<tep_record, Free>> heads;
    for (int cpu = 0; cpu < static_cast<int>(std::min(parts_.info.cpus, 1u << 16)); ++cpu) heads.emplace_back(tracecmd_read_data(handle, cpu));
    for (uint64_t taken = 0;; ++taken) {
      size_t first = heads.size();
      for (size_t cpu = 0; cpu < heads.size(); ++cpu) {
        if (heads[cpu] != nullptr && (first == heads.size() || heads[cpu]->ts < heads[first]->ts)) first = cpu;
      }
      if (first == heads.size() && taken < count) stop(fmt::format("ends early, after {} of {} records: memory is out", taken, count));
      if (first == heads.size() || !take(*heads[first])) return;
      heads[first].reset();   // in front of the next: the library keeps one page a CPU
      heads[first].reset(tracecmd_read_data(handle, static_cast<int>(first)));
    }
  }

  bool take(const tep_record& record) {
    if (parts_.events.size() % events_a_report == 0) {
      if (progress_.cancelled()) return stop("cancelled");
      progress_.at("reading", parts_.events.size(), 0);
    }
    if (parts_.events.size() % events_a_look == 0 && watch_.due(parts_.events.size())) watch_.hand_out(prefix());
    if (record.size < 0 || record.size > std::numeric_limits<uint16_t>::max() || record.data == nullptr) return stop("has a record of impossible size");
    if (record.cpu < 0 || record.cpu > std::numeric_limits<uint16_t>::max()) return stop("has a record of an impossible cpu");
    if (record.missed_events != 0 && !take_lost(record)) return false;
    Known* known = known_record(record);
    if (known == nullptr) return false;
    const int32_t pid = pid_of(record);
    std::string_view bytes(static_cast<const char*>(record.data), static_cast<size_t>(record.size));
    bytes.remove_prefix(std::min<size_t>(bytes.size(), known->common));
    note_symbols(*known, bytes);
    return push(record, bytes, *known, task_on(static_cast<uint32_t>(record.cpu), pid)) && failure_.empty();
  }

  bool take_lost(const tep_record& record) {
    const uint64_t count = record.missed_events > 0 ? static_cast<uint64_t>(record.missed_events) : 0;
    parts_.info.lost_events += count == 0 ? 1 : count;
    const KindId kind = kinds_.find_or_add({"lost_events", PayloadForm::lost, false, false, 0});
    const std::string_view bytes(reinterpret_cast<const char*>(&count), count == 0 ? 0 : sizeof count);
    return push(record, bytes, {kind, 0, 0, {}}, tasks_.find_or_add(-1, 0, ""));
  }

  struct SymbolField {
    uint32_t offset;
    uint64_t last;   ///< the address met last: an event mostly comes from one place
  };
  struct Known {
    KindId kind;
    uint16_t format;
    uint32_t common;   ///< bytes in front that all events share: type, flags, pid
    std::vector<SymbolField> symbols;
  };

  /// Where all events keep their type and their pid. The library looks there without asking how long a record is.
  struct CommonPlaces {
    bool known = false;
    uint32_t type = 0, pid = 0, end = 0;
  };
  void note_places(const tep_event& event) {
    bool type = false, pid = false;
    for (const tep_format_field* field = event.format.common_fields; field != nullptr; field = field->next) {
      const std::string_view name = field->name;
      if (field->offset < 0) return;
      const auto at = static_cast<uint32_t>(field->offset);
      if (name == "common_type" && field->size == 2) type = true, places_.type = at;
      if (name == "common_pid" && field->size == 4) pid = true, places_.pid = at;
    }
    places_.end = std::max(places_.type + 2, places_.pid + 4);
    places_.known = type && pid;
  }

  template <class T>
  static T load(const tep_record& record, uint32_t at) {
    T value;
    std::memcpy(&value, static_cast<const char*>(record.data) + at, sizeof value);
    return value;
  }
  int32_t pid_of(const tep_record& record) const { return load<int32_t>(record, places_.pid); }

  /// nullptr with failure_ set.
  Known* known_record(const tep_record& record) {
    if (static_cast<uint32_t>(record.size) < places_.end) return stop("has a record shorter than what all events share"), nullptr;
    const auto id = load<uint16_t>(record, places_.type);
    if (id < by_id_.size() && by_id_[id] != nullptr) return by_id_[id].get();
    tep_event* event = tep_find_event(tep_, id);
    if (event == nullptr)
      return stop(fmt::format("has no format for event {}, of which its record {} on CPU {} is", id, parts_.events.size() + 1, record.cpu)), nullptr;
    Known* known = known_event(*event);
    if (known == nullptr) stop("has more than 65534 different events");
    return known;
  }

  bool push(const tep_record& record, std::string_view bytes, const Known& known, uint32_t task) {
    if (!bytes.empty()) {
      if (!records_->reserve_more(bytes.size())) return stop("holds more records than fit in memory");
      std::memcpy(records_->tail(), bytes.data(), bytes.size());
    }
    parts_.events.push_back({static_cast<int64_t>(record.ts), records_->size(), static_cast<uint32_t>(parts_.events.size() + 1), task,
                             static_cast<uint16_t>(record.cpu), known.kind, static_cast<uint16_t>(bytes.size()), known.format});
    records_->added(bytes.size());
    return true;
  }

  /// Records of one CPU mostly come from the task it ran last.
  uint32_t task_on(uint32_t cpu, int32_t pid) {
    if (cpu >= running_.size()) running_.resize(cpu + 1, {std::numeric_limits<int32_t>::min(), 0});
    Running& running = running_[cpu];
    if (running.pid != pid) running = {pid, task_of(pid)};
    return running.task;
  }

  uint32_t task_of(int32_t pid) {
    const auto [found, fresh] = task_by_pid_.try_emplace(pid, 0);
    if (fresh) {
      const char* comm = tep_data_comm_from_pid(tep_, pid);
      // The library says so in place of a name.
      if (comm != nullptr && std::string_view(comm).starts_with("<not enough memory")) stop("cannot be read: memory is out");
      found->second = tasks_.find_or_add(pid, 0, comm != nullptr ? comm : "<...>");
    }
    return found->second;
  }

  Known* known_event(const tep_event& event) {
    const auto id = static_cast<uint32_t>(event.id);
    if (id < by_id_.size() && by_id_[id] != nullptr) return by_id_[id].get();
    if (id > std::numeric_limits<uint16_t>::max()) return nullptr;
    const KindId kind = kinds_.find_or_add({event.name, PayloadForm::fields, false, false, 0});
    if (kind == no_kind || formats_.size() > 0xffff) return nullptr;
    Known known{kind, static_cast<uint16_t>(formats_.size()), 0, {}};
    formats_.push_back(format_of(event));
    known.common = formats_.back().left_out;
    for (const RecordField& field : formats_.back().fields) {
      if (field.type == RecordField::Type::symbol || field.type == RecordField::Type::function) {
        if (field.size == 8) known.symbols.push_back({field.offset, 0});
      }
    }
    if (id >= by_id_.size()) by_id_.resize(id + 1);
    by_id_[id] = std::make_unique<Known>(std::move(known));
    return by_id_[id].get();
  }

  /// libtraceevent 1.7 leaves the element size of probe arrays ("u64[]") 0; their type says it.
  static uint32_t element_size(const tep_format_field& field) {
    if (field.elementsize != 0 && field.elementsize <= 8) return field.elementsize;
    const std::string_view type = field.type != nullptr ? field.type : "";
    for (const auto& [mark, size] : {std::pair("64"sv, 8u), std::pair("long"sv, 8u), std::pair("32"sv, 4u), std::pair("int"sv, 4u),
                                     std::pair("16"sv, 2u), std::pair("short"sv, 2u)}) {
      if (type.find(mark) != std::string_view::npos) return size;
    }
    return 1;
  }

  /// What lies in front of the first field of the event's own is in the index already, or of no use.
  static uint32_t common_size(const tep_event& event) {
    uint32_t size = std::numeric_limits<uint32_t>::max();
    for (const tep_format_field* field = event.format.fields; field != nullptr; field = field->next) {
      if (field->offset >= 0 && field->size >= 0) size = std::min(size, static_cast<uint32_t>(field->offset));
    }
    return size;
  }

  static RecordFormat format_of(const tep_event& event) {
    RecordFormat format;
    const std::string_view print = event.print_fmt.format != nullptr ? event.print_fmt.format : "";
    for (const tep_format_field* field = event.format.fields; field != nullptr; field = field->next) {
      if (field->offset < 0 || field->size < 0) continue;
      RecordField row{field->name, static_cast<uint32_t>(field->offset), static_cast<uint32_t>(field->size),
                      static_cast<uint32_t>(field->size), RecordField::Type::number, (field->flags & TEP_FIELD_IS_SIGNED) != 0};
      if ((field->flags & TEP_FIELD_IS_STRING) != 0) {
        row.type = (field->flags & TEP_FIELD_IS_DYNAMIC) != 0 ? RecordField::Type::dynamic_string : RecordField::Type::string;
      } else if ((field->flags & TEP_FIELD_IS_ARRAY) != 0) {
        row.type = RecordField::Type::array;
        row.element = element_size(*field);
      } else if (row.name == "__probe_func" || print.find(row.name + "=%ps") != std::string_view::npos) {
        row.type = RecordField::Type::function;
      } else if (row.name.starts_with("__probe_") || print.find(row.name + "=%pS") != std::string_view::npos) {
        row.type = RecordField::Type::symbol;
      }
      format.fields.push_back(std::move(row));
    }
    format.left_out = common_size(event);
    for (RecordField& field : format.fields) field.offset -= format.left_out;
    return format;
  }

  /// Each address is looked up once.
  void note_symbols(Known& known, std::string_view bytes) {
    for (SymbolField& field : known.symbols) {
      uint64_t address = 0;
      if (uint64_t{field.offset} + 8 > bytes.size()) continue;
      std::memcpy(&address, bytes.data() + field.offset, 8);
      if (address == field.last) continue;
      field.last = address;
      symbols_.try_emplace(address);   // looked up at the end
    }
  }

  /// Without its table the trace is whole, only its symbols stay numbers.
  void look_up_symbols() {
    if (!table_) return;
    std::vector<uint64_t> addresses;
    for (const auto& [address, name] : symbols_) {
      if (name.empty()) addresses.push_back(address);
    }
    if (addresses.size() == unnamed_) return;   // those that no table names
    const auto kallsyms = symbol_table_text(file_, *table_);
    if (!kallsyms) return;
    std::sort(addresses.begin(), addresses.end());
    std::vector<std::string> names = symbols_at(kallsyms->text, addresses);
    unnamed_ = static_cast<size_t>(std::count(names.begin(), names.end(), std::string()));
    for (size_t k = 0; k < addresses.size(); ++k) symbols_[addresses[k]] = std::move(names[k]);
  }

  std::vector<RecordSymbol> symbols() {
    look_up_symbols();
    std::vector<RecordSymbol> symbols;
    for (const auto& [address, text] : symbols_) {
      if (!text.empty()) symbols.push_back({address, text});
    }
    std::sort(symbols.begin(), symbols.end(), [](const RecordSymbol& a, const RecordSymbol& b) { return a.address < b.address; });
    return symbols;
  }

  /// The events read so far.
  Trace::Parts prefix() {
    Trace::Parts parts;
    parts.info = parts_.info;
    parts.events = parts_.events;
    parts.events.sort_by_time();   // libtracecmd merges the CPUs by time: mostly nothing to do
    parts.tasks = tasks_.tasks();
    parts.kinds = kinds_.kinds();
    parts.decoder = std::make_unique<RecordDecoder>(records_->part(), formats_, symbols());
    return parts;
  }

  Result<Trace::Parts> finish() {
    parts_.events.sort_by_time();
    parts_.tasks = tasks_.take();
    parts_.kinds = kinds_.take();
    records_->finish();
    parts_.decoder = std::make_unique<RecordDecoder>(records_, std::move(formats_), symbols());
    return std::move(parts_);
  }

  std::string_view file_;
  std::optional<SymbolTablePlace> table_;
  ReadWatch& watch_;
  const Progress& progress_;
  tep_handle* tep_ = nullptr;
  Trace::Parts parts_;
  KindTable kinds_;
  TaskTable tasks_;
  struct Running {
    int32_t pid;
    uint32_t task;
  };
  CommonPlaces places_;
  std::vector<std::unique_ptr<Known>> by_id_;
  std::vector<Running> running_;   ///< by cpu
  std::unordered_map<int32_t, uint32_t> task_by_pid_;
  std::unordered_map<uint64_t, std::string> symbols_;
  size_t unnamed_ = 0;     ///< of symbols_, that table_ does not name
  std::vector<RecordFormat> formats_;
  std::shared_ptr<GrowBuffer> records_;
  std::string failure_;
};

class TraceDat final : public TraceSource {
 public:
  std::string_view name() const override { return "trace.dat"; }
  int recognise(std::string_view head) const override { return head.starts_with(dat_magic) ? 100 : 0; }

  Result<Trace::Parts> read(std::shared_ptr<const Bytes> bytes, std::string_view name, ReadWatch& watch) const override {
    tracecmd_set_loglevel(TEP_LOG_NONE);
    const auto header = dat_header(bytes->view());
    const std::optional<SymbolTablePlace> symbols =
        header && !header->has_sections ? symbol_table_of_headers(bytes->view(), *header) : find_symbol_table(bytes->view());
    const ReturnFreedMemory at_the_end;
    const auto opened = open_trace_dat(bytes->view(), name, symbols, watch.progress());
    if (!opened) return tl::unexpected(opened.error());
    return DatCollector(bytes->view(), symbols, name, watch).run(opened->input.get(), opened->records);
  }
};

}  // namespace

const TraceSource& trace_dat_source() {
  static const TraceDat source;
  return source;
}

}  // namespace hmmscope::traces
