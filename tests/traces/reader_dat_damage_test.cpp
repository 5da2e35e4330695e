// trace.dat files with damages: each is read or refused, in bounded memory. Damages are drawn from fixed numbers, so that
// a failure comes again; each is read in a process of its own with a limit of address space and of CPU seconds, so that a
// crash or a hang is one failed damage.
#include <gtest/gtest.h>
#include <zstd.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <new>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "tests/traces/replay_support.h"
#include "traces/reader/bytes.h"
#include "traces/reader/source.h"
#include "traces/reader/trace_dat_options.h"
#include "traces/reader/trace_dat_pages.h"

// Sanitizers take terabytes of address space.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HMMSCOPE_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define HMMSCOPE_SANITIZED 1
#endif
#endif

namespace hmmscope::traces {
namespace {

std::string sample(const char* name) {
  const auto packed = open_bytes(std::filesystem::path(HMMSCOPE_SOURCE_DIR) / "traces" / "samples" / "dat" / name);
  if (!packed) return {};
  const auto bytes = unpack((*packed)->view(), Packing::xz, name);
  return bytes ? std::string((*bytes)->view()) : std::string();
}

std::string damage(std::string bytes, uint64_t number) {
  std::mt19937_64 random(number);
  const size_t within = random() % 2 == 0 ? bytes.size() : std::min<size_t>(bytes.size(), 20000);   // or of the headers only
  const size_t at = random() % (within - 8);
  const auto run = [&](size_t most) { return std::min<size_t>(bytes.size() - at, 1 + random() % most); };
  switch (number % 6) {
    case 0: bytes.resize(at); break;
    case 1:
      for (size_t left = 1 + random() % 20; left > 0; --left) bytes[random() % within] = static_cast<char>(random());
      break;
    case 2: {
      const uint64_t extreme[] = {~uint64_t{0}, ~uint64_t{0} >> 1, 0, uint64_t{1} << 40, uint64_t{1} << 31, 0xffffffff};
      std::memcpy(bytes.data() + at, &extreme[random() % std::size(extreme)], random() % 2 == 0 ? 4 : 8);
      break;
    }
    case 3: std::memset(bytes.data() + at, random() % 2 == 0 ? 0 : 0xff, run(4096)); break;
    case 4: bytes.erase(at, run(512)); break;
    default: bytes.insert(at, bytes.substr(random() % within, run(256)));
  }
  return bytes;
}

constexpr int whole = 0, refused = 1, no_memory = 2, nameless = 3, descriptor_left = 4, partial = 5;

ptrdiff_t open_descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return std::distance(begin(all), end(all));
}

/// What a reader does with all that a trace has, which are so many `events` when that is known; one of the above.
int read_everything(const std::string& bytes, size_t events) {
  try {
    const auto trace = trace_of_text(bytes, "x.dat");
    if (!trace) return trace.error().message.empty() || trace.error().file != "x.dat" ? nameless : refused;
    if (events != 0 && (*trace)->size() != events) return partial;
    uint64_t words[64], sum = 0;
    for (size_t index = 0; index < (*trace)->size(); ++index) {
      const EventView event = (**trace)[index];
      for (const char* name : {"start", "ret", "count"}) sum += event.number(name).value_or(0);
      sum += event.array("pfns", words).value_or(0) + event.text("buf").value_or("").size();
      if (index < 200) sum += event.payload().size();
    }
    return sum == ~uint64_t{0} ? nameless : whole;
  } catch (const std::bad_alloc&) {
    return no_memory;
  }
}

/// As waitpid says it. `address_space`: bytes the child may have, in all; `events`: of the file, when known.
int status_of_child(const std::string& bytes, rlim_t address_space = rlim_t{1} << 30, size_t events = 0) {
  const pid_t child = ::fork();
  if (child == 0) {
#ifndef HMMSCOPE_SANITIZED
    const rlimit memory{address_space, address_space};
    ::setrlimit(RLIMIT_AS, &memory);
#endif
    const rlimit seconds{20, 20}, none{0, 0};
    ::setrlimit(RLIMIT_CPU, &seconds);
    ::setrlimit(RLIMIT_CORE, &none);
    const ptrdiff_t before = open_descriptors();
    const int status = read_everything(bytes, events);
    ::_exit(open_descriptors() == before ? status : descriptor_left);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  return status;
}

class DamagedDat : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Versions, DamagedDat, testing::Values("6.12-snapshot-v7.dat.xz", "6.12-snapshot-v6.dat.xz"));

TEST_P(DamagedDat, IsReadOrRefused) {
  const std::string bytes = sample(GetParam());
  ASSERT_FALSE(bytes.empty());
  int counts[2] = {};
  std::vector<uint64_t> numbers(150);
  std::iota(numbers.begin(), numbers.end(), 1);
  // Of 15000, those that once crashed the library or left its file open.
  numbers.insert(numbers.end(), {752, 1039, 2635, 2809, 2863, 2881});
  for (const uint64_t number : numbers) {
    const int status = status_of_child(damage(bytes, number));
    ASSERT_TRUE(WIFEXITED(status)) << "damage " << number << ": signal " << WTERMSIG(status);
    ASSERT_TRUE(WEXITSTATUS(status) == whole || WEXITSTATUS(status) == refused) << "damage " << number << ": " << WEXITSTATUS(status);
    ++counts[WEXITSTATUS(status)];
  }
  EXPECT_GT(counts[whole], 0);     // a text that changed, say
  EXPECT_GT(counts[refused], 0);
}

#ifndef HMMSCOPE_SANITIZED
rlim_t address_space_in_use() {
  std::ifstream statm("/proc/self/statm");
  rlim_t pages = 0;
  statm >> pages;
  return pages * static_cast<rlim_t>(::sysconf(_SC_PAGESIZE));
}

/// Whatever memory there is, a file is read whole or refused: the library gives fewer records without a word, or crashes.
TEST_P(DamagedDat, IsReadWholeOrRefusedWithLittleMemory) {
  const std::string bytes = sample(GetParam());
  const auto trace = trace_of_text(bytes, "x.dat");
  ASSERT_TRUE(trace);
  int counts[2] = {};
  const rlim_t begin = address_space_in_use();
  for (rlim_t more = 0; more < 40; ++more) {
    const int status = status_of_child(bytes, begin + (more << 20), (*trace)->size());
    ASSERT_TRUE(WIFEXITED(status)) << more << " MiB: signal " << WTERMSIG(status);
    ASSERT_TRUE(WEXITSTATUS(status) == whole || WEXITSTATUS(status) == refused || WEXITSTATUS(status) == no_memory)
        << more << " MiB: " << WEXITSTATUS(status);
    ++counts[WEXITSTATUS(status) == whole ? 1 : 0];
  }
  EXPECT_GT(counts[0], 0);
  EXPECT_GT(counts[1], 0);
}
#endif

/// The first page of the first CPU with records, in version 6 whole pages at the end of the file.
TEST(DamagedDatPages, AreNamedByTheirOffset) {
  std::string bytes = sample("6.12-snapshot-v6.dat.xz");
  ASSERT_GT(bytes.size(), size_t{8192});
  const size_t page = (bytes.size() - 1) / 4096 * 4096;
  const uint32_t too_many = 4081;
  std::memcpy(bytes.data() + page + 8, &too_many, sizeof too_many);
  const auto trace = trace_of_text(bytes, "x.dat");
  ASSERT_FALSE(trace);
  EXPECT_EQ(trace.error().file, "x.dat");
  EXPECT_TRUE(trace.error().has_offset);
  EXPECT_EQ(trace.error().offset, page) << trace.error().to_string();
}

/// `text` in place of `old`, of the same size, where it is found last.
std::string with_last(std::string bytes, std::string_view old, std::string_view text) {
  const size_t at = bytes.rfind(old);
  EXPECT_NE(at, std::string::npos) << old;
  EXPECT_EQ(old.size(), text.size());
  return at == std::string::npos ? bytes : bytes.replace(at, old.size(), text);
}

/// libtracecmd takes the clock's name from between the brackets, and sscanf of nothing is a null pointer.
TEST(DamagedDatOptions, AClockWithoutANameIsRefused) {
  const std::string bytes = sample("6.12-snapshot-v6.dat.xz");
  EXPECT_TRUE(trace_of_text(bytes, "x.dat"));
  EXPECT_TRUE(trace_of_text(with_last(bytes, "[mono]", "[boot]"), "x.dat"));
  const auto trace = trace_of_text(with_last(bytes, "[mono]", "[]]]]]"), "x.dat");
  ASSERT_FALSE(trace);
  EXPECT_NE(trace.error().message.find("an option's value"), std::string::npos) << trace.error().to_string();
  EXPECT_EQ(trace.error().offset, bytes.rfind("[mono]"));
  EXPECT_FALSE(trace_of_text(with_last(bytes, "perf [mono]", "perf [    ]"), "x.dat"));   // the list in the option
}

TEST(DamagedDatOptions, SizesBeyondTheFileAreRefused) {
  const std::string bytes = sample("6.12-snapshot-v6.dat.xz");
  const size_t clock = bytes.rfind("[mono]");
  ASSERT_NE(clock, std::string::npos);
  std::string damaged = bytes;
  std::memset(damaged.data() + clock - 8, 0xff, 8);
  const auto trace = trace_of_text(damaged, "x.dat");
  ASSERT_FALSE(trace);
  EXPECT_NE(trace.error().message.find("does not lie in it"), std::string::npos) << trace.error().to_string();
}

TEST(DamagedDatOptions, ValuesTheLibraryStumblesOver) {
  using namespace std::string_view_literals;
  EXPECT_TRUE(names_a_clock("local [mono] boot"));
  EXPECT_TRUE(names_a_clock("local mono"));
  EXPECT_TRUE(names_a_clock("[x86-tsc]\0["sv));
  EXPECT_TRUE(names_a_clock(""));
  for (const char* clocks : {"[", "[]", "local [] [mono]", "local [", "[ mono]"}) EXPECT_FALSE(names_a_clock(clocks)) << clocks;
  EXPECT_EQ(use_of_option(uname_option, "Linux 6.12\0"sv), OptionUse::keep);
  EXPECT_EQ(use_of_option(uname_option, "Linux 6.12"), OptionUse::refuse);
  EXPECT_EQ(use_of_option(clock_option, "[mono]"), OptionUse::refuse);
  EXPECT_EQ(use_of_option(cpu_count_option, "\2\0\0"sv), OptionUse::refuse);
  EXPECT_EQ(use_of_option(cpu_count_option, "\2\0\0\0"sv), OptionUse::keep);
  EXPECT_EQ(use_of_option(cpu_statistics_option, ""), OptionUse::leave_out);
  EXPECT_EQ(use_of_option(printk_option, ""), OptionUse::leave_out);
  EXPECT_EQ(use_of_option(event_formats_option, ""), OptionUse::keep);
}

/// A page: 8 bytes of time, the word of flags and size, then the records as 4-byte words.
std::string page_of(uint64_t flags, const std::vector<uint32_t>& words, size_t size = 4096) {
  std::string page(size, '\0');
  std::memcpy(page.data() + 8, &flags, sizeof flags);
  if (!words.empty()) std::memcpy(page.data() + 16, words.data(), 4 * words.size());
  return page;
}

TEST(DamagedDatPages, RecordsLieInTheirPage) {
  uint64_t records = 0;
  const auto damage_of = [&](const std::string& page) { return page_damage(page, 4096, 8, records = 0).value_or(""); };
  EXPECT_EQ(damage_of(page_of(0, {})), "");
  EXPECT_EQ(damage_of(page_of(12, {2, 7, 7})), "");                       // 8 bytes
  EXPECT_EQ(records, 1u);
  EXPECT_EQ(damage_of(page_of(12, {3, 7, 7})), "has a record that does not end in it");
  EXPECT_EQ(damage_of(page_of(16, {0, 12, 7, 7})), "");                   // 12 bytes, the count included
  EXPECT_EQ(damage_of(page_of(16, {0, 13, 7, 7})), "has a record that does not end in it");
  EXPECT_EQ(damage_of(page_of(16, {0, 3, 7, 7})), "has a record of impossible size");
  EXPECT_EQ(damage_of(page_of(16, {0, 0xfffffffc, 7, 7})), "has a record of impossible size");
  EXPECT_EQ(damage_of(page_of(4, {0, 12})), "ends inside a record");
  EXPECT_EQ(damage_of(page_of(16, {30, 5, 1, 7})), "");                   // a time in front of 4 bytes
  EXPECT_EQ(records, 1u);
  EXPECT_EQ(damage_of(page_of(4, {31})), "ends inside a record");
  EXPECT_EQ(damage_of(page_of(16, {29, 8, 0, 29})), "");                  // room left empty, and at the end
  EXPECT_EQ(damage_of(page_of(16, {29, 0xffffffff, 0, 0})), "has empty room of impossible size");
  EXPECT_EQ(damage_of(page_of(2, {})), "ends inside a record");
  EXPECT_EQ(damage_of(page_of(4080, {29, 4076})), "");
  EXPECT_EQ(damage_of(page_of(4081, {29, 4077})), "claims more records than fit in it");
  EXPECT_EQ(damage_of(page_of(4080 | 0xc0000000, {29, 4076})), "has no room for its number of lost records");
  EXPECT_EQ(damage_of(page_of(4072 | 0xc0000000, {29, 4068})), "");
  EXPECT_EQ(damage_of(std::string(15, '\0')), "is cut off");
  EXPECT_EQ(damage_of(page_of(12, {2, 7, 7}, 27)), "claims more records than fit in it");
}

/// So many that several threads look at them: every page of every CPU is looked at, and what is said is of the first CPU.
TEST(DamagedDatPages, EveryPageOfEveryCpuIsLookedAt) {
  constexpr uint32_t cpus = 9, count = 64;
  const std::string sound = page_of(12, {2, 7, 7}), cut = page_of(12, {3, 7, 7});
  std::string file;
  RecordPages pages;
  for (uint32_t cpu = 0; cpu < cpus; ++cpu) {
    pages.cpus.push_back({cpu, file.size(), count * sound.size()});
    for (uint32_t k = 0; k < count; ++k) file += sound;
  }
  ASSERT_GT(file.size(), size_t{2} << 20);
  const auto checked = [&] { return check_record_pages(file, "t.dat", pages, Progress{}); };
  EXPECT_EQ(checked(), uint64_t{cpus} * count);
  for (uint32_t cpu = cpus; cpu-- > 0;) {   // those behind it are damaged already
    const uint64_t at = pages.cpus[cpu].offset + (7 * cpu + 1) % count * sound.size();
    file.replace(at, cut.size(), cut);
    const auto found = checked();
    ASSERT_FALSE(found) << cpu;
    EXPECT_EQ(found.error().offset, at);
    EXPECT_NE(found.error().to_string().find("a page of CPU " + std::to_string(cpu) + " has a record"), std::string::npos) << found.error().to_string();
  }
  std::atomic<bool> cancel = true;
  const auto cancelled = check_record_pages(file, "t.dat", pages, Progress{{}, &cancel});
  ASSERT_FALSE(cancelled);
  EXPECT_EQ(cancelled.error().message, "cancelled");
}

/// The chunks of packed CPUs are shared out among the threads: of all that is wrong, the first in the file is told.
TEST(DamagedDatPages, OfPackedOnesTheFirstDamageIsTold) {
  constexpr uint32_t cpus = 3, count = 40, pages_a_chunk = 128;
  const std::string sound = page_of(12, {2, 7, 7}), cut = page_of(12, {3, 7, 7});
  const auto number = [](std::string& bytes, auto value) { bytes.append(reinterpret_cast<const char*>(&value), sizeof value); };
  const auto chunk = [&](uint32_t damaged_page) {
    std::string plain, packed(ZSTD_compressBound(pages_a_chunk * sound.size()), '\0');
    for (uint32_t k = 0; k < pages_a_chunk; ++k) plain += k == damaged_page ? cut : sound;
    packed.resize(ZSTD_compress(packed.data(), packed.size(), plain.data(), plain.size(), 1));
    std::string bytes;
    number(bytes, static_cast<uint32_t>(packed.size()));
    number(bytes, static_cast<uint32_t>(plain.size()));
    return bytes + packed;
  };
  const std::string whole = chunk(pages_a_chunk);
  struct Damage {
    std::string bytes, says;
  };
  std::string impossible = whole, unpackable = whole, outside = whole;
  impossible.replace(4, 4, std::string(4, '\0'));
  unpackable[20] = static_cast<char>(~unpackable[20]);
  outside.replace(0, 4, "\xff\xff\xff\x7f");
  const Damage damages[] = {{chunk(77), "a page of CPU"}, {impossible, "impossible size"}, {unpackable, "cannot be unpacked"}, {outside, "outside the file"}};
  const auto check = [&](const std::vector<std::pair<uint32_t, const Damage*>>& where) {
    std::string file(1 << 20, '\0');   // makes it worth threads
    RecordPages pages;
    pages.compression = "zstd";
    std::vector<uint64_t> offsets;
    for (uint32_t cpu = 0; cpu < cpus; ++cpu) {
      const uint64_t begin = file.size();
      number(file, count);
      for (uint32_t k = 0; k < count; ++k) {
        offsets.push_back(file.size());
        const auto damage = std::find_if(where.begin(), where.end(), [&](const auto& one) { return one.first == cpu * count + k; });
        file += damage == where.end() ? whole : damage->second->bytes;
      }
      pages.cpus.push_back({cpu, begin, file.size() - begin});
    }
    pages.cpus.front().offset = offsets.front() - 4;
    pages.cpus.push_back({cpus, 0, 0});
    return std::pair(check_record_pages(file, "t.dat", pages, Progress{}), offsets);
  };
  EXPECT_EQ(check({}).first, uint64_t{cpus} * count * pages_a_chunk);
  std::mt19937 random(9);
  for (const Damage& first : damages) {
    const uint32_t at = random() % (cpus * count - 8);
    const auto [found, offsets] = check({{at, &first}, {at + 1 + random() % 7, &damages[0]}, {cpus * count - 1, &damages[2]}});
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().offset, offsets[at]);
    EXPECT_NE(found.error().to_string().find(first.says), std::string::npos) << found.error().to_string();
  }
}

}  // namespace
}  // namespace hmmscope::traces
