#include "traces/reader/trace_dat_pages.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <future>
#include <mutex>
#include <string>
#include <thread>

#include "traces/reader/trace_dat_sections.h"

namespace hmmscope::traces {
namespace {

using namespace std::string_view_literals;
constexpr uint64_t most_in_a_chunk = uint64_t{64} << 20;
constexpr uint64_t pages_a_look = 1024;   // pages between two looks at cancel
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

/// Some pages of one CPU that can be checked by themselves.
struct Piece {
  uint64_t number = 0;       ///< in the order of the file
  uint32_t cpu = 0;
  uint64_t at = 0;           ///< in the file
  std::string_view bytes;    ///< as they lie there
  uint32_t unpacked = 0;     ///< bytes they have unpacked; 0: they are not packed
};

/// Hands out the pieces of all CPUs, one after the other, until one is damaged. What is told in the end is what is wrong
/// with the first piece that is.
class PieceQueue {
 public:
  PieceQueue(std::string_view file, std::string_view name, const RecordPages& pages) : file_(file), name_(name), pages_(pages) {}

  /// Nothing when there is none any more.
  std::optional<Piece> next() {
    const std::lock_guard lock(mutex_);
    if (stopped_) return std::nullopt;
    auto piece = find_next();
    if (!piece) {
      stop(number_, std::move(piece).error());
      return std::nullopt;
    }
    if (*piece) (*piece)->number = number_++;
    return *piece;
  }
  void fail(uint64_t number, Error why) {
    const std::lock_guard lock(mutex_);
    stop(number, std::move(why));
  }
  void count(uint64_t records) {
    const std::lock_guard lock(mutex_);
    records_ += records;
  }
  /// When nobody works any more: the records of all pieces.
  Result<uint64_t> result() && {
    if (failed_) return tl::unexpected(std::move(*failed_));
    return records_;
  }
  Error wrong(uint32_t cpu, uint64_t at, std::string_view what) const {
    return damaged(name_, at, fmt::format("the records of CPU {} {}", cpu, what));
  }

 private:
  void stop(uint64_t number, Error why) {
    stopped_ = true;
    if (failed_ && failed_at_ < number) return;
    failed_ = std::move(why);
    failed_at_ = number;
  }

  Result<std::optional<Piece>> find_next() {
    while (left_ == 0) {
      if (cpu_ == pages_.cpus.size()) return std::optional<Piece>();
      if (auto begun = begin(pages_.cpus[cpu_++]); !begun) return tl::unexpected(std::move(begun).error());
    }
    return pages_.compression.empty() ? plain_pages() : chunk();
  }

  Result<void> begin(const RecordPages::Cpu& cpu) {
    if (cpu.size == 0) return {};
    if (cpu.offset > file_.size() || cpu.size > file_.size() - cpu.offset)
      return tl::unexpected(wrong(cpu.cpu, std::min<uint64_t>(cpu.offset, file_.size()), "lie outside the file (cut off?)"));
    at_ = cpu.offset;
    if (pages_.compression.empty()) {
      if (at_ % pages_.page_size != 0) return tl::unexpected(wrong(cpu.cpu, at_, "begin inside a page"));
      left_ = cpu.size;
      return {};
    }
    const auto count = load_number<uint32_t>(file_, at_);
    if (!count || *count == 0) return tl::unexpected(wrong(cpu.cpu, at_, "have no chunks"));
    left_ = *count;
    at_ += 4;
    return {};
  }

  Result<std::optional<Piece>> plain_pages() {
    const uint64_t size = std::min<uint64_t>(left_, pages_a_look * pages_.page_size);
    Piece piece{0, pages_.cpus[cpu_ - 1].cpu, at_, file_.substr(at_, size), 0};
    at_ += size;
    left_ -= size;
    return std::optional(piece);
  }

  Result<std::optional<Piece>> chunk() {
    const uint32_t cpu = pages_.cpus[cpu_ - 1].cpu;
    const auto packed = load_number<uint32_t>(file_, at_), size = load_number<uint32_t>(file_, at_ + 4);
    if (!packed || !size || *packed > file_.size() - at_ - 8) return tl::unexpected(wrong(cpu, at_, "lie outside the file"));
    if (*size == 0 || *size > most_in_a_chunk) return tl::unexpected(wrong(cpu, at_, "have a chunk of impossible size"));
    if (*size % pages_.page_size != 0 && left_ != 1) return tl::unexpected(wrong(cpu, at_, "have a chunk that is no number of pages"));
    Piece piece{0, cpu, at_, file_.substr(at_ + 8, *packed), *size};
    at_ += 8 + uint64_t{*packed};
    --left_;
    return std::optional(piece);
  }

