#pragma once
/// Builds a Recording from the sections of a file. Every check keeps a promise of recording.h: whatever the
/// file says, the accessors of the recording, a cursor and a history built on it stay in bounds and end.
///
/// Used once, on one thread.

#include "engine/base/proceed.h"
#include "engine/recording/recording.h"
#include "engine/recording/section_reader.h"

// Internal to the two source files of the reader.
#define HMMSCOPE_TRY(expression)               \
  if (const auto done = (expression); !done) { \
    return tl::unexpected(done.error());       \
  }

namespace hmmscope {

class RecordingReader {
 public:
  RecordingReader(SectionReader sections, uint64_t limit, const Proceed& proceed)
      : sections_(std::move(sections)), limit_(limit), proceed_(proceed) {}

  Result<Recording> read();

 private:
  using Done = Result<void>;

  template <class T>
  Done load(uint32_t tag, Column<T>& target) {
    if (proceed_ && !proceed_(0)) return fail("cancelled");
    Result<Column<T>> rows = sections_.column<T>(tag);
    if (!rows) return tl::unexpected(rows.error());
    target = std::move(*rows);
    return {};
  }

  // names
  /// What a name of the file is in this build.
  struct Meaning {
    uint16_t known;                               ///< enumerator, or the enumerator for unknown names
    uint16_t foreign = Recording::Foreign::none;  ///< index of the kept name when it is unknown
  };
  Done read_names();

  template <class Enum>
  Meaning keep(Enum unknown, std::string name) {
    r_.foreign_.names.push_back(std::move(name));
    return {static_cast<uint16_t>(unknown), static_cast<uint16_t>(r_.foreign_.names.size() - 1)};
  }

  static bool read_list(RowReader& in, std::vector<std::string>& names);

  /// Notes that row `index` of `size` bears a name this build does not know.
  static void note_foreign(Column<uint16_t>& column, size_t index, size_t size, uint16_t name) {
    if (name == Recording::Foreign::none) return;
    if (column.empty()) column.append(size, Recording::Foreign::none);
    column[index] = name;
  }

  // tables
  Done read_meta();
  Done read_regions();
  Done read_trace();

  // steps and calls
  Done read_steps();

  /// Turns counts into ends.
  Done sum_up(uint32_t tag, Column<uint32_t>& column, size_t rows, size_t total);
  Done read_calls();

  Done check_call_of_steps();
  Done read_checks();

  // writes
  /// Old values are not in the file: they follow from the initial state and the writes before, so they cannot
  /// disagree with them.
  Done read_writes();
  Done read_run(const file_format::RunRow& row, size_t write, const Column<uint64_t>& literals,
                size_t& next_literal, Column<uint64_t>& state);

  SectionReader sections_;
  uint64_t limit_;
  const Proceed& proceed_;
  uint64_t run_words_ = 0;
  Recording r_;
  std::vector<Meaning> rules_, functions_;
  std::vector<RegionKind> kinds_;
};

}  // namespace hmmscope
