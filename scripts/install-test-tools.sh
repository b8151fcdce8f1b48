#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Installs what the tests that compile kernel files and apply patches need, where it is missing.
# As root with apt; another user is told what to install, and the status is 1 (0 with --optional).
#
# usage: install-test-tools.sh [--optional]
set -euo pipefail

optional=no
[ "${1-}" != --optional ] || optional=yes

packages=(gcc make git flex bison bc libc6-dev libelf-dev libssl-dev perl xz-utils
	python3 universal-ctags git-email)
missing=()
for package in "${packages[@]}"; do
	case $package in
	libc6-dev) test -e /usr/include/stdio.h ;;
	libelf-dev) test -e /usr/include/libelf.h || test -e /usr/include/gelf.h ;;
	libssl-dev) test -e /usr/include/openssl/opensslv.h ;;
	universal-ctags) command -v ctags >/dev/null ;;
	git-email) test -e "$(git --exec-path 2>/dev/null)/git-send-email" ;;
	xz-utils) command -v xz >/dev/null ;;
	*) command -v "$package" >/dev/null ;;
	esac || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
	echo "tools: installing ${missing[*]}" >&2
	if { apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q install -y \
		--no-install-recommends "${missing[@]}"; } >&2; then
		exit 0
	fi
fi
echo "tools: the tests want these Debian packages: ${missing[*]}" >&2
[ "$optional" = yes ]
