// SPDX-License-Identifier: BSD-2-Clause
/* ptreclaim probe - what the running kernel can do, found out by doing it. */
#include "cmd.h"
#include "json.h"

#include "conf.h"
#include "floor.h"
#include "os.h"
#include "backend.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>

struct probe_result {
	char kernel[sizeof(((struct utsname *)0)->release)];
	size_t page_size, region_size;
	bool pt_reclaim, dontneed, remap; /* the backend frees tables here */
	bool process_madvise;		  /* several ranges of this process in one call */
	bool psi;			  /* memory pressure can be waited for */
	bool vmpte;			  /* VmPTE can be read, so backends can be judged */
};

/* A vector of two ranges of this process is zapped in full, and nothing beside it. */
static bool vectored_zap_works(void)
{
	size_t page = os_page_size;
	char *map = os.map(3 * page);
	bool ok;

	if (!map)
		return false;
	memset(map, 1, 3 * page);
	struct iovec vec[] = {{map, page}, {map + 2 * page, page}};

	ok = os.process_madvise(vec, 2, MADV_DONTNEED) == (ssize_t)(2 * page) && !map[0] &&
	     map[page] == 1 && !map[2 * page];
	(void)os.unmap(map, 3 * page);
	return ok;
}

static bool pressure_works(void)
{
	/* The shortest window that needs no privilege. */
	int handle = os.psi_open("/proc/pressure/memory", "some 100000 2000000");

	if (handle < 0)
		return false;
	os.psi_close(handle);
	return true;
}

static void probe(struct probe_result *p)
{
	struct floor_report r;
	struct utsname u;

	*p = (struct probe_result){
		.page_size = os_page_size,
		.region_size = os_region_size,
		.pt_reclaim = backend_probe(CONF_BACKEND_PT_RECLAIM),
		.dontneed = backend_probe(CONF_BACKEND_DONTNEED),
		.remap = backend_probe(CONF_BACKEND_REMAP),
		.process_madvise = vectored_zap_works(),
		.psi = pressure_works(),
		.vmpte = !floor_vm(0, &r) && r.vmpte_kb,
	};
	if (!uname(&u))
		(void)snprintf(p->kernel, sizeof(p->kernel), "%s", u.release);
}

/* What backend:auto comes to. */
static const char *preferred(const struct probe_result *p)
{
	return p->pt_reclaim ? "pt_reclaim"
	       : p->dontneed ? "dontneed"
	       : p->remap    ? "remap"
			     : "none";
}

static const char *yes(bool b)
{
	return b ? "yes" : "no";
}

static const char *truth(bool b)
{
	return b ? "true" : "false";
}

static void print_json(const struct probe_result *p)
{
	(void)printf("{\"kernel\": ");
	json_string(stdout, p->kernel);
	(void)printf(", \"page_size\": %zu, \"region_size\": %zu,\n"
		     " \"backends\": {\"pt_reclaim\": %s, \"dontneed\": %s, \"remap\": %s},\n"
		     " \"auto\": \"%s\", \"process_madvise\": %s, \"psi\": %s, \"vmpte\": %s}\n",
		     p->page_size, p->region_size, truth(p->pt_reclaim), truth(p->dontneed),
		     truth(p->remap), preferred(p), truth(p->process_madvise), truth(p->psi),
		     truth(p->vmpte));
}

static void print_text(const struct probe_result *p)
{
	(void)printf("kernel           %s\n"
		     "page size        %zu bytes\n"
		     "region size      %zu bytes\n"
		     "pt_reclaim       %s\n"
		     "dontneed         %s\n"
		     "remap            %s\n"
		     "backend:auto     %s\n"
		     "process_madvise  %s\n"
		     "psi              %s\n"
		     "VmPTE            %s\n",
		     p->kernel, p->page_size, p->region_size, yes(p->pt_reclaim), yes(p->dontneed),
		     yes(p->remap), preferred(p), yes(p->process_madvise), yes(p->psi),
		     yes(p->vmpte));
}

int cmd_probe(int argc, char **argv)
{
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	struct probe_result p;
	bool json = false;
	int c;

	while ((c = getopt_long(argc, argv, ":jh", options, NULL)) != -1) {
		if (c != 'j')
			return other_option(c, argv);
		json = true;
	}
	if (optind != argc)
		return usage_error("probe: unexpected argument '%s'", argv[optind]);
	probe(&p);
	if (json)
		print_json(&p);
	else
		print_text(&p);
	return finish_output();
}
