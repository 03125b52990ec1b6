// SPDX-License-Identifier: BSD-2-Clause
/*
 * tune - khugepaged, KSM and NUMA balancing at speed, put back afterwards; stacks of who hangs. ksmd
 * sleeps a little: without that it takes a processor, and the guest has two.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stress.h"

#define MM   "/sys/kernel/mm/"
#define THP  MM "transparent_hugepage/"
#define NUMA "/sys/kernel/debug/sched/numa_balancing/"

static struct setting {
	const char *path, *value;
	char before[32];
} settings[] = {
	{THP "enabled", "madvise", ""},
	{THP "defrag", "madvise", ""},
	{THP "shmem_enabled", "advise", ""},
	{THP "khugepaged/scan_sleep_millisecs", "0", ""},
	{THP "khugepaged/alloc_sleep_millisecs", "0", ""},
	{THP "khugepaged/pages_to_scan", "16384", ""},
	{THP "khugepaged/max_ptes_none", "511", ""},
	{THP "khugepaged/max_ptes_swap", "256", ""},
	{THP "khugepaged/max_ptes_shared", "256", ""},
	{MM "ksm/sleep_millisecs", "10", ""},
	{MM "ksm/pages_to_scan", "500", ""},
	{MM "ksm/use_zero_pages", "1", ""},
	{MM "ksm/run", "1", ""},
	{"/proc/sys/kernel/numa_balancing", "1", ""},
	{NUMA "scan_delay_ms", "10", ""},
	{NUMA "scan_period_min_ms", "10", ""},
	{NUMA "scan_period_max_ms", "100", ""},
	{"/proc/sys/vm/swappiness", "150", ""},
};

/* The chosen word of "a [b] c", or all of it. */
static void read_setting(struct setting *s)
{
	char text[128];
	char *start, *end;
	int fd = open(s->path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return;
	text[n] = '\0';
	start = strchr(text, '[');
	start = start ? start + 1 : text;
	end = start + strcspn(start, "]\n");
	*end = '\0';
	(void)snprintf(s->before, sizeof(s->before), "%.31s", start);
}

void tune(void)
{
	for (size_t i = 0; i < sizeof(settings) / sizeof(*settings); i++) {
		struct setting *s = &settings[i];
		int error;

		read_setting(s);
		error = write_file(s->path, s->value);
		if (error)
			printf("not set: %s to %s: %s\n", s->path, s->value, strerror(-error));
	}
}

void untune(void)
{
	for (size_t i = 0; i < sizeof(settings) / sizeof(*settings); i++) {
		if (*settings[i].before)
			write_file(settings[i].path, settings[i].before);
	}
}

uint64_t vmstat(const char *name)
{
	char line[128];
	uint64_t value = 0;
	size_t len = strlen(name);
	FILE *file = fopen("/proc/vmstat", "re");

	while (file && fgets(line, sizeof(line), file)) {
		if (!strncmp(line, name, len) && line[len] == ' ')
			value = strtoull(line + len, NULL, 10);
	}
	if (file)
		(void)fclose(file);
	return value;
}

static void dump_file(const char *path)
{
	char text[4096];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return;
	text[n] = '\0';
	printf("  %s:\n%s%s", path, text, text[n - 1] == '\n' ? "" : "\n");
}

static void dump_process(const char *pid)
{
	static const char *const files[] = {"comm", "wchan", "syscall", "stack"};
	char path[300];
	struct dirent *task;
	DIR *dir;

	(void)snprintf(path, sizeof(path), "/proc/%s/task", pid);
	dir = opendir(path);
	while (dir && (task = readdir(dir))) {
		if (!isdigit((unsigned char)*task->d_name))
			continue;
		for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
			(void)snprintf(path, sizeof(path), "/proc/%.20s/task/%.20s/%s", pid,
				       task->d_name, files[i]);
			dump_file(path);
		}
	}
	if (dir)
		closedir(dir);
}

static pid_t parent_of(const char *pid)
{
	char path[300], line[128];
	pid_t parent = 0;
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/%.20s/status", pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		if (!strncmp(line, "PPid:", 5))
			parent = (pid_t)strtol(line + 5, NULL, 10);
	}
	if (file)
		(void)fclose(file);
	return parent;
}

/* Ours, their children, and the kernel's own threads, which have no parent or kthreadd. */
void dump_stacks(const pid_t *pids, size_t n)
{
	DIR *dir = opendir("/proc");
	struct dirent *e;

	while (dir && (e = readdir(dir))) {
		pid_t pid = (pid_t)strtol(e->d_name, NULL, 10), parent;
		bool ours = false;

		if (pid <= 0)
			continue;
		parent = parent_of(e->d_name);
		for (size_t i = 0; i < n; i++)
			ours |= pid == pids[i] || parent == pids[i];
		if (ours || parent == 2)
			dump_process(e->d_name);
	}
	if (dir)
		closedir(dir);
	if (opts.sysrq) {
		write_file("/proc/sysrq-trigger", "w");
		write_file("/proc/sysrq-trigger", "l");
	}
	(void)fflush(stdout);
}
