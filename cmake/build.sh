# shellcheck shell=bash
# Shared by app/run, tests/run, tests/bench/run and .ci/run: packages, configuration, build.
# Sourced by bash with `root` set to the source directory. Everything here speaks on stderr only.
: "${root:?}"

say() { printf '%s\n' "hmmscope: $*" >&2; }
die() { say "$*"; exit 2; }

# packages GROUP...: the package names of these groups
packages() {
  local group name wanted
  while read -r group name; do
    for wanted in "$@"; do [ "$group" != "$wanted" ] || printf '%s\n' "$name"; done
  done <"$root/cmake/packages.txt"
}

# need GROUP...: installs what these groups lack; a quick look when nothing is missing
need() {
  local wanted missing=() package
  mapfile -t wanted < <(packages "$@")
  hint=
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    hint="this is not Debian, so nothing was installed for you; hmmscope needs what Debian calls ${wanted[*]}"
    return 0
  fi
  local installed
  installed=$(dpkg-query -W -f '${db:Status-Abbrev}${Package}\n' "${wanted[@]}" 2>/dev/null | sed -n 's/^ii *//p')
  for package in "${wanted[@]}"; do
    grep -qxF "$package" <<<"$installed" || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0

  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || die "packages are missing and there is no sudo; as root, run: apt-get install ${missing[*]}"
    as_root=(sudo)
  fi
  say "installing ${missing[*]}"
  local options=(-y -q --no-install-recommends)
  if ! "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install "${options[@]}" "${missing[@]}" >&2; then
    say "trying again with fresh package lists"
    "${as_root[@]}" apt-get update -q >&2 || die "apt-get update failed; as root, run: apt-get update && apt-get install ${missing[*]}"
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install "${options[@]}" "${missing[@]}" >&2 ||
      die "apt-get could not install: ${missing[*]}"
  fi
}

# configured DIRECTORY -DNAME=VALUE...: whether that build has these settings already
configured() {
  local directory=$1 setting name
  shift
  [ -e "$directory/build.ninja" ] || return 1
  for setting in "$@"; do
    name=${setting#-D}
    grep -q "^${name%%=*}:[A-Z]*=${name#*=}\$" "$directory/CMakeCache.txt" || return 1
  done
}

# quietly LOG COMMAND...: runs it; its output is shown as it comes on a terminal, and only after a failure otherwise
quietly() {
  local log=$1
  shift
  if [ -t 2 ]; then
    "$@" >&2
  else
    "$@" >"$log" 2>&1 || { tail -n 80 "$log" >&2; say "all of it is in $log"; return 1; }
  fi
}

# build PRESET [-DNAME=VALUE...] [-- TARGET...]: configures where needed, then lets ninja find out what changed
build() {
  local preset=$1 settings=() targets=()
  shift
  while [ $# -gt 0 ] && [ "$1" != -- ]; do settings+=("$1"); shift; done
  [ $# -eq 0 ] || { shift; targets=("$@"); }
  local directory="$root/build/$preset"
  mkdir -p "$directory"
  if ! configured "$directory" ${settings[@]+"${settings[@]}"}; then
    say "configuring ($preset)"
    quietly "$directory/configure.log" cmake -S "$root" --preset "$preset" ${settings[@]+"${settings[@]}"} ||
      die "the configuration failed${hint:+; $hint}"
  fi
  say "building ($preset)"
  quietly "$directory/build.log" cmake --build "$directory" ${targets[@]+--target "${targets[@]}"} ||
    die "the build failed"
}
