#include "app/gui/branch.h"

#include <fmt/format.h>

#include <QDir>
#include <QFileInfo>
#include <QStandardPaths>
#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "traces/export/sink.h"
#include "traces/extract/extract.h"
#include "traces/reader/source.h"

namespace hmmscope::app {
namespace {

using Json = nlohmann::ordered_json;

Result<std::string> read_text(const std::filesystem::path& path) {
  auto bytes = traces::open_bytes(path);
  if (!bytes) return tl::unexpected(bytes.error());
  const std::string_view raw = (*bytes)->view();
  const traces::Packing packing = traces::detect_packing(raw);
  if (packing == traces::Packing::none) return std::string(raw);
  auto unpacked = traces::unpack(raw, packing, path.string());
  if (!unpacked) return tl::unexpected(unpacked.error());
  return std::string((*unpacked)->view());
}

/// The hmm_range_fault call that the step before `position` belongs to, by its number; 0 outside of them.
uint32_t call_at(const Recording& recording, StepIndex position) {
  if (position == 0) return 0;
  const auto path = recording.path(recording.call_of(position - 1));
  for (const traces::ExtractableCall& call : traces::extractable_calls(recording)) {
    if (std::find(path.begin(), path.end(), call.call) != path.end()) return call.number;
  }
  return 0;
}

/// What names the word in a flip; nothing when no flip can.
std::optional<Json> place_of(const Recording& recording, WordIndex word) {
  const RegionId id = recording.region_of(word);
  if (id == no_region) return std::nullopt;
  const Region& region = recording.regions()[id];
  const uint64_t index = word - region.first;
  // A flip names entries of the first process only; its top table is the first one there is.
  const auto regions = recording.regions();
  const auto top = std::find_if(regions.begin(), regions.end(),
                                [](const Region& each) { return each.kind == RegionKind::pgd; });
  const bool table = region.kind != RegionKind::hmm_pfns;
  if (table && (top == regions.end() || top->owner != region.owner)) return std::nullopt;
  const auto at = [&] { return fmt::format("{:#x}", region.address + index * region.stride); };
  switch (region.kind) {
    case RegionKind::hmm_pfns:
      return Json{{"array", region.name}, {"index", index}};
    case RegionKind::pte:
      return Json{{"level", "pte"}, {"at", at()}};
    case RegionKind::pmd:
      return Json{{"level", "pmd"}, {"at", at()}};
    case RegionKind::pud:
      return Json{{"level", "pud"}, {"at", at()}};
    default:
      return std::nullopt;
  }
}

}  // namespace

QString branches_directory() {
  const QString path =
      QStandardPaths::writableLocation(QStandardPaths::AppDataLocation) + QStringLiteral("/branches");
  QDir().mkpath(path);
  return path;
}

bool is_branch(const QString& path) {
  return QFileInfo(path).absolutePath() == QFileInfo(branches_directory()).absoluteFilePath();
}

Result<std::string> branch_text(const traces::Document& document, StepIndex position) {
  if (document.kind == traces::SourceKind::scenario) return read_text(document.path);
  const uint32_t call = call_at(*document.recording, position);
  if (call == 0) {
    return fail(document.kind == traces::SourceKind::trace
                    ? "no call of hmm_range_fault is under way at this step: go into one (Run, Next call) and branch there"
                    : "only scenarios and calls of hmm_range_fault in kernel traces can be branched");
  }
  return traces::extract_call(document, call);
}

Result<QString> save_branch(const std::string& title, const std::string& text) {
  const QDir folder(branches_directory());
  for (int number = 1; number < 10000; ++number) {
    const QString path =
        folder.absoluteFilePath(QStringLiteral("%1-branch-%2.json").arg(QString::fromStdString(title)).arg(number));
    if (QFileInfo::exists(path)) continue;
    if (auto written = write_branch(path, text); !written) return tl::unexpected(written.error());
    return path;
  }
  return fail("there are ten thousand branches of this document: remove some in " + folder.path().toStdString());
}

Result<void> write_branch(const QString& path, const std::string& text) {
  auto file = traces::FileSink::create(path.toStdString());
  if (!file) return tl::unexpected(file.error());
  (*file)->write(text);
  return (*file)->finish();
}

Result<std::string> read_branch(const QString& path) { return read_text(path.toStdString()); }

Result<ChangedBranch> flip_bits(const std::string& text, const Recording& recording, StepIndex position,
                                WordIndex word, uint64_t mask) {
  const auto place = place_of(recording, word);
  if (!place) return fail("only slots of hmm_pfns and entries of page tables can be changed");
  if (position >= recording.steps()) return fail("no step follows: go back to where the change is to be made");
  Json scenario = Json::parse(text, nullptr, false);
  if (!scenario.is_object()) return fail("the branch is no scenario any more");
  Json& inject = scenario["inject"];
  if (!inject.is_array()) inject = Json::array();
  const uint64_t step = uint64_t{position} + 1;
  for (size_t i = 0; i < inject.size(); ++i) {
    const Json& other = inject[i];
    if (other.value("what", "") != "flip") continue;
    const uint64_t at = other.value("step", uint64_t{0});
    const bool same = at == position && std::all_of(place->items().begin(), place->items().end(), [&](const auto& item) {
                        return other.contains(item.key()) && other[item.key()] == item.value();
                      });
    // The cursor stands right behind this flip of the same word: changed again, not once more.
    if (!same) continue;
    const uint64_t bits = std::stoull(other.value("bits", std::string("0")), nullptr, 0) ^ mask;
    if (bits != 0) {
      inject[i]["bits"] = fmt::format("{:#x}", bits);
    } else {
      inject.erase(i);
      for (Json& each : inject) {
        if (each.value("what", "") == "flip" && each.value("step", uint64_t{0}) > at) each["step"] = each["step"].get<uint64_t>() - 1;
      }
    }
    if (inject.empty()) scenario.erase("inject");
    return ChangedBranch{scenario.dump(2) + "\n", bits != 0 ? position : position - 1};
  }
  // Each flip is a step of its own: those behind move by one.
  for (Json& other : inject) {
    if (other.value("what", "") == "flip" && other.value("step", uint64_t{0}) >= step)
      other["step"] = other["step"].get<uint64_t>() + 1;
  }
  Json flip = {{"what", "flip"}, {"step", step}, {"bits", fmt::format("{:#x}", mask)}};
  flip.update(*place);
  inject.push_back(std::move(flip));
  return ChangedBranch{scenario.dump(2) + "\n", position + 1};
}

}  // namespace hmmscope::app
