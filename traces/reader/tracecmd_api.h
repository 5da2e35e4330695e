#pragma once
/// The functions of libtracecmd that reading needs. Its own header is not used: it includes tracefs.h, which is not
/// valid C++ in libtracefs 1.6, and leaves out tracecmd_get_uname and tracecmd_cpus, which the library exports.
/// Signatures as of libtracecmd 1.3 (trace-cmd 3.1).

#include <event-parse.h>
#include <sched.h>

extern "C" {
struct tracecmd_input;
struct tracecmd_input* tracecmd_alloc_fd(int fd, int flags);
int tracecmd_read_headers(struct tracecmd_input* handle, int up_to_state);   ///< 0: all
int tracecmd_init_data(struct tracecmd_input* handle);
struct tracecmd_input* tracecmd_open_fd(int fd, int flags);
void tracecmd_close(struct tracecmd_input* handle);
struct tep_handle* tracecmd_get_tep(struct tracecmd_input* handle);
int tracecmd_iterate_events(struct tracecmd_input* handle, cpu_set_t* cpus, int cpu_size,
                            int (*callback)(struct tracecmd_input*, struct tep_record*, int, void*), void* callback_data);
/// The next record of a cpu, to be freed by the caller; nullptr at its end.
struct tep_record* tracecmd_read_data(struct tracecmd_input* handle, int cpu);
void tracecmd_free_record(struct tep_record* record);
void tracecmd_set_loglevel(enum tep_loglevel level);
const char* tracecmd_get_uname(struct tracecmd_input* handle);
int tracecmd_cpus(struct tracecmd_input* handle);
}

namespace hmmscope::traces {
inline constexpr int tracecmd_load_no_plugins = 1;  ///< TRACECMD_FL_LOAD_NO_PLUGINS
}
