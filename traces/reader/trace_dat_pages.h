#pragma once
/// The pages of records in a trace.dat file, checked before libtracecmd walks them: it follows the lengths it finds
/// there without comparing them to the page, so that a damaged one makes it read memory that is not there.
///
/// A page (include/linux/ring_buffer.h, kernel/trace/ring_buffer.c, 2.6.30 to 6.12): the time as 8 bytes; a word of the
/// size of long, whose lower 27 bits count the bytes of records that follow, bit 31 says that records were lost in front,
/// and bit 30 that their number follows the last record; then records: 4 bytes, of which the lower 5 bits are 1-28 for a
/// record of as many times 4 bytes, 0 when another 4 bytes give its size (their own included), 29 for room left empty,
/// 30 and 31 for times with 4 more bytes.

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "engine/base/result.h"
#include "traces/progress.h"

namespace hmmscope::traces {

/// Where the records of each CPU lie in the file.
struct RecordPages {
  struct Cpu {
    uint32_t cpu = 0;
    uint64_t offset = 0, size = 0;   ///< bytes of the file
  };
  uint32_t page_size = 4096;
  uint32_t word = 8;                 ///< bytes of the recording kernel's long
  /// "zstd" or "zlib" when the pages of a CPU are packed: a number of chunks, each with its packed and its unpacked size in
  /// front. Empty when they lie in the file as they are.
  std::string_view compression = {};
  std::vector<Cpu> cpus;
};

inline constexpr uint32_t most_cpus = 1u << 16;

/// Of a file of version 7, by its options. Errors name `name` and the offset of what is wrong.
Result<RecordPages> record_pages_of_sections(std::string_view file, std::string_view name);
/// Of a file of version 6: `table` is the offset behind its headers, where the places of `cpus` CPUs are listed.
Result<RecordPages> record_pages_of_table(std::string_view file, std::string_view name, uint64_t table, uint32_t cpus);

/// Every page lies in the file, and every record in its page: how many records there are, times and empty room not counted.
/// Errors: the file's name and the offset of the page (of its chunk when it is packed); "cancelled". Several threads share
/// the work, each of which holds one unpacked chunk, of at most 64 MiB.
Result<uint64_t> check_record_pages(std::string_view file, std::string_view name, const RecordPages& pages, const Progress& progress);

/// The bytes of one page, whose records are added to `records`. What is wrong, nothing when all is well.
std::optional<std::string_view> page_damage(std::string_view page, uint32_t page_size, uint32_t word, uint64_t& records);

}  // namespace hmmscope::traces
