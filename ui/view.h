#pragma once
/// What every panel looks at, and what it may ask for. Panels own no model state: they draw a ViewContext and
/// push Intents; the shell (window, command line, test) applies them and draws again.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/encoding/geometry.h"
#include "engine/encoding/layout.h"
#include "engine/recording/cursor.h"
#include "traces/document.h"

namespace hmmscope::ui {

enum class ThemeKind : uint8_t { dark, light };

struct Selection {
  WordIndex word = no_word;  ///< no_word: the panels follow the most interesting word of the current step
  int bit = -1;              ///< 0..63, -1 = none
};

/// Running stops where one of these bits changes.
struct Breakpoint {
  WordIndex word = no_word;
  uint64_t mask = ~0ull;
  bool operator==(const Breakpoint&) const = default;
};

/// A place to come back to.
struct Bookmark {
  StepIndex position = 0;
  std::string note;
  bool operator==(const Bookmark&) const = default;
};

/// How much of its file a document that is still being read shows.
struct Loading {
  uint64_t shown = 0;  ///< bytes of the file that the document was made of
  uint64_t total = 0;  ///< bytes of the file; more than `shown`
  std::string stage;   ///< what is being done now: "reading", "replay"
  bool operator==(const Loading&) const = default;
};

class LaneIndex;

/// Everything a panel may read in one frame. Pointers are valid for the frame.
struct ViewContext {
  const traces::Document* document = nullptr;  ///< nullptr: nothing is open, panels say what to do
  const Cursor* cursor = nullptr;
  Selection selection;
  const Layout* layout = nullptr;  ///< the layout hmm_pfns words are read with
  const Geometry* geometry = nullptr;
  ThemeKind theme = ThemeKind::dark;
  std::span<const Breakpoint> breakpoints;
  std::span<const Bookmark> bookmarks;  ///< by position
  /// The timeline's index of the recording, made off the UI thread; nullptr: the timeline makes its own.
  const LaneIndex* lanes = nullptr;
  /// Another moment (a position): Bits shows the word as it was then instead of before its last write.
  std::optional<StepIndex> compared;
  /// Bits can be toggled: the document is a scenario that is run again with the change.
  bool editable = false;
  /// The document is the beginning of a file that is still being read; nullptr: it is all there.
  const Loading* loading = nullptr;
};

struct Intent {
  enum class Kind : uint8_t {
    seek,                ///< to `position`
    select_word,         ///< `word`
    select_bit,          ///< `word`, `bit`
    run_back_to_change,  ///< previous change of `word` in `mask`
    run_to_change,       ///< next change of `word` in `mask`
    toggle_break,        ///< break when `mask` of `word` changes
    set_layout,          ///< `text` = layout id
    toggle_bits,         ///< flip `mask` of `word` after this step and run on from there
    compare,             ///< hold `position` against the present; again: no longer
    copy_text,           ///< `text`
  };
  Kind kind;
  StepIndex position = 0;
  WordIndex word = no_word;
  int bit = -1;
  uint64_t mask = ~0ull;
  std::string text;
};
using Intents = std::vector<Intent>;

/// The word the panels show: the selection, else the word the current step wrote (hmm_pfns before entries), else the slot
/// of the page that the step decides about, else the last hmm_pfns word written. no_word when there is none.
WordIndex focused_word(const ViewContext& view);
/// The bits of `word` whose change stops a run.
uint64_t watched_bits(const ViewContext& view, WordIndex word);
/// The layout that reads `word` right now (state matters: a non-present pte is read as a swap entry).
const Layout& layout_of(const ViewContext& view, WordIndex word, uint64_t value);

}  // namespace hmmscope::ui
