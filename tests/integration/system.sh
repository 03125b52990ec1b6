#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What only root can set up: strict overcommit, transparent huge pages, few mappings, setuid
# programs. What is changed for the whole machine is put back at once, on any way out.
# shellcheck disable=SC2034 # read by lib.sh
changes_machine=yes
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
needs hammer linked timeout
LIMIT=60
hammer=$progs/hammer
export MALLOC_CONF=dirty_decay_ms:0,narenas:4

changed=() # file, what was in it
restore() {
	while [ ${#changed[@]} -gt 0 ]; do
		echo "${changed[1]}" >"${changed[0]}"
		changed=("${changed[@]:2}")
	done
}

# change FILE VALUE: false if that cannot be done here.
change() {
	local was
	[ -w "$1" ] || return 1
	# Of several words the one in brackets is in force.
	was=$(sed 's/.*\[\(.*\)\].*/\1/' "$1" 2>/dev/null) || return 1
	changed+=("$1" "$was")
	echo "$2" 2>/dev/null >"$1"
}

works() { # WHAT CONF COMMAND...
	local name=$1 conf=$2
	shift 2
	under "$conf${conf:+,}stats_print:true" "$@"
	verdict "$name"
}

if change /proc/sys/vm/overcommit_memory 2; then
	under "" "$hammer" -F -t 4 -n 500 -A
	restore
	verdict "overcommit_memory=2"
	# There the stock decommit is real: no deferral, and a word about it.
	says "overcommit_memory=2" overcommit
else
	restore
	skip "vm.overcommit_memory cannot be changed"
fi

thp=/sys/kernel/mm/transparent_hugepage/enabled
if change $thp always; then
	for conf in backend:auto backend:remap backend:none batch_bytes:0; do
		works "huge pages, $conf" $conf "$hammer" -t 4 -n 500 -A &&
			expect "huge pages, $conf" released -gt 0
	done
	restore
	grep -q '\[' $thp || fail "huge pages: not put back"
else
	restore
	skip "transparent huge pages cannot be changed"
fi

# --- setuid: neither the environment nor anybody's LD_PRELOAD counts.

other=65534 caller=65533
program=$progs/linked
chmod 755 "$tmp"
cp "$program" "$tmp/linked" && cp "$program" "$tmp/plain"
if [ "$(id -u)" != 0 ] || ! have setpriv; then
	skip "setuid: needs root and setpriv"
else
	chown $other "$tmp/linked" && chmod 4755 "$tmp/linked"
	as_caller=(setpriv "--reuid=$caller" "--regid=$caller" --clear-groups)
	bad=verbose:true,no_such_key:1,stats_print:true
	stock env PTRECLAIM_CONF=$bad "${as_caller[@]}" "$tmp/plain"
	if [ $status != 0 ]; then
		skip "setuid: another user cannot run what is built here"
	elif ! grep -q '^plain' "$tmp/out" || ! grep -q no_such_key "$tmp/err"; then
		fail "a program linked with the library, not setuid"
	else
		stock env PTRECLAIM_CONF=$bad "${as_caller[@]}" "$tmp/linked"
		if grep -q '^plain' "$tmp/out"; then
			skip "setuid: it has no effect in $tmp"
		else
			verdict "setuid"
			silent "setuid"
		fi
		stock env PTRECLAIM_CONF=$bad,abort_conf:true "${as_caller[@]}" "$tmp/linked"
		verdict "setuid with abort_conf"
		stock env PTRECLAIM_CONF="stats_file:$tmp/written" LD_PRELOAD="$lib" \
			"${as_caller[@]}" "$tmp/linked"
		verdict "setuid with LD_PRELOAD"
		[ ! -e "$tmp/written" ] || fail "setuid: a file was written on behalf of the caller"
	fi
fi
finish
