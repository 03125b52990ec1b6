// SPDX-License-Identifier: BSD-2-Clause
/*
 * micro - what each part of the library costs by itself, on Google Benchmark.
 *
 *	micro --benchmark_filter='^pair/' --benchmark_format=json
 *
 * The engine is driven without an allocator (drive.h). bench/README.md says what the benches are.
 */
#include "micro.h"

#include <stdio.h>

#include "conf.h"
#include "drive.h"
#include "engine.h"
#include "gbench.h"

int main(int argc, char **argv)
{
	char text[32];

	os_init();
	drive_start();
	micro_verbs();
	micro_pairs();
	micro_flush();
	micro_backend();
	micro_lookup();
	micro_text();
	gb_context("backend", engine_backend_name());
	(void)snprintf(text, sizeof(text), "%zu", os_page_size);
	gb_context("page_size", text);
	return gb_main(argc, argv);
}
