// SPDX-License-Identifier: BSD-2-Clause
/* surround - what hammer does to the process around it: see hammer.h. */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "floor.h"
#include "hammer.h"

/* Ticks of 20 ms, in which all that was pending has been zapped: thrice batch_ms. */
#define SETTLE_TICKS 15
/* Mappings that are left for the rest of the process. */
#define SPARE 64

void lock_everything(void)
{
	check(!mlockall(MCL_CURRENT | MCL_FUTURE), "mlockall");
}

/* Neighbours of different protection do not merge. */
void fill_mappings(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), n = (size_t)1 << 21;
	char *base =
		mmap(NULL, n * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	size_t i;

	check(base != MAP_FAILED, "room for mappings");
	for (i = 0; i < n; i += 2)
		if (mprotect(base + i * page, page, PROT_READ))
			break;
	check(i < n && errno == ENOMEM, "a limit to the number of mappings");
	for (size_t back = 0; back < SPARE && i >= 2; back++) {
		i -= 2;
		(void)mprotect(base + i * page, page, PROT_NONE);
	}
}

static volatile sig_atomic_t alarms;

static void on_alarm(int sig)
{
	char local[512];
	int saved = errno;
	stack_t st;

	(void)sig;
	/* Some stack, some system calls that are allowed here. */
	memset(local, (int)alarms, sizeof(local));
	(void)sigaltstack(NULL, &st);
	(void)getppid();
	alarms = alarms + (local[17] == (char)alarms);
	errno = saved;
}

void start_signals(void)
{
	static char stack[64 << 10];
	stack_t st = {.ss_sp = stack, .ss_size = sizeof(stack)};
	struct sigaction sa = {.sa_handler = on_alarm, .sa_flags = SA_RESTART | SA_ONSTACK};
	struct itimerval often = {.it_interval = {.tv_usec = 50}, .it_value = {.tv_usec = 50}};

	/* The other stack is this thread's alone; elsewhere the handler runs on the thread's own. */
	check(!sigaltstack(&st, NULL), "sigaltstack");
	check(!sigaction(SIGALRM, &sa, NULL), "sigaction");
	check(!setitimer(ITIMER_REAL, &often, NULL), "setitimer");
}

static int (*ctl)(const char *, void *, size_t *, void *, size_t);
static _Atomic bool switched;

static void *switch_modes(void *arg)
{
	static const char *const modes[] = {"off", "observe", "on", "off", "on"};
	unsigned n = *(unsigned *)arg;
	/* Slower and faster than what the library does about it. */
	const struct timespec pauses[] = {{0}, {.tv_nsec = 100000}, {.tv_nsec = 5000000}};

	for (unsigned i = 0; i < n; i++) {
		const char *mode = i + 1 < n ? modes[i % 5] : "on", *now = NULL;
		size_t len = sizeof(now);

		check(!ctl("ptreclaim.mode", NULL, NULL, &mode, sizeof(mode)), "the mode is set");
		check(!ctl("ptreclaim.mode", &now, &len, NULL, 0) && !strcmp(now, mode),
		      "the mode is as it was set");
		(void)nanosleep(&pauses[i % 7 % 3], NULL);
	}
	(void)printf("switched %u times\n", n);
	switched = true;
	return NULL;
}

void start_switches(unsigned n)
{
	static unsigned times;
	pthread_t thread;

	times = n;
	*(void **)&ctl = dlsym(RTLD_DEFAULT, "ptreclaim_ctl");
	check(ctl != NULL, "ptreclaim_ctl");
	check(!pthread_create(&thread, NULL, switch_modes, &times), "pthread_create");
	check(!pthread_detach(thread), "pthread_detach");
}

bool switches_done(void)
{
	return switched;
}

static uint64_t allowed_kb(const struct floor_report *r, unsigned arenas)
{
	return r->floor_kb / 20 + 64 + 8 * (uint64_t)arenas;
}

bool waste_goes(unsigned arenas, const char *when)
{
	const struct timespec tick = {.tv_nsec = 20000000};
	struct floor_report r = {0};
	bool gone = false;

	/* What is pending counts as present: not before it has gone is there anything to see. */
	for (unsigned ticks = 1; ticks <= 50 && !gone; ticks++) {
		(void)nanosleep(&tick, NULL);
		if (ticks < SETTLE_TICKS)
			continue;
		check(!floor_measure(0, &r), "reading /proc/self/pagemap");
		gone = r.waste_kb <= allowed_kb(&r, arenas);
	}
	(void)printf("left %s: VmPTE %lu kB, floor %lu kB, waste %lu kB, allowed %lu kB, "
		     "arenas %u, mappings %lu, RSS %lu kB\n",
		     when, (unsigned long)r.vmpte_kb, (unsigned long)r.floor_kb,
		     (unsigned long)r.waste_kb, (unsigned long)allowed_kb(&r, arenas), arenas,
		     (unsigned long)r.vmas, (unsigned long)r.rss_kb);
	return gone;
}