  const std::string_view file_, name_;
  const RecordPages& pages_;
  std::mutex mutex_;
  size_t cpu_ = 0;        ///< the next one to begin
  uint64_t at_ = 0;       ///< the next piece of the one before
  uint64_t left_ = 0;     ///< of its chunks, or of its bytes
  uint64_t number_ = 0;
  uint64_t records_ = 0;
  bool stopped_ = false;
  std::optional<Error> failed_;
  uint64_t failed_at_ = 0;
};

/// The pages of a piece, one behind the other in `bytes`: how many records they have.
Result<uint64_t> check_pages(std::string_view bytes, std::string_view name, const RecordPages& pages, const Piece& piece) {
  uint64_t records = 0;
  for (uint64_t at = 0; at < bytes.size(); at += pages.page_size) {
    const auto what = page_damage(bytes.substr(at, pages.page_size), pages.page_size, pages.word, records);
    if (what) return fail(damaged(name, piece.at + (piece.unpacked == 0 ? at : 0), fmt::format("a page of CPU {} {}", piece.cpu, *what)));
  }
  return records;
}

/// Until there is none any more.
void check_pieces(PieceQueue& queue, std::string_view name, const RecordPages& pages, const Progress& progress) {
  std::string room;
  while (const auto piece = queue.next()) {
    if (progress.cancelled()) return queue.fail(piece->number, Error{"cancelled", {}, 0, 0, false});
    std::string_view bytes = piece->bytes;
    if (piece->unpacked != 0) {
      room.resize(piece->unpacked);
      if (!unpack_chunk(pages.compression, bytes, room)) return queue.fail(piece->number, queue.wrong(piece->cpu, piece->at, "cannot be unpacked"));
      bytes = room;
    }
    auto checked = check_pages(bytes, name, pages, *piece);
    if (!checked) return queue.fail(piece->number, std::move(checked).error());
    queue.count(*checked);
  }
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

Result<uint64_t> check_record_pages(std::string_view file, std::string_view name, const RecordPages& pages, const Progress& progress) {
  uint64_t bytes = 0;
  for (const RecordPages::Cpu& cpu : pages.cpus) bytes += std::min<uint64_t>(cpu.size, file.size());
  PieceQueue queue(file, name, pages);
  // A page says nothing of others, and unpacking them all takes its time.
  const size_t threads = bytes < worth_a_thread ? 1 : std::clamp<size_t>(std::thread::hardware_concurrency(), 1, most_threads);
  const auto work = [&] { check_pieces(queue, name, pages, progress); };
  std::vector<std::future<void>> others;
  for (size_t k = 1; k < threads; ++k) others.push_back(std::async(std::launch::async | std::launch::deferred, work));
  work();
  for (std::future<void>& other : others) other.get();
  return std::move(queue).result();
}

std::optional<std::string_view> page_damage(std::string_view page, uint32_t page_size, uint32_t word, uint64_t& records) {
  constexpr uint32_t size_mask = (1u << 27) - 1, lost = 1u << 31, lost_stored = 1u << 30;
  constexpr uint32_t type_mask = 31, padding = 29, first_time = 30;
  const uint64_t start = 8 + uint64_t{word};
  const uint64_t room = std::min<uint64_t>(page.size(), page_size);
  if (room < start) return "is cut off";
  const uint32_t flags = *load_number<uint32_t>(page, 8);   // little-endian: the lower half of the word
  const uint64_t size = flags & size_mask;
  if (size > room - start) return "claims more records than fit in it";
  if ((flags & lost) != 0 && (flags & lost_stored) != 0 && room - start - size < word) return "has no room for its number of lost records";
  const std::string_view used = page.substr(start, size);
  for (uint64_t at = 0; at < size;) {
    const auto head = load_number<uint32_t>(used, at);
    if (!head) return "ends inside a record";
    const uint32_t type = *head & type_mask;
    at += 4;
    if (type != 0 && type < padding) {
      at += 4 * uint64_t{type};
      ++records;
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
        ++records;
      }
    }
    if (at > size) return "has a record that does not end in it";
  }
  return std::nullopt;
}

}  // namespace hmmscope::traces
