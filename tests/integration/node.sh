#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# node.sh - what NUMA costs at start: on a host with one node libnuma is not loaded and one small file is
# read; with mode:off not even that. On others libnuma is loaded, if it is there.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

needs sed
jemalloc=libjemalloc.so.2
LD_PRELOAD=$jemalloc sed -n /jemalloc/p /proc/self/maps >"$tmp/maps" 2>&1
grep -q "/$jemalloc" "$tmp/maps" || skip_all "no $jemalloc here"
file=/sys/devices/system/node/has_cpu
several=no
[[ $(cat $file 2>/dev/null) != *[-,]* ]] || several=yes

# maps CONF: what a program on jemalloc has mapped.
maps() {
	LD_PRELOAD="$lib:$jemalloc" PTRECLAIM_CONF="kill_file:$tmp/none,$1" \
		timeout "$LIMIT" sed -n /lib/p /proc/self/maps >"$tmp/out" 2>"$tmp/err" || fail "$1: it does not run"
	grep -q libptreclaim "$tmp/out" || fail "$1: the library is not there"
}

maps mode:off
if grep -q libnuma "$tmp/out"; then fail "mode:off: libnuma is loaded"; else ok; fi
maps mode:on
if [ $several = no ]; then
	if grep -q libnuma "$tmp/out"; then fail "one node: libnuma is loaded"; else ok; fi
else
	maps mode:on,verbose:true
	if grep -q libnuma "$tmp/out" || grep -q 'share one queue' "$tmp/err"; then
		ok
	else
		fail "several nodes: neither libnuma nor a word of it"
	fi
fi

# opened CONF: how many files of /sys/devices/system/node.
opened() {
	strace -f -e trace=open,openat -o "$tmp/trace" -E LD_PRELOAD="$lib:$jemalloc" \
		-E PTRECLAIM_CONF="kill_file:$tmp/none,$1" sed -n 1p /dev/null >"$tmp/out" 2>"$tmp/err" ||
		return 1
	awk -v dir="\"${file%/*}" 'index($0, dir) { n++ } END { print n + 0 }' "$tmp/trace"
}

if ! have strace || ! opened mode:off >/dev/null; then
	skip "files that are opened: strace does not work here"
elif [ $several = yes ]; then
	skip "files that are opened: this host has several nodes"
else
	if [ "$(opened mode:off)" = 0 ]; then ok; else fail "mode:off: $(opened mode:off) files of nodes"; fi
	if [ "$(opened mode:on)" = 1 ]; then ok; else fail "mode:on: $(opened mode:on) files of nodes, not one"; fi
fi
finish
