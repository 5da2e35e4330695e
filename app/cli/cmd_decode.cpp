#include <fmt/format.h>

#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <vector>

#include "app/cli/command.h"
#include "app/cli/layout_text.h"
#include "engine/encoding/swap_entry.h"
#include "engine/model/kernel_model.h"
#include "engine/model/kernel_release.h"
#include "traces/reader/bytes.h"

namespace hmmscope::app {
namespace {

using Json = nlohmann::ordered_json;

/// One word under one layout.
struct Reading {
  const Layout* layout;
  uint64_t word;
  std::string text;
};

/// `hmmscope decode`: words bit by bit, under one layout or under all of a family.
class DecodeCommand : public Command {
 public:
  std::string_view name() const override { return "decode"; }
  std::string_view summary() const override { return "Name every bit of a word"; }

  void declare(Arguments& arguments) override {
    arguments.option("WORD", words_, "Words: 0x.. hexadecimal, 0b.. binary, or decimal; - reads them from standard input").required();
    arguments.option("--layout", layout_,
                   "Layout id (see 'hmmscope layouts'), or 'all' for a family (default: hmm-6.16)")
        .type_name("ID");
    arguments.option("--family", family_, "With --layout all: the family to compare (default: hmm_pfn)")
        .type_name("NAME");
    arguments.option("--kernel", kernel_, "Kernel model whose layout and swap type numbers to use")
        .type_name("MODEL");
    arguments.option("--config", config_,
                   "Options that entries depend on, such as DEVICE_PRIVATE=n,MEMORY_FAILURE=n (swap types) or "
                   "PGTABLE_LEVELS=5 (wider pfns)")
        .type_name("OPTIONS");
  }

  int run(const Output& output) override {
    std::vector<uint64_t> words;
    if (words_ == std::vector<std::string>{"-"}) {
      auto piped = words_of_input();
      if (!piped) return output.bad_input(piped.error());
      words_ = std::move(*piped);
    }
    for (const std::string& text : words_) {
      const auto word = parse_word(text);
      if (!word) return output.bad_input(word.error());
      words.push_back(*word);
    }
    if (auto ready = prepare(); !ready) return output.bad_input(ready.error());
    output.print(output.json ? as_json(words) : as_text(words));
    return exit_ok;
  }

 private:
  /// What stands between blanks on standard input.
  static Result<std::vector<std::string>> words_of_input() {
    const auto input = traces::open_bytes("-");
    if (!input) return tl::unexpected(input.error());
    std::vector<std::string> words;
    std::istringstream text{std::string((*input)->view())};
    for (std::string word; text >> word;) words.push_back(word);
    if (words.empty()) return fail(Error{"holds no words", "standard input", 0, 0, false});
    return words;
  }

  /// Resolves the options into `model_`, `layouts_` and `others_`.
  Result<void> prepare() {
    if (auto done = prepare_model(); !done) return done;
    compare_ = layout_ == "all" || (layout_.empty() && !family_.empty());
    if (compare_) {
      const auto family = parse_family(family_.empty() ? "hmm_pfn" : family_);
      if (!family) return fail(family.error());
      for (const Layout& l : layouts())
        if (l.family == *family) chosen_.push_back(&l);
      return {};
    }
    if (!layout_.empty() && !family_.empty()) return fail("--family goes with --layout all");
    if (layout_.empty()) {
      chosen_ = {model_ ? model_->hmm_pfn : find_layout("hmm-6.16")};
      for (const Layout& l : layouts())
        if (l.family == Family::hmm_pfn && l.word_bits == 64 && &l != chosen_[0]) others_.push_back(&l);
      return {};
    }
    const auto one = layout_or_error(layout_);
    if (!one) return fail(one.error());
    chosen_ = {*one};
    return {};
  }

  Result<void> prepare_model() {
    if (kernel_.empty() && config_.empty()) return {};
    auto model = kernel_model(kernel_.empty() ? "6.12" : kernel_);
    if (!model) return fail(model.error());
    const auto config =
        parse_config(config_, Release{model->version, {}}, config_.empty() ? ConfigNames::any : ConfigNames::known_only);
    if (!config) return fail(config.error());
    model->config = *config;
    model->types = swap_types(model->version, *config);
    model_ = *model;
    return {};
  }

  /// A non-present word under a pte layout is read with the non-present layout, a table under a pmd layout as
  /// a table.
  Reading read(const Layout& layout, uint64_t word) const {
    const Family swap_family = layout.family == Family::arm64_pte ? Family::arm64_swap : Family::x86_swap;
    const Layout& swap = swap_layout(swap_family, model_ ? model_->version : 6012);
    const Layout& actual = layout_for_entry(layout, swap, word);
    return {&actual, word, text_of(actual, word)};
  }

  std::string text_of(const Layout& layout, uint64_t word) const {
    const bool entry = swap_version(layout) != 0 && word != 0 && !x86::pte_none(word);
    if (!model_ || !entry) return describe(layout, word);
    // The options given move the types of the layout's own version.
    const SwapTypes types =
        kernel_.empty() ? swap_types(swap_version(layout), model_->config) : model_->types;
    const uint8_t physical = layout.family == Family::x86_swap ? model_->physical_bits() : 52;
    return describe_swap(layout, word, types, physical);
  }

