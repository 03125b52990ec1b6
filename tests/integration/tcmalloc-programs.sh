#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Debian's programs that are linked with tcmalloc: swi-prolog, and yrmcdsd, a server of memcached's
# protocol. Their answers are those they give without the library, and they are served.
# shellcheck source=tclib.sh
. "$(dirname "$0")/tclib.sh"
needs timeout awk
LIMIT=60
pid=''
# shellcheck disable=SC2317 # on any way out
restore() { # only the server this test started, and only while it is this shell's child
	[ -z "$pid" ] || kill "$pid" 2>/dev/null
	pid=''
}

on_tcmalloc() { # COMMAND
	ldd "$1" 2>/dev/null | grep -q libtcmalloc
}

# --- swi-prolog

# Terms, atoms and lists without end, collected and read; a text of some length each time.
cat >"$tmp/work.pl" <<'P'
tree(0, leaf) :- !.
tree(N, node(L, N, R)) :- M is N - 1, tree(M, L), tree(M, R).
size(leaf, 0).
size(node(L, _, R), S) :- size(L, A), size(R, B), S is A + B + 1.
atoms(N, Sum) :-
	findall(L, ( between(1, N, I), format(atom(A), "atom number ~d of many", [I]),
		     atom_length(A, L) ), Ls),
	sum_list(Ls, Sum).
strings(N, Len) :-
	findall(S, ( between(1, N, I), numlist(1, 400, Xs), atomic_list_concat([I|Xs], ',', S) ), Ss),
	atomic_list_concat(Ss, A), atom_length(A, Len).
facts(N, Sum) :-
	forall(between(1, N, I), ( J is I * I mod 1009, assertz(fact(I, J, "some text")) )),
	aggregate_all(sum(J), fact(_, J, _), Sum),
	retractall(fact(_, _, _)).
:- dynamic fact/3.
round(I) :-
	tree(15, T), size(T, S), atoms(30000, A), strings(700, L), facts(30000, F),
	numlist(1, 200000, Xs), msort(Xs, Ys), sum_list(Ys, Sum),
	format("~w ~w ~w ~w ~w ~w~n", [I, S, A, L, F, Sum]),
	garbage_collect, garbage_collect_atoms, trim_stacks.
main :- forall(between(1, 3, I), round(I)).
:- initialization((main, halt)).
P

swipl=$(command -v swipl)
if [ -z "$swipl" ]; then
	skip "no swipl (package swi-prolog-nox)"
elif ! on_tcmalloc "$swipl"; then
	skip "this swipl is not linked with tcmalloc"
else
	prolog=("$swipl" -q "$tmp/work.pl")
	stock "${prolog[@]}"
	verdict "swipl, stock"
	cp "$tmp/out" "$tmp/right"
	[ "$(wc -l <"$tmp/right")" = 3 ] || fail "swipl, stock: not three lines"
	for conf in "" backend:remap,batch_bytes:1M mode:observe; do
		for how in aggressive rate10 default; do
			setting_of $how
			name="swipl, $how, ${conf:-by default}"
			under "$conf${conf:+,}stats_print:true,verbose:true" "${setting[@]}" \
				"${prolog[@]}"
			verdict "$name" || continue
			cmp -s "$tmp/right" "$tmp/out" || fail "$name: other answers than without us"
			grep -q '^ptreclaim: .*gperftools' "$tmp/err" || fail "$name: not served"
			case $conf,$how in
			mode:observe,*) expect "$name" deferred -eq 0 ;;
			*,aggressive)
				expect "$name" released -gt 1000000
				expect "$name" deferred -gt 0
				expect "$name" cancelled -gt 0
				expect "$name" zapped -gt 0
				;;
			esac
		done
	done
	echo "swipl: $SECONDS s"
fi

# --- yrmcdsd

VALUES=3000
value() { # what awk makes of a number: some 20,000 bytes
	cat <<'A'
	function text(n,  s) {
		s = sprintf("%d:", n)
		while (length(s) < 20000) s = s s
		return substr(s, 1, 20000)
	}
A
}

