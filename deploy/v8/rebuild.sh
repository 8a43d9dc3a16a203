#!/usr/bin/env bash
# Builds the V8 static library of this folder anew, from the sources that crates.io has,
# with Debian's clang, gn and ninja. README.md says what the result is for.
#
# What is exercised: everything up to and including `gn gen` (that is --prepare-only), and
# compiling the first 183 of the 2224 steps (`ninja v8_libbase`). The rest is the same
# (about 100 minutes on two cores).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
target=x86_64-unknown-linux-gnu
archive=librusty_v8_simdutf_release_$target.a.gz

# Defaults; each has an option.
work=${XDG_CACHE_HOME:-$HOME/.cache}/fourfront/v8-build
crate_version=150.4.0
icudata_version=0.77.0
llvm=22
suite=forky
sysroot_suite=bookworm
mirror=http://deb.debian.org/debian
jobs=$(nproc)
prepare_only=no
install=no

usage() {
  cat <<END
Usage: deploy/v8/rebuild.sh [options]

Builds $archive
and prints its checksum. Needs root (debootstrap, chroot), cargo, and 12 GB of disk.

  --work DIR            where to build (default: $work)
  --crate-version V     version of crate v8 (default: $crate_version)
  --icudata-version V   version of crate deno_core_icudata, for ICU's data (default: $icudata_version)
  --suite NAME          Debian suite with the compiler (default: $suite)
  --llvm N              major version of clang there (default: $llvm)
  --sysroot-suite NAME  Debian suite to link against: the oldest that the result runs on
                        (default: $sysroot_suite)
  --mirror URL          Debian mirror (default: $mirror)
  --jobs N              compiler jobs (default: $jobs)
  --prepare-only        stop before the long compilation
  --install             put the result beside this script and update SHA256SUMS
  --help                this text

Each finished step is remembered in --work; remove that folder to begin anew.
END
}

fail() {
  printf 'rebuild.sh: %s\n' "$*" >&2
  exit 1
}

say() { printf '== %s\n' "$*"; }

while [ $# -gt 0 ]; do
  case $1 in
    --prepare-only) prepare_only=yes ;;
    --install) install=yes ;;
    --help | -h)
      usage
      exit 0
      ;;
    --work | --crate-version | --icudata-version | --suite | --llvm | --sysroot-suite | --mirror | --jobs)
      [ $# -ge 2 ] || fail "$1 needs a value (--help)"
      case $1 in
        --work) work=$2 ;;
        --crate-version) crate_version=$2 ;;
        --icudata-version) icudata_version=$2 ;;
        --suite) suite=$2 ;;
        --llvm) llvm=$2 ;;
        --sysroot-suite) sysroot_suite=$2 ;;
        --mirror) mirror=$2 ;;
        --jobs) jobs=$2 ;;
      esac
      shift
      ;;
    *) fail "unknown option $1 (--help)" ;;
  esac
  shift
done

root=$work/root         # the Debian system that compiles
v8_source=$root/build/v8 # the crate's sources, inside it
done_marks=$work/done   # one empty file per finished step

# Runs a command inside the root with /proc mounted (gn asks it for its own path). The
# mount is in a namespace of its own, so nothing is left behind.
inside() {
  # shellcheck disable=SC2016  # "$1" is the inner shell's
  unshare --mount sh -c 'mount --rbind /proc "$1/proc" && exec chroot "$@"' sh "$root" "$@"
}

