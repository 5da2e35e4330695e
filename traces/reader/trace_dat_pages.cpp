#include "traces/reader/trace_dat_pages.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <future>
#include <string>
#include <thread>

#include "traces/reader/trace_dat_sections.h"

namespace hmmscope::traces {
namespace {

using namespace std::string_view_literals;
constexpr uint64_t most_in_a_chunk = uint64_t{64} << 20;
constexpr uint64_t pages_a_look = 4096;   // pages between two looks at cancel
constexpr uint64_t worth_a_thread = uint64_t{1} << 20;   // bytes of the file
constexpr size_t most_threads = 4;

Error damaged(std::string_view name, uint64_t offset, std::string what) {
  return Error::at_offset(name, offset, "is a damaged trace.dat file: " + std::move(what));
}

/// What both versions say in front.
Result<RecordPages> pages_of_header(const DatHeader& header, std::string_view name) {
  if (header.big_endian) return fail(Error{"comes from a big-endian machine, which is not supported", std::string(name), 0, 0, false});
  if (header.long_size != 4 && header.long_size != 8) return fail(damaged(name, header.long_size_at, fmt::format("its long has {} bytes", header.long_size)));
  if (!std::has_single_bit(header.page_size) || header.page_size < 4096 || header.page_size > 65536)
    return fail(damaged(name, header.page_size_at, fmt::format("its pages have {} bytes", header.page_size)));
  RecordPages pages;
  pages.page_size = header.page_size;
  pages.word = header.long_size;
  return pages;
}

/// The value of an option "buffer" without a name: the buffer that all traces have. nullopt: another buffer.
Result<std::optional<RecordPages>> buffer_of(std::string_view file, std::string_view name, const DatOption& option, const DatHeader& header) {
  const auto wrong = [&](std::string what) { return fail(damaged(name, option.at, std::move(what))); };
  const std::string_view value = file.substr(option.value_at, option.size);
  if (value.size() < 9) return wrong("an option that names a buffer is too short");
  if (value[8] != '\0') return std::optional<RecordPages>();
  const size_t clock_end = value.find('\0', 9);
  if (clock_end == std::string_view::npos) return wrong("an option that names a buffer is too short");
  uint64_t at = clock_end + 1;
  const auto cpus = load_number<uint32_t>(value, at + 4);
  const auto section = section_at(file, load_number<uint64_t>(value, 0).value_or(0));
  if (!section) return wrong("its buffer lies outside the file");
  if (!cpus || *cpus > most_cpus) return wrong("the number of CPUs is impossible");
  auto pages = pages_of_header(header, name);
  if (!pages) return tl::unexpected(pages.error());
  if ((section->flags & section_compressed) != 0) {
    if (header.compression != "zstd" && header.compression != "zlib") return wrong("its records are packed in a way that is not known here");
    pages->compression = header.compression;
  }
  at += 8;
  for (uint32_t k = 0; k < *cpus; ++k, at += 20) {
    const auto cpu = load_number<uint32_t>(value, at);
    const auto offset = load_number<uint64_t>(value, at + 4), size = load_number<uint64_t>(value, at + 12);
    if (!cpu || !offset || !size) return wrong("an option that names a buffer is too short");
    if (*cpu >= most_cpus) return wrong("the number of a CPU is impossible");
    pages->cpus.push_back({*cpu, *offset, *size});
  }
  return std::optional<RecordPages>(std::move(*pages));
}

/// The pages of one CPU, one behind the other in `bytes`; offset_of gives their place in the file.
template <class OffsetOf>
Result<void> check_pages(std::string_view bytes, std::string_view name, const RecordPages& pages, uint32_t cpu, const Progress& progress, OffsetOf offset_of) {
  for (uint64_t at = 0, count = 0; at < bytes.size(); at += pages.page_size, ++count) {
    if (count % pages_a_look == 0 && progress.cancelled()) return fail("cancelled");
    const auto what = page_damage(bytes.substr(at, pages.page_size), pages.page_size, pages.word);
    if (what) return fail(damaged(name, offset_of(at), fmt::format("a page of CPU {} {}", cpu, *what)));
  }
  return {};
}

Result<void> check_chunks(std::string_view file, std::string_view name, const RecordPages& pages, const RecordPages::Cpu& cpu, const Progress& progress) {
  const auto wrong = [&](uint64_t at, std::string_view what) { return fail(damaged(name, at, fmt::format("the records of CPU {} {}", cpu.cpu, what))); };
  const auto count = load_number<uint32_t>(file, cpu.offset);
  if (!count || *count == 0) return wrong(cpu.offset, "have no chunks");
  std::string room;
  uint64_t at = cpu.offset + 4;
  for (uint32_t k = 0; k < *count; ++k) {
    const auto packed = load_number<uint32_t>(file, at), size = load_number<uint32_t>(file, at + 4);
    if (!packed || !size || *packed > file.size() - at - 8) return wrong(at, "lie outside the file");
    if (*size == 0 || *size > most_in_a_chunk) return wrong(at, "have a chunk of impossible size");
    if (*size % pages.page_size != 0 && k + 1 != *count) return wrong(at, "have a chunk that is no number of pages");
    room.resize(*size);
    if (!unpack_chunk(pages.compression, file.substr(at + 8, *packed), room)) return wrong(at, "cannot be unpacked");
    const auto checked = check_pages(room, name, pages, cpu.cpu, progress, [at](uint64_t) { return at; });
    if (!checked) return checked;
    at += 8 + uint64_t{*packed};
  }
  return {};
}

Result<void> check_cpu(std::string_view file, std::string_view name, const RecordPages& pages, const RecordPages::Cpu& cpu, const Progress& progress) {
  if (cpu.size == 0) return {};
  if (cpu.offset > file.size() || cpu.size > file.size() - cpu.offset)
    return fail(damaged(name, std::min<uint64_t>(cpu.offset, file.size()), fmt::format("the records of CPU {} lie outside the file (cut off?)", cpu.cpu)));
  if (!pages.compression.empty()) return check_chunks(file, name, pages, cpu, progress);
  if (cpu.offset % pages.page_size != 0) return fail(damaged(name, cpu.offset, fmt::format("the records of CPU {} begin inside a page", cpu.cpu)));
  return check_pages(file.substr(cpu.offset, cpu.size), name, pages, cpu.cpu, progress, [&](uint64_t at) { return cpu.offset + at; });
}

}  // namespace

Result<RecordPages> record_pages_of_sections(std::string_view file, std::string_view name) {
  const auto header = dat_header(file);
  if (!header) return fail(damaged(name, 0, "its header is cut off"));
  std::optional<RecordPages> found;
  Result<void> failed;
  const bool whole = for_each_option(file, *header, [&](const DatOption& option) {
    if (option.id != buffer_option) return true;
    auto pages = buffer_of(file, name, option, *header);
    if (!pages) failed = tl::unexpected(pages.error());
    else if (*pages) found = std::move(**pages);   // libtracecmd takes the last one, too
    return failed.has_value();
  });
  if (!failed) return tl::unexpected(failed.error());
  if (!whole) return fail(damaged(name, header->options, "its options cannot be read (cut off?)"));
  if (!found) return fail(damaged(name, header->options, "its options name no buffer of records (cut off?)"));
  return std::move(*found);
}

Result<RecordPages> record_pages_of_table(std::string_view file, std::string_view name, uint64_t table, uint32_t cpus) {
  constexpr std::string_view kind = "flyrecord\0"sv;
  const auto header = dat_header(file);
  if (!header) return fail(damaged(name, 0, "its header is cut off"));
  auto pages = pages_of_header(*header, name);
  if (!pages) return pages;
  if (table < kind.size() || table > file.size() || file.substr(table - kind.size(), kind.size()) != kind)
    return fail(damaged(name, std::min<uint64_t>(table, file.size()), "no records follow its headers"));
  if (cpus > most_cpus) return fail(damaged(name, table, fmt::format("it has {} CPUs", cpus)));
  for (uint32_t cpu = 0; cpu < cpus; ++cpu) {
    const auto offset = load_number<uint64_t>(file, table + 16 * uint64_t{cpu}), size = load_number<uint64_t>(file, table + 16 * uint64_t{cpu} + 8);
    if (!offset || !size) return fail(damaged(name, table, "the list of its CPUs is cut off"));
    pages->cpus.push_back({cpu, *offset, *size});
  }
  return pages;
}

Result<void> check_record_pages(std::string_view file, std::string_view name, const RecordPages& pages, const Progress& progress) {
  uint64_t bytes = 0;
  for (const RecordPages::Cpu& cpu : pages.cpus) bytes += cpu.size;
  std::vector<Result<void>> checked(pages.cpus.size());
  std::atomic<size_t> next = 0;
  const auto work = [&] {
    for (size_t k; (k = next.fetch_add(1)) < checked.size();) checked[k] = check_cpu(file, name, pages, pages.cpus[k], progress);
  };
  // A page says nothing of those of another CPU, and unpacking them all takes its time.
  const size_t threads = bytes < worth_a_thread ? 1 : std::min<size_t>({std::max(1u, std::thread::hardware_concurrency()), most_threads, checked.size()});
  std::vector<std::future<void>> others;
  for (size_t k = 1; k < threads; ++k) others.push_back(std::async(std::launch::async, work));
  work();
  for (std::future<void>& other : others) other.get();
  for (Result<void>& one : checked) {
    if (!one) return std::move(one);
  }
  return {};
}

std::optional<std::string_view> page_damage(std::string_view page, uint32_t page_size, uint32_t word) {
  constexpr uint32_t size_mask = (1u << 27) - 1, lost = 1u << 31, lost_stored = 1u << 30;
  constexpr uint32_t type_mask = 31, padding = 29, first_time = 30;
  const uint64_t start = 8 + uint64_t{word};
  const uint64_t room = std::min<uint64_t>(page.size(), page_size);
  if (room < start) return "is cut off";
  const uint32_t flags = *load_number<uint32_t>(page, 8);   // little-endian: the lower half of the word
  const uint64_t size = flags & size_mask;
  if (size > room - start) return "claims more records than fit in it";
  if ((flags & lost) != 0 && (flags & lost_stored) != 0 && room - start - size < word) return "has no room for its number of lost records";
  const std::string_view records = page.substr(start, size);
  for (uint64_t at = 0; at < size;) {
    const auto head = load_number<uint32_t>(records, at);
    if (!head) return "ends inside a record";
    const uint32_t type = *head & type_mask;
    at += 4;
    if (type != 0 && type < padding) {
      at += 4 * uint64_t{type};
    } else {
      const auto second = load_number<uint32_t>(page, start + at);
      if (!second || (type != padding && size - at < 4)) return "ends inside a record";
      if (type == padding) {
        if (*second > size_mask) return "has empty room of impossible size";
        if (*second >= size - at) break;   // the rest is empty
        at += *second;
      } else if (type >= first_time) {
        at += 4;
      } else {
        if (*second < 4 || *second > size_mask) return "has a record of impossible size";
        at += (uint64_t{*second} + 3) & ~uint64_t{3};
      }
    }
    if (at > size) return "has a record that does not end in it";
  }
  return std::nullopt;
}

}  // namespace hmmscope::traces
