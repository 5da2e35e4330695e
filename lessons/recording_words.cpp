#include "lessons/recording_words.h"

#include <algorithm>
#include <array>

#include "lessons/vocabulary.h"

namespace hmmscope::lessons {
namespace {

using Arguments = std::span<const Value>;

const Region& region_of(const Moment& moment) { return moment.document->recording->regions()[moment.region]; }

Result<WordIndex> word_at(const Moment& moment, const Value& index) {
  const auto number = as_number(index);
  if (!number) return fail(number.error());
  const Region& region = region_of(moment);
  if (*number >= region.count) return fail("the array has only " + std::to_string(region.count) + " slots");
  return region.first + static_cast<WordIndex>(*number);
}

Result<Value> apply_slot(const Moment& moment, Cursor& cursor, Arguments a) {
  const auto word = word_at(moment, a[0]);
  if (!word) return fail(word.error());
  cursor.seek(moment.position);
  return Value(cursor.load(*word));
}

Result<Value> apply_slot_before(const Moment& moment, Cursor& cursor, Arguments a) {
  const auto word = word_at(moment, a[0]);
  if (!word) return fail(word.error());
  cursor.seek(moment.step);
  return Value(cursor.load(*word));
}

Result<Value> apply_slots(const Moment& moment, Cursor&, Arguments) {
  return Value(uint64_t{region_of(moment).count});
}

Result<Value> apply_found(const Moment& moment, Cursor&, Arguments) {
  return Value(uint64_t{moment.word} - region_of(moment).first);
}

/// count(moment, layout, FIELD, value, ...): the slots whose fields have these values.
Result<Value> apply_count(const Moment& moment, Cursor& cursor, Arguments a) {
  const auto id = as_text(a[0]);
  if (!id) return fail(id.error());
  const auto layout = layout_or_error(*id);
  if (!layout) return fail(layout.error());
  if (a.size() % 2 == 0) return fail("fields and values must come in pairs");
  uint64_t mask = 0, wanted = 0;
  for (size_t i = 1; i < a.size(); i += 2) {
    const auto name = as_text(a[i]);
    const auto value = as_number(a[i + 1]);
    if (!name) return fail(name.error());
    if (!value) return fail(value.error());
    const Field* field = (*layout)->field_named(*name);
    if (field == nullptr) return fail("layout " + *id + " has no field \"" + *name + "\"");
    const auto bits = encode(**layout, std::array{FieldValue{*name, *value}});
    if (!bits) return fail(bits.error());
    mask |= field->mask();
    wanted |= *bits;
  }
  cursor.seek(moment.position);
  const Region& region = region_of(moment);
  const auto words = cursor.words(region.first, region.count);
  return Value(static_cast<uint64_t>(
      std::count_if(words.begin(), words.end(), [&](uint64_t word) { return (word & mask) == wanted; })));
}

/// What the source says of itself: 'kernel', 'patch', 'arch'.
Result<Value> apply_origin(const Moment& moment, Cursor&, Arguments a) {
  const auto key = as_text(a[0]);
  if (!key) return fail(key.error());
  const std::string value = moment.document->recording->meta(*key);
  return value.empty() ? Result<Value>(fail("the recording does not say its \"" + *key + "\""))
                       : Value(value);
}

constexpr std::array recording_words = std::to_array<RecordingWord>({
    {"count", 4, 33, apply_count},
    {"found", 1, 1, apply_found},
    {"origin", 2, 2, apply_origin},
    {"slot", 2, 2, apply_slot},
    {"slot_before", 2, 2, apply_slot_before},
    {"slots", 1, 1, apply_slots},
});

}  // namespace

std::span<const RecordingWord> recording_vocabulary() { return recording_words; }

const RecordingWord* find_recording_word(std::string_view name) {
  const auto found =
      std::find_if(recording_words.begin(), recording_words.end(), [&](const RecordingWord& word) { return word.name == name; });
  return found == recording_words.end() ? nullptr : &*found;
}

}  // namespace hmmscope::lessons
