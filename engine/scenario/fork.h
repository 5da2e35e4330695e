#pragma once
/// fork() for a scenario: a second address space with the same VMAs that shares the parent's pages
/// copy-on-write. Source: kernel/fork.c and copy_page_range of mm/memory.c (6.12).

#include <string>

#include "engine/machine/machine.h"

namespace hmmscope {

/// Private memory becomes read-only on both sides and loses its exclusive marks (a page pinned for DMA is
/// copied at once instead); device-private and migration entries become readable; device-exclusive entries
/// end. The parent's notifiers are told (PROTECTION_PAGE). Mappings of files that the process never wrote to
/// are left to later faults.
AddressSpace& fork_space(Machine& machine, AddressSpace& parent, std::string name);

}  // namespace hmmscope
