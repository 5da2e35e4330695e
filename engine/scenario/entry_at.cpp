#include "engine/scenario/entry_at.h"

namespace hmmscope::scenario {

EntryAt entry_at(const Machine& machine, const AddressSpace& space, uint64_t addr) {
  for (const Level level : {Level::pud, Level::pmd, Level::pte}) {
    const WordIndex word = space.find_entry(level, addr);
    if (word == no_word) return {};
    const uint64_t entry = machine.load(word);
    const bool table = level != Level::pte && x86::pmd_present(entry) && !machine.entry_format().is_huge(entry);
    if (!table) return {word, level, entry};
  }
  return {};
}

}  // namespace hmmscope::scenario
