// SPDX-License-Identifier: BSD-2-Clause
/*
 * phases - a jemalloc program that does what it is told, a word a line on standard input, and answers
 * each with a line:
 *
 *	churn   allocate and free              "churned"
 *	fork    a child reads on from here,    "child PID", and when it has ended "back STATUS"
 *	raw     the same without handlers      the same
 *	exec    execute itself                 "ready PID", as at the start
 *	exit    end, as does the end of input
 *
 * phases newer: makes what looks like a statistics page of a library to come; phases torn: hundreds of
 * pages of somebody else's that are always being written.
 */
#include <jemalloc/jemalloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "page.h"

static void say(const char *word, long n)
{
	char line[64];
	int len = snprintf(line, sizeof(line), "%s %ld\n", word, n);

	if (write(STDOUT_FILENO, line, (size_t)len) != len)
		_exit(5);
}

/* A byte at a time: what is behind the line may be for somebody else. */
static bool read_word(char *word, size_t cap)
{
	size_t n = 0;

	while (n < cap - 1 && read(STDIN_FILENO, &word[n], 1) == 1) {
		if (word[n] == '\n') {
			word[n] = '\0';
			return true;
		}
		n++;
	}
	return false;
}

static void churn(void)
{
	void *block[64] = {NULL};

	for (unsigned i = 0; i < 4000; i++) {
		size_t size = (size_t)4096 << i % 9;
		void **b = &block[i * 7 % 64];

		free(*b);
		*b = malloc(size);
		if (!*b)
			_exit(5);
		memset(*b, 1, size);
	}
	for (unsigned i = 0; i < 64; i++)
		free(block[i]);
}

static void await(pid_t pid)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		_exit(5);
	say("back", WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
}

static void make_page(uint64_t layout, uint64_t seq, pid_t pid)
{
	struct page_image *page =
		mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		_exit(5);
	page->magic = PAGE_MAGIC;
	page->layout = layout;
	page->seq = seq;
	page->pid = (uint64_t)pid;
}

int main(int argc, char **argv)
{
	char word[32];
	pid_t pid;

	if (argc > 1 && !strcmp(argv[1], "newer"))
		make_page(PAGE_LAYOUT + 1, 0, getpid());
	for (unsigned i = 0; argc > 1 && !strcmp(argv[1], "torn") && i < 300; i++)
		make_page(PAGE_LAYOUT, 1, getppid());
	say("ready", getpid());
	while (read_word(word, sizeof(word))) {
		if (!strcmp(word, "churn")) {
			churn();
			say("churned", getpid());
		} else if (!strcmp(word, "fork") || !strcmp(word, "raw")) {
			pid = *word == 'f' ? fork()
					   : (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
			if (pid)
				await(pid);
			else
				say("child", getpid());
		} else if (!strcmp(word, "exec")) {
			(void)execv("/proc/self/exe", argv);
			return 5;
		} else if (!strcmp(word, "exit")) {
			break;
		}
	}
	return 0;
}
