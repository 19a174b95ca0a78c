/* What c1m is measured against: the kernel's own price of a TCP connection over 127.0.0.0/8, paid in bare C.
 *
 *   cc -O2 -o reference reference.c
 *   ./reference naive|planned PAIRS PER_PAIR [--client epoll|blocking] [--hold SECONDS]
 *
 * PAIRS client processes open PER_PAIR connections each, PAIRS acceptor processes accept them, all idle. One line of
 * JSON on stdout; a failure is a sentence on stderr and exit code 1.
 *
 * planned: every acceptor has its own port, accepts in batches and serves one client, whose source ports are explicit.
 * naive:   what one writes first. One port shared by SO_REUSEPORT, one wakeup per connection, ports chosen by the kernel.
 *          SO_REUSEPORT picks an acceptor by a hash of the 4-tuple, so the spread is binomial: PER_PAIR must leave about
 *          5 % of the descriptor limit free, or the fullest acceptor ends the run with EMFILE.
 *
 * Times are CLOCK_MONOTONIC. cpu_seconds is that of the clients and acceptors up to the end of the ramp; on loopback
 * both handshakes run in the softirq of whoever sends, and are in it. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    FIRST_LISTENING_PORT = 9000,
    FIRST_SOURCE_PORT = 10000, /* above the last listening port: an explicit bind to a listener's port is EADDRINUSE */
    SOURCE_PORTS = 65536 - FIRST_SOURCE_PORT,
    MAX_PAIRS = FIRST_SOURCE_PORT - FIRST_LISTENING_PORT,
    NAIVE_PER_SOURCE = 5000, /* the search for a free port becomes linear past half of the range, 14,116 by default */
    BACKLOG = 4096,          /* a full accept queue leaves ghosts: clients established with no socket behind them */
    OUTSTANDING_OPENS = 64,
    SPARE_DESCRIPTORS = 64,        /* stdio, epoll, listener, and what the parent had open */
    BYTES_PER_CONNECTION = 8600,   /* kernel memory of both ends with both in an epoll: 8,350 measured */
    BATCH_NS = 2000000,            /* how long an acceptor stays away, so that a SYN does not wake it: connect() 18 -> 13 us */
    POLL_NS = 20000000,
    DEADLINE_SECONDS = 300,
    MAX_HOLD_SECONDS = 200,
};

struct slot { /* one writer, the process it belongs to, so nothing needs a lock */
    _Alignas(64) atomic_long count;
    atomic_llong last_ns;
    atomic_bool ready;
};

struct shared {
    atomic_bool started;
    struct slot slots[2 * MAX_PAIRS]; /* acceptors first, then clients */
};

static struct {
    const char *mode, *client;
    bool planned, blocking;
    long pairs, per_pair, connections, hold_seconds;
} options = {.client = "epoll"};

static struct shared *shared;
static pid_t parent, children[2 * MAX_PAIRS];
static int child_count;
static long descriptor_limit, mem_available_low_kb;
static long long deadline_ns;

static long long now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void sleep_ns(long ns) { nanosleep(&(struct timespec){.tv_nsec = ns}, NULL); }

/* SIGKILL is the plain exit: the kernel closes what is open, FIN by FIN, and no code of ours runs. */
static void end_children(void) {
    for (int i = 0; i < child_count; i++) kill(children[i], SIGKILL);
    while (child_count && wait(NULL) > 0) continue;
    child_count = 0;
}

__attribute__((noreturn, format(printf, 1, 2))) static void fail(const char *sentence, ...) {
    va_list values;
    va_start(values, sentence);
    fputs("reference: ", stderr);
    vfprintf(stderr, sentence, values);
    fputc('\n', stderr);
    end_children();
    _exit(1);
}

static int checked(int result, const char *call) {
    if (result < 0) fail("%s failed after %d descriptors or fewer: %s.", call, (int)descriptor_limit, strerror(errno));
    return result;
}
