# What dev/serve, dev/test and .ci/run share. Source it.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf '\n==> %s\n' "$*"; }

die() {
  printf '\n%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

as_root() {
  if [[ $EUID -eq 0 ]]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    die "needs root for: $* (run it as root, or install sudo)"
  fi
}

update_lists() {
  say "apt-get update"
  as_root apt-get update -q || die "apt-get update failed: is the network there?"
}

# Prints the packages of dev/packages.txt that are not installed.
missing_packages() {
  local wanted installed
  wanted=$(sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$root/dev/packages.txt")
  installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' $wanted 2>/dev/null |
    sed -n 's/^installed //p')
  comm -23 <(sort -u <<<"$wanted") <(sort -u <<<"$installed") | while read -r package; do
    case $package in
      nodejs) command -v node >/dev/null || echo "$package" ;;
      npm) command -v npm >/dev/null || echo "$package" ;;
      *) echo "$package" ;;
    esac
  done
}

install_packages() {
  command -v dpkg-query >/dev/null ||
    die "this is no Debian: install what dev/packages.txt names and use CMake directly"
  local missing
  missing=$(missing_packages)
  [[ -z $missing ]] && return
  update_lists
  say "installing" $missing
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing ||
    die "apt-get could not install:" $missing
}

# How many compilers at once: one a core, while each has 1.5 GB.
jobs() {
  local cores memory_kb by_memory
  cores=$(nproc)
  memory_kb=$(awk '/^MemAvailable:/ {print $2}' /proc/meminfo)
  by_memory=$((memory_kb / 1500000))
  echo $((by_memory < 1 ? 1 : by_memory < cores ? by_memory : cores))
}

# configure PRESET
configure() {
  local log="$root/build/configure-$1.log"
  mkdir -p "$root/build"
  say "configuring $1"
  (cd "$root" && cmake --preset "$1") >"$log" 2>&1 || {
    cat "$log" >&2
    die "CMake could not configure $1; the output above is also in $log"
  }
}

# build PRESET [TARGET...]: all targets if none is named.
build() {
  local preset=$1 targets=()
  shift
  [[ $# -gt 0 ]] && targets=(--target "$@")
  say "building $preset${*:+: $*}"
  (cd "$root" && cmake --build --preset "$preset" -j "$(jobs)" "${targets[@]}") ||
    die "the build of $preset failed"
}

# unit_tests PRESET [ctest argument...]
unit_tests() {
  local preset=$1
  shift
  say "unit tests, $preset"
  (cd "$root" && ctest --preset "$preset" -j "$(nproc)" "$@") || die "unit tests failed ($preset)"
}