  std::string as_text(const std::vector<uint64_t>& words) const {
    std::string text;
    for (const uint64_t word : words) {
      if (!text.empty()) text += '\n';
      if (compare_) {
        fmt::format_to(std::back_inserter(text), "{:#018x}\n", word);
        append_table(text, chosen_, word);
        continue;
      }
      append_detail(text, *chosen_[0], word);
      if (others_.empty()) continue;
      text += "  the same word elsewhere:\n";
      append_table(text, others_, word);
    }
    return text;
  }

  static std::string status_note(const Layout& l) {
    return l.status == Status::released ? "" : fmt::format("  [{}]", status_name(l.status));
  }

  static bool fits(const Layout& l, uint64_t word) { return l.word_bits >= 64 || word >> l.word_bits == 0; }

  void append_table(std::string& text, const std::vector<const Layout*>& rows, uint64_t word) const {
    for (const Layout* l : rows) {
      const std::string reading =
          fits(*l, word) ? read_as_is(*l, word) : std::string("(needs more than 32 bits)");
      fmt::format_to(std::back_inserter(text), "    {:<24} {}{}\n", l->id, reading, status_note(*l));
    }
  }

  std::string read_as_is(const Layout& layout, uint64_t word) const {
    const Reading r = read(layout, word);
    return r.layout == &layout ? r.text : fmt::format("{}  (as {})", r.text, r.layout->id);
  }

  void append_detail(std::string& text, const Layout& asked, uint64_t word) const {
    const Reading r = read(asked, word);
    auto out = std::back_inserter(text);
    fmt::format_to(out, "{}  {}  {}{}\n", hex_word(word, r.layout->word_bits), r.layout->id, r.text,
                   status_note(*r.layout));
    if (r.layout != &asked)
      fmt::format_to(out, "  note: {} does not describe this word; read as {}\n", asked.id, r.layout->title);
    for (const DecodedField& d : decode(*r.layout, word)) {
      const Field& f = *d.field;
      const std::string value = f.width == 1 ? fmt::format("{}", d.value)
                                : f.width <= 8
                                    ? fmt::format("{} ({:0{}b})", d.value, d.value, static_cast<int>(f.width))
                                    : fmt::format("{:#x}", d.value);
      fmt::format_to(out, "  {:>6}  {:>8}  {:<20} {:<16} {}{}\n", bit_range(f),
                     bit_range_from_top(*r.layout, f), f.name, value, f.meaning, f.sticky ? " [sticky]" : "");
    }
    append_notes(text, *r.layout, word);
  }

  static void append_notes(std::string& text, const Layout& layout, uint64_t word) {
    auto out = std::back_inserter(text);
    if (!fits(layout, word))
      fmt::format_to(out, "  note: bits above {} are outside this layout's word\n", layout.word_bits - 1);
    if (const uint64_t stray = word & unnamed_bits(layout); stray != 0)
      fmt::format_to(out, "  note: bits {:#x} are set and have no name here\n", stray);
    for (const std::string& line : overlap_lines(layout)) fmt::format_to(out, "  overlap: {}\n", line);
  }

  Json reading_json(const Layout& asked, uint64_t word) const {
    const Reading r = read(asked, word);
    const Layout& l = *r.layout;
    Json fields = Json::array();
    for (const DecodedField& d : decode(l, word)) {
      Json f = field_json(l, *d.field);
      f["value"] = d.value;
      f["hex"] = fmt::format("{:#x}", d.value);
      fields.push_back(std::move(f));
    }
    Json j = {{"layout", l.id},
              {"asked", asked.id},
              {"family", std::string(family_name(l.family))},
              {"status", std::string(status_name(l.status))},
              {"text", r.text},
              {"fits", fits(l, word)}};
    j["fields"] = std::move(fields);
    j["unnamed"] = fmt::format("{:#x}", word & unnamed_bits(l));
    j["overlaps"] = overlaps_json(l);
    return j;
  }

  std::string as_json(const std::vector<uint64_t>& words) const {
    Json list = Json::array();
    for (const uint64_t word : words) {
      Json readings = Json::array();
      for (const Layout* l : chosen_) readings.push_back(reading_json(*l, word));
      list.push_back({{"word", fmt::format("{:#018x}", word)}, {"readings", std::move(readings)}});
    }
    return Json{{"words", std::move(list)}}.dump(2) + "\n";
  }

  std::vector<std::string> words_;
  std::string layout_, family_, kernel_, config_;
  std::optional<KernelModel> model_;
  std::vector<const Layout*> chosen_;  ///< read in full
  std::vector<const Layout*> others_;  ///< one line each below
  bool compare_ = false;
};

}  // namespace

std::unique_ptr<Command> make_decode_command() { return std::make_unique<DecodeCommand>(); }

}  // namespace hmmscope::app
