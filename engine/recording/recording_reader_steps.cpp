#include <fmt/format.h>

#include <algorithm>

#include "engine/recording/pattern.h"
#include "engine/recording/recording_reader.h"

namespace hmmscope {
namespace format = file_format;

Result<void> RecordingReader::read_steps() {
  HMMSCOPE_TRY(load(format::step_rule, r_.rule_));
  const size_t steps = r_.rule_.size();
  if (steps >= no_step) return sections_.bad(format::step_rule, "there are too many steps");
  for (size_t s = 0; s < steps; ++s) {
    if (r_.rule_[s] >= rules_.size()) return sections_.bad(format::step_rule, "a rule has no name");
    const Meaning meaning = rules_[r_.rule_[s]];
    r_.rule_[s] = meaning.known;
    note_foreign(r_.foreign_.of_step, s, steps, meaning.foreign);
  }
  HMMSCOPE_TRY(load(format::step_call, r_.call_));
  if (r_.call_.size() != steps) return sections_.bad(format::step_call, "it does not have one row a step");
  HMMSCOPE_TRY(load(format::step_event, r_.event_));
  if (!r_.event_.empty() && r_.event_.size() != steps) {
    return sections_.bad(format::step_event, "it does not have one row a step");
  }
  for (const uint32_t event : r_.event_) {
    if (event != no_event && event >= r_.events_.size())
      return sections_.bad(format::step_event, "an event does not exist");
  }
  HMMSCOPE_TRY(load(format::step_operands, r_.operand_end_));
  HMMSCOPE_TRY(load(format::operands, r_.operands_));
  HMMSCOPE_TRY(sum_up(format::step_operands, r_.operand_end_, steps, r_.operands_.size()));
  HMMSCOPE_TRY(load(format::step_writes, r_.write_end_));
  HMMSCOPE_TRY(load(format::write_word, r_.write_word_));
  return sum_up(format::step_writes, r_.write_end_, steps, r_.write_word_.size());
}

Result<void> RecordingReader::sum_up(uint32_t tag, Column<uint32_t>& column, size_t rows, size_t total) {
  if (column.size() != rows) return sections_.bad(tag, "it does not have one row a step");
  uint64_t sum = 0;
  for (uint32_t& value : column) {
    sum += value;
    if (sum > total || sum >= no_step) break;
    value = static_cast<uint32_t>(sum);
  }
  if (sum != total || sum >= no_step) return sections_.bad(tag, "its counts do not add up");
  return {};
}

Result<void> RecordingReader::read_calls() {
  Column<format::CallRow> rows;
  HMMSCOPE_TRY(load(format::calls, rows));
  HMMSCOPE_TRY(load(format::arguments, r_.arguments_));
  if (rows.size() >= no_call) return sections_.bad(format::calls, "there are too many calls");
  uint64_t argument = 0;
  uint32_t first_step = 0;
  for (size_t c = 0; c < rows.size(); ++c) {
    const format::CallRow& row = rows[c];
    if (row.parent != no_call && row.parent >= c)
      return sections_.bad(format::calls, "a call comes before its parent");
    if (row.function >= functions_.size()) return sections_.bad(format::calls, "a function has no name");
    if (row.first_step < first_step || row.end_step < row.first_step || row.end_step > r_.steps()) {
      return sections_.bad(format::calls, "the steps of a call are out of order");
    }
    if (row.task >= r_.tasks_.size()) return sections_.bad(format::calls, "a call's task does not exist");
    if (row.arguments > Call::max_arguments) return sections_.bad(format::calls, "a call has too many arguments");
    if (row.returned > 1) return sections_.bad(format::calls, "a call neither returned nor did not");
    first_step = row.first_step;
    const Meaning meaning = functions_[row.function];
    note_foreign(r_.foreign_.of_call, c, rows.size(), meaning.foreign);
    Call call;
    call.parent = row.parent;
    call.function = static_cast<Function>(meaning.known);
    call.first_step = row.first_step;
    call.end_step = row.end_step;
    call.first_argument = static_cast<uint32_t>(argument);
    call.argument_count = static_cast<uint8_t>(row.arguments);
    call.depth = row.parent == no_call ? uint8_t{0} : Call::below(r_.calls_[row.parent].depth);
    call.task = row.task;
    call.returned = row.returned != 0;
    call.result = row.result;
    r_.calls_.push(call);
    argument += row.arguments;
    if (argument > r_.arguments_.size() || argument >= no_step) break;
  }
  if (argument != r_.arguments_.size())
    return sections_.bad(format::arguments, "the calls do not have as many arguments");
  return {};
}

Result<void> RecordingReader::check_call_of_steps() {
  for (StepIndex s = 0; s < r_.steps(); ++s) {
    const CallId c = r_.call_[s];
    if (c == no_call) continue;
    if (c >= r_.calls_.size() || s < r_.calls_[c].first_step || s >= r_.calls_[c].end_step) {
      return sections_.bad(format::step_call, fmt::format("step {} is not inside its call", s));
    }
  }
  return {};
}

Result<void> RecordingReader::read_checks() {
  Column<uint8_t> bytes;
  HMMSCOPE_TRY(load(format::checks, bytes));
  RowReader in(bytes);
  uint32_t count = 0;
  if (!in.get_count(count, sizeof(format::CheckRow)))
    return sections_.bad(format::checks, "the list is cut off");
  for (uint32_t i = 0; i < count; ++i) {
    format::CheckRow row{};
    CallCheck& check = r_.checks_.emplace_back();
    if (!in.get(row) || !in.get(check.reason)) return sections_.bad(format::checks, "the list is cut off");
    const bool in_range = (row.call == no_call || row.call < r_.calls_.size()) &&
                          (row.step == no_step || row.step < r_.steps()) &&
                          (row.word == no_word || row.word < r_.word_count()) &&
                          row.verdict <= static_cast<uint16_t>(Verdict::unknown) && row.rule < rules_.size();
    if (!in_range)
      return sections_.bad(format::checks, fmt::format("check {} names something that does not exist", i));
    const Meaning meaning = rules_[row.rule];
    note_foreign(r_.foreign_.of_check, i, count, meaning.foreign);
    check.call = row.call;
    check.verdict = static_cast<Verdict>(row.verdict);
    check.step = row.step;
    check.word = row.word;
    check.kernel = row.kernel;
    check.engine = row.engine;
    check.known = row.known;
    check.rule = static_cast<RuleId>(meaning.known);
    check.words_compared = row.words_compared;
    check.words_unknown = row.words_unknown;
  }
  if (!in.at_end()) return sections_.bad(format::checks, "there are bytes after the last check");
  return {};
}

Result<void> RecordingReader::read_writes() {
  HMMSCOPE_TRY(load(format::write_info, r_.write_info_));
  HMMSCOPE_TRY(load(format::write_value, r_.write_new_));
  const size_t writes = r_.write_word_.size();
  if (r_.write_info_.size() != writes)
    return sections_.bad(format::write_info, "it does not have one row a write");
  if (r_.write_new_.size() != writes)
    return sections_.bad(format::write_value, "it does not have one row a write");
  Column<format::RunRow> rows;
  HMMSCOPE_TRY(load(format::runs, rows));
  Column<uint64_t> literals;
  HMMSCOPE_TRY(load(format::literals, literals));

  Column<uint64_t> state = r_.initial_;
  r_.write_old_.resize_uninitialised(writes);
  size_t next_run = 0;
  size_t next_literal = 0;
  for (size_t w = 0; w < writes; ++w) {
    if (!may_proceed(proceed_, w)) return fail("cancelled");
    const uint32_t word = r_.write_word_[w];
    const uint8_t info = r_.write_info_[w];
    if ((info & ~(Recording::evidence_mask | Recording::run_flag)) != 0) {
      return sections_.bad(format::write_info,
                           fmt::format("write {} is of a kind this build does not know", w));
    }
    if (word >= state.size())
      return sections_.bad(format::write_word, fmt::format("write {} is outside the words", w));
    if ((info & Recording::run_flag) == 0) {
      r_.write_old_[w] = state[word];
      state[word] = r_.write_new_[w];
      continue;
    }
    if (next_run == rows.size())
      return sections_.bad(format::runs, "there are fewer runs than writes of runs");
    HMMSCOPE_TRY(read_run(rows[next_run++], w, literals, next_literal, state));
  }
  if (next_run != rows.size()) return sections_.bad(format::runs, "there are more runs than writes of runs");
  if (next_literal != literals.size())
    return sections_.bad(format::literals, "there are values that no run uses");
  return {};
}

Result<void> RecordingReader::read_run(const format::RunRow& row, size_t write,
                                       const Column<uint64_t>& literals, size_t& next_literal,
                                       Column<uint64_t>& state) {
  const uint32_t word = r_.write_word_[write];
  if (row.count < 2 || row.count > state.size() - word)
    return sections_.bad(format::runs, "a run is outside the words");
  // Time and memory a small file may ask for: a run is short in the file however many words it covers.
  run_words_ += row.count;
  if (run_words_ > limit_)
    return sections_.bad(format::runs, "the runs cover more words than this build replays");
  uint64_t* words = state.data() + word;
  Recording::Run run;
  uint64_t new_base = row.base;
  run.count = row.count;
  r_.set_old(run, {words, row.count}, find_pattern({words, row.count}));
  if (row.shape == format::RunRow::linear) {
    run.new_shape = WriteShape::linear;
    run.new_stride = row.stride;
    fill_linear(words, row.count, row.base, row.stride);
  } else if (row.shape == format::RunRow::literal) {
    if (row.count > literals.size() - next_literal)
      return sections_.bad(format::literals, "it ends inside a run");
    const std::span values = literals.span().subspan(next_literal, row.count);
    next_literal += row.count;
    new_base = r_.set_new(run, values);
    std::copy(values.begin(), values.end(), words);
  } else {
    return sections_.bad(format::runs, "a run has a shape this build does not know");
  }
  if (r_.literals_.size() * sizeof(uint64_t) > limit_) {
    return sections_.bad(format::runs, fmt::format("the runs need more than {} bytes of memory", limit_));
  }
  r_.write_old_[write] = r_.share_run(run, new_base);
  r_.write_new_[write] = new_base;
  return {};
}

}  // namespace hmmscope
