#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What the library is for, on tcmalloc: a second after a churn has ended, VmPTE is within 5% of its floor
# and 64 kB.
# shellcheck source=tclib.sh
. "$(dirname "$0")/tclib.sh"
churn=$top/bench/churn
needs "$churn" tchammer timeout
needs_tcmalloc
LIMIT=60
[ -r /proc/self/pagemap ] || skip_all "/proc/self/pagemap cannot be read"

# member NAME: the largest number that it has in churn's JSON.
member() {
	grep -o "\"$1\": *[0-9]*" "$tmp/out" | grep -o '[0-9]*$' | sort -n | tail -n 1
}

# at_floor WHAT: in the worst trough of churn's.
at_floor() {
	local waste target
	waste=$(member waste_kb) target=$(member target_kb)
	echo "$1: waste $waste kB, target $target kB, floor $(member floor_kb) kB"
	if [ -z "$waste" ] || [ -z "$target" ] || [ "$waste" -gt "$target" ]; then
		fail "$1: waste ${waste:-unknown} kB, target ${target:-unknown} kB"
	fi
}

# brk memory cannot be mapped anew: where that is all there is, tcmalloc has to map.
memory=TCMALLOC_SKIP_SBRK=0
if ! backend_works dontneed && ! backend_works pt_reclaim; then
	skip "brk memory: no backend for it on this kernel"
	memory=TCMALLOC_SKIP_SBRK=1
fi

for build in "${plain_builds[@]}"; do
	have_build "$build" || continue
	for how in aggressive rate10; do
		setting_of $how
		for threads in 1 8; do
			for profile in burst mixed; do
				[ $how,$profile != rate10,mixed ] || continue
				[[ $build != full || $threads,$profile = 8,burst ]] || continue
				run=("$churn" --json --threads "$threads" --profile "$profile"
					--live 512M --cycles 1 --ops $((4000 / threads)))
				tc_stock "$build" "${setting[@]}" $memory "${run[@]}"
				verdict "stock $how, $threads threads, $profile" || continue
				echo "stock $build, $how, $threads threads, $profile:" \
					"waste $(member waste_kb) kB, target $(member target_kb) kB"
				name="$build, $how, $threads threads, $profile"
				tc_under "$build" "" "${setting[@]}" $memory "${run[@]}"
				verdict "$name" && at_floor "$name"
			done
		done
	done
done

# The other backends, and what they are allowed.
setting_of aggressive
for build in "${builds[@]}"; do
	for backend in dontneed remap pt_reclaim; do
		if ! backend_works $backend; then
			skip "$build: $backend does nothing on this kernel"
			continue
		fi
		for more in "" ,batch_bytes:1M ,batch_bytes:0 ,keep_bytes:0; do
			sbrk=0
			[ $backend != remap ] || sbrk=1
			name="$build, backend $backend$more"
			tc_under "$build" "backend:$backend$more" "${setting[@]}" \
				TCMALLOC_SKIP_SBRK=$sbrk "$progs/tchammer" -t 4 -n 250 -b 50 -W
			if [ "$status" = 4 ]; then
				fail "$name: waste does not go"
				continue
			fi
			verdict "$name" || continue
			[ -n "$more" ] || grep '^left nothing' "$tmp/out" | sed "s/^left/$name:/"
		done
	done
done
echo "$SECONDS s"
finish
