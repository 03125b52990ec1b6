#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# fork in all its forms on tcmalloc, threads that are cancelled, exit in the midst of it: no hang, no
# byte lost, and the flusher of every child does its work.
# shellcheck source=tclib.sh
. "$(dirname "$0")/tclib.sh"
needs tcfork tchammer timeout
needs_tcmalloc
LIMIT=60
setting_of aggressive
forks=${PTR_FORKS:-40}

# The children leave their counters where each is found by its pid.
mkdir "$tmp/stats"
children() { # WHAT COUNTER: some child that left by exit() counted it
	if cat "$tmp"/stats/* | awk -v name="ptreclaim_$2" 'index($1, name) == 1 && $NF > 0 {
			some = 1 } END { exit !some }'; then
		ok
	else
		fail "$1: no child counted $2"
	fi
}

# The debug builds hang in children of busy threads without us, too.
for build in "${plain_builds[@]}"; do
	have_build "$build" || continue
	for conf in "" backend:remap batch_bytes:0 batch_bytes:1M,keep_bytes:0 mode:observe; do
		rm -f "$tmp"/stats/*
		n=$((forks / 2)) sbrk=0
		# The full build differs in what is hooked only.
		[[ $build != full || $conf = backend:remap || $conf = batch_bytes:1M* ]] || continue
		case $conf in
		"") n=$forks ;;
		backend:remap) sbrk=1 ;;
		esac
		name="$build: fork from 8 busy threads, ${conf:-by default}"
		tc_under "$build" "$conf${conf:+,}stats_file:$tmp/stats/%p" "${setting[@]}" \
			TCMALLOC_SKIP_SBRK=$sbrk "$progs/tcfork" busy "$n"
		verdict "$name" || continue
		rm -f "$tmp/stats/$(sed -n 's/^parent //p' "$tmp/out")"
		case $conf in
		"" | backend:remap)
			# Only where there is a flusher is anything put off.
			children "$name" deferred
			children "$name" zapped
			;;
		esac
		echo "$name, $n times: $SECONDS s"
	done
done

for build in "${builds[@]}"; do
	# Long enough that on a busy machine it is still pending when it is taken back.
	for conf in batch_ms:10000 backend:remap,batch_bytes:64M,batch_ms:10000; do
		name="$build: fork with memory pending, $conf"
		tc_under "$build" "$conf" "${setting[@]}" "$progs/tcfork" pending
		verdict "$name" || continue
		# All three had it and took it into use again; each has its own counters.
		for who in parent child grandchild; do
			grep -q "^$who: pending [1-9][0-9]*, taken back [1-9]" "$tmp/out" ||
				fail "$name: the $who took nothing back: $(grep "^$who:" "$tmp/out")"
		done
	done
	for conf in batch_bytes:1M batch_bytes:8M,batch_ms:1; do
		tc_under "$build" "$conf" "${setting[@]}" "$progs/tcfork" flight 10
		verdict "$build: fork while the flusher is at work, $conf"
	done
	tc_under "$build" "" "${setting[@]}" "$progs/tcfork" spawn 16
	verdict "$build: vfork and posix_spawn"
	echo "$build: $SECONDS s"
done

# --- threads that end in the middle, processes that end with them at work

LIMIT=20
for build in "${builds[@]}"; do
	for conf in "" batch_bytes:0 batch_bytes:1M; do
		for ((n = 1; n <= 3; n++)); do
			tc_under "$build" "$conf${conf:+,}stats_print:true" "${setting[@]}" \
				"$progs/tchammer" -t 6 -s $n -X
			verdict "$build: exit while threads allocate, ${conf:-by default}" || continue
			grep -q '^at exit$' "$tmp/out" || fail "$build: exit handlers did not run"
			# The counters were printed, whatever the others were doing.
			expect "$build: exit while threads allocate" released -ge 0
		done
	done
	tc_under "$build" "" "${setting[@]}" "$progs/tchammer" -t 8 -C -r 3
	verdict "$build: cancelled threads"
	tc_under "$build" stats_print:true "${setting[@]}" "$progs/tchammer" -t 8 -n 100 -S
	verdict "$build: signals all the time"
done
echo "$SECONDS s"
finish
