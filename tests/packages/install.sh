#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# make install puts these files where it was configured to, and make uninstall takes all of them away.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
needs make
root=$tmp/root

# As configured, prefix and all.
settings=$(
	for name in prefix exec_prefix bindir libdir includedir datarootdir mandir; do
		echo "$name=\"@$name@\""
	done | (cd "$top" && ./config.status -q --file=-)
) || skip_all "config.status does not say where things go"
# Set by that, for those that are set by them.
prefix='' exec_prefix='' bindir='' libdir='' includedir='' datarootdir='' mandir=''
eval "$settings"
: "$prefix" "$exec_prefix"

expected=$(
	cat <<-END
		$bindir/ptreclaim
		$includedir/ptreclaim.h
		$libdir/libptreclaim.la
		$libdir/libptreclaim.so
		$libdir/libptreclaim.so.0
		$libdir/libptreclaim.so.0.0.0
		$libdir/pkgconfig/ptreclaim.pc
	END
	echo "$datarootdir/ptreclaim/ptreclaim-stats.schema.json"
	pages 123456789 | sed "s|^|$mandir/|"
)

step "make install" make -C "$top" install DESTDIR="$root"
same "what is installed" "$expected" "$(find "$root" ! -type d -printf '/%P\n')"

# The links are relative, so that they work wherever they end up.
for link in libptreclaim.so libptreclaim.so.0; do
	if [ "$(readlink "$root$libdir/$link")" = libptreclaim.so.0.0.0 ]; then
		ok
	else
		fail "$link leads to $(readlink "$root$libdir/$link")"
	fi
done

# Where it was installed on the way is nobody's business.
if grep -rlF -e "$root" "$root" >"$tmp/out"; then
	fail "these name DESTDIR:"
else
	ok
fi

step "make uninstall" make -C "$top" uninstall DESTDIR="$root"
same "what uninstall leaves" "" "$(find "$root" ! -type d)"
finish
