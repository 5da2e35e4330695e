#include "engine/scenario/world.h"

#include <algorithm>
#include <cassert>
#include <charconv>

#include "engine/model/kernel_model.h"

namespace hmmscope::scenario {

namespace {

/// Owners are tokens that only need to differ; a kernel would use an address.
constexpr uint64_t owner_token(uint32_t id) { return 0xffffffffa0000000ull + (uint64_t{id} + 1) * 0x100; }

}  // namespace

Device::Device(Machine& machine, AddressSpace& space, std::string name, uint64_t owner, uint32_t id)
    : machine_(&machine), space_(&space), name_(std::move(name)), owner_(owner), id_(id) {
  notifier_ = &space.notifiers().insert(0, space.tables().limit(), name_, this);
}

void Device::reserve_table(uint64_t start, uint64_t pages) {
  const auto covers = [&](const Table& t) { return t.start == start && t.pages == pages; };
  if (std::any_of(tables_.begin(), tables_.end(), covers)) return;
  Region region;
  region.kind = RegionKind::device_table;
  region.owner = id_;
  region.count = static_cast<uint32_t>(pages);
  region.address = start;
  region.stride = page_bytes;
  region.name = name_ + " page table";
  Memory& memory = machine_->memory();
  const RegionId id = memory.add_region(std::move(region));
  tables_.push_back({start, pages, memory.region(id).first});
}

void Device::commit(uint64_t start, WordIndex slots, uint64_t pages) {
  const uint64_t valid = machine_->model().hmm_pfn->mask(Role::valid);
  for (const Table& table : tables_) {
    if (table.start != start || table.pages != pages) continue;
    for (uint32_t k = 0; k < pages; ++k) {
      const uint64_t slot = machine_->load(slots + k);
      const uint64_t entry = (slot & valid) != 0 ? slot : 0;
      if (machine_->load(table.first + k) != entry) machine_->store(table.first + k, entry);
    }
  }
}

void Device::store_entry(uint64_t addr, uint64_t entry) {
  for (const Table& table : tables_) {
    if (addr < table.start || addr - table.start >= table.pages * page_bytes) continue;
    const WordIndex word = table.first + static_cast<WordIndex>((addr - table.start) / page_bytes);
    if (machine_->load(word) != entry) machine_->store(word, entry);
  }
}

void Device::map(AddressSpace& space, uint64_t addr, uint64_t pfn, bool write) {
  const PfnFormat& format = machine_->pfn_format();
  if (&space == space_) store_entry(addr, format.pfn(pfn) | format.valid | (write ? format.write : 0));
}

void Device::unmap(AddressSpace& space, uint64_t addr) {
  if (&space == space_) store_entry(addr, 0);
}

uint64_t Device::entry(uint64_t addr) const {
  for (const Table& table : tables_) {
    if (addr < table.start || addr - table.start >= table.pages * page_bytes) continue;
    const uint64_t entry = machine_->load(table.first + static_cast<WordIndex>((addr - table.start) / page_bytes));
    if (entry != 0) return entry;
  }
  return 0;
}

bool Device::invalidate(IntervalNotifier& notifier, const InvalidateRange& range, uint64_t cur_seq) {
  if (range.event == NotifyEvent::migrate && range.owner == owner_) return true;
  notifier.set_seq(cur_seq);
  for (const Table& table : tables_) {
    const uint64_t table_end = table.start + table.pages * page_bytes;
    const uint64_t start = std::max(range.start, table.start), end = std::min(range.end, table_end);
    if (start >= end) continue;
    machine_->step(RuleId::scenario_drop, {start, end});
    machine_->fill_keeping(table.first + static_cast<uint32_t>((start - table.start) / page_bytes),
                           static_cast<uint32_t>((end - start) / page_bytes), 0, 0, 0);
  }
  return true;
}

Result<std::unique_ptr<World>> World::build(const Scenario& scenario, std::string_view kernel) {
  Result<KernelModel> model = kernel_model(kernel.empty() ? std::string_view(scenario.kernel) : kernel);
  if (!model) return fail(model.error());
  model->config.levels = scenario.levels;
  std::unique_ptr<World> world(new World());
  world->scenario_ = &scenario;
  auto machine = Machine::create(std::move(*model));
  if (!machine) return fail(machine.error());
  world->machine_ = std::move(*machine);
  world->faults_ = std::make_unique<CpuFault>(CpuFaultOptions{true, scenario.hugetlb_2m_pages, scenario.hugetlb_1g_pages});
  world->machine_->set_fault_handler(world->faults_.get());
  world->space_ = &world->machine_->add_address_space("process");

  uint32_t file = 0;
  for (const VmaDecl& decl : scenario.vmas) {
    hmmscope::VmaSpec spec;
    spec.start = decl.start;
    spec.end = decl.start + decl.bytes;
    spec.flags = decl.flags;
    spec.kind = decl.kind;
    spec.page_shift = decl.page_shift;
    spec.name = decl.name;
    const bool backed = decl.kind == VmaKind::file_private || decl.kind == VmaKind::file_shared || decl.kind == VmaKind::shmem;
    if (backed) spec.file = ++file;
    // As the kernel numbers anonymous memory: no two places of a process share a page offset.
    if (decl.kind == VmaKind::anonymous) spec.pgoff = spec.start / page_bytes;
    if (spec.end < spec.start) return fail(world->error(decl.line, "the VMA wraps around the end of the address space"));
    if (auto added = world->space_->add_vma(spec); !added) return fail(world->error(decl.line, added.error().message));
    if (decl.file_pages) world->faults_->page_cache().set_size(file, *decl.file_pages);
  }
  uint32_t id = 0;
  uint64_t device_pfn = 0xfd00000;   // high, as memremap_pages places it, well above system memory
  for (const DeviceDecl& decl : scenario.devices) {
    device_pfn -= decl.pages;
    auto device = std::make_unique<Device>(*world->machine_, *world->space_, decl.name, owner_token(id), id);
    world->machine_->physical().add_device({device_pfn, decl.pages, owner_token(id), decl.coherent, decl.name, device.get()});
    world->devices_[decl.name] = std::move(device);
    ++id;
  }
  for (const PageDecl& page : scenario.pages) {
    if (auto ok = world->set_pages(page); !ok) return fail(ok.error());
  }
  return world;
}

Device* World::device(const std::string& name) {
  const auto found = devices_.find(name);
  return found == devices_.end() ? nullptr : found->second.get();
}

Result<uint64_t> World::resolve(const Address& at, Line line) const {
  if (at.vma.empty()) {
    if (at.value % page_bytes != 0) return fail(error(line, "the address is not page aligned"));
    return at.value;
  }
  for (const VmaDecl& decl : scenario_->vmas) {
    if (decl.name == at.vma) return decl.start + at.value * page_bytes;
  }
  return fail(error(line, "no VMA is named '" + at.vma + "'"));
}

std::string World::running_migration() const {
  for (const auto& [name, migration] : migrations_) {
    if (migration.set_up) return name;
  }
  return {};
}

const DeviceMemory& World::memory_of(const Device& device) const {
  for (const DeviceMemory& memory : machine_->physical().devices()) {
    if (memory.owner == device.owner()) return memory;
  }
  assert(false && "every device has memory");
  return machine_->physical().devices().front();
}

Result<uint64_t> World::flags(const FlagText& text, Line line, const Layout& layout) const {
  std::string_view rest = text.text;
  if (rest == "~0") return ~0ull;
  if (!rest.empty() && rest.front() >= '0' && rest.front() <= '9') {
    const bool hex = rest.starts_with("0x");
    uint64_t value = 0;
    const auto parsed = std::from_chars(rest.data() + (hex ? 2 : 0), rest.data() + rest.size(), value, hex ? 16 : 10);
    if (parsed.ec != std::errc() || parsed.ptr != rest.data() + rest.size()) {
      return fail(error(line, "'" + text.text + "' does not fit 64 bits"));
    }
    return value;
  }
  uint64_t value = 0;
  while (!rest.empty()) {
    const size_t bar = rest.find('|');
    std::string_view name = rest.substr(0, bar);
    rest = bar == std::string_view::npos ? std::string_view() : rest.substr(bar + 1);
    if (name == "REQ_FAULT" || name == "HMM_PFN_REQ_FAULT") name = "VALID";
    if (name == "REQ_WRITE" || name == "HMM_PFN_REQ_WRITE") name = "WRITE";
    const Field* field = layout.field_named(name);
    if (field == nullptr) {
      return fail(error(line, "layout " + std::string(layout.id) + " of kernel " + machine_->model().id + " has no flag '" +
                                  std::string(name) + "'"));
    }
    value |= field->mask();
  }
  return value;
}

}  // namespace hmmscope::scenario
