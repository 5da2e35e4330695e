#pragma once
/// What a driver's table keeps when the driver maps nothing of what it has moved. The later test driver of the unified
/// patches does so when its notifier's sequence has moved meanwhile. Its commit message says that this stays consistent,
/// as any invalidation clears the table; but one only clears its own range, while the sequence is the whole notifier's,
/// and the invalidation of the migration itself is skipped by the callback.
///
/// Threads: the driver's, which holds the lock of its table.

#include "engine/migrate/device_migration.h"

namespace hmmscope {

/// Between migrate_vma_pages and finalize: a step driver.keeps_old for each page that has moved and for which the table
/// still has another one.
void name_pages_left_unmapped(Machine& machine, const MigrateVma& args, const DeviceDriver& driver);

}  // namespace hmmscope
