#!/usr/bin/env bash
# Makes sure that what a build needs is there. Installs Debian packages when it may
# (root, or sudo without a password); otherwise prints the exact line and fails.
#
#   scripts/setup.sh          what `make run` needs
#   scripts/setup.sh lint     also what `make lint` needs
#   scripts/setup.sh test     also what `make test` needs
#   scripts/setup.sh bench    also what `make load` needs
#   scripts/setup.sh caches   also what `make cache-tests` needs
#
# Prints nothing when nothing is missing.
set -euo pipefail

packages=()
need() { packages+=("$@"); }
have() { command -v "$1" >/dev/null 2>&1; }

# The linker and C compiler for the C parts of dependencies (aws-lc, zlib-ng, nghttp2).
have cc || need gcc libc6-dev
# cmake drives make, and so does whoever reads the README.
have make || need make
# zlib-ng, in Pingora's compression, is built with cmake.
have cmake || need cmake

# nghttp2, in deno_node, makes its Rust binding with bindgen, which loads libclang at build time. The
# same places and names that bindgen looks for: LIBCLANG_PATH, LLVM's own folders, the linker's list.
# LLVM's libclang-cpp is another library, and what brings llvm brings it without libclang.
have_libclang() {
  local folder file
  [ -z "${LIBCLANG_PATH:-}" ] || return 0
  for folder in "$(llvm-config --libdir 2>/dev/null || :)" /usr/lib/llvm-*/lib $(linker_folders); do
    for file in "$folder"/libclang.so "$folder"/libclang-*.so "$folder"/libclang.so.* "$folder"/libclang-*.so.*; do
      [[ -e $file && $file != *libclang-cpp* ]] && return 0
    done
  done
  return 1
}
# The folders of the libclangs that the dynamic linker knows.
linker_folders() {
  PATH=$PATH:/sbin:/usr/sbin ldconfig -p 2>/dev/null | sed -n 's,.*=> \(/.*\)/libclang[^/]*$,\1,p' | sort -u
}
have_libclang || need libclang-dev

if [ "${1:-}" = lint ]; then
  have shellcheck || need shellcheck
fi

if [ "${1:-}" = test ]; then
  # Some tests run packages of the npm registry, as their users install them.
  have node || need nodejs
  have npm || need npm
  # And gRPC is tried with Python's, from its registry; others drive the node with the AWS clients of the Python index.
  have python3 || need python3
  python3 -m pip --version >/dev/null 2>&1 || need python3-pip
  # What the READMEs of examples have their readers type: a page that is rendered at the edge comes to life in a browser, and
  # a provider for sign-in has certificates made.
  have curl || need curl
  have chromium || need chromium
  have openssl || need openssl
fi

if [ "${1:-}" = bench ]; then
  PATH=$PATH:/usr/sbin have nginx || need nginx-light
  # The JavaScript of nginx, for the response that is generated without an origin.
  compgen -G '/usr/lib/nginx/modules/ngx_http_js_module.so' >/dev/null || need libnginx-mod-http-js
  PATH=$PATH:/usr/sbin have varnishd || need varnish
  have wrk || need wrk
  have h2load || need nghttp2-client
  have openssl || need openssl
  have taskset || need util-linux
  have python3 || need python3
fi

if [ "${1:-}" = caches ]; then
  have node || need nodejs
  have npm || need npm
  # The peers.
  PATH=$PATH:/usr/sbin have nginx || need nginx-light
  PATH=$PATH:/usr/sbin have varnishd || need varnish
fi

install_packages() {
  local as_root=()
  if [ "$(id -u)" != 0 ]; then
    if have sudo && sudo -n true 2>/dev/null; then
      as_root=(sudo -n)
    else
      return 1
    fi
  fi
  # The package list may be absent or old; a failed update still leaves a list that may do.
  "${as_root[@]}" apt-get update -qq || echo "setup: apt-get update failed, trying with the list at hand" >&2
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}"
}

if [ ${#packages[@]} -gt 0 ]; then
  echo "setup: missing: ${packages[*]}" >&2
  if ! have apt-get; then
    echo "setup: this system has no apt-get; install what Debian calls: ${packages[*]}" >&2
    exit 1
  fi
  if ! install_packages >&2; then
    echo "setup: could not install them here; run this, then try again:" >&2
    echo "  sudo apt-get update && sudo apt-get install -y --no-install-recommends ${packages[*]}" >&2
    exit 1
  fi
fi

# Rust comes with rustup, which belongs to the user and not to the system.
if ! have cargo && [ -r "$HOME/.cargo/env" ]; then
  echo "setup: cargo is installed but not in PATH; run this, then try again:" >&2
  echo "  . \"\$HOME/.cargo/env\"" >&2
  exit 1
fi
if ! have cargo; then
  echo "setup: no cargo; install Rust with rustup (https://rustup.rs), then try again" >&2
  exit 1
fi
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$root/Cargo.toml")
found=$(rustc --version | cut -d' ' -f2)
if [ "$(printf '%s\n%s\n' "$wanted" "$found" | sort -V | head -n 1)" != "$wanted" ]; then
  echo "setup: Rust $found is older than $wanted; run this, then try again:" >&2
  echo "  rustup update stable" >&2
  exit 1
fi

# A minimal toolchain has neither; rustup's own stand-ins for them are always there, so they are run.
if [ "${1:-}" = lint ]; then
  components=()
  cargo fmt --version >/dev/null 2>&1 || components+=(rustfmt)
  cargo clippy --version >/dev/null 2>&1 || components+=(clippy)
  if [ ${#components[@]} -gt 0 ]; then
    echo "setup: missing: ${components[*]}" >&2
    if ! rustup component add "${components[@]}" >&2; then
      echo "setup: could not add them here; run this, then try again:" >&2
      echo "  rustup component add ${components[*]}" >&2
      exit 1
    fi
  fi
fi
