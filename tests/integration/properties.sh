#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Properties by jemalloc's mallctl and by ptreclaim_ctl(); and what is jemalloc's own answers as it does
# without the library.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
needs asker asker-plain asker-linked timeout
LIMIT=60
shopt -s extglob
export MALLOC_CONF=narenas:4,dirty_decay_ms:0,muzzy_decay_ms:0

right() {
	verdict "$1" || return
	[ "$(cat "$tmp/out")" = right ] || fail "$1: not to the end"
}

# Without the library there are none.
stock "$progs/asker" ours on jemalloc
[ "$status" = 5 ] || fail "stock jemalloc has properties of ours"

# jemalloc's names, MIBs, lengths, values and errors are what they are without us.
stock "$progs/asker" theirs
verdict "jemalloc's properties, stock"
cp "$tmp/out" "$tmp/stock"
[ "$(wc -l <"$tmp/stock")" -gt 50 ] || fail "jemalloc's properties, stock: too few"
for conf in "" mode:off mode:observe backend:none; do
	under "$conf" "$progs/asker" theirs
	verdict "jemalloc's properties, ${conf:-by default}" || continue
	if diff "$tmp/stock" "$tmp/out" >"$tmp/diff"; then
		ok
	else
		cp "$tmp/diff" "$tmp/err"
		fail "jemalloc's properties differ, ${conf:-by default}"
	fi
done

# Another library stands in for mallctl too, on either side of ours.
relay=$progs/.libs/relay.so
for conf in "" mode:off; do
	for order in "$relay:$lib" "$lib:$relay"; do
		stock env LD_PRELOAD="$order" PTRECLAIM_CONF="$(conf_of "$conf")" "$progs/asker" theirs
		verdict "${order//*([!:])\//}, ${conf:-by default}" || continue
		cmp -s "$tmp/stock" "$tmp/out" ||
			fail "jemalloc's properties differ, ${order//*([!:])\//}, ${conf:-by default}"
	done
done

under "" "$progs/asker" ours on "jemalloc 5"
right "mode on"
under mode:observe "$progs/asker" ours observe "jemalloc 5"
right "mode observe"
under mode:off "$progs/asker" ours off ""
right "mode off"
MALLOC_CONF=san_guard_small:2 under "" "$progs/asker" ours off ""
case $status in
0) right "jemalloc refused" ;;
*) # Where the madvise adapter serves it, it is on.
	MALLOC_CONF=san_guard_small:2 under "" "$progs/asker" ours on others
	right "jemalloc refused, watched" ;;
esac
under "" "$progs/asker-plain" ours off ""
right "no jemalloc here"
under "" "$progs/asker-plain" theirs
verdict "jemalloc's names without jemalloc"
grep -q ' read 0' "$tmp/out" && fail "jemalloc's names without jemalloc: some are known"

# Linked with the library, found where it was built.
for mode in on off; do
	stock env PTRECLAIM_CONF="$(conf_of mode:$mode)" "$progs/asker-linked" load
	right "linked, mode $mode, load"
done
stock env PTRECLAIM_CONF="$(conf_of mode:off)" "$progs/asker-linked" ours off ""
right "linked, mode off"

for conf in "" batch_bytes:1M backend:remap mode:observe; do
	under "$conf" "$progs/asker" load
	right "load, ${conf:-by default}"
done
finish
