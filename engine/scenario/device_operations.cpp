// Scenario operations of test_hmm's device file, and the calls the kernel's selftests make besides.

#include <fmt/format.h>

#include <cerrno>
#include <vector>

#include "engine/base/in_use.h"
#include "engine/machine/page_data.h"
#include "engine/scenario/operations.h"
#include "engine/scenario/outcome_name.h"
#include "engine/scenario/task_locks.h"
#include "engine/scenario/vm_operations.h"

namespace hmmscope::scenario {
namespace {

struct ByteName {
  std::string_view name;
  uint8_t bits;
};
constexpr ByteName byte_kinds[] = {{"ZERO", dmirror_prot::zero},
                              {"DEV_PRIVATE_LOCAL", dmirror_prot::dev_private_local},
                              {"DEV_PRIVATE_REMOTE", dmirror_prot::dev_private_remote},
                              {"DEV_COHERENT_LOCAL", dmirror_prot::dev_coherent_local},
                              {"DEV_COHERENT_REMOTE", dmirror_prot::dev_coherent_remote}};
constexpr ByteName bits[] = {{"READ", dmirror_prot::read}, {"WRITE", dmirror_prot::write}, {"PMD", dmirror_prot::pmd}, {"PUD", dmirror_prot::pud}};

std::string byte_name(uint8_t byte) {
  if (byte == dmirror_prot::error) return "ERROR";
  if (byte == dmirror_prot::none) return "NONE";
  std::string name;
  const auto add = [&](std::string_view part) { name += (name.empty() ? "" : "|") + std::string(part); };
  for (const ByteName& kind : byte_kinds) {
    if ((byte & 0xf0) == kind.bits) add(kind.name);
  }
  for (const ByteName& bit : bits) {
    if ((byte & bit.bits) != 0) add(bit.name);
  }
  return name;
}

bool reads_data(DmirrorCommand command) {
  return command == DmirrorCommand::read || command == DmirrorCommand::read_unlocked ||
         command == DmirrorCommand::migrate_to_dev || command == DmirrorCommand::exclusive ||
         command == DmirrorCommand::migrate_on_fault_to_dev;
}

}  // namespace

/// What the system call finds when nobody has opened the file since it was closed.
Result<void> Operations::bad_file(const IoctlOp& op, Line line) {
  machine_.enter(Function::ioctl, {world_.process(op.process).id()});
  machine_.step(RuleId::dmirror_bad_file, {world_.process(op.process).id()});
  machine_.leave(-EBADF);
  note(line, op.command + " -EBADF");
  if (op.may_fail) return {};
  if (op.expect) expect_result(*op.expect, "-EBADF", static_cast<uint64_t>(int64_t{-EBADF}), line);
  expect_number("cpages", op.cpages, 0, line);
  expect_number("faults", op.faults, 0, line);
  return {};
}

Result<Device*> Operations::driver(const std::string& name, Line line) {
  Device* device = world_.device(name);
  if (device != nullptr && device->closed())
    return fail(world_.error(line, "an operation before this one has closed the file of device '" + name + "'"));
  return device;
}

Result<void> Operations::perform(const IoctlOp& op, Line line) {
  if (op.command == "OPEN" || op.command == "CLOSE") {
    const bool open = op.command == "OPEN";
    if (!open && world_.file_closed(op.device, op.process)) return bad_file(op, line);
    machine_.enter(Function::ioctl, {world_.process(op.process).id()});
    machine_.step(open ? RuleId::dmirror_open : RuleId::dmirror_close, {world_.process(op.process).id()});
    open ? static_cast<void>(world_.file(op.device, op.process)) : world_.close_file(op.device, op.process);
    machine_.leave(0);
    return {};
  }
  const auto start = op.at.vma.empty() && op.at.value == 0 ? Result<uint64_t>(0) : world_.resolve(op.at, line);
  if (!start) return fail(start.error());
  const uint64_t limit = world_.space().tables().limit();
  if (*start >= limit || op.pages > (limit - *start) / page_bytes) {
    return fail(world_.error(line, "the range ends beyond the address space"));
  }
  const auto command = dmirror_command(op.command);
  if (!command) return fail(world_.error(line, "test_hmm has no command '" + op.command + "'"));
  std::vector<uint64_t> buffer(op.pages);
  if (command == DmirrorCommand::write && op.data) {
    for (uint64_t k = 0; k < op.pages; ++k) buffer[k] = op.data->of(k);
  }
  if (!op.bytes.empty() && op.bytes.size() != 1 && op.bytes.size() != op.pages) {
    return fail(world_.error(line, "\"bytes\" names one byte for all pages or one for each"));
  }
  if (world_.file_closed(op.device, op.process)) return bad_file(op, line);
  OpenFile& file = world_.file(op.device, op.process);
  Dmirror& mirror = *file.ioctls;
  Dmirror::UffdContent uffd;
  if (op.uffd) uffd = [&](uint64_t addr) { return op.uffd->of((addr - *start) / page_bytes); };
  DmirrorResult result;
  {
    const InUse in_use(file.users);
    mirror.set_uffd(uffd);
    result = mirror.ioctl(*command, *start, op.pages, buffer);
    mirror.set_uffd({});
  }
  world_.release_if_unused(file);
  note(line, fmt::format("{} {} cpages {} faults {}", op.command, outcome_name(result.ret), result.cpages, result.faults));
  if (op.may_fail && result.ret != 0) return {};
  if (op.expect) expect_result(*op.expect, outcome_name(result.ret), static_cast<uint64_t>(static_cast<int64_t>(result.ret)), line);
  expect_number("cpages", op.cpages, result.cpages, line);
  expect_number("faults", op.faults, result.faults, line);
  const bool reads = reads_data(*command) && op.data;
  for (uint64_t k = 0; reads && k < result.cpages; ++k) expect_content(*start + k * page_bytes, op.data->of(k), buffer[k], line);
  if (op.bytes.empty()) return {};
  ++outcome_.expectations;
  for (uint64_t k = 0; k < op.pages; ++k) {
    const std::string& expected = op.bytes.size() == 1 ? op.bytes[0] : op.bytes[k];
    const std::string found = k < result.cpages ? byte_name(static_cast<uint8_t>(buffer[k])) : "no byte";
    if (found == expected) continue;
    machine_.step(RuleId::expect_byte_failed, {*start + k * page_bytes, 0, buffer[k]});
    failed(line, fmt::format("snapshot of page {}: expected {}, found {}", k, expected, found));
    break;
  }
  return {};
}

Result<void> Operations::perform(const MremapOp& op, Line line) {
  if (auto ok = no_migration_runs(line); !ok) return ok;
  const auto start = world_.resolve(op.at, line);
  if (!start) return fail(start.error());
  const auto to = world_.resolve(op.to, line);
  if (!to) return fail(to.error());
  AddressSpace& space = world_.process(op.process);
  const MmapGuard guard(locks_, space, true);
  return in_vmas(mremap(machine_, space, *start, *start + op.pages * page_bytes, *to, op.dontunmap), line);
}

Result<void> Operations::perform(const MadviseFreeOp& op, Line line) {
  const auto start = world_.resolve(op.at, line);
  if (!start) return fail(start.error());
  const MmapGuard guard(locks_, world_.process(op.process), false);
  return in_vmas(madvise_free(machine_, world_.process(op.process), *start, *start + op.pages * page_bytes), line);
}

Result<void> Operations::perform(const FileDataOp& op, Line line) {
  const auto start = world_.resolve({op.vma, 0}, line);
  if (!start) return fail(start.error());
  const Vma vma = world_.space().vma_at(*start);
  if (!vma || vma.file() == 0) return fail(world_.error(line, "'" + op.vma + "' has no file behind it"));
  PageCache& cache = world_.faults().page_cache();
  PageData& data = *machine_.page_data();
  machine_.enter(Function::scenario, {vma.file(), op.pages});
  for (uint64_t k = 0; k < op.pages; ++k) {
    const uint64_t index = op.page + k;
    const auto cached = cache.find(vma.file(), index);
    if (!op.write) {
      expect_content(*start + index * page_bytes, op.data.of(k), cached ? data.load(*cached) : data.load_file(vma.file(), index), line);
      continue;
    }
    machine_.step(RuleId::scenario_write_file, {vma.file(), index, op.data.of(k)});
    const uint64_t pfn = cache.get(machine_.physical(), vma.file(), index);
    if (!cached) add_file_folio(machine_, vma.file(), index, pfn);
    data.store(pfn, op.data.of(k));
    if (vma.kind() != VmaKind::shmem) data.write_file(vma.file(), index, op.data.of(k));
  }
  machine_.leave();
  return {};
}

}  // namespace hmmscope::scenario