check_prerequisites() {
  local missing=()
  [ "$(uname -m)" = x86_64 ] || fail "this recipe builds for x86_64 on x86_64; this is $(uname -m)"
  [ "$(id -u)" = 0 ] || fail "debootstrap and chroot need root: run it with sudo"
  for tool in cargo debootstrap chroot unshare gzip sha256sum; do
    command -v "$tool" >/dev/null || missing+=("$tool")
  done
  [ ${#missing[@]} = 0 ] || fail "not found: ${missing[*]} (on Debian: apt-get install debootstrap; cargo comes with rustup)"
  mkdir -p "$work" "$done_marks"
  local free
  free=$(df -Pk "$work" | awk 'NR == 2 { print int($4 / 1048576) }')
  [ "$free" -ge 12 ] || fail "$work has $free GB free, 12 are needed (--work puts it elsewhere)"
}

# step NAME FUNCTION: runs FUNCTION unless an earlier run finished it.
step() {
  if [ -e "$done_marks/$1" ]; then
    say "$1: done before"
    return
  fi
  say "$1"
  "$2"
  touch "$done_marks/$1"
}

# The compiler, in a system of its own: clang $llvm is newer than most hosts have.
make_root() {
  local script=()
  # A debootstrap older than the suite does not know its name; every suite is built as sid is.
  [ -e "/usr/share/debootstrap/scripts/$suite" ] || script=(/usr/share/debootstrap/scripts/sid)
  rm -rf "$root"
  debootstrap --variant=minbase \
    --include="clang-$llvm,lld-$llvm,llvm-$llvm,libclang-rt-$llvm-dev,ninja-build,generate-ninja,python3,pkgconf" \
    "$suite" "$root" "$mirror" "${script[@]}"
  # GN looks for the compiler's runtime under the full target name.
  local rt=$root/usr/lib/llvm-$llvm/lib/clang/$llvm/lib
  [ -e "$rt/linux/libclang_rt.builtins-x86_64.a" ] || fail "no compiler runtime under $rt/linux"
  mkdir -p "$rt/$target"
  ln -sf ../linux/libclang_rt.builtins-x86_64.a "$rt/$target/libclang_rt.builtins.a"
}

# The sources: cargo checks both crates against the registry's checksums.
fetch_sources() {
  local fetch=$work/fetch
  rm -rf "$fetch" "$v8_source"
  mkdir -p "$fetch" "$root/build"
  cat >"$fetch/Cargo.toml" <<END
[package]
name = "v8-sources"
version = "0.0.0"
edition = "2021"
[lib]
path = "lib.rs"
[dependencies]
v8 = "=$crate_version"
deno_core_icudata = "=$icudata_version"
[workspace]
END
  touch "$fetch/lib.rs"
  (cd "$fetch" && cargo vendor --quiet --versioned-dirs vendor >/dev/null)
  cp -a "$fetch/vendor/v8-$crate_version" "$v8_source"
  # The crate leaves out ICU's data to stay small; the data of the same ICU is a crate of its own.
  local data
  data=$(find "$fetch/vendor/deno_core_icudata-$icudata_version" -name icudtl.dat)
  [ -n "$data" ] || fail "deno_core_icudata $icudata_version has no icudtl.dat"
  install -D -m 644 "$data" "$v8_source/third_party/icu/common/icudtl.dat"
}

# drop_lines FILE PATTERN: removes the lines that match, and insists that there were some.
drop_lines() {
  grep -q -e "$2" "$v8_source/$1" || fail "$1 has no line with $2: the edit does not fit this version"
  sed -i -e "/$2/d" "$v8_source/$1"
}

# Chromium's clang is newer than Debian's: three flags that the latter does not know.
edit_sources() {
  drop_lines build/config/compiler/BUILD.gn '"-fdiagnostics-show-inlining-chain"'
  drop_lines build/config/compiler/BUILD.gn '"-fno-lifetime-dse"'
  drop_lines build/config/sanitizers/sanitizers.gni '"-fsanitize-ignore-for-ubsan-feature='
}

# The headers and libraries to link against, from the oldest Debian that is supported.
# GN wants the folder under this name, whatever Debian is in it.
make_sysroot() {
  local sysroot=$v8_source/build/linux/debian_bullseye_amd64-sysroot
  local packages=(libc6 libc6-dev linux-libc-dev libcrypt-dev libgcc-12-dev libstdc++-12-dev)
  rm -rf "$sysroot" "$root/sysroot"
  mkdir -p "$sysroot" "$root/sysroot/lists/partial"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $sysroot_suite main" \
    >"$root/sysroot/sources.list"
  local apt=(apt-get -qq -o Dir::Etc::sourcelist=/sysroot/sources.list -o Dir::Etc::sourceparts=-
    -o Dir::State::lists=/sysroot/lists -o Dir::State::status=/dev/null
    -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o APT::Sandbox::User=root)
  chroot "$root" "${apt[@]}" update
  chroot "$root" sh -c 'cd /sysroot && exec "$@"' sh "${apt[@]}" download "${packages[@]}"
  local deb
  for deb in "$root"/sysroot/*.deb; do
    chroot "$root" dpkg-deb -x "/sysroot/${deb##*/}" "${sysroot#"$root"}"
  done
  ln -sfn ../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2 "$sysroot/lib64/ld-linux-x86-64.so.2"
}

generate() {
  local args=(
    is_debug=false use_custom_libcxx=true v8_enable_sandbox=false v8_enable_pointer_compression=false
    v8_enable_v8_checks=false rusty_v8_enable_simdutf=true
    "clang_base_path=\"/usr/lib/llvm-$llvm\"" "clang_version=\"$llvm\"" treat_warnings_as_errors=false
    v8_monolithic_for_shared_library=true enable_rust=false enable_rust_cxx=false
    v8_enable_temporal_support=false use_sysroot=true use_glib=false symbol_level=0
    line_tables_only=false clang_use_default_sample_profile=false
  )
  # shellcheck disable=SC2016  # "$1" is the inner shell's
  inside sh -c 'cd /build/v8 && exec gn gen out --script-executable=python3 --args="$1"' sh "${args[*]}"
}

check_prerequisites
step "root-$suite-$llvm" make_root
step "sources-$crate_version" fetch_sources
step "edits-$crate_version" edit_sources
step "sysroot-$sysroot_suite" make_sysroot
step "gn-gen" generate

if [ "$prepare_only" = yes ]; then
  say "prepared; without --prepare-only the same command compiles"
  exit 0
fi

say "ninja (about 100 minutes on two cores)"
inside ninja -C /build/v8/out -j "$jobs" rusty_v8

# -n leaves name and time out, so that the same library gives the same file.
gzip -9nc "$v8_source/out/obj/librusty_v8.a" >"$work/$archive"
say "built $work/$archive"
(cd "$work" && sha256sum "$archive")
# Another compiler package gives other bytes, so a difference here is expected and not a fault.
if (cd "$work" && sha256sum --quiet -c "$here/SHA256SUMS" >/dev/null 2>&1); then
  say "the same as the one in deploy/v8"
else
  say "not the same bytes as the one in deploy/v8"
fi
if [ "$install" = yes ]; then
  cp "$work/$archive" "$here/$archive"
  (cd "$here" && sha256sum "$archive" >SHA256SUMS)
  say "installed; commit $archive and SHA256SUMS together"
fi
