#include "app/cli/paths.h"

#include <cstdlib>

namespace hmmscope::app {

std::filesystem::path data_directory() {
  if (const char* chosen = std::getenv("HMMSCOPE_DATA_DIR"); chosen != nullptr && *chosen != '\0')
    return chosen;
  return HMMSCOPE_DATA_DIR;
}

std::filesystem::path samples_directory() { return data_directory() / "traces" / "samples"; }
std::filesystem::path lessons_directory() { return data_directory() / "lessons"; }
std::filesystem::path default_recording() {
  return samples_directory() / "6.12-overlap-hugetlb1g.trace.txt.xz";
}

}  // namespace hmmscope::app
