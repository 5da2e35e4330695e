#pragma once
/// What a machine's words stand for, whatever the order in which its regions were made: for comparing the states that
/// different interleavings reach, and for telling whether two tasks touch the same things.

#include <cstdint>
#include <vector>

#include "engine/machine/machine.h"
#include "engine/schedule/policy.h"

namespace hmmscope::schedule {

/// Two machines with equal keys go on alike: page tables, folios, VMAs, device tables, named arrays, page content, and of
/// the notifiers' sequences what comparisons can tell (numbers that only ever grow would hide that nothing has changed).
/// The machine must hand out freed pages again (PhysicalMemory::reuse_freed_pages).
uint64_t machine_key(const Machine& machine);

/// Adds to the segment what the logged words stand for. Left out: counters that decide nothing (TLB flushes, rss) and the
/// arrays a CPU fault makes for itself. What the invariant between CPU and devices compares counts as touched by whoever
/// changes one side, so that a state in which it does not hold cannot be lost.
void add_accesses(const Machine& machine, const AccessLog& log, Segment& segment);

}  // namespace hmmscope::schedule
