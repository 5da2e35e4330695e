#pragma once
/// A bit layout that a learner designed, and the judgement of it by the same checks that judge the kernel's
/// layouts.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/encoding/layout.h"
#include "lessons/lesson.h"

namespace hmmscope::lessons {

/// Owns the fields that its layout refers to; stays where it is for that reason.
class Design {
 public:
  /// `positions`: field name -> lowest bit. Fields keep the width and meaning they have in `start`; the pfn
  /// takes the bits below the lowest of them. Errors: a field `start` does not have, or one that leaves the
  /// word.
  static Result<std::unique_ptr<Design>> make(const Layout& start,
                                              const std::map<std::string, int>& positions);

  const Layout& layout() const { return layout_; }

 private:
  Design() = default;
  std::vector<Field> fields_;
  Layout layout_{};
};

/// Why the design does not do, as sentences; empty when it does.
Result<std::vector<std::string>> faults(const LayoutTask& task, const Design& design);

}  // namespace hmmscope::lessons
