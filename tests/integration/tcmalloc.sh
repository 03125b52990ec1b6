#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# On tcmalloc no byte is lost and calloc reads zero, over every combination of what matters: build,
# release, threads, backend, batch. What the library did is counted.
# shellcheck source=tclib.sh
. "$(dirname "$0")/tclib.sh"
needs tchammer timeout
needs_tcmalloc

# Rounds are short, and differ: PTR_SEED repeats one.
seed=${PTR_SEED:-$$}
ops=${PTR_OPS:-600}
echo "seed $seed, $ops operations in a round"

# What must have happened where every free page is released at once.
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
		expect "$1" cancelled -gt 0
	fi
	expect "$1" zapped -gt 0
	expect "$1" cancelled -le "$(counter released)"
	expect "$1" zapped_by_others -eq 0
}

combination() { # BUILD SETTING THREADS BACKEND BATCH [NAME=VALUE...]
	local build=$1 how=$2 threads=$3 backend=$4 batch=$5 n=$ops
	shift 5
	local name="$build, $how, $threads threads, backend $backend, batch $batch${*:+, $*}"
	seed=$((seed + 1))
	setting_of "$how"
	# The first release by rate comes after 2 GiB have been freed.
	[ "$how" != rate10 ] || n=$((16 * n))
	tc_under "$build" "backend:$backend,batch_bytes:$batch,stats_print:true" \
		"${setting[@]}" "$@" "$progs/tchammer" -t "$threads" -n $((n / threads)) \
		-b $((200 / threads)) -s $seed
	verdict "seed $seed, $name" || return
	case $how in
	aggressive) looked_at "$name" "$backend" "$batch" ;;
	rate*) expect "$name" released -gt 0 ;;
	esac
	# brk memory is one mapping, which must never be replaced; mapped memory is.
	case "$backend $*" in
	"remap "*SKIP_SBRK=1*) expect "$name" sys_remap -gt 0 ;;
	*) expect "$name" sys_remap -eq 0 ;;
	esac
}

for build in "${builds[@]}"; do
	for threads in 1 8; do
		for backend in dontneed remap none auto; do
			for batch in 0 1M 32M; do
				combination "$build" aggressive $threads $backend $batch
				[ "$build,$batch" = minimal,1M ] || continue
				[ $backend != auto ] || continue
				combination "$build" rate10 $threads $backend $batch
			done
		done
		[ "$build" = minimal ] || [ $threads = 1 ] ||
			combination "$build" rate10 $threads auto 32M
		combination "$build" default $threads auto 32M
		for backend in remap auto; do
			combination "$build" aggressive $threads $backend 1M TCMALLOC_SKIP_SBRK=1
		done
	done
	echo "$build: $SECONDS s"
done

# --- what else tcmalloc can be told

for build in "${builds[@]}"; do
	setting_of aggressive
	hammer=("$progs/tchammer" -t 4 -n 150 -b 50 -s "$seed")

	# While threads ask for everything to be released.
	tc_under "$build" stats_print:true "${setting[@]}" "${hammer[@]}" -R -V
	verdict "$build, ReleaseFreeMemory all the time" &&
		expect "$build, ReleaseFreeMemory all the time" request -gt 0

	# It releases nothing: nothing is put off, and that is said where it was asked for.
	name="$build, TCMALLOC_DISABLE_MEMORY_RELEASE"
	tc_under "$build" stats_print:true,verbose:true "${setting[@]}" \
		TCMALLOC_DISABLE_MEMORY_RELEASE=1 "${hammer[@]}"
	verdict "$name" || continue
	expect "$name" released -eq 0
	expect "$name" deferred -eq 0
	[ "$(grep -c '^ptreclaim: gperftools.*releases no memory' "$tmp/err")" = 1 ] ||
		fail "$name: not one line about it"
	tc_under "$build" "" "${setting[@]}" TCMALLOC_DISABLE_MEMORY_RELEASE=1 "${hammer[@]}"
	silent "$name"

	tc_under "$build" verbose:true "${setting[@]}" "${hammer[@]}"
	says "$build, verbose" "gperftools "
