# shellcheck shell=bash disable=SC2034,SC2154 # they are those of bench/real
# SPDX-License-Identifier: BSD-2-Clause
# real-prolog.sh - swi-prolog: large terms, atoms, strings and facts, built and dropped by
# bench/real.pl; sourced by bench/real. The operations are Prolog's own count of inferences.
prolog_rounds=4

prolog_needs() {
	needs swipl swi-prolog-nox
}

# It is talked to line by line.
prolog_start() {
	coproc PROLOG { exec "${run_program[@]}" swipl -q "$here/real.pl" "$scale" 2>"$tmp/log"; }
	server=$PROLOG_PID pid=$PROLOG_PID
	prolog_out=${PROLOG[0]} prolog_in=${PROLOG[1]}
	: >"$tmp/said"
	[ "$(prolog_ask tick)" = ok ]
}

# ask WORD: its answer, a line.
prolog_ask() {
	local line limit
	limit=$(left)
	echo "$1" >&"$prolog_in" || return 1
	read -r -t "$((limit > 0 ? limit : 1))" line <&"$prolog_out" || return 1
	echo "$line"
}

prolog_round() {
	prolog_said=$(prolog_ask round) && [[ $prolog_said = round\ * ]] && return 0
	say "prolog: a round failed: ${prolog_said:-no answer}; $(tail -n 1 "$tmp/log")"
	return 1
}

prolog_work() {
	local round
	for ((round = 0; round < prolog_rounds; round++)); do
		timed 0 prolog_round || return 1
		ops=$((ops + ${prolog_said##* }))
		echo "${prolog_said% *}" >>"$tmp/said"
	done
}

prolog_tick() {
	[ "$(prolog_ask tick)" = ok ]
}

prolog_answers() {
	local sum
	sum=$(sha256sum <"$tmp/said")
	echo "${sum%% *}"
}

prolog_end() {
	echo quit >&"$prolog_in"
}
