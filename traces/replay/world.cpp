#include "traces/replay/world.h"

#include <fmt/format.h>

#include <algorithm>

namespace hmmscope::traces {

World::World(const Trace& trace, std::unique_ptr<Machine> machine)
    : trace_(&trace),
      machine_(std::move(machine)),
      recorder_(std::make_unique<Recorder>(machine_->memory())),
      engine_runs_(trace.tasks().size(), 0),
      open_(trace.tasks().size(), no_call),
      floors_(trace.tasks().size(), no_call) {
  machine_->set_recorder(recorder_.get());
  for (const TraceTask& task : trace.tasks())
    if (task.tgid != 0 && task.tgid != task.pid) threads_.insert(task.pid);
}

Result<std::unique_ptr<World>> World::create(const Trace& trace, const KernelModel& model) {
  auto machine = Machine::create(model);
  if (!machine) return fail(std::move(machine).error());
  std::unique_ptr<World> world(new World(trace, std::move(*machine)));
  for (const TraceTask& task : trace.tasks()) world->recorder_->add_task({task.pid, task.name});
  for (const std::string& kind : trace.kinds()) world->recorder_->add_event_kind(kind);
  world->add_events();
  return world;
}

void World::add_events() {
  // A marker's text becomes the name of its own kind, so that it can be read in the table of events.
  constexpr size_t max_markers = 16384;
  const EventKinds kinds(*trace_);
  recorder_->expect_events(trace_->size());
  std::unordered_map<std::string, uint16_t> markers;
  for (uint32_t index = 0; index < trace_->size(); ++index) {
    const TraceEvent& event = trace_->events()[index];
    uint16_t kind = event.kind;
    if (kinds.of(event.kind) == EventKind::marker) {
      std::string text((*trace_)[index].text("buf").value_or(""));
      if (!text.empty() && markers.size() < max_markers) {
        const auto [entry, fresh] = markers.emplace(text, uint16_t{0});
        if (fresh) entry->second = recorder_->add_event_kind("mark: " + text);
        kind = entry->second;
      }
    }
    recorder_->add_event({event.time_ns, event.line, event.task, event.cpu, kind});
  }
}

void World::apply(const TraceFacts& facts) {
  for (DeviceMemory& device : facts.devices()) machine_->physical().add_device(std::move(device));
  // No pfn at all when no event shows the zero page: then nothing is taken for it.
  machine_->physical().set_zero_pfn(facts.zero_pfn().value_or(~uint64_t{0}));
}

void World::run_task(uint32_t task) {
  if (task == task_) return;
  open_[task_] = recorder_->current_call();
  recorder_->switch_to(open_[task]);
  machine_->set_task(task);
  task_ = task;
}

void World::at(uint32_t index) {
  run_task(trace_->events().task(index));
  recorder_->set_event(index);
}

bool World::leave(Function function, std::optional<int64_t> result, CallId floor) {
  const auto calls = recorder_->peek().calls();
  CallId call = recorder_->current_call();
  while (call != no_call && call != floor && calls[call].function != function) call = calls[call].parent;
  if (call == no_call || call == floor) return false;
  while (recorder_->current_call() != call) recorder_->leave();
  if (result)
    recorder_->leave(*result);
  else
    recorder_->leave();
  return true;
}

/// Each address space has a table of its own; beyond these the tasks of a made-up trace share one.
constexpr size_t max_spaces = size_t{1} << 14;
/// The kernel's own limit (sysctl vm.max_map_count) is of this size.
constexpr size_t max_vmas = size_t{1} << 16;

void World::use(AddressSpace* space, int32_t pid) {
  AddressSpace*& entry = spaces_[pid];
  const bool left = exited_.erase(pid) != 0;  // and has been counted out
  if (entry == space && !left) return;
  if (entry != nullptr && !left && users_[entry] != 0) --users_[entry];
  entry = space;
  ++users_[space];
}

AddressSpace& World::new_space(int32_t pid) {
  recorder_->step(RuleId::trace_address_space, {static_cast<uint64_t>(pid)});
  AddressSpace& space = machine_->address_spaces().size() < max_spaces
                            ? machine_->add_address_space(fmt::format("pid {}", pid))
                            : *machine_->address_spaces().back();
  use(&space, pid);
  return space;
}

AddressSpace& World::space_of_process(int32_t pid) {
  const auto found = spaces_.find(pid);
  return found != spaces_.end() ? *found->second : new_space(pid);
}

bool World::is_thread(int32_t pid) const { return threads_.contains(pid); }

AddressSpace& World::space_of(uint32_t task) {
  const int32_t pid = trace_->tasks()[task].pid;
  const auto found = spaces_.find(pid);
  if (found != spaces_.end()) return *found->second;
  // A thread whose creation the trace does not show lives where its process does.
  const int32_t process = trace_->tasks()[task].tgid;
  if (process == 0 || process == pid) return new_space(pid);
  AddressSpace& space = space_of_process(process);
  use(&space, pid);
  return space;
}

void World::bind(uint32_t task, uint64_t mm) {
  if (mm == 0) return;
  const auto [entry, fresh] = mms_.emplace(mm, nullptr);
  if (fresh)
    entry->second = &space_of(task);
  else
    use(entry->second, trace_->tasks()[task].pid);
}

AddressSpace* World::space_of_mm(uint64_t mm) {
  const auto found = mms_.find(mm);
  return found == mms_.end() ? nullptr : found->second;
}

void World::fork(uint32_t parent, int32_t child_pid, bool shares) {
  AddressSpace& from = space_of(parent);
  if (shares) return use(&from, child_pid);
  AddressSpace& to = new_space(child_pid);
  if (&to == &from || from.vmas().size() > max_vmas || !spend_inferred(from.vmas().size())) return;
  for (const WordIndex first : from.vmas()) {
    const Vma vma = from.vma(first);
    ShownVma copy{vma.start(), vma.end(), vma.flags(), vma.pgoff(), vma.file(), vma.kind(), vma.huge_shift()};
    const auto copied = show_vma(to, copy, Evidence::inferred);
    if (copied && in_doubt(vma)) doubtful_vmas_.insert(copied->first());
  }
  fork_ptes(from, to);
}

void World::forget(const AddressSpace* space) {
  std::erase_if(mms_, [space](const auto& entry) { return entry.second == space; });
}

void World::exec(uint32_t task) {
  // The old address space goes away with its last task; the kernel may use its mm again for another.
  exit(task);
  new_space(trace_->tasks()[task].pid);
}

void World::exit(uint32_t task) {
  const int32_t pid = trace_->tasks()[task].pid;
  const auto found = spaces_.find(pid);
  if (found == spaces_.end() || !exited_.insert(pid).second) return;
  uint32_t& users = users_[found->second];
  if (users != 0) --users;
  if (users != 0) return;
  forget(found->second);
  // Its mappings go with it: the reverse map must not find them any more.
  doubt_folios(*found->second, 0, found->second->tables().limit());
  forget_ptes(*found->second);
  carve(*found->second, 0, found->second->tables().limit());
}

void World::lives(uint32_t task) {
  const int32_t pid = trace_->tasks()[task].pid;
  if (exited_.erase(pid) != 0) spaces_.erase(pid);
}

void World::lose_events() {
  for (const auto& space : machine_->address_spaces()) {
    doubt_space(*space);
    doubt_words(space->word(MmWord::invalidate_seq), 1);
  }
  for (const auto& [address, words] : notifiers_) doubt_words(words, static_cast<uint32_t>(NotifierWord::count_));
  doubt_upper_tables();
}

/// Which tables there are above those of ptes, and which 2M and 1G pages.
void World::doubt_upper_tables() {
  for (const Region& region : machine_->memory().regions()) {
    if (region.kind >= RegionKind::pte || !spend_entries(region.count)) continue;
    for (uint32_t k = 0; k < region.count; ++k)
      if (machine_->memory().words()[region.first + k] != 0) doubt_words(region.first + k, 1);
  }
}

void World::doubt_space(const AddressSpace& space) {
  forget_ptes(space);
  for (const WordIndex first : space.vmas())
    if (doubtful_vmas_.insert(first).second) doubt_words(first, static_cast<uint32_t>(VmaWord::count_));
}

/// The words keep their values, but nothing says that they still hold.
void World::doubt_words(WordIndex first, uint32_t count) {
  recorder_->copy(first, std::vector<uint64_t>(machine_->memory().words().begin() + first,
                                               machine_->memory().words().begin() + first + count),
                  Evidence::unknown);
}

/// The reverse map looks at every VMA of every address space, a few times for every page.
bool World::spend_rmap_walk() {
  uint64_t vmas = machine_->address_spaces().size();
  for (const auto& space : machine_->address_spaces()) vmas += space->vmas().size();
  return spend(rmap_left_, 4 * vmas);
}

WordIndex World::array(RegionKind kind, AddressSpace& space, uint64_t identity, uint64_t start,
                       uint32_t count, std::string_view name) {
  const auto [entry, fresh] = arrays_.emplace(ArrayKey{kind, space.id(), identity, start, count}, no_word);
  if (!fresh) return entry->second;
  Region region;
  region.kind = kind;
  region.owner = space.id();
  region.count = count;
  region.address = start;
  region.stride = page_bytes;
  region.name = name;
  return entry->second = machine_->add_region(std::move(region));
}

WordIndex World::range(AddressSpace& space, uint64_t address) {
  const auto [entry, fresh] = ranges_.emplace(std::pair(space.id(), address), no_word);
  if (!fresh) return entry->second;
  Region region;
  region.kind = RegionKind::range;
  region.owner = space.id();
  region.count = static_cast<uint32_t>(RangeWord::count_);
  region.name = fmt::format("hmm_range {:#x}", address);
  return entry->second = machine_->add_region(std::move(region));
}

WordIndex World::notifier(AddressSpace& space, uint64_t address) {
  const auto [entry, fresh] = notifiers_.emplace(address, no_word);
  if (!fresh) return entry->second;
  Region region;
  region.kind = RegionKind::notifier;
  region.owner = space.id();
  region.count = static_cast<uint32_t>(NotifierWord::count_);
  region.name = fmt::format("notifier {:#x}", address);
  return entry->second = machine_->add_region(std::move(region));
}

}  // namespace hmmscope::traces