port=0
start() { # NAME=VALUE...
	local tries i
	for ((tries = 0; tries < 10; tries++)); do
		port=$((20000 + RANDOM % 10000 * 2))
		cat >"$tmp/conf" <<C
virtual_ip = 127.0.0.1
port = $port
repl_port = $((port + 1))
temp_dir = "$tmp"
log.threshold = error
buckets = 10000
memory_limit = 512M
workers = 4
C
		env "$@" "$server" -f "$tmp/conf" >"$tmp/server" 2>"$tmp/err" </dev/null 9>&- &
		pid=$!
		for ((i = 0; i < 50; i++)); do
			kill -0 $pid 2>/dev/null || break
			(exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && return 0
			sleep 0.1
		done
		kill $pid 2>/dev/null
		wait $pid
		pid=''
	done
	return 1
}

# talk AWK-PROGRAM: what it prints goes to the server, and the answers, up to END, to $tmp/out.
talk() {
	local conversation
	exec 3<>"/dev/tcp/127.0.0.1/$port" || return 1
	# To a command that is not known the answer is ERROR: the last of them.
	{ LC_ALL=C awk -v values=$VALUES "$(value) BEGIN { $1; printf \"nonesuch\\r\\n\" }" >&3; } &
	conversation=$!
	timeout "$LIMIT" sed '/^ERROR/q' <&3 | tr -d '\r' >"$tmp/out"
	wait $conversation
	exec 3>&-
}

session() { # what is done to it, and what it has to say
	local round
	for ((round = 0; round < 3; round++)); do
		talk 'for (n = 0; n < values; n++)
			printf "set k%d 0 0 20000\r\n%s\r\n", n, text(n)'
		[ "$(grep -c '^STORED$' "$tmp/out")" = $VALUES ] || return 1
		# All but every tenth is deleted.
		talk 'for (n = 0; n < values; n++) if (n % 10) printf "delete k%d\r\n", n'
		[ "$(grep -c '^DELETED$' "$tmp/out")" = $((VALUES * 9 / 10)) ] || return 2
		talk 'for (n = 0; n < values; n++) printf "get k%d\r\n", n'
		awk -v values=$VALUES "$(value)"'
			/^VALUE / { k = substr($2, 2); next }
			/^END$/ || /^ERROR$/ { next }
			{ if ($0 != text(k)) bad++; right++ }
			END { exit bad || right != values / 10 }' "$tmp/out" || return 3
		talk 'for (n = 0; n < values; n += 10) printf "delete k%d\r\n", n'
		[ "$(grep -c '^DELETED$' "$tmp/out")" = $((VALUES / 10)) ] || return 4
	done
}

served() { # COUNTER OPERATOR NUMBER: of bytes
	local n
	n=$(awk -v name="ptreclaim_$1_bytes_total" '
		index($1, name) == 1 { print $NF; exit }' "$tmp/metrics" 2>/dev/null)
	if [ -z "$n" ] || ! test "$n" "$2" "$3"; then
		fail "$name: $1 is ${n:-unknown}, not $2 $3"
	fi
}

server=$(command -v yrmcdsd || PATH=/usr/sbin:/sbin command -v yrmcdsd)
if [ -z "$server" ]; then
	skip "no yrmcdsd (package yrmcds)"
elif ! on_tcmalloc "$server"; then
	skip "this yrmcdsd is not linked with tcmalloc"
else
	for conf in stock "" backend:remap,batch_bytes:1M batch_bytes:0; do
		setting_of aggressive
		rm -f "$tmp/metrics"
		name="yrmcdsd, ${conf:-by default}"
		if [ "$conf" = stock ]; then
			preload=() conf=''
		else
			preload=(LD_PRELOAD="$lib"
				PTRECLAIM_CONF="$(conf_of "$conf${conf:+,}stats_file:$tmp/metrics,stats_interval_ms:100")")
		fi
		if ! start "${setting[@]}" "${preload[@]}"; then
			[ ${#preload[@]} -gt 0 ] || {
				skip "yrmcdsd does not start here: $(tail -n 1 "$tmp/err")"
				break
			}
			fail "$name: it does not start"
			continue
		fi
		session || fail "$name: a conversation went wrong: $?"
		sleep 0.4 # for the last figures in the file
		kill -TERM $pid
		wait $pid
		status=$?
		pid=''
		verdict "$name" || continue
		[ ${#preload[@]} -gt 0 ] || continue
		# It ends without its exit handlers: the file tells.
		served released -gt 50000000
		served zapped -gt 0
		served failed -eq 0
		case $conf in
		batch_bytes:0) served deferred -eq 0 ;;
		*) served deferred -gt 0 ;;
		esac
	done
	echo "yrmcdsd: $SECONDS s"
fi
finish
