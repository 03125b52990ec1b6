#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# No byte is lost and none that should be zero is not, over every combination of what matters:
# decay, threads, jemalloc's background thread, backend, batch. What the library did is counted.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
needs hammer timeout

# Rounds are short, and differ: PTR_SEED repeats one.
seed=${PTR_SEED:-$$}
ops=${PTR_OPS:-1000}
echo "seed $seed, $ops operations in a round"

# What must have happened, at decay 0, where every free is a purge at once.
looked_at() { # NAME BACKEND BATCH
	expect "$1" mapped -gt 0
	expect "$1" released -gt 0
	expect "$1" declined -eq 0
	expect "$1" failed -eq 0
	if [ "$3" = 0 ]; then
		expect "$1" deferred -eq 0
		expect "$1" inline -gt 0
		expect "$1" pending -eq 0
	else
		expect "$1" deferred -gt 0
	fi
	expect "$1" zapped -gt 0
	expect "$1" cancelled -le "$(counter released)"
	case $2 in
	remap) expect "$1" sys_remap -gt 0 ;;
	*) expect "$1" sys_remap -eq 0 ;;
	esac
}

combination() { # DECAY THREADS BACKGROUND BACKEND BATCH
	local name="decay $1, $2 threads, background_thread $3, backend $4, batch $5"
	local malloc="background_thread:$3,narenas:4"
	[ "$1" = default ] || malloc+=",dirty_decay_ms:$1"
	seed=$((seed + 1))
	MALLOC_CONF=$malloc under "backend:$4,batch_bytes:$5,stats_print:true" \
		"$progs/hammer" -t "$2" -n $((ops / $2)) -b $((400 / $2)) -s $seed -A
	verdict "seed $seed, $name" || return
	[ "$1" != 0 ] || looked_at "$name" "$4" "$5"
}

for decay in ${PTR_DECAYS:-0 100 default}; do
	for threads in 1 8; do
		for background in true false; do
			for backend in dontneed remap none auto; do
				for batch in 0 1M 32M; do
					combination "$decay" $threads $background $backend $batch
				done
			done
		done
	done
	echo "decay $decay: $SECONDS s"
done

# Nothing is populated where the allocator gives up what has rested: a malloc is to take no time.
for decay in 0 50; do
	name="populating, decay $decay"
	MALLOC_CONF=dirty_decay_ms:$decay under stats_print:true,batch_bytes:1M \
		"$progs/hammer" -t 1 -n 1000
	verdict "$name" || continue
	case $decay in
	0) expect "$name" populated -gt 0 ;;
	*) expect "$name" populated -eq 0 ;;
	esac
done

# The other orders and ways to preload.
export MALLOC_CONF=dirty_decay_ms:0
jemalloc=$(ldd "$progs/.libs/hammer" "$progs/hammer" 2>/dev/null |
	awk '/libjemalloc/ { print $3; exit }')
if [ -n "$jemalloc" ]; then
	# A program that has its way with mallctl behind the library's back is left alone.
	PRELOAD=$jemalloc under "" "$progs/hammer" -t 4 -n 500 -A
	verdict "jemalloc preloaded first"
	says "jemalloc preloaded first" "left alone"
	stock env LD_PRELOAD="$lib:$jemalloc" PTRECLAIM_CONF="$(conf_of stats_print:true)" \
		"$progs/hammer" -t 4 -n 500 -A
	verdict "jemalloc preloaded second" && expect "jemalloc preloaded second" deferred -gt 0
	# A program that was not linked with it.
	# shellcheck disable=SC2016 # expanded by the shell that is run
	long='x=$(seq 200000); echo ${#x}'
	PRELOAD=$jemalloc under stats_print:true bash -c "$long"
	verdict "both preloaded into a shell" && expect "both preloaded into a shell" released -gt 0
	[ "$(cat "$tmp/out")" = 1288894 ] || fail "both preloaded into a shell: wrong output"
else
	skip "cannot tell where libjemalloc is"
fi
finish
