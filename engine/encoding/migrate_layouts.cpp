// MIGRATE_PFN: one slot of migrate_vma.src and dst. The shift stayed 6 while flags came and went.

#include <array>

#include "engine/encoding/layout_tables.h"

namespace hmmscope::tables {

namespace {

constexpr Field valid = flag("VALID", "MIGRATE_PFN_VALID", 0, Role::valid,
                             "the slot holds a page; without it the slot is a hole");
constexpr Field migrate =
    flag("MIGRATE", "MIGRATE_PFN_MIGRATE", 1, Role::migrate, "the page (or hole) can be migrated");
constexpr Field locked = flag("LOCKED", "MIGRATE_PFN_LOCKED", 2, Role::locked, "the page is locked");
constexpr Field write = flag("WRITE", "MIGRATE_PFN_WRITE", 3, Role::write, "the CPU mapping was writable");
constexpr Field device = flag("DEVICE", "MIGRATE_PFN_DEVICE", 4, Role::device_private, "device memory");
constexpr Field error =
    flag("ERROR", "MIGRATE_PFN_ERROR", 5, Role::error, "the driver could not copy the page");
constexpr Field compound =
    flag("COMPOUND", "MIGRATE_PFN_COMPOUND", 4, Role::compound, "one slot stands for a whole large folio");
template <unsigned B>
constexpr Field pfn = bits("pfn", "MIGRATE_PFN_SHIFT", 6, B - 6, Role::pfn, "page frame number");

template <unsigned B>
constexpr std::array v414{pfn<B>, error, device, write, locked, migrate, valid};
template <unsigned B>
constexpr std::array v54{pfn<B>, write, locked, migrate, valid};
template <unsigned B>
constexpr std::array v516{pfn<B>, write, migrate, valid};
template <unsigned B>
constexpr std::array v619{pfn<B>, compound, write, migrate, valid};

constexpr const char* migrate_h = "include/linux/migrate.h";

constexpr std::array all{
    Layout{"migrate-4.14", "MIGRATE_PFN 4.14 to 5.3", Family::migrate_pfn, Status::released, "4.14 .. 5.3",
           64, 12, v414<64>, migrate_h, ""},
    Layout{"migrate-5.4", "MIGRATE_PFN 5.4 to 5.15", Family::migrate_pfn, Status::released, "5.4 .. 5.15", 64,
           12, v54<64>, migrate_h, "DEVICE and ERROR are gone."},
    Layout{"migrate-5.16", "MIGRATE_PFN 5.16 to 6.18", Family::migrate_pfn, Status::released, "5.16 .. 6.18",
           64, 12, v516<64>, migrate_h, "LOCKED is gone; MIGRATE without VALID is a hole or the zero page."},
    Layout{"migrate-6.19", "MIGRATE_PFN 6.19 and later", Family::migrate_pfn, Status::released, "6.19 .. 7.3",
           64, 12, v619<64>, migrate_h, "COMPOUND takes the old DEVICE bit."},
    Layout{"migrate-4.14-32", "MIGRATE_PFN 4.14 to 5.3, 32-bit", Family::migrate_pfn, Status::released,
           "4.14 .. 5.3", 32, 12, v414<32>, migrate_h, "26 pfn bits: 256 GiB with 4K pages."},
    Layout{"migrate-5.4-32", "MIGRATE_PFN 5.4 to 5.15, 32-bit", Family::migrate_pfn, Status::released,
           "5.4 .. 5.15", 32, 12, v54<32>, migrate_h, "26 pfn bits: 256 GiB with 4K pages."},
    Layout{"migrate-5.16-32", "MIGRATE_PFN 5.16 to 6.18, 32-bit", Family::migrate_pfn, Status::released,
           "5.16 .. 6.18", 32, 12, v516<32>, migrate_h, "26 pfn bits: 256 GiB with 4K pages."},
    Layout{"migrate-6.19-32", "MIGRATE_PFN 6.19 and later, 32-bit", Family::migrate_pfn, Status::released,
           "6.19 .. 7.3", 32, 12, v619<32>, migrate_h, "26 pfn bits: 256 GiB with 4K pages."},
};

}  // namespace

std::span<const Layout> migrate_pfn() { return all; }

}  // namespace hmmscope::tables
