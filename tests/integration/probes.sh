#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The USDT probes: the library has the four of them, and bpftrace counts by them what the statistics count.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
needs hammer timeout readelf
export MALLOC_CONF=dirty_decay_ms:0,narenas:2
grep -q '^#define USE_USDT 1' "$top/config.h" || skip_all "built without USDT probes"

readelf -n "$lib" | awk '$1 == "Provider:" { p = $2 } $1 == "Name:" { print p ":" $2 }' |
	sort -u >"$tmp/probes"
for probe in cancel fallback flush region_freed; do
	if grep -qx "ptreclaim:$probe" "$tmp/probes"; then ok; else fail "no probe ptreclaim:$probe"; fi
done
[ "$(wc -l <"$tmp/probes")" -eq 4 ] || fail "$(wc -l <"$tmp/probes") probes, not 4"

if ! have bpftrace; then
	skip "listening: no bpftrace"
	finish
elif ! timeout 60 bpftrace -e 'BEGIN { exit() }' >"$tmp/out" 2>"$tmp/err" </dev/null; then
	skip "listening: bpftrace does not work here ($(grep -m 1 -v '^$' "$tmp/err" | cut -c 1-80))"
	finish
fi

# The process's own numbers, by process; each is told the first time it is heard.
at=$(readlink -f "$lib")
cat >"$tmp/listen.bt" <<EOF
usdt:$at:ptreclaim:flush {
	if (@flushes[pid] == 0) { printf("flush\n"); }
	@flushes[pid] = @flushes[pid] + 1;
	@failed[pid] = sum(arg2);
}
usdt:$at:ptreclaim:region_freed {
	if (@heard_freed[pid] == 0) { printf("region_freed\n"); @heard_freed[pid] = 1; }
	@freed[pid] = count();
}
usdt:$at:ptreclaim:cancel {
	if (@heard_cancel[pid] == 0) { printf("cancel\n"); @heard_cancel[pid] = 1; }
	@cancelled[pid] = sum(arg2);
}
EOF
timeout -s INT -k 5 "$LIMIT" bpftrace "$tmp/listen.bt" >"$tmp/heard" 2>"$tmp/bpftrace" </dev/null &
listener=$!
heard_all() {
	grep -q ^flush "$tmp/heard" && grep -q ^region_freed "$tmp/heard" && grep -q ^cancel "$tmp/heard"
}
# Until all probes are heard of they are not all in place. bpftrace writes what it has every second.
for ((i = 0; i < 60; i++)); do
	under mode:on "$progs/hammer" -t 2 -n 100
	heard_all && break
	kill -0 $listener 2>/dev/null || break
	sleep 0.5
done
if ! heard_all; then
	kill -INT $listener 2>/dev/null
	wait $listener
	if grep -qiE 'not permitted|denied|unsupported|not supported|could not attach|error attaching' "$tmp/bpftrace"; then
		skip "listening: $(grep -iE 'permitted|denied|support|attach' "$tmp/bpftrace" | tail -n 1 | cut -c 1-80)"
		finish
	fi
	cp "$tmp/bpftrace" "$tmp/err"
	fail "bpftrace does not hear all probes"
	finish
fi
under mode:on,stats_print:true "$progs/hammer" -t 2 -n 300
verdict "the program that is listened to"
sleep 1
kill -INT $listener
wait $listener
# heard MAP NAME: some process has exactly that number.
heard() {
	local n
	n=$(counter "$2")
	if grep -qE "^@$1\[[0-9]+\]: $n$" "$tmp/heard"; then
		ok
	else
		fail "$2 is $n, and bpftrace heard: $(grep "^@$1" "$tmp/heard" | tr '\n' ' ')"
	fi
}
heard freed regions_freed
heard cancelled cancelled
finish
