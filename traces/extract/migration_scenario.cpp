#include "traces/extract/migration_scenario.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/base/errno_name.h"
#include "engine/migrate/migrate_vma.h"
#include "traces/extract/migration_facts.h"
#include "traces/extract/page_states.h"
#include "traces/extract/scenario_parts.h"

namespace hmmscope::traces {
namespace {

using Json = nlohmann::ordered_json;
using scenario_parts::hex;

class MigrationWriter {
 public:
  MigrationWriter(const Document& document, const ExtractableCall& call, MigrationFacts facts)
      : document_(document),
        call_(call),
        facts_(std::move(facts)),
        format_(MigrateFormat::from(document.model)),
        entries_(document.model),
        pages_(document.model, facts_.pages) {}

  Result<std::string> run() {
    const std::string expected(errno_name(facts_.result).value_or(""));
    if (expected != "0" && expected != "-EINVAL")
      return fail(fmt::format("it returns {}, which a scenario cannot expect", facts_.result));
    Json root;
    root["hmmscope-scenario"] = 1;
    root["title"] = fmt::format("{}, call {}", document_.title, call_.number);
    root["description"] = fmt::format(
        "{} of {:#x}-{:#x}{}: the pages as the kernel found them, as a scenario.{}",
        facts_.touch ? "The CPU fault behind migrate_vma_setup" : "The migration", facts_.pages.start,
        facts_.pages.end, call_.line != 0 ? fmt::format(" in line {} of the trace", call_.line) : "",
        scenario_parts::open_text(*document_.recording, call_.call));
    root["kernel"] = document_.model.id;
    root["allows"] = {"thrown-away-while-migrating"};   // what a kernel did is what its driver did with it
    if (const std::string config = document_.recording->meta("config"); !config.empty())
      root["config"] = config;
    root["levels"] = document_.model.config.levels;
    if (const auto zero = pages_.zero_pfn()) root["zero_pfn"] = hex(*zero);
    root["devices"] = devices();
    root["vmas"] = scenario_parts::vmas(facts_.pages.vmas);
    Json initial = pages_.declare(facts_.pages.entries);
    Json operations = Json::array();
    if (facts_.touch)
      touch(operations);
    else
      migration(operations, expected);
    if (!pages_.failure().empty()) return fail(pages_.failure());
    root["pages"] = std::move(initial);
    root["operations"] = std::move(operations);
    return root.dump(1) + "\n";
  }

 private:
  bool to_device() const { return (facts_.select & migrate_select::system) != 0; }

  /// The caller needs room for what comes to it.
  Json devices() const {
    Json list = pages_.devices();
    Json& driver = list.front();
    if (to_device()) driver["pages"] = driver["pages"].get<uint64_t>() + facts_.npages_of_range();
    if (moves_to_coherent()) driver["coherent"] = true;
    return list;
  }

  /// What finalize left are present entries of pages that went to a device.
  bool moves_to_coherent() const {
    if (!to_device() || !facts_.has_finalize) return (facts_.select & migrate_select::device_coherent) != 0;
    return std::any_of(facts_.after.begin(), facts_.after.end(), [&](const FactEntry& entry) {
      const uint64_t slot = (entry.addr - facts_.pages.start) >> page_bits;
      return x86::pte_present(entry.value) && slot < facts_.dst_in.size() && slot < facts_.src_moved.size() &&
             format_.migrates(facts_.src_moved[slot]) &&
             format_.pfn(facts_.dst_in[slot]) == x86::pte_pfn(entry.value);
    });
  }

  void touch(Json& operations) const {
    operations.push_back({{"op", "touch"},
                          {"at", hex(facts_.touch->addr)},
                          {"access", facts_.touch->write ? "write" : "read"},
                          {"expect", "ok"}});
    operations.push_back({{"op", "expect-page"}, {"at", hex(facts_.touch->addr)}, {"state", "present"}});
  }

  void migration(Json& operations, const std::string& expected) const {
    scenario_parts::hold(operations, facts_.refused);
    Json setup = {{"op", "migrate-setup"},
                  {"migration", "m"},
                  {"at", hex(facts_.pages.start)},
                  {"pages", facts_.npages_of_range()},
                  {"device", PageStates::caller},
                  {"select", scenario_parts::select(document_.model, facts_.select)},
                  {"expect", expected}};
    if (facts_.result == 0 && facts_.agreed)
      setup["cpages"] = std::count_if(facts_.src.begin(), facts_.src.end(),
                                      [&](uint64_t word) { return format_.migrates(word); });
    operations.push_back(std::move(setup));
    if (facts_.result != 0 || !facts_.agreed) return;
    expect_words(operations, facts_.src);
    if (!facts_.has_pages) return;
    meanwhile(operations);
    scenario_parts::hold(operations, facts_.refused_in_pages);
    Json pages = {{"op", "migrate-pages"}, {"migration", "m"}};
    pages["slots"] = destinations();
    pages["moved"] = std::count_if(facts_.src_moved.begin(), facts_.src_moved.end(),
                                   [&](uint64_t word) { return format_.migrates(word); });
    operations.push_back(std::move(pages));
    expect_words(operations, facts_.src_moved);
    if (!facts_.has_finalize) return;
    operations.push_back({{"op", "migrate-finalize"}, {"migration", "m"}});
    expect_entries(operations);
  }

