#include "app/gui/text_format.h"

#include <QStringList>

namespace hmmscope::app {

QString grouped(uint64_t value) {
  QString digits = QString::number(value);
  for (qsizetype at = digits.size() - 3; at > 0; at -= 3) digits.insert(at, QChar(0x2009));
  return digits;
}

QString hex_word(uint64_t value) { return QStringLiteral("0x%1").arg(value, 16, 16, QLatin1Char('0')); }

std::optional<uint64_t> parse_grouped(const QString& text) {
  QString digits;
  for (const QChar c : text) {
    if (c.isSpace() || c == QLatin1Char(',') || c == QLatin1Char('_') || c == QLatin1Char('\'')) continue;
    if (c < QLatin1Char('0') || c > QLatin1Char('9')) return std::nullopt;
    digits += c;
  }
  bool ok = false;
  const uint64_t value = digits.toULongLong(&ok);
  return ok ? std::optional(value) : std::nullopt;
}

std::optional<uint64_t> parse_hex(const QString& text, bool bare) {
  QString digits = text.trimmed();
  digits.remove(QLatin1Char('_'));
  const bool prefixed = digits.startsWith(QLatin1String("0x"), Qt::CaseInsensitive);
  if (!prefixed && !bare) return std::nullopt;
  if (prefixed) digits.remove(0, 2);
  bool ok = false;
  const uint64_t value = digits.toULongLong(&ok, 16);
  return ok ? std::optional(value) : std::nullopt;
}

QString seconds(int64_t nanoseconds) {
  const bool negative = nanoseconds < 0;
  const uint64_t magnitude =
      negative ? 0 - static_cast<uint64_t>(nanoseconds) : static_cast<uint64_t>(nanoseconds);
  return QStringLiteral("%1%2.%3")
      .arg(negative ? QStringLiteral("-") : QString())
      .arg(magnitude / 1000000000)
      .arg(magnitude / 1000 % 1000000, 6, 10, QLatin1Char('0'));
}

}  // namespace hmmscope::app
