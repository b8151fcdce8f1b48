#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Puts Debian's kernel sources, the trees that the kernel tests read, into a cache folder:
#
#   $GFP_SCOPE_KERNELS (default ${XDG_CACHE_HOME:-~/.cache}/gfp-scope/kernels)
#       linux-source-6.1/          the unpacked tree
#       linux-source-6.1.version   the package version it came from; written last
#       ...
#
# usage: fetch-kernels.sh [--optional] [VERSION...]      (default: 6.1 6.12)
#
# A tree that is there with its .version file is left alone. Otherwise the tarball comes from
# /usr/src when the package is installed, else from apt: as root with `apt-get install`, as
# another user with `apt-get download`, which needs no rights.
#
# Exit status: 0 all trees are there; 1 one is not, and the reason was printed. With --optional
# the reason is printed too, but the status is 0.
set -euo pipefail

optional=no
versions=()
for arg in "$@"; do
	case $arg in
	--optional) optional=yes ;;
	-h | --help) sed -n '4,19s/^# \{0,1\}//p' "$0"; exit 0 ;;
	-*) echo "fetch-kernels: unknown option $arg" >&2; exit 2 ;;
	*) versions+=("$arg") ;;
	esac
done
[ ${#versions[@]} -gt 0 ] || versions=(6.1 6.12)

kernels=${GFP_SCOPE_KERNELS:-${XDG_CACHE_HOME:-$HOME/.cache}/gfp-scope/kernels}
scratch=
trap '[ -z "$scratch" ] || rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM

say() { echo "kernel: $*" >&2; }

is_unpacked() { [ -f "$kernels/linux-source-$1.version" ] && [ -f "$kernels/linux-source-$1/Kbuild" ]; }

# Lets apt work without root: its lists and its cache live in our own folder.
private_apt() {
	local state=$kernels/apt
	mkdir -p "$state/lists/partial" "$state/archives/partial"
	apt-get -q -o Dir::State::Lists="$state/lists" -o Dir::Cache="$state" \
		-o Dir::Cache::Archives="$state/archives" -o Debug::NoLocking=1 "$@"
}

# Sets `tarball` and `package_version` for the version $1; prints why and returns 1 where it can't.
find_tarball() {
	local package=linux-source-$1 log=$scratch/apt.log installed
	tarball=/usr/src/$package.tar.xz
	if [ ! -f "$tarball" ]; then
		if ! command -v apt-get >/dev/null; then
			say "$package: there is no apt-get on this machine, and no $tarball"
			return 1
		fi
		if [ "$(id -u)" -eq 0 ]; then
			say "$package: installing it with apt"
			if ! { apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q install -y \
				--no-install-recommends "$package" xz-utils; } >"$log" 2>&1; then
				say "$package: apt-get install failed: $(reason "$log")"
				return 1
			fi
		else
			say "$package: downloading it with apt"
			if ! (cd "$scratch" && { apt-get -q download "$package" ||
				{ private_apt update && private_apt download "$package"; }; }) >"$log" 2>&1; then
				say "$package: apt-get download failed: $(reason "$log")"
				return 1
			fi
			local deb=("$scratch/${package}_"*.deb)
			dpkg-deb -x "${deb[0]}" "$scratch/deb" || return 1
			package_version=$(dpkg-deb -f "${deb[0]}" Version)
			tarball=$scratch/deb/usr/src/$package.tar.xz
		fi
	fi
	if [ ! -f "$tarball" ]; then
		say "$package: the package holds no $(basename "$tarball")"
		return 1
	fi
	if [ -z "$package_version" ]; then
		installed=$(dpkg-query -W -f '${Version}' "$package" 2>/dev/null || true)
		package_version=${installed:-unknown}
	fi
}

# The last error line of apt's output, which says what went wrong.
reason() { grep -E '^(E|W|Err):' "$1" | tail -n 1 || tail -n 1 "$1"; }

unpack() {
	local tree=$kernels/linux-source-$1 fresh=$scratch/tree
	say "linux-source-$1: unpacking $package_version (1.5 GB)"
	mkdir "$fresh"
	if ! xz -dc -T0 "$tarball" | tar -x --strip-components=1 --no-same-owner -C "$fresh" ||
		[ ! -f "$fresh/Kbuild" ] || [ ! -d "$fresh/mm" ]; then
		say "linux-source-$1: unpacking $tarball failed (see above)"
		return 1
	fi
	# A tree without its .version file may be half of one: it makes room.
	[ ! -e "$tree" ] || mv "$tree" "$scratch/stale"
	mv "$fresh" "$tree"
	echo "$package_version" >"$scratch/version"
	mv "$scratch/version" "$tree.version"
}

# A tree that somebody else unpacked there is taken over if it has every file of the tarball.
adopt() {
	local tree=$kernels/linux-source-$1
	[ -f "$tree/Kbuild" ] || return 1
	say "linux-source-$1: checking the tree that is there against $tarball"
	xz -dc -T0 "$tarball" | tar -t | sed 's,^[^/]*/,,; /\/$/d; /^$/d' | LC_ALL=C sort >"$scratch/want" ||
		return 1
	(cd "$tree" && find . ! -type d -printf '%P\n') | LC_ALL=C sort >"$scratch/have"
	[ -z "$(LC_ALL=C comm -23 "$scratch/want" "$scratch/have")" ] || return 1
	echo "$package_version" >"$scratch/version"
	mv "$scratch/version" "$tree.version"
}

fetch() {
	local tarball= package_version=
	scratch=$(mktemp -d "$kernels/.fetch-$1.XXXXXX")
	find_tarball "$1" && { adopt "$1" || unpack "$1"; }
}

missing=no
for version in "${versions[@]}"; do
	if is_unpacked "$version"; then
		say "linux-source-$version: $(cat "$kernels/linux-source-$version.version") in $kernels"
		continue
	fi
	if ! mkdir -p "$kernels" || [ ! -w "$kernels" ]; then
		say "linux-source-$version: cannot write to $kernels"
		missing=yes
		continue
	fi
	# One at a time: two runs that unpack the same tree would only be in each other's way.
	exec 9>"$kernels/.lock"
	flock 9
	if ! is_unpacked "$version" && ! fetch "$version"; then
		missing=yes
	fi
	[ -z "$scratch" ] || rm -rf "$scratch"
	scratch=
	flock -u 9
done

if [ "$missing" = yes ]; then
	[ "$optional" = yes ] || exit 1
	say "the tests that need a missing tree are skipped (with CI=true they fail)"
fi