  /// What other tasks did before the driver called pages; neighbours become one operation.
  void meanwhile(Json& operations) const {
    for (size_t at = 0; at < facts_.meanwhile.size();) {
      const FactMeanwhile& first = facts_.meanwhile[at];
      size_t end = at + 1;
      while (end < facts_.meanwhile.size() && facts_.meanwhile[end].did == first.did &&
             facts_.meanwhile[end].addr == first.addr + (end - at) * page_bytes)
        ++end;
      if (first.did == FactMeanwhile::Did::zapped) {
        operations.push_back({{"op", "madvise-dontneed"}, {"at", hex(first.addr)}, {"pages", end - at}});
      } else {
        for (size_t k = at; k < end; ++k)
          operations.push_back({{"op", "touch"},
                                {"at", hex(facts_.meanwhile[k].addr)},
                                {"access", first.did == FactMeanwhile::Did::read ? "read" : "write"},
                                {"expect", "ok"}});
      }
      at = end;
    }
  }

  /// Slots that the driver found a destination for.
  Json destinations() const {
    Json slots = Json::array();
    for (size_t at = 0; at < facts_.dst_in.size();) {
      size_t end = at;
      while (end < facts_.dst_in.size() && format_.has_page(facts_.dst_in[end])) ++end;
      if (end > at) slots.push_back({{"index", at}, {"count", end - at}});
      at = end + 1;
    }
    return slots;
  }

  /// Runs of equal words, and of words whose pfn counts up.
  void expect_words(Json& operations, const std::vector<uint64_t>& words) const {
    const uint64_t step = uint64_t{1} << format_.shift, flags = step - 1;
    for (size_t at = 0; at < words.size();) {
      const bool page = format_.has_page(words[at]);
      size_t end = at + 1;
      while (end < words.size() && words[end] == words[at] + (page ? (end - at) * step : 0)) ++end;
      Json op = {
          {"op", "expect-migrate"}, {"migration", "m"}, {"array", "src"}, {"index", at}, {"count", end - at}};
      if (page) {
        op["flags"] = hex(words[at] & flags);
        op["pfn"] = hex(format_.pfn(words[at]));
      } else {
        op["word"] = hex(words[at]);
      }
      operations.push_back(std::move(op));
      at = end;
    }
  }

  /// The entries that finalize left, as far as they say more than where a page went.
  void expect_entries(Json& operations) const {
    struct Kind {
      std::string_view state;
      bool writable = false;
      bool operator==(const Kind&) const = default;
    };
    const auto kind_of = [&](uint64_t entry) -> Kind {
      if (x86::pte_none(entry)) return {"none"};
      if (x86::pte_present(entry)) {
        const bool zero = pages_.zero_pfn() && x86::pte_pfn(entry) == *pages_.zero_pfn();
        return {zero ? "zero-page" : "present", x86::pte_write(entry)};
      }
      const SwapKind kind = entries_.swap.kind(entry);
      return {is_device_private(kind) ? "device-private" : "", is_writable(kind)};
    };
    for (size_t at = 0; at < facts_.after.size();) {
      const Kind kind = kind_of(facts_.after[at].value);
      size_t end = at + 1;
      while (end < facts_.after.size() && kind_of(facts_.after[end].value) == kind) ++end;
      if (!kind.state.empty()) {
        Json op = {{"op", "expect-page"},
                   {"at", hex(facts_.after[at].addr)},
                   {"pages", end - at},
                   {"state", kind.state}};
        if (kind.state != "none") op["writable"] = kind.writable;
        operations.push_back(std::move(op));
      }
      at = end;
    }
  }

  const Document& document_;
  const ExtractableCall& call_;
  MigrationFacts facts_;
  MigrateFormat format_;
  EntryFormat entries_;
  PageStates pages_;
};

}  // namespace

Result<std::string> migration_scenario(const Document& document, const ExtractableCall& call) {
  auto facts = facts_of_migration(document, call.call);
  if (!facts) return tl::unexpected(facts.error());
  return MigrationWriter(document, call, std::move(*facts)).run();
}

}  // namespace hmmscope::traces
