#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Bad configuration from outside: one line for each mistake, and the program runs as if it had not
# been said; with abort_conf it does not run at all.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
needs hammer timeout
LIMIT=30
hammer=("$progs/hammer" -t 2 -n 150)
export MALLOC_CONF=dirty_decay_ms:0,narenas:2
[ ! -e /etc/ptreclaim.conf ] || skip_all "/etc/ptreclaim.conf has a say here"

# bad CONF TEXT: one line, with TEXT and the name of the source.
bad() {
	local name=${1:0:60}
	under "$1" "${hammer[@]}"
	verdict "$name" || return
	says "$name" "$2"
	grep -q '^ptreclaim: PTRECLAIM_CONF: ' "$tmp/err" || fail "$name: no source is named"
	[ "$(awk '{ if (length > most) most = length } END { print most }' "$tmp/err")" -le 300 ] ||
		fail "$name: a long line"
}

bad no_such_key:1 no_such_key
bad Mode:on Mode
bad mode:maybe mode:maybe
bad mode mode
bad mode: mode
bad :on :on
bad verbose:2 verbose:2
bad backend:fast backend:fast
bad batch_bytes:x batch_bytes:x
bad batch_bytes:-1 batch_bytes:-1
bad batch_bytes:1.5M batch_bytes:1.5M
bad batch_bytes:12Q batch_bytes:12Q
bad batch_bytes:0x10 batch_bytes:0x10
bad batch_bytes:99999999999999999999999 batch_bytes:999
bad batch_bytes:18446744073709551615T batch_bytes:184
bad batch_ms:0 batch_ms:0
bad batch_ms:99999999999 batch_ms:999
bad sweep_ms:abc sweep_ms:abc
bad rollout:1001 rollout:1001
bad rollout:-5 rollout:-5
bad batch_ms:50,batch_ms:60 batch_ms
bad stats_file:relative/path stats_file
bad "stats_file:/$(head -c 600 /dev/zero | tr '\0' a)" stats_file
bad "$(printf 'mo\033[2Jde:on')" 'mo?[2Jde'
bad "$(printf 'm\303\244h:1')" 'm??h'
# A good pair behind a bad one counts.
bad no_such_key:1,batch_bytes:0,stats_print:true no_such_key
expect "a good pair behind a bad one" deferred -eq 0
expect "a good pair behind a bad one" released -gt 0

# Several mistakes: a line for each.
under a:1,b:2,mode:x "${hammer[@]}"
verdict "three mistakes"
[ "$(grep -c '^ptreclaim: ' "$tmp/err")" -eq 3 ] || fail "three mistakes: not three lines"

# Of very many only the first are named, and the rest counted. One string of the environment may
# have 128 KiB with 4 KiB pages.
under "$(seq -s, 1 20000)" "${hammer[@]}"
verdict "20,000 mistakes"
lines=$(grep -c '^ptreclaim: ' "$tmp/err")
if [ "$lines" -le 1 ] || [ "$lines" -gt 20 ]; then
	fail "20,000 mistakes: $lines lines"
fi
grep -q 'more$' "$tmp/err" || fail "20,000 mistakes: the rest is not counted"
bad "$(head -c 120000 /dev/zero | tr '\0' x)" xxx
bad "batch_bytes:$(head -c 120000 /dev/zero | tr '\0' 9)" batch_bytes:999

# 1 MB does not fit into one string, unless the stack may grow and pages are large: the file's part
# of that is in the unit tests.
if stock env PTRECLAIM_CONF="$(head -c 1000000 /dev/zero | tr '\0' x)" true 2>/dev/null &&
	[ "$status" = 0 ]; then
	bad "$(head -c 1000000 /dev/zero | tr '\0' x)" xxx
else
	skip "the kernel takes no string of 1 MB for the environment"
fi

# Nothing at all, and only separators.
for conf in "" "," ",,," "  " ", mode:on ,"; do
	PTRECLAIM_CONF=$conf stock env LD_PRELOAD="$lib" "${hammer[@]}"
	verdict "'$conf'"
	silent "'$conf'"
done

# Fatal only on request, and only for a mistake.
under abort_conf:true,no_such_key:1 "${hammer[@]}"
case $status in
134) ok ;;
*) fail "abort_conf with a mistake: exit status $status, not SIGABRT's" ;;
esac
grep -q no_such_key "$tmp/err" || fail "abort_conf: the mistake is not named"
under no_such_key:1,abort_conf:true "${hammer[@]}"
[ "$status" = 134 ] || fail "abort_conf behind the mistake: exit status $status"
under abort_conf:true "${hammer[@]}"
verdict "abort_conf without a mistake"
silent "abort_conf without a mistake"
finish
