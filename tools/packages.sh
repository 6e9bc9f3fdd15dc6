# Debian packages that building, running and testing need, and a function that installs those that
# are missing. Sourced by ./run and ./test.

run_packages=(
  ca-certificates cmake g++ libboost-dev libcli11-dev libfmt-dev libpcre2-dev libspdlog-dev
  libutf8proc-dev ninja-build nlohmann-json3-dev pkgconf python3
)
test_packages=(
  "${run_packages[@]}"
  ccache chromium chromium-driver clang fonts-dejavu-core libbenchmark-dev libclang-rt-dev libgmock-dev
  libgtest-dev python3-venv
)

# install_packages NAME...: quick when all are there; needs root otherwise.
install_packages() {
  if ! command -v dpkg-query >/dev/null; then
    echo "note: no dpkg here; these Debian packages (or their like) must be installed: $*" >&2
    return 0
  fi
  local installed missing=() name
  installed=" $(dpkg-query -W -f='${db:Status-Status}:${Package} ' "$@" 2>/dev/null || true) "
  for name in "$@"; do
    [[ $installed == *" installed:$name "* ]] || missing+=("$name")
  done
  ((${#missing[@]})) || return 0
  if [[ $(id -u) != 0 ]]; then
    echo "error: packages are missing; as root, run: apt-get install ${missing[*]}" >&2
    return 1
  fi
  echo "== installing ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -q
  apt-get install -y -q --no-install-recommends "${missing[@]}"
}
