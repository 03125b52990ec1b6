#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What owners touched so far does not bind those to come: where they touch nothing of what they are given,
# RSS is stock's, 2% and 64 MiB (batch_bytes, keep_bytes), however much had been kept or populated for those before.
# shellcheck source=tclib.sh
. "$(dirname "$0")/tclib.sh"
needs changing timeout
changing=$progs/changing

# compare WHAT ROOM_KB: RSS of the last program, by its output, beside stock's, which is in $least.
compare() {
	local what=$1 room=$2 rss
	verdict "$what" || return
	rss=$(tail -n 1 "$tmp/out")
	echo "$what: $rss kB, stock $least kB"
	[ "$rss" -le $((least + least / 50 + room)) ] ||
		fail "$what: $rss kB, stock $least kB, which leaves room for $room kB"
}

if [ -z "$(LD_PRELOAD=libjemalloc.so.2 /bin/true 2>&1)" ]; then
	PRELOAD=libjemalloc.so.2
	export MALLOC_CONF=dirty_decay_ms:0,muzzy_decay_ms:0
	for mode in one first many grown threads; do
		stock env LD_PRELOAD=$PRELOAD "$changing" $mode
		verdict "jemalloc, $mode, without preload" || continue
		least=$(cat "$tmp/out")
		under '' "$changing" $mode
		compare "jemalloc, $mode" 65536
	done
	# Nobody is trusted with anything: what is pending at the end is all.
	stock env LD_PRELOAD=$PRELOAD "$changing" one
	least=$(cat "$tmp/out")
	under keep_bytes:0 "$changing" one
	compare "jemalloc, one, keep_bytes:0" 4096
	unset PRELOAD MALLOC_CONF
else
	skip "libjemalloc.so.2 cannot be preloaded"
fi

if have_build minimal; then
	export TCMALLOC_AGGRESSIVE_DECOMMIT=1
	for mode in one first many grown; do
		tc_stock minimal "$changing" $mode
		verdict "tcmalloc, $mode, without preload" || continue
		least=$(cat "$tmp/out")
		tc_under minimal '' "$changing" $mode
		compare "tcmalloc, $mode" 65536
	done
else
	skip "libtcmalloc_minimal.so.4 cannot be preloaded"
fi
finish
