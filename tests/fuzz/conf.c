// SPDX-License-Identifier: BSD-2-Clause
/*
 * Any bytes as configuration: nothing outside the text is read, every line of complaint is bounded
 * and printable, every value ends up in its range, and the same text gives the same result twice.
 * Built by tests/fuzz/run.
 */
#include "conf_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct conf once, twice;
	unsigned n;

	os.getpid = fake_getpid;
	/* Padding too, so that the two can be compared as bytes. */
	memset(&once, 0, sizeof(once));
	memset(&twice, 0, sizeof(twice));
	conf_defaults(&once);
	memcpy(&twice, &once, sizeof(once));
	said = 0;
	n = conf_parse(&once, "fuzz", (const char *)data, size, say);
	CHECK(n == once.errors);
	check_said(n);
	check_conf(&once);
	CHECK(!*once.rule);
	CHECK(conf_parse(&twice, "fuzz", (const char *)data, size, NULL) == n);
	/* What follows the NUL of a string may differ only if more than the text went in. */
	CHECK(same_bytes(&once, &twice));
	return 0;
}
