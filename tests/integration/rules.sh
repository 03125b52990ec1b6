#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A real /etc/ptreclaim.conf with rules by program, and machine IDs that differ: what each program is
# told, by which of its names, and that a host stays in its bucket. All of it in a mount namespace with
# an /etc of its own; the machine's is not touched.
if [ "${PTR_RULES_ETC:-}" != yes ]; then
	for user in "" -r; do
		if unshare $user -m true 2>/dev/null; then
			PTR_RULES_ETC=yes exec unshare $user -m "$0"
		fi
	done
	echo "SKIP: no mount namespace can be had here"
	exit 77
fi
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
unset PTR_RULES_ETC
needs hammer timeout
LIMIT=30
export MALLOC_CONF=dirty_decay_ms:0,narenas:2

# What cannot be read (another user's) is left out.
mkdir "$tmp/etc" && cp -a /etc/. "$tmp/etc/" 2>/dev/null
mount --bind "$tmp/etc" /etc 2>/dev/null || skip_all "nothing can be mounted in a namespace here"
conf=/etc/ptreclaim.conf
rm -f $conf /etc/machine-id

for name in redis-server redis-check-rdb java; do
	cp "$progs/hammer" "$tmp/$name" || skip_all "no copy of hammer"
done
ln -s redis-check-rdb "$tmp/redis-link"

# run NAME [CONF]: a copy of hammer, under the file and the environment.
run() {
	local name=$1
	shift
	under "verbose:true${1:+,$1}" "$tmp/$name" -t 1 -n 20
}

# told NAME CONF TEXT: one line that ends in TEXT.
told() {
	run "$1" "$2"
	verdict "$1, '$2'" && says "$1, '$2'" "$3"
}

# bucket: of the last program, by its own word.
bucket() {
	sed -n 's/.*[( ]bucket \([0-9]*\) .*/\1/p' "$tmp/err"
}

# --- sections

cat >$conf <<'EOF'
# for every program
mode:observe

[redis-server valkey-*]   # the stores
mode:on

[java]
mode:off
batch_ms:7,batch_ms:8
no_such_key:1
EOF
told redis-server "" "mode on (mode:on in $conf [redis-server valkey-*], rollout 1000)"
told redis-check-rdb "" "mode observe (mode:observe in $conf, rollout 1000)"
# The environment has the last word.
told redis-server mode:off "mode off (mode:off in PTRECLAIM_CONF)"
# Only Java hears of the mistakes in its section, and is off.
run java
verdict "java"
[ "$(grep -c '^ptreclaim: ' "$tmp/err")" -eq 3 ] || fail "java: not three lines"
grep -q "^ptreclaim: $conf:9: .*more than once" "$tmp/err" || fail "java: a repeated key is not named"
grep -q "^ptreclaim: $conf:10: .*unknown key" "$tmp/err" || fail "java: a bad key is not named"
grep -qF "mode off (mode:off in $conf [java])" "$tmp/err" || fail "java: the mode is not explained"

# By the name that it was run by, and by the executable's.
under verbose:true bash -c "exec -a /x/valkey-server $tmp/redis-check-rdb -t 1 -n 20"
verdict "argv[0]"
# The shell speaks too, before it becomes the program.
tail -n 1 "$tmp/err" | grep -qF "in $conf [redis-server valkey-*]" || fail "argv[0]: no rule applies"
echo "[redis-check-*] mode:off" >$conf
told redis-link "" "mode off (mode:off in $conf [redis-check-*])"
echo "[redis-link] mode:off" >$conf
told redis-link "" "mode off (mode:off in $conf [redis-link])"
# A program whose file is gone, as after an upgrade.
cp "$progs/hammer" "$tmp/upgraded"
echo "[upgraded] mode:off" >$conf
under verbose:true bash -c "exec 3<$tmp/upgraded; rm $tmp/upgraded; exec -a x /dev/fd/3 -t 1 -n 20"
if [ "$status" = 0 ]; then
	grep -qF "[upgraded])" "$tmp/err" || fail "a deleted executable: no rule applies"
else
	skip "a deleted executable cannot be run here"
fi

# What is wrong with a section's line is everybody's business, once.
printf '[redis-server\nmode:off\nnonsense\n[*]\nmode:observe\n' >$conf
run java
verdict "malformed section"
[ "$(grep -c '^ptreclaim: ' "$tmp/err")" -eq 2 ] || fail "malformed section: not two lines"
grep -q "^ptreclaim: $conf:1: .*without a closing" "$tmp/err" || fail "malformed section: not named"
grep -qF "mode observe (mode:observe in $conf [*]" "$tmp/err" || fail "malformed section: not skipped"

# A privileged program goes by its executable's name alone: tests/unit/conf_load.c.

# --- rollout

# id ID: this host's from now on.
id() {
	echo "$1" >/etc/machine-id
}

echo "rollout:500" >$conf
id 4c3a1f0d2b5e46778899aabbccddeeff
told java "" "bucket 12 is within rollout 500"
told java "" "bucket 12 is within rollout 500"
# The same host under another /etc, as a restarted container has it.
mkdir "$tmp/again" && cp "$tmp/etc/machine-id" "$tmp/etc/ptreclaim.conf" "$tmp/again"
if mount --bind "$tmp/again/machine-id" /etc/machine-id; then
	told java "" "bucket 12 is within rollout 500"
	umount /etc/machine-id
fi
# Raising the share only adds hosts.
in=0 before=0
for i in $(seq 1 24); do
	id "host-$i"
	was=off
	for rollout in 250 750; do
		run java "rollout:$rollout"
		verdict "host-$i" || break 2
		if ! grep -q "out of rollout $rollout" "$tmp/err"; then
			[ $rollout = 750 ] || before=$((before + 1))
			was=on
			n=$(bucket)
			[ "${n:-1000}" -lt $rollout ] || fail "host-$i: bucket $n is not within $rollout"
		elif [ $was = on ]; then
			fail "host-$i: out of the rollout when its share was raised"
		fi
	done
	[ $was = off ] || in=$((in + 1))
done
if [ $before -lt 1 ] || [ $in -le $before ] || [ $in -ge 24 ]; then
	fail "24 hosts: $before within rollout 250, $in within 750"
fi

# The others can be told to observe; never to do more than the mode says.
id web-01
told java rollout:356 "mode off (bucket 356 is out of rollout 356: rollout_others:off)"
told java rollout:356,rollout_others:observe \
	"mode observe (bucket 356 is out of rollout 356: rollout_others:observe)"
told java rollout:356,rollout_others:observe,mode:off "mode off (mode:off in PTRECLAIM_CONF)"
told java rollout:357 "mode on (mode:on by default, bucket 356 is within rollout 357)"
# Containers of one image: an ID of each node's own.
told java rollout:500,rollout_id:web-02,rollout_salt:2026 \
	"mode on (mode:on by default, bucket 448 is within rollout 500)"
rm /etc/machine-id
told java rollout:500,rollout_id:web-01 "bucket 356 is within rollout 500"

# Out of the rollout there is neither thread nor hook; as an observer it counts.
under rollout:0,rollout_others:observe,stats_print:true "$tmp/java" -t 1 -n 300
verdict "observing out of the rollout" &&
	expect "observing out of the rollout" released -gt 0 &&
	expect "observing out of the rollout" deferred -eq 0

# What the command's user does to find out.
echo "[true] mode:observe" >$conf
PTRECLAIM_CONF=verbose:true stock "$cmd" run -- true
verdict "ptreclaim run -- true" &&
	says "ptreclaim run -- true" "(mode:observe in $conf [true], rollout 1000)"
finish
