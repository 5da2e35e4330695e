// hmm_pfn before 4.17: flags in the low bits, the pfn shifted above them. Between 4.17 and 5.7 the format
// belonged to the driver: see driver_layouts.cpp.

#include <array>

#include "engine/encoding/layout_tables.h"

namespace hmmscope::tables {

namespace {

constexpr Field valid() { return flag("VALID", "HMM_PFN_VALID", 0, Role::valid, "the pfn may be used"); }
constexpr Field read(unsigned bit) {
  return flag("READ", "HMM_PFN_READ", bit, Role::read, "the CPU may read");
}
constexpr Field write(unsigned bit) {
  return flag("WRITE", "HMM_PFN_WRITE", bit, Role::write, "the CPU may write");
}
constexpr Field error(unsigned bit) {
  return flag("ERROR", "HMM_PFN_ERROR", bit, Role::error, "the address cannot be accessed");
}
constexpr Field empty(unsigned bit) {
  return flag("EMPTY", "HMM_PFN_EMPTY", bit, Role::empty, "nothing is mapped at the address");
}
constexpr Field special(unsigned bit) {
  return flag("SPECIAL", "HMM_PFN_SPECIAL", bit, Role::special, "a special entry, not usable by a device");
}
constexpr Field unaddressable(unsigned bit) {
  return flag("DEVICE_UNADDRESSABLE", "HMM_PFN_DEVICE_UNADDRESSABLE", bit, Role::device_private,
              "device memory that the CPU cannot address");
}
constexpr Field device_private(unsigned bit) {
  return flag("DEVICE_PRIVATE", "HMM_PFN_DEVICE_PRIVATE", bit, Role::device_private,
              "device memory that the CPU cannot address");
}
constexpr Field pfn(unsigned shift, unsigned word_bits) {
  return bits("pfn", "HMM_PFN_SHIFT", shift, word_bits - shift, Role::pfn, "page frame number");
}

template <unsigned B>
constexpr std::array first_draft{pfn(2, B), write(1), valid()};
template <unsigned B>
constexpr std::array later_draft{pfn(7, B),
                                 flag("DEVICE", "HMM_PFN_DEVICE", 6, Role::device_private, "device memory"),
                                 flag("FAULT", "HMM_PFN_FAULT", 5, Role::none, "the page must be faulted in"),
                                 empty(4),
                                 error(3),
                                 write(2),
                                 read(1),
                                 valid()};
template <unsigned B>
constexpr std::array e2{pfn(7, B), unaddressable(6), special(5), empty(4),
                        error(3),  write(2),         read(1),    valid()};
template <unsigned B>
constexpr std::array e2a_no_read{pfn(6, B), unaddressable(5), special(4), empty(3),
                                 error(2),  write(1),         valid()};
template <unsigned B>
constexpr std::array e2a_no_empty{pfn(5, B), device_private(4), special(3), error(2), write(1), valid()};
constexpr std::array jgg_2020{
    device_private(3), write(2), error(1),
    input(flag("VALID", "HMM_PFN_VALID", 0, Role::valid, "the pfn beside this word may be used"))};

constexpr const char* old_h = "include/linux/hmm.h";

constexpr std::array all{
    Layout{"hmm-rfc-2016", "hmm_pfn first draft", Family::hmm_pfn, Status::posted, "2016, never merged", 64,
           12, first_draft<64>, "HMM series v13", "Two flags and the pfn."},
    Layout{"hmm-rfc-2017", "hmm_pfn later drafts before 4.14", Family::hmm_pfn, Status::posted,
           "2016 .. 2017, never merged", 64, 12, later_draft<64>, "HMM series v14 to v24",
           "Drafts also had LOCKED, MIGRATE and SPECIAL and moved the pfn up to bit 10; only the bits common "
           "to the "
           "drafts are named here."},
    Layout{"hmm-4.14", "hmm_pfn 4.14 to 4.16: low flags", Family::hmm_pfn, Status::released, "4.14 .. 4.16",
           64, 12, e2<64>, old_h, "Output only: the kind of fault was an argument of the call."},
    Layout{"hmm-4.17-no-read", "hmm_pfn inside the March 2018 series: READ removed", Family::hmm_pfn,
           Status::posted, "before 4.17, never released", 64, 12, e2a_no_read<64>,
           "HMM clean-up series, March 2018", "READ went because write without read makes no sense."},
    Layout{"hmm-4.17-no-empty", "hmm_pfn inside the March 2018 series: EMPTY removed", Family::hmm_pfn,
           Status::posted, "before 4.17, never released", 64, 12, e2a_no_empty<64>,
           "HMM clean-up series, March 2018", "A zero word stands for empty."},
    Layout{"hmm-2020-struct", "hmm_pfn 2020 draft: flags beside the pfn", Family::hmm_pfn, Status::draft,
           "2020, never merged", 64, 12, jgg_2020, "hmm.h draft 39796856fdc7",
           "The pfn is a member of its own, so this word holds flags only; REQ_SNAPSHOT is 0."},
    Layout{"hmm-rfc-2016-32", "hmm_pfn first draft, 32-bit", Family::hmm_pfn, Status::posted,
           "2016, never merged", 32, 12, first_draft<32>, "HMM series v13", ""},
    Layout{"hmm-rfc-2017-32", "hmm_pfn later drafts before 4.14, 32-bit", Family::hmm_pfn, Status::posted,
           "2016 .. 2017, never merged", 32, 12, later_draft<32>, "HMM series v14 to v24", ""},
    Layout{"hmm-4.14-32", "hmm_pfn 4.14 to 4.16, 32-bit", Family::hmm_pfn, Status::released, "4.14 .. 4.16",
           32, 12, e2<32>, old_h, "25 pfn bits: 128 GiB with 4K pages, enough for PAE."},
    Layout{"hmm-4.17-no-read-32", "hmm_pfn March 2018 series, READ removed, 32-bit", Family::hmm_pfn,
           Status::posted, "before 4.17, never released", 32, 12, e2a_no_read<32>,
           "HMM clean-up series, March 2018", ""},
    Layout{"hmm-4.17-no-empty-32", "hmm_pfn March 2018 series, EMPTY removed, 32-bit", Family::hmm_pfn,
           Status::posted, "before 4.17, never released", 32, 12, e2a_no_empty<32>,
           "HMM clean-up series, March 2018", ""},
};

}  // namespace

std::span<const Layout> hmm_pfn_early() { return all; }

}  // namespace hmmscope::tables
