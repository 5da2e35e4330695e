#include "app/gui/search.h"

#include <algorithm>
#include <utility>

#include "app/gui/text_format.h"

namespace hmmscope::app {
namespace {

constexpr WordIndex words_scanned = 4u << 20;  // for values and pfns: a few milliseconds
constexpr StepIndex steps_scanned = 8u << 20;  // for rules

ui::Intent seek_to(StepIndex position) {
  ui::Intent intent;
  intent.kind = ui::Intent::Kind::seek;
  intent.position = position;
  return intent;
}

ui::Intent select_word(WordIndex word) {
  ui::Intent intent;
  intent.kind = ui::Intent::Kind::select_word;
  intent.word = word;
  return intent;
}

class Search {
 public:
  Search(const Session& session, QString text, size_t limit)
      : session_(session), recording_(*session.recording()), text_(std::move(text)), limit_(limit) {}

  std::vector<Hit> run() {
    steps();
    if (const auto value = parse_hex(text_)) {
      by_address(*value);
      by_value(*value);
    } else {
      by_name();
      fields();
      functions();
      rules_found();
    }
    return std::move(hits_);
  }

 private:
  void steps() {
    QString digits = text_;
    if (digits.startsWith(QLatin1String("step"), Qt::CaseInsensitive)) digits.remove(0, 4);
    const auto position = parse_grouped(digits);
    if (!position || *position > session_.steps()) return;
    hits_.push_back({QStringLiteral("Step"),
                     QStringLiteral("Go to step %1").arg(grouped(*position)),
                     QStringLiteral("of %1").arg(grouped(session_.steps())),
                     {seek_to(static_cast<StepIndex>(*position))}});
  }

  void add_word(WordIndex word, const QString& why) {
    hits_.push_back({QStringLiteral("Word"),
                     QString::fromStdString(recording_.word_name(word)),
                     QStringLiteral("%1, now %2").arg(why, hex_word(session_.cursor()->load(word))),
                     {select_word(word)}});
  }

  void by_address(uint64_t address) {
    size_t found = 0;
    for (const Region& region : recording_.regions()) {
      if (region.stride == 0 || region.count == 0 || address < region.address) continue;
      const uint64_t index = (address - region.address) / region.stride;
      if (index >= region.count) continue;
      add_word(region.first + static_cast<WordIndex>(index), QStringLiteral("covers this address"));
      if (++found == limit_) return;
    }
  }

  void by_value(uint64_t value) {
    const Field* pfn = session_.layout() == nullptr ? nullptr : session_.layout()->field(Role::pfn);
    size_t found = 0;
    for (const Region& region : recording_.regions()) {
      const bool slots = region.kind == RegionKind::hmm_pfns;
      const WordIndex end = std::min(region.first + region.count, words_scanned);
      for (WordIndex word = region.first; word < end && found < limit_; ++word) {
        const uint64_t now = session_.cursor()->load(word);
        if (now == value && value != 0) {
          add_word(word, QStringLiteral("has this value"));
        } else if (slots && pfn != nullptr && now != 0 && pfn->get(now) == value) {
          add_word(word, QStringLiteral("holds this pfn"));
        } else {
          continue;
        }
        ++found;
      }
    }
  }

  /// "hmm_pfns[7]", or the beginning of a region's name.
  void by_name() {
    const qsizetype bracket = text_.indexOf(QLatin1Char('['));
    const QString name = bracket < 0 ? text_ : text_.left(bracket).trimmed();
    const auto index = bracket < 0 ? std::optional<uint64_t>(0)
                                   : parse_grouped(text_.mid(bracket + 1).remove(QLatin1Char(']')));
    if (name.isEmpty() || !index) return;
    size_t found = 0;
    for (const Region& region : recording_.regions()) {
      if (found == limit_ || *index >= region.count) continue;
      if (!QString::fromStdString(region.name).startsWith(name, Qt::CaseInsensitive) &&
          !text_of(region_kind_name(region.kind)).startsWith(name, Qt::CaseInsensitive)) {
        continue;
      }
      add_word(region.first + static_cast<WordIndex>(*index),
               QStringLiteral("%1 words").arg(grouped(region.count)));
      ++found;
    }
  }

  void fields() {
    const WordIndex word = session_.focused_word();
    if (session_.layout() == nullptr || word == no_word) return;
    for (const Field& field : session_.layout()->fields) {
      const QString name = QString::fromUtf8(field.name), symbol = QString::fromUtf8(field.symbol);
      if (!name.contains(text_, Qt::CaseInsensitive) && !symbol.contains(text_, Qt::CaseInsensitive))
        continue;
      ui::Intent intent;
      intent.kind = ui::Intent::Kind::select_bit;
      intent.word = word;
      intent.bit = field.shift;
      hits_.push_back(
          {QStringLiteral("Bit"),
           symbol.isEmpty() ? name : symbol,
           QStringLiteral("bit %1 of %2: %3")
               .arg(field.shift)
               .arg(QString::fromStdString(recording_.word_name(word)), QString::fromUtf8(field.meaning)),
           {intent}});
    }
  }

  void functions() {
    std::vector<bool> seen(static_cast<size_t>(Function::count_), false);
    size_t found = 0;
    const auto calls = recording_.calls();
    // Calls are numbered as they were entered: look behind the cursor first, then from the start.
    const auto start = std::partition_point(calls.begin(), calls.end(), [&](const Call& call) {
      return call.first_step + 1 <= session_.position();
    });
    const auto look = [&](auto from, auto to) {
      for (auto it = from; it != to && found < limit_; ++it) {
        const auto id = static_cast<size_t>(it->function);
        if (seen[id] || it->first_step >= recording_.steps()) continue;
        if (!text_of(function_name(it->function)).contains(text_, Qt::CaseInsensitive)) continue;
        seen[id] = true;
        ++found;
        hits_.push_back({QStringLiteral("Function"),
                         text_of(function_name(it->function)),
                         QStringLiteral("next call at step %1").arg(grouped(uint64_t{it->first_step} + 1)),
                         {seek_to(it->first_step + 1)}});
      }
    };
    look(start, calls.end());
    look(calls.begin(), start);
  }

  void rules_found() {
    std::vector<bool> wanted;
    for (const Rule& row : rules()) {
      wanted.push_back(text_.size() >= 3 && (text_of(row.id).contains(text_, Qt::CaseInsensitive) ||
                                             text_of(row.statement).contains(text_, Qt::CaseInsensitive)));
    }
    size_t found = 0;
    const StepIndex from = session_.position();
    const StepIndex span = std::min(recording_.steps(), steps_scanned);
    for (StepIndex n = 0; n < span && found < limit_; ++n) {
      const StepIndex step = static_cast<StepIndex>((uint64_t{from} + n) % recording_.steps());
      const auto id = static_cast<size_t>(recording_.rule_of(step));
      if (!wanted[id]) continue;
      wanted[id] = false;
      ++found;
      const Rule& row = rule(recording_.rule_of(step));
      hits_.push_back({QStringLiteral("Rule"),
                       text_of(row.id),
                       QStringLiteral("step %1: %2").arg(grouped(uint64_t{step} + 1), text_of(row.statement)),
                       {seek_to(step + 1)}});
    }
  }

  const Session& session_;
  const Recording& recording_;
  QString text_;
  size_t limit_;
  std::vector<Hit> hits_;
};

}  // namespace

std::vector<Hit> search(const Session& session, const QString& text, size_t limit) {
  const QString wanted = text.trimmed();
  if (wanted.isEmpty() || session.recording() == nullptr) return {};
  return Search(session, wanted, limit).run();
}

}  // namespace hmmscope::app
