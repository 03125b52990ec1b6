#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Switched off: by mode, by rollout, by the kill file while running.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=killfile.sh
. "$(dirname "$0")/killfile.sh"
needs hammer looker timeout
LIMIT=60
looker=$progs/looker

# --- off from the start: not to be seen at all

# Where addresses do not change from run to run, mappings merge the same way.
fixed=()
if have setarch && setarch -R true 2>/dev/null; then
	fixed=(setarch -R)
fi

# Pages of the library, .bss included: what its mappings take, in kB.
if have readelf; then
	own_kb=$(readelf -lW "$lib" | awk '$1 == "LOAD" { print $3, $6 }' | while read -r at size; do
		echo $((((at % 4096 + size + 4095) / 4096) * 4))
	done | awk '{ sum += $1 } END { print sum }')
else
	own_kb=''
	skip "no readelf: how large the library is cannot be told"
fi

# How deep the stack was used is nobody's mapping.
shown() {
	sed 's/[0-9]* kB \[stack\]/[stack]/' "$1"
}

# same WHAT: as without preload? A library that comes first moves the others, so their order does not
# count. Nameless mappings that merge with the library's .bss may be missing from the list; what all
# take together is the library's, and some pages of the loader's.
same() {
	diff <(shown "$tmp/$1" | grep -v ' kB$' | sort) \
		<(shown "$tmp/out" | grep -v ' kB$' | sort) >"$tmp/diff" ||
		return 1
	[ "$1" = maps ] || return 0
	awk -v own="${own_kb:-1000000}" '$1 ~ /^(nameless|all)$/ { n[$1, NR == FNR] = $2 }
		END {
			if (n["nameless", 0] > n["nameless", 1] + 16) print "nameless mappings"
			if (n["all", 0] > n["all", 1] + own + 16) print "more than the library"
		}' "$tmp/$1" "$tmp/out" >"$tmp/diff"
	[ ! -s "$tmp/diff" ]
}

for what in hooks threads maps; do
	stock "${fixed[@]}" "$looker" $what
	verdict "without preload: $what" || continue
	cp "$tmp/out" "$tmp/$what"
	for conf in mode:off rollout:0 mode:off,verbose:true,stats_print:true \
		mode:on,rollout:0,stats_file:"$tmp/stats"; do
		under "$conf" "${fixed[@]}" "$looker" $what
		verdict "$conf: $what" || continue
		if ! same $what; then
			cat "$tmp/diff" >>"$tmp/err"
			fail "$conf: other $what than without preload"
		fi
	done
	# What is looked at can be seen: with the library on it differs, but for the hooks, where
	# the program sees its own.
	under mode:on "${fixed[@]}" "$looker" $what
	case $what in
	hooks) same $what || fail "mode:on: the program sees our hooks" ;;
	*) ! same $what || fail "mode:on: the same $what" ;;
	esac
done
[ ! -e "$tmp/stats" ] || fail "rollout:0: statistics were written"

# --- observe: counts, changes nothing; the one thread is there to tell

under mode:observe "${fixed[@]}" "$looker" threads
[ "$(cat "$tmp/out")" = $(($(cat "$tmp/threads") + 1)) ] || fail "mode:observe: not one thread more"
MALLOC_CONF=dirty_decay_ms:0 under mode:observe,stats_print:true "$progs/hammer" -t 2 -n 500
verdict "mode:observe"
expect "mode:observe" released -gt 0
expect "mode:observe" deferred -eq 0
expect "mode:observe" zapped -eq 0

# --- the kill file, while the program runs

kill_file_works MALLOC_CONF=dirty_decay_ms:0,narenas:2 LD_PRELOAD="$lib" \
	"$progs/hammer" -t 2 -n 200 -I
finish
