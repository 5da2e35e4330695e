// Any bytes as a .hmmrec file: an error, or a recording that every reader can walk. The first byte chooses
// whether the rest is the file itself or the contents of its sections with right checksums, so that mutations
// reach what lies behind the checksums.

#include <zlib.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "engine/recording/cursor.h"
#include "engine/recording/file_format.h"
#include "engine/recording/history.h"
#include "engine/recording/recording_file.h"

namespace {

using namespace hmmscope;
namespace format = hmmscope::file_format;

/// Sections as "tag, u32 size, bytes" each, put into a file that is right on the outside.
std::vector<uint8_t> wrap(std::span<const uint8_t> rest) {
  std::vector<format::SectionEntry> table;
  std::vector<uint8_t> body;
  while (rest.size() >= 8 && table.size() < format::max_sections) {
    uint32_t tag = 0;
    uint32_t size = 0;
    std::memcpy(&tag, rest.data(), 4);
    std::memcpy(&size, rest.data() + 4, 4);
    size = static_cast<uint32_t>(std::min<size_t>(size, rest.size() - 8));
    const auto bytes = rest.subspan(8, size);
    table.push_back({tag, 0, body.size(), size, size, format::crc(0, bytes.data(), size), 0});
    body.insert(body.end(), bytes.begin(), bytes.end());
    rest = rest.subspan(8 + size);
  }
  format::Header header{format::magic, format::version, static_cast<uint32_t>(table.size()), 0, 0};
  const size_t table_size = table.size() * sizeof(format::SectionEntry);
  for (auto& entry : table) entry.offset += sizeof header + table_size;
  header.checksum = format::crc(format::crc(0, &header, sizeof header), table.data(), table_size);
  std::vector<uint8_t> file(sizeof header + table_size);
  std::memcpy(file.data(), &header, sizeof header);
  if (table_size > 0) std::memcpy(file.data() + sizeof header, table.data(), table_size);
  file.insert(file.end(), body.begin(), body.end());
  return file;
}

void require(bool condition) {
  if (!condition) std::abort();
}

void walk(const std::shared_ptr<const Recording>& recording) {
  Cursor cursor(recording, std::make_shared<const Keyframes>(recording, Keyframes::Options{16, 1 << 16}));
  const uint64_t start = cursor.hash();
  while (cursor.position() < 2000 && cursor.step()) {
    const StepIndex step = cursor.current_step();
    (void)recording->operands(step);
    require(!recording->rule_name(step).empty() || recording->rule_of(step) == RuleId::unknown_rule);
    (void)recording->path(recording->call_of(step));
  }
  const uint64_t here = cursor.hash();
  const StepIndex position = cursor.position();
  cursor.seek(recording->steps());
  cursor.seek(position / 2);
  cursor.seek(position);
  require(cursor.hash() == here);
  cursor.seek(0);
  require(cursor.hash() == start);
  const History history(recording);
  const WordIndex some = 1 + recording->word_count() / 32;
  for (WordIndex w = 0; w < recording->word_count(); w += some) {
    (void)recording->word_name(w);
    cursor.seek(position);
    const auto last = history.last_write(w, position);
    require(cursor.load(w) == (last ? last->after : recording->initial()[w]));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  std::span<const uint8_t> bytes(data + 1, size - 1);
  std::vector<uint8_t> wrapped;
  if ((data[0] & 1) != 0) {
    wrapped = wrap(bytes);
    bytes = wrapped;
  }
  constexpr uint64_t limit = 4 << 20;
  auto loaded = RecordingFile::from_bytes(bytes, "fuzz", limit);
  if (!loaded) return 0;
  const auto saved = RecordingFile::to_bytes(*loaded);
  require(saved.has_value());
  const auto recording = std::make_shared<const Recording>(std::move(*loaded));
  const auto again = RecordingFile::from_bytes(*saved, "again");
  require(again.has_value() && again->steps() == recording->steps());
  walk(recording);
  return 0;
}
