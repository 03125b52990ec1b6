# SPDX-License-Identifier: BSD-2-Clause
EXTRA_DIST += .ci/run .clang-tidy scripts/check scripts/check-lib.sh scripts/lint-layers \
	scripts/packages scripts/setup
