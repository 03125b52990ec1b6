# SPDX-License-Identifier: BSD-2-Clause
# The version matrix. Its allocators are fetched when they are first needed, never installed.
EXTRA_DIST += tests/versions/fetch tests/versions/versions.sh
if !SANITIZED
TESTS += tests/versions/versions.sh
endif
