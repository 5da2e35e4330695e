#include "app/cli/display.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

namespace hmmscope::app {
namespace {

bool answers(const std::string& socket_name) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_name.size() >= sizeof address.sun_path) return false;
  std::memcpy(address.sun_path, socket_name.data(), socket_name.size());
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket_name.size());
  const int result = connect(fd, reinterpret_cast<const sockaddr*>(&address), length);
  close(fd);
  return result == 0;
}

/// A local display ":N" has a socket, named in the file system or in Linux's abstract space. A stale DISPLAY
/// (left by a container or a dead session) would otherwise end in Qt's abort().
bool x_server_answers(std::string_view display) {
  const std::string_view host = display.substr(0, display.find(':'));
  if (host.size() == display.size()) return false;
  if (!host.empty() && host != "unix") return true;  // a remote display: let Qt talk to it
  std::string_view number = display.substr(host.size() + 1);
  number = number.substr(0, number.find('.'));
  const std::string name = "/tmp/.X11-unix/X" + std::string(number);
  return answers(name + '\0') || answers('\0' + name);
}

std::string_view variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string_view{} : std::string_view{value};
}

}  // namespace

bool display_available() {
  if (!variable("QT_QPA_PLATFORM").empty() || !variable("WAYLAND_DISPLAY").empty()) return true;
  return x_server_answers(variable("DISPLAY"));
}

}  // namespace hmmscope::app