done

if have_build full; then
	setting_of aggressive
	hammer=("$progs/tchammer" -t 4 -n 300 -b 50 -s "$seed")
	tc_under full stats_print:true "${setting[@]}" TCMALLOC_SAMPLE_PARAMETER=524288 \
		"${hammer[@]}" -R
	verdict "sampling" && expect "sampling" deferred -gt 0
	tc_under full stats_print:true "${setting[@]}" TCMALLOC_SAMPLE_PARAMETER=524288 \
		HEAPPROFILE="$tmp/profile" "${hammer[@]}"
	verdict "HEAPPROFILE" && expect "HEAPPROFILE" deferred -gt 0
	grep -q '^heap profile:' "$tmp"/profile*.heap || fail "HEAPPROFILE: no profile"
else
	skip "sampling and HEAPPROFILE: only the full build has them"
fi

# --- the other orders and ways to come together

for build in "${builds[@]}"; do
	setting_of aggressive
	name="$build preloaded before the library"
	PRELOAD=$(file_of "$build") under stats_print:true,verbose:true "${setting[@]}" \
		"$progs/tchammer" -t 4 -n 200 -s "$seed"
	verdict "$name" || continue
	expect "$name" deferred -gt 0
	expect "$name" zapped -gt 0
	# A mmap of tcmalloc's own is not seen: none of its memory counts as ordinary.
	PRELOAD=$(file_of "$build") under stats_print:true,backend:remap "${setting[@]}" \
		TCMALLOC_SKIP_SBRK=1 "$progs/tchammer" -t 4 -n 200 -s "$seed"
	verdict "$name, remap" && expect "$name, remap" sys_remap -eq 0
done

# What comes back soon is populated, by whoever it was told, and whichever of the two was loaded first.
churn=("$progs/../../bench/churn" --profile large --live 16M --cycles 1 --ops 1000 --trough-ms 1)
for soon in 0 1; do
	for first in tcmalloc library; do
		name="aggressive $soon, $first first"
		if [ $first = library ]; then
			tc_under "${builds[0]}" stats_print:true,batch_bytes:1M \
				TCMALLOC_AGGRESSIVE_DECOMMIT=$soon TCMALLOC_RELEASE_RATE=10 "${churn[@]}"
		else
			PRELOAD=$(file_of "${builds[0]}") under stats_print:true,batch_bytes:1M \
				TCMALLOC_AGGRESSIVE_DECOMMIT=$soon TCMALLOC_RELEASE_RATE=10 "${churn[@]}"
		fi
		verdict "$name" || continue
		case $soon in
		0) expect "$name" populated -eq 0 ;;
		*) expect "$name" populated -gt 0 ;;
		esac
	done
done

if [ -x "$progs/tchammer-linked" ]; then
	setting_of aggressive
	for backend in dontneed remap; do
		for sbrk in 0 1; do
			name="linked with tcmalloc, $backend, TCMALLOC_SKIP_SBRK=$sbrk"
			under stats_print:true,backend:$backend "${setting[@]}" \
				TCMALLOC_SKIP_SBRK=$sbrk "$progs/tchammer-linked" -t 4 -n 300
			verdict "$name" || continue
			looked_at "$name" $backend 32M
			case $backend$sbrk in
			remap1) expect "$name" sys_remap -gt 0 ;;
			*) expect "$name" sys_remap -eq 0 ;;
			esac
		done
	done
else
	skip "nothing was linked with tcmalloc (package libgoogle-perftools-dev)"
fi

# shellcheck disable=SC2016 # expanded by the shell that is run
long='x=$(seq 200000); echo ${#x}'
tc_under "${builds[0]}" stats_print:true TCMALLOC_AGGRESSIVE_DECOMMIT=1 bash -c "$long"
verdict "both preloaded into a shell" && expect "both preloaded into a shell" released -gt 0
[ "$(cat "$tmp/out")" = 1288894 ] || fail "both preloaded into a shell: wrong output"
echo "$SECONDS s"
finish
