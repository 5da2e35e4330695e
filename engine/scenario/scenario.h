#pragma once
/// Scenarios: JSON files that set up a machine and run operations on it (FORMAT.md and scenario.schema.json beside
/// this file). Running one gives a Recording like any other source.
///
/// A file is parsed into plain data first (Scenario); running never sees JSON. Symbolic flags ("REQ_FAULT|REQ_WRITE")
/// stay text until the run, because the kernel model in force decides which bits they are: the same scenario runs
/// under every model. Errors name file and line.
/// Threads: none of its own; a Scenario is a value.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "engine/base/result.h"
#include "engine/machine/words.h"
#include "engine/scenario/era_operations.h"
#include "engine/schedule/granularity.h"

namespace hmmscope::scenario {

/// Where something stands in the file, for messages of the run.
using Line = uint64_t;

/// An absolute address, or pages from the start of a VMA.
struct Address {
  std::string vma;      ///< empty: absolute
  uint64_t value = 0;   ///< the address, or the offset in pages
};

struct VmaDecl {
  std::string name;
  uint64_t start = 0, bytes = 0;
  uint64_t flags = 0;              ///< vm:: bits
  VmaKind kind = VmaKind::anonymous;
  uint32_t page_shift = 12;        ///< 21 or 30: hugetlb
  std::optional<uint64_t> file_pages;  ///< size of the file; faults past it are SIGBUS
  bool shadow_stack = false;       ///< needs a model with shadow stacks
  Line line = 0;
};

struct DeviceDecl {
  std::string name;
  uint64_t pages = 65536;          ///< pages of device memory
  bool coherent = false;           ///< device-coherent memory, which the CPU can map; else device-private
  Line line = 0;
  std::optional<uint64_t> pfn = {};   ///< of its first page; chosen when absent
  bool p2pdma = false;             ///< PCI peer-to-peer memory, where no page of a process can live
};

enum class PageState : uint8_t {
  none, zero_page, present, swapped, device_private, device_exclusive, migration_read, migration_read_exclusive,
  migration_write, hwpoison, protnone, special, thp, huge_zero, pmd_migration, pud_leaf, marker_uffd_wp,
  marker_poison, marker_guard, file_cached, device_coherent, device_private_thp,
};
/// Whether a present page is also in the swap cache, and whether another process still needs the slot.
enum class SwapCache : uint8_t { none, own, shared };

struct PageDecl {
  Address at;
  uint64_t pages = 1;
  PageState state = PageState::none;
  bool writable = true;
  bool exclusive = true;           ///< no other process shares the page
  std::optional<uint64_t> pfn;     ///< of the first page; chosen by the machine when absent
  std::string device;              ///< owner of device_private, device_coherent and device_exclusive pages
  bool shared = false;             ///< the pfn may be mapped already: this entry maps the same page once more
  SwapCache swapcache = SwapCache::none;
  std::optional<bool> accessed, dirty, soft_dirty, uffd_wp;   ///< bits of a present entry, when not the usual ones
  bool protnone = false;           ///< a huge entry with a NUMA hint; for 4 KiB pages that is a state of its own
  bool devmap = false;             ///< a huge entry that a ZONE_DEVICE driver made; it has no folio of its own here
  Line line = 0;
};

/// Flags by name ("REQ_FAULT|REQ_WRITE") or a number.
struct FlagText {
  std::string text = "0";
};

struct SlotDecl {
  uint64_t index = 0, count = 1;
  FlagText value;
};

/// How faults, or waits for a migration, inside a range-fault end, instead of what the engine would make of them.
struct FaultDecl {
  Address at;
  uint64_t pages = 1;              ///< each page's fault ends so; `then` happens at the first of them
  uint32_t result = 0;             ///< vm_fault bits
  bool invalidates = false;        ///< the page's invalidation is told to notifiers
  std::vector<PageDecl> then;
  Line line = 0;
};

/// A struct migrate_vma that a range fault of the unified patches prepares pages for (range->migrate).
struct PreparesDecl {
  std::string migration;
  std::vector<std::string> select; ///< flags, as of fault-and-migrate
  bool owner = true;               ///< false: pgmap_owner is NULL
};
struct RangeFaultOp {
  std::string array;               ///< a name used before takes that array as it is now
  Address start;
  uint64_t pages = 0;
  std::string device;              ///< whose notifier and owner; empty: nobody's
  FlagText default_flags, pfn_flags_mask;
  std::vector<SlotDecl> slots;     ///< written before the first round
  uint64_t rounds = 8;             ///< how often the driver calls again after -EBUSY
  uint32_t page_shift = 12;        ///< 5.2, 5.3: of the bytes one slot stands for
  std::optional<bool> snapshot;    ///< up to 5.6: which call; without it a range that asks for nothing is a snapshot
  std::optional<bool> write;       ///< 4.14 .. 4.16: the argument; without it, whether any slot asks for WRITE
  bool block = true;               ///< up to 5.6: faults may not drop mmap_sem
  std::optional<UnlockedDecl> unlocked;   ///< 7.3: hmm_range_fault_unlocked_timeout
  std::optional<uint64_t> count;   ///< expected return value of a success from 5.2 to 5.7: pages before `last`
  std::optional<std::string> expect;   ///< "0", "-EFAULT", ...: the last round's result
  /// When the driver reads the notifier's sequence.
  enum class Sequence : uint8_t {
    read,      ///< before each call, as it must
    earlier,   ///< not at all: what its last range-fault of the device read (amdgpu over pieces of a large range)
    late,      ///< once more after the call, and goes by that: a mistake
  };
  Sequence sequence = Sequence::read;
  bool stale = false;              ///< something invalidates the range between reading the sequence and the call
  std::vector<FaultDecl> faults, waits;   ///< in the order they happen; other faults are the engine's
  std::optional<PreparesDecl> prepares;   ///< kernels with the unified patches
};
/// What pages hold, one word a page: `first`, then `step` more each page.
struct PageContent {
  uint64_t first = 0, step = 0;
  uint64_t of(uint64_t page) const { return first + page * step; }
};
struct TouchOp {
  Address at;
  uint64_t pages = 1;
  bool write = false;
  std::optional<std::string> expect;   ///< "ok", "SIGBUS", "SIGSEGV", "HWPOISON", "OOM", "wait"
  std::string process;                 ///< empty: the first one; else a child made by `fork`
  std::optional<PageContent> data;     ///< written, or expected when read
};
struct UnmapOp { Address at; uint64_t pages = 0; std::string process; };
struct ProtectOp { Address at; uint64_t pages = 0; uint64_t flags = 0; std::string process; };   ///< flags: vm::read/write/exec
struct DontNeedOp { Address at; uint64_t pages = 0; std::string process; };
struct InvalidateOp {
  Address at;
  uint64_t pages = 0;
  std::string event = "CLEAR", owner;
  bool blockable = true;               ///< false: a driver whose lock is taken refuses
  std::optional<std::string> expect = {};   ///< "0", "-EAGAIN"
};
/// The OOM reaper takes the private memory of a process that was killed.
struct OomReapOp {
  std::string process;
  std::optional<std::string> expect;   ///< "0", "-EAGAIN"
};
struct SetPageOp { PageDecl page; };
/// Checks slots of an array; one that does not hold fails the run but does not stop it.
struct ExpectOp {
  std::string array;
  uint64_t index = 0, count = 1;
  std::optional<FlagText> flags;       ///< exactly these flag bits (the pfn is not looked at)
  std::optional<uint64_t> order;
  std::optional<uint64_t> pfn;         ///< of slot `index`; following slots count up
  std::optional<uint64_t> word;        ///< the whole word of each slot
  std::optional<FlagText> has, lacks;  ///< these flags all set, all clear, whatever field they share bits with
  std::optional<uint64_t> phys;        ///< hmm_pfn_to_phys of slot `index`; following slots count up by pages
  std::string value;                   ///< "NONE", "ERROR", "SPECIAL": what the format has for it
};

// --- migration

/// migrate_vma_setup; the src and dst arrays get the name, for the operations that follow.
struct MigrateSetupOp {
  std::string migration;
  Address at;
  uint64_t pages = 0;
  std::string device;                  ///< pgmap_owner
  std::vector<std::string> select{"system"};   ///< flags of struct migrate_vma by name
  std::optional<std::string> expect;   ///< "0", "-EINVAL", "deadlock"
  std::optional<uint64_t> cpages;      ///< expected
};
/// migrate_hmm_range_setup: makes src words of what a range fault prepared in `array`.
struct MigrateRangeSetupOp {
  std::string migration, array;
  std::optional<std::string> expect;   ///< "0" or "BUG"
  std::optional<uint64_t> cpages;
};
/// The driver allocates destinations (for all slots, or those listed), migrate_vma_pages, the device maps what moved.
struct MigratePagesOp {
  std::string migration;
  std::optional<std::vector<SlotDecl>> slots;
  std::optional<uint64_t> moved;       ///< expected: slots that still have MIGRATE
};
struct MigrateFinalizeOp { std::string migration; };
/// The driver's whole sequence, 64 pages at a time.
struct MigrateOp {
  std::string migration;
  Address at;
  uint64_t pages = 0;
  std::string device;
  bool to_device = true;
  std::optional<std::string> expect;   ///< "0", "-EINVAL", "-ENOENT", "deadlock"
  std::optional<uint64_t> cpages;
};
/// The driver empties its memory (migrate_device_range).
struct EvictOp { std::string device; std::optional<uint64_t> moved; };
struct MakeExclusiveOp {
  Address at;
  uint64_t pages = 0;
  std::string device;
  std::optional<uint64_t> made;        ///< expected: pages the device got
};
/// Somebody else takes hold of pages, or lets go of them.
struct HoldOp {
  enum class What : uint8_t { pin, get, lock, isolate };
  Address at;
  uint64_t pages = 0;
  What what = What::pin;
  bool release = false;
  bool longterm = false;               ///< pin: FOLL_LONGTERM, device-coherent pages move to system memory first
  std::string process;
  std::optional<std::string> expect;   ///< of a long-term pin: "0", "-EBUSY", "deadlock"
};
struct ForkOp { std::string child, process; };
struct ExpectMigrateOp {
  std::string migration;
  bool dst = false;
  uint64_t index = 0, count = 1;
  std::optional<FlagText> flags;       ///< exactly these flag bits (the pfn is not looked at)
  std::optional<uint64_t> pfn, word;   ///< pfn counts up
};
/// What a page-table entry is, and the folio behind it.
struct ExpectPageOp {
  Address at;
  uint64_t pages = 1;
  std::string process;
  std::optional<std::string> state;    ///< "none", "present", "zero-page", "thp", "swapped", "migration", "device-private", ...
  std::string device;                  ///< whose memory the page is in; empty: not looked at
  std::optional<bool> writable, accessed, dirty, soft_dirty, uffd_wp, exclusive, locked;
  std::optional<uint64_t> refcount, mapcount;
};
struct ExpectDeviceOp {
  std::string device;
  Address at;
  uint64_t pages = 1;
  bool mapped = true;
  std::optional<bool> writable;
};

// --- the test driver of the kernel's selftests, and the calls they make

/// An ioctl of test_hmm's device file; "OPEN" and "CLOSE" open and close it.
struct IoctlOp {
  std::string device, command, process;
  Address at;
  uint64_t pages = 0;
  std::optional<std::string> expect;           ///< "0", "-EPERM", ...
  bool may_fail = false;                       ///< what is expected holds for a call that returns 0; others are fine too
  std::optional<uint64_t> cpages, faults;
  std::optional<PageContent> data;             ///< written, or expected to be read
  std::vector<std::string> bytes;              ///< SNAPSHOT: one for each page, or one for all
  std::optional<PageContent> uffd;             ///< what a userfaultfd handler copies into missing pages
};
struct MremapOp { Address at; uint64_t pages = 0; Address to; bool dontunmap = false; std::string process; };
struct MadviseFreeOp { Address at; uint64_t pages = 0; std::string process; };
/// Somebody writes into the file behind a VMA, or looks at what it holds.
struct FileDataOp { std::string vma; uint64_t page = 0, pages = 1; PageContent data; bool write = true; };

/// A driver that takes a range to its memory, by one of the sequences that the unified fault-and-migrate patches are
/// about. The hmm_pfns array and the src and dst arrays get the name of the migration.
struct FaultAndMigrateOp {
  enum class Sequence : uint8_t {
    fault_then_migrate = 1,  ///< S1
    migrate_then_fault,      ///< S2: what did not migrate is faulted in and migrated
    one_pass,                ///< S3: REQ_FAULT and REQ_MIGRATE at once (kernels with the patches)
    migrate_only,
    posted,                  ///< S3 as the driver of patch 4/4 does it: mirrors first, takes mmap_lock twice
  };
  enum class Until : uint8_t { walk, setup, end };
  std::string migration;
  Address at;
  uint64_t pages = 0;
  std::string device;
  Sequence sequence = Sequence::one_pass;
  Until until = Until::end;            ///< `setup`: migrate-pages and migrate-finalize can go on from there
  bool fault = true, write = false;    ///< REQ_FAULT, REQ_WRITE
  bool request = true;                 ///< REQ_MIGRATE
  std::vector<std::string> select;     ///< "system", "device-private", "device-coherent", "fault", "write"
  bool select_given = false;
  bool owner = true;                   ///< false: dev_private_owner and pgmap_owner are NULL
  bool memory = true;                  ///< the device has memory to offer
  bool mirror = false;                 ///< maps the VALID slots before migrating
  bool filter = true;                  ///< skips CLEAR by current (patch 1/4)
  bool retry = true;                   ///< calls again after -EBUSY; else completes what was prepared
  bool finish = false;                 ///< completes the migration although migrate_vma_setup failed
  uint64_t chunk = 0;                  ///< pages a call, with the same arrays; 0: all at once
  uint64_t rounds = 8;
  FlagText preset;                     ///< words in the hmm_pfns array before the call
  std::optional<InvalidateOp> interrupt;   ///< by another thread, after the first walk
  std::optional<std::string> expect;
  std::optional<uint64_t> moved;
};
/// Reclaim: anonymous pages go to swap.
struct PageOutOp {
  Address at;
  uint64_t pages = 1;
  std::string process;
  std::optional<uint64_t> taken;       ///< expected: pages that went
  std::optional<uint64_t> unwritten;   ///< expected: pages dropped without writing them, because they look clean
};

using OpBody = std::variant<RangeFaultOp, TouchOp, UnmapOp, ProtectOp, DontNeedOp, InvalidateOp, SetPageOp, ExpectOp,
                            MigrateSetupOp, MigrateRangeSetupOp, MigratePagesOp, MigrateFinalizeOp, MigrateOp, EvictOp, MakeExclusiveOp, HoldOp,
                            ForkOp, ExpectMigrateOp, ExpectPageOp, ExpectDeviceOp, IoctlOp, MremapOp, MadviseFreeOp,
                            FileDataOp, FaultAndMigrateOp, PageOutOp, OomReapOp,
                            DmaMapOp, MirrorTableOp, MirrorRunOp, MirrorUnmapOp, ExpectMirrorOp>;
struct Operation {
  OpBody body;
  Line line = 0;
  std::optional<bool> only_coherent = {};   ///< performed only when the first device's memory is (not) coherent
  std::string task = {};                    ///< which task performs it; empty: the first one
};

/// What makes a scenario one of the kernel's selftests.
struct SelftestDecl {
  std::string since;                    ///< release whose hmm-tests has it; "unified": the unified patches bring it
  std::vector<std::string> earlier;     ///< under kernels without it: "holds" alone, or parts of the messages it fails
                                        ///< with, one of which stands in every one of them
  bool private_variant = true, coherent_variant = true;
};

/// Something that goes wrong at a chosen place: the Nth time `rule` is about to fire, or at step number `step`.
struct InjectDecl {
  enum class What : uint8_t { allocation, folio_lock, pin, reference, poison, invalidation, signal, flip };
  What what = What::allocation;
  std::string rule;          ///< empty: `step` counts
  uint64_t occurrence = 1, step = 0;
  uint64_t count = 1;        ///< allocation: how many fail
  Address at;
  uint64_t pages = 1;        ///< of an invalidation
  // flip: bits of a slot of `array`, else of the table entry of `level` that covers `at`; `step` counts recorded steps
  std::string array;
  uint64_t index = 0;
  std::string level;         ///< "pte", "pmd", "pud"
  uint64_t bits = 0;
  Line line = 0;
};

struct Scenario {
  std::string file;
  std::string title, description;
  std::string kernel = "6.12";
  std::string config;              ///< "DEVICE_PRIVATE=n,...": options that number the entry types; empty: the usual ones
  uint8_t levels = 4;
  uint64_t hugetlb_2m_pages = 64, hugetlb_1g_pages = 4;
  bool keeps_swap_cache = false;   ///< pages read in from swap stay in the swap cache
  std::optional<SelftestDecl> selftest;
  bool page_data = false;          ///< some operation speaks of what pages hold
  std::optional<uint64_t> zero_pfn;   ///< of the zero page; chosen when absent
  std::vector<DeviceDecl> devices;
  std::vector<VmaDecl> vmas;
  std::vector<PageDecl> pages;
  std::vector<Operation> operations;
  // operations that name a task run at the same time: those of one task in the order of the file
  std::vector<std::string> tasks;  ///< in order of their first operation
  std::string schedule;            ///< "cpu:3 gpu:1": how many points each runs
  std::optional<uint64_t> seed;    ///< of a random schedule
  schedule::Granularity granularity = schedule::Granularity::lock;
  std::string ends = "finished";   ///< expected: "finished", "deadlock", "livelock"

  std::vector<InjectDecl> inject;
  std::vector<std::string> allows; ///< names of violations that are findings and do not fail the run
  bool check_devices = true;       ///< look at every step whether a device maps what the CPU has taken away

  bool has_tasks() const { return !tasks.empty(); }
};

/// `name` appears in errors.
Result<Scenario> parse(std::string_view text, std::string_view name);
/// Looks at the beginning of a file only.
bool is_scenario(std::string_view first_bytes);

}  // namespace hmmscope::scenario
